//! Rows into paged tables (S9).

mod column;
mod numeric;
mod types;

use std::collections::HashSet;

use join_core::page::Page;
use join_core::parallel::{Sharing, Team};
use join_core::table::{Column, NamedColumn, Table, TableError};

use crate::chunks::{Chunks, PieceBytes};
use crate::framing::FramingError;
use crate::manifest::{Manifest, SourceColumn};
pub use column::ColumnReader;
pub use types::{NumericAs, SourceType};

/// A table, and what it lost of the rows.
#[derive(Debug)]
pub struct Paged {
    /// The table.
    pub table: Table,
    /// Columns whose values lost digits, and how many values.
    pub losses: Vec<(String, u64)>,
}

/// Rows that do not become a table.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// Columns of types that pages do not have.
    #[error(
        "column {column:?} has type {type_name}, which has no pages; leave it out with --query, or cast it to one of {}",
        SourceType::NAMES
    )]
    Unsupported {
        /// The column.
        column: String,
        /// The server's name of its type.
        type_name: String,
    },
    /// Nobody knows the columns.
    #[error(
        "the manifest names no columns, and a table of pages has at least one; load a table or a query with columns"
    )]
    NoColumns,
    /// Columns that nobody could tell apart.
    #[error("two columns are named {0:?}; name them apart with --query, by AS")]
    SameName(String),
    /// Rows were split.
    #[error(
        "{rows} rows were split by the placement `packed` and cannot be read; load again with aligned or packed-rows"
    )]
    Split {
        /// How many.
        rows: u64,
    },
    /// A section is wrong.
    #[error("section {section}: {error}; load again")]
    Framing {
        /// Which.
        section: usize,
        /// How.
        error: FramingError,
    },
    /// A value is wrong.
    #[error("section {section}, column {column:?}: {what}")]
    Value {
        /// The section.
        section: usize,
        /// The column.
        column: String,
        /// What.
        what: String,
    },
    /// The table cannot be.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The types of columns.
///
/// # Errors
/// The first column whose type pages do not have.
pub fn types(columns: &[SourceColumn], numeric: NumericAs) -> Result<Vec<SourceType>, PagesError> {
    let of = |column: &SourceColumn| {
        SourceType::of(&column.type_name, numeric).ok_or_else(|| PagesError::Unsupported {
            column: column.name.clone(),
            type_name: column.type_name.clone(),
        })
    };
    columns.iter().map(of).collect()
}

/// The types of the columns that the rows of a manifest become.
///
/// # Errors
/// If they cannot become a table.
pub fn table_types(manifest: &Manifest, numeric: NumericAs) -> Result<Vec<SourceType>, PagesError> {
    if manifest.split_rows > 0 {
        return Err(PagesError::Split {
            rows: manifest.split_rows,
        });
    }
    if manifest.columns.is_empty() {
        return Err(PagesError::NoColumns);
    }
    let types = types(&manifest.columns, numeric)?;
    let mut named = HashSet::new();
    match manifest.columns.iter().find(|c| !named.insert(&c.name)) {
        Some(twin) => Err(PagesError::SameName(twin.name.clone())),
        None => Ok(types),
    }
}

/// Columns without rows.
pub fn readers(types: &[SourceType]) -> Vec<ColumnReader> {
    types.iter().map(|&kind| ColumnReader::new(kind)).collect()
}

/// Appends the rows of a piece to columns.
///
/// # Errors
/// If a row or a value is wrong.
pub fn read_piece(
    columns: &[SourceColumn],
    piece: &PieceBytes<'_>,
    readers: &mut [ColumnReader],
) -> Result<(), PagesError> {
    for row in piece.rows() {
        let row = row.map_err(|error| PagesError::Framing {
            section: piece.section,
            error,
        })?;
        for (number, (reader, field)) in readers.iter_mut().zip(row.fields()).enumerate() {
            reader.push(field).map_err(|what| PagesError::Value {
                section: piece.section,
                column: columns[number].name.clone(),
                what,
            })?;
        }
    }
    Ok(())
}

/// A table of what several read, in their order.
///
/// # Errors
/// If the table cannot be.
pub fn table_of(
    manifest: &Manifest,
    name: &str,
    types: &[SourceType],
    shares: Vec<Vec<ColumnReader>>,
) -> Result<Paged, PagesError> {
    let mut pages: Vec<Vec<Page>> = types.iter().map(|_| Vec::new()).collect();
    let mut lost = vec![0; types.len()];
    for share in shares {
        for (column, reader) in share.into_iter().enumerate() {
            lost[column] += reader.lost;
            pages[column].extend(reader.finish());
        }
    }
    let names = || manifest.columns.iter().map(|column| column.name.clone());
    let columns = names()
        .zip(types.iter().zip(pages))
        .map(|(name, (kind, pages))| {
            NamedColumn::new(name, Column::from_trusted_pages(kind.data_type(), pages))
        });
    let table = Table::new(name, columns.collect())?;
    let losses = names().zip(lost).filter(|(_, lost)| *lost > 0).collect();
    Ok(Paged { table, losses })
}

/// The rows of chunks, which must have been verified, as a table. Each worker turns a contiguous share of their
/// [pieces](Chunks::pieces) into pages of its own, so a column has at most one page a worker that is not full.
///
/// # Errors
/// See [`PagesError`].
pub fn to_table(
    chunks: &Chunks,
    name: &str,
    numeric: NumericAs,
    team: &Team,
) -> Result<Paged, PagesError> {
    let manifest = chunks.manifest();
    let types = table_types(manifest, numeric)?;
    let states = (0..team.threads()).map(|_| readers(&types)).collect();
    let shares = chunks.read_pieces(team, Sharing::Static, states, |readers, piece| {
        read_piece(&manifest.columns, &piece, readers)
    })?;
    table_of(manifest, name, &types, shares)
}
