//! Columns and tables of pages, in memory or mapped from a table folder.

mod builder;
mod column;
mod error;
mod folder;
mod meta;
mod offsets;
mod paged;
mod value;
mod whole;

use std::collections::HashSet;

pub use builder::{ColumnBuilder, TypeMismatch};
pub use column::Column;
pub use error::{TableError, one_line};
pub use folder::{TABLE_FILE, open_file, open_regular, write_pages};
pub use meta::{ColumnMeta, TableMeta};
pub use offsets::PageOffsets;
pub use paged::PagedColumn;
pub use value::{Value, Values};
pub use whole::{all_or_nothing, discard_unfinished, write_folder, write_new_file};

/// A table: columns of equally many rows.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    num_rows: u32,
    columns: Vec<NamedColumn>,
}

/// A column and its name.
#[derive(Clone, Debug)]
pub struct NamedColumn {
    /// The name, by which it is told from the other columns of its table.
    pub name: String,
    /// The column.
    pub column: Column,
}

impl NamedColumn {
    /// A column of this name.
    pub fn new(name: impl Into<String>, column: Column) -> NamedColumn {
        NamedColumn {
            name: name.into(),
            column,
        }
    }
}

impl Table {
    /// A table of these columns. A table without columns has no rows.
    ///
    /// # Errors
    /// If the columns differ in their number of rows, two have the same name, or there are more than
    /// `u32::MAX` rows: row ids are `u32`.
    pub fn new(name: impl Into<String>, columns: Vec<NamedColumn>) -> Result<Table, TableError> {
        let name = name.into();
        check_names(&name, columns.iter().map(|column| &column.name))?;
        let rows = columns.first().map_or(0, |first| first.column.row_count());
        for NamedColumn {
            name: column,
            column: data,
        } in &columns
        {
            let found = data.row_count();
            if found != rows {
                return Err(TableError::UnevenColumns {
                    table: name,
                    column: column.clone(),
                    expected: rows,
                    found,
                });
            }
        }
        Ok(Table {
            num_rows: rows_as_u32(&name, rows)?,
            name,
            columns,
        })
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of rows.
    pub fn num_rows(&self) -> usize {
        self.num_rows as usize
    }

    /// The columns in order.
    pub fn columns(&self) -> &[NamedColumn] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let named = self.columns.iter().find(|column| column.name == name)?;
        Some(&named.column)
    }
}

/// Columns are told apart by their names, so two of one name would hide one of them.
fn check_names<'a>(table: &str, names: impl Iterator<Item = &'a String>) -> Result<(), TableError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(TableError::SameName {
                table: table.to_owned(),
                column: name.clone(),
            });
        }
    }
    Ok(())
}

/// Row ids are `u32`; a table of more rows is refused where it comes into being.
fn rows_as_u32(table: &str, rows: u64) -> Result<u32, TableError> {
    u32::try_from(rows).map_err(|_| TableError::TooManyRows {
        table: table.to_owned(),
        rows,
    })
}
