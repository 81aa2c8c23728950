//! The import: which inputs there are, one pass over each table's file, then the bundles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use join_core::page::DataType;
use plan_bundles::MakeError;
use plan_bundles::files;
use plan_bundles::job::plans::{self, Planned};
use plan_bundles::store::{Store, StoredInput};

use crate::filter::Filter;
use crate::query;
use crate::schema::{self, TableDef};
use crate::sql;
use crate::tables::{self, Kept, Wanted};

/// What is imported.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder of the CSV files, `title.csv` and so on.
    pub csv: PathBuf,
    /// The plans.
    pub plans: PathBuf,
    /// The folder of the queries; the one that the plans name if `None`.
    pub sql: Option<PathBuf>,
    /// The `CREATE TABLE` statements; `schematext.sql` beside the CSV files, or else `schema.sql` beside the queries, if
    /// `None`.
    pub schema: Option<PathBuf>,
    /// The queries; all if there are none.
    pub queries: Vec<String>,
    /// What stands before a quote in a quoted field: a backslash, or another quote.
    pub escape: u8,
    /// The new folder of the bundles.
    pub out: PathBuf,
}

/// What was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The bundles' folders.
    pub bundles: Vec<PathBuf>,
}

/// A query and what it reads.
struct Bound<'a> {
    query: &'a Planned,
    inputs: Vec<BoundInput<'a>>,
}

struct BoundInput<'a> {
    table: &'a TableDef,
    filter: Option<Filter>,
    columns: Vec<usize>,
}

/// Imports bundles into a new folder, which appears whole or not at all. `progress` is told of each table that was read:
/// its name and rows.
///
/// # Errors
/// A file that cannot be read or understood, with its line where it has lines; a query that is more than joins and
/// filters; an output folder that is not free.
pub fn import(
    request: &Request,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<Imported, MakeError> {
    let sql = request.sql.as_deref();
    let queries = plans::read(&request.plans, sql, &request.queries)?;
    let schema = schema_file(request, &queries);
    let text = files::text(&schema)?;
    let definitions = parsing(|| schema::read(&schema, &text))?;
    let bound = parsing(|| {
        let bound = queries.iter().map(|query| bind(query, &definitions));
        bound.collect::<Result<Vec<_>, _>>()
    })?;
    let mut wanted: BTreeMap<&str, (&TableDef, Wanted)> = BTreeMap::new();
    for input in bound.iter().flat_map(|bound| &bound.inputs) {
        let name = input.table.name.as_str();
        let (_, wanted) = wanted.entry(name).or_insert((input.table, Wanted::new()));
        let columns = wanted.entry(input.filter.clone()).or_default();
        columns.extend(&input.columns);
    }
    let bundles = Store::fill(&request.out, |store| {
        let mut kept = BTreeMap::new();
        for (name, (table, wanted)) in &wanted {
            let file = request.csv.join(format!("{name}.csv"));
            let (rows, inputs) = tables::read(&file, table, request.escape, wanted, store)?;
            progress(name, rows);
            kept.insert(*name, inputs);
        }
        bound
            .iter()
            .try_for_each(|bound| write(bound, &kept, store))
    })?;
    Ok(Imported { bundles })
}

/// The numbers of the rows that each scan of `query` keeps, if all tables have the rows of `csv`; without files, on the
/// stack at hand.
///
/// # Errors
/// As [`import`] has them.
pub fn kept(
    query: &Planned,
    schema: &str,
    csv: &[u8],
    escape: u8,
) -> Result<Vec<Vec<u64>>, MakeError> {
    let definitions = schema::read(Path::new("the schema"), schema)?;
    let bound = bind(query, &definitions)?;
    let kept = bound.inputs.iter();
    kept.map(|input| tables::kept(csv, input.table, escape, &input.filter))
        .collect()
}

/// Does what parses SQL.
fn parsing<T: Send>(work: impl FnOnce() -> Result<T, MakeError> + Send) -> Result<T, MakeError> {
    let parsed = sql::on_a_large_stack(work);
    parsed.map_err(|error| {
        MakeError::Option(format!(
            "no memory to read SQL in: {error}; end other programs, or raise the limit"
        ))
    })?
}

fn schema_file(request: &Request, queries: &[Planned]) -> PathBuf {
    let beside_queries = || {
        let query = queries.first().map(|query| query.sql_file.as_path());
        let folder = query.and_then(Path::parent).unwrap_or(Path::new(""));
        folder.join("schema.sql")
    };
    let beside_files = request.csv.join("schematext.sql");
    match &request.schema {
        Some(file) => file.clone(),
        None if beside_files.exists() => beside_files,
        None => beside_queries(),
    }
}

/// Finds the tables, columns and filters of a query.
fn bind<'a>(query: &'a Planned, definitions: &'a [TableDef]) -> Result<Bound<'a>, MakeError> {
    let refused = |what: String| MakeError::input(&query.sql_file, what);
    let tables: Vec<&TableDef> = query
        .scans
        .iter()
        .map(|scan| {
            let found = definitions.iter().find(|table| table.name == scan.table);
            found.ok_or_else(|| {
                refused(format!(
                    "the schema has no table {:?}; name its file with --schema",
                    scan.table
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    let filters = query::filters(query, &tables).map_err(refused)?;
    let columns = query.tree.columns(&query.select);
    let column = |table: &TableDef, name: &str| {
        let missing = || {
            refused(format!(
                "{} has no column {name:?}; compare the query with the schema",
                table.name
            ))
        };
        table.column(name).ok_or_else(missing)
    };
    let mut keys = Vec::new();
    query.tree.keys(&mut keys);
    for key in keys {
        let scan = query.scans.iter().position(|scan| scan.alias == key.alias);
        let table = scan.map(|scan| tables[scan]);
        if let Some(table) = table
            && table.columns[column(table, &key.column)?].data_type != DataType::Int32
        {
            return Err(refused(format!(
                "{key} is no integer, and joins compare integers"
            )));
        }
    }
    let scans = query.scans.iter().zip(tables).zip(filters);
    let inputs = scans.map(|((scan, table), filter)| {
        let names = columns.get(&scan.alias).into_iter().flatten();
        let columns = names.map(|name| column(table, name));
        Ok(BoundInput {
            table,
            filter,
            columns: columns.collect::<Result<_, _>>()?,
        })
    });
    let inputs = inputs.collect::<Result<_, MakeError>>()?;
    Ok(Bound { query, inputs })
}

fn write(
    bound: &Bound<'_>,
    kept: &BTreeMap<&str, BTreeMap<&Option<Filter>, Kept>>,
    store: &Store,
) -> Result<(), MakeError> {
    let query = bound.query;
    let inputs = query.scans.iter().zip(&bound.inputs).map(|(scan, input)| {
        let kept = &kept[input.table.name.as_str()][&input.filter];
        let column = |&column: &usize| {
            let name = input.table.columns[column].name.clone();
            (name, kept.columns[&column].clone())
        };
        StoredInput {
            alias: scan.alias.clone(),
            table: scan.table.clone(),
            rows: kept.rows,
            columns: input.columns.iter().map(column).collect(),
        }
    });
    store.bundle(&query.name, &query.tree, &query.select, inputs.collect())
}
