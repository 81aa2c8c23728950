//! The Join Order Benchmark as plan bundles, over generated data.
//!
//! The queries and their plans are the benchmark's, from files that the user has. The data are drawn: tables of IMDB's
//! shape and sizes, keys of skewed popularity, filters that keep as many rows as PostgreSQL expects.

mod data;
mod nulls;
pub mod plans;
mod schema;
mod select;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use join_core::page::{DataType, FixedWriter, VarcharWriter};
use join_core::table::Column;

use crate::MakeError;
use crate::store::{Link, Store, StoredInput};
use crate::write::in_parallel;

use data::{Cell, Tables};
use plans::Planned;
use schema::{Kind, TableShape};
use select::{Kept, Selection, select};

/// What the data are like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rows, as a share of the real data's. Tables of at most 200 rows have them always.
    pub scale: f64,
    /// Draws everything.
    pub seed: u64,
    /// How much more popular some keys are than others: Zipf's exponent. 0 makes all alike.
    pub skew: f64,
    /// The share of movies and people that are equally popular in all tables, and of a filter's rows that agree with
    /// the query's other filters. 0 makes tables and filters independent, and most results empty.
    pub correlation: f64,
    /// A factor on the shares of NULLs.
    pub nulls: f64,
    /// A factor on the lengths of text.
    pub text_length: f64,
    /// The share of texts at and above the limit of a page.
    pub long_texts: f64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            scale: 0.1,
            seed: 1,
            skew: 0.8,
            correlation: 0.25,
            nulls: 1.0,
            text_length: 1.0,
            long_texts: 1e-5,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), MakeError> {
        let ranges = [
            ("scale", self.scale, 0.0001..=10.0),
            ("skew", self.skew, 0.0..=3.0),
            ("correlation", self.correlation, 0.0..=1.0),
            ("nulls", self.nulls, 0.0..=100.0),
            ("text-length", self.text_length, 0.0..=100.0),
            ("long-texts", self.long_texts, 0.0..=1.0),
        ];
        for (name, value, range) in ranges {
            if !range.contains(&value) {
                let (low, high) = range.into_inner();
                let what = format!("--{name} {value} is outside of {low}..{high}");
                return Err(MakeError::Option(what));
            }
        }
        Ok(())
    }
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The bundles' folders.
    pub bundles: Vec<PathBuf>,
    /// How many of them surely have results.
    pub with_results: usize,
}

/// Writes the bundles of these queries over generated data into the new folder `out`, one folder each. It appears whole
/// or not at all. The same arguments give the same bytes, on any number of cores. The keys of all tables are in memory
/// meanwhile: about 3 GB at scale 1.
///
/// # Errors
/// An option out of range, a table or column that IMDB does not have, or `out` is not free.
pub fn make(queries: &[Planned], options: &Options, out: &Path) -> Result<Made, MakeError> {
    options.check()?;
    let tables: Vec<Vec<&'static TableShape>> =
        queries.iter().map(tables).collect::<Result<_, _>>()?;
    let data = Tables::new(options);
    let with_results = AtomicUsize::new(0);
    let bundles = Store::fill(out, |store| {
        in_parallel(queries.len(), |number| {
            let (query, tables) = (&queries[number], &tables[number]);
            let selection = select(&data, query, tables, options.correlation, options.seed);
            if selection.witnesses > 0 {
                with_results.fetch_add(1, Ordering::Relaxed);
            }
            write(&data, query, tables, &selection, store)
        })
    })?;
    Ok(Made {
        bundles,
        with_results: with_results.into_inner(),
    })
}

/// The tables of a query's scans, which must have the columns that it reads.
fn tables(query: &Planned) -> Result<Vec<&'static TableShape>, MakeError> {
    let columns = query.tree.columns(&query.select);
    let refused = |what: String| {
        let what = format!("{what}; the tables are those of the Join Order Benchmark's schema.sql");
        MakeError::input(&query.sql_file, what)
    };
    let mut tables = Vec::new();
    for scan in &query.scans {
        let Some(table) = schema::table(&scan.table) else {
            return Err(refused(format!(
                "there is no table {:?} in IMDB",
                scan.table
            )));
        };
        for column in columns.get(&scan.alias).into_iter().flatten() {
            if table.column(column).is_none() {
                return Err(refused(format!("{} has no column {column:?}", scan.table)));
            }
        }
        tables.push(table);
    }
    let key = |attribute: &crate::shape::Attribute| {
        let scan = query
            .scans
            .iter()
            .position(|scan| scan.alias == attribute.alias);
        let table = scan.map(|scan| tables[scan]);
        let column = table.and_then(|table| Some(table.columns[table.column(&attribute.column)?]));
        match column.map(|column| column.kind) {
            Some(Kind::Id | Kind::Key { .. }) => Ok(()),
            _ => Err(refused(format!(
                "{attribute} is no key, and joins compare keys"
            ))),
        }
    };
    let mut keys = Vec::new();
    query.tree.keys(&mut keys);
    keys.into_iter().try_for_each(key)?;
    Ok(tables)
}

fn write(
    data: &Tables,
    query: &Planned,
    tables: &[&'static TableShape],
    selection: &Selection,
    store: &Store,
) -> Result<(), MakeError> {
    let columns = query.tree.columns(&query.select);
    let none = Default::default();
    let mut inputs = Vec::new();
    for ((scan, table), kept) in query.scans.iter().zip(tables).zip(&selection.kept) {
        let mut links: BTreeMap<&str, Link> = BTreeMap::new();
        for column in columns.get(&scan.alias).unwrap_or(&none) {
            let Some(index) = table.column(column) else {
                continue;
            };
            let link = match kept {
                // The same in every query.
                Kept::All => store.once(&format!("{}.{column}", table.name), || {
                    fill(data, table, index, 0..data.rows(table))
                })?,
                Kept::Some(rows) => store.add(fill(data, table, index, rows.iter().copied()))?,
            };
            links.insert(column, link);
        }
        inputs.push(StoredInput {
            alias: scan.alias.clone(),
            table: scan.table.clone(),
            rows: match kept {
                Kept::All => data.rows(table).into(),
                Kept::Some(rows) => rows.len() as u64,
            },
            columns: links
                .into_iter()
                .map(|(name, link)| (name.to_owned(), link))
                .collect(),
        });
    }
    store.bundle(&query.name, &query.tree, &query.select, inputs)
}

/// The pages of a column.
fn fill(
    data: &Tables,
    table: &'static TableShape,
    column: usize,
    rows: impl Iterator<Item = u32>,
) -> Column {
    let mut cells = data.column(table, column);
    match table.columns[column].kind {
        Kind::Text { .. } => {
            let mut writer = VarcharWriter::new();
            for row in rows {
                writer.push(match cells.at(row) {
                    Cell::Text(text) => Some(text),
                    _ => None,
                });
            }
            Column::from_trusted_pages(DataType::Varchar, writer.finish())
        }
        _ => {
            let mut writer = FixedWriter::<i32>::new();
            for row in rows {
                writer.push(match cells.at(row) {
                    Cell::Int(value) => Some(value),
                    _ => None,
                });
            }
            Column::from_trusted_pages(DataType::Int32, writer.finish())
        }
    }
}
