//! What to read, divided among workers that all see the same rows.

use postgres::Client;
use postgres::types::Type;

use super::query::statement;
use super::{Server, ServerError};
use crate::manifest::SourceColumn;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A table, by the name that SQL has for it.
    Table(String),
    /// A query. Nothing tells how to divide it, so one worker reads it.
    Query(String),
}

impl Origin {
    /// What a [`LoadPlan::source`] was made of.
    pub fn of(source: &str) -> Origin {
        match source.strip_prefix('(').and_then(|s| s.strip_suffix(')')) {
            Some(query) => Origin::Query(query.to_owned()),
            None => Origin::Table(source.to_owned()),
        }
    }
}

/// A load to be done: statements that together give each row once.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The table with its schema, or the query in parentheses, as SQL has it after FROM.
    pub source: String,
    /// Its columns.
    pub columns: Vec<SourceColumn>,
    /// About how many bytes the rows have.
    pub estimated_bytes: u64,
    /// `COPY` statements.
    pub copies: Vec<String>,
    /// The snapshot that all workers read.
    pub snapshot: String,
    /// Whether a policy that hides rows is an error: all rows of a table are asked for, but only the rows that a query
    /// gives.
    pub all_rows: bool,
}

/// The transaction that keeps the snapshot alive. Workers can join it as long as this exists.
pub struct Snapshot {
    client: Client,
}

/// Ranges of pages per worker: enough that one who is done early finds more to do.
const RANGES_PER_WORKER: u64 = 8;
/// Pages that are worth a statement of their own.
const LEAST_PAGES: u64 = 64;

impl Snapshot {
    /// Begins.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn begin(server: &Server) -> Result<Snapshot, ServerError> {
        let mut client = server.connect()?;
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .map_err(ServerError::statement("begin"))?;
        Ok(Snapshot { client })
    }

    /// Finds out what there is to read, and divides it.
    ///
    /// # Errors
    /// If there is no such table, policies hide rows of it, or the query is none.
    pub fn plan(&mut self, from: &Origin, workers: u32) -> Result<LoadPlan, ServerError> {
        let client = &mut self.client;
        let table = match from {
            Origin::Query(_) => None,
            Origin::Table(name) => Some(find(client, name)?),
        };
        let (source, select) = match from {
            Origin::Query(query) => match statement(query) {
                "" => return Err(ServerError::NoQuery),
                query => (format!("({query})"), query.to_owned()),
            },
            Origin::Table(name) => {
                let name = table.as_ref().map_or(name, |table| &table.name);
                (name.clone(), format!("SELECT * FROM {name}"))
            }
        };
        let all_rows = table.is_some();
        let reading = || format!("reading {source}");
        if all_rows {
            client
                .batch_execute(ALL_ROWS)
                .map_err(ServerError::statement(reading()))?;
        }
        let select_prepared = client
            .prepare(&select)
            .map_err(ServerError::statement(reading()))?;
        let columns = select_prepared.columns().iter().map(|column| SourceColumn {
            name: column.name().to_owned(),
            type_name: type_name(column.type_()),
        });
        let columns = columns.collect();
        let snapshot = client
            .query_one("SELECT pg_catalog.pg_export_snapshot()", &[])
            .map_err(ServerError::statement("exporting the snapshot"))?
            .get(0);
        let ranges = ranges(table.as_ref().and_then(|table| table.pages), workers);
        let copies: Vec<String> = ranges
            .iter()
            .map(|range| format!("COPY ({select}{range}) TO STDOUT (FORMAT binary)"))
            .collect();
        // What can be prepared and not copied, as SHOW, is refused before there are workers.
        client
            .prepare(&copies[0])
            .map_err(ServerError::statement(reading()))?;
        Ok(LoadPlan {
            source,
            columns,
            estimated_bytes: table.map_or(0, |table| table.bytes),
            copies,
            snapshot,
            all_rows,
        })
    }

    /// The rows that there are, as the server counts them.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn count(&mut self, plan: &LoadPlan) -> Result<u64, ServerError> {
        let query = format!("SELECT pg_catalog.count(*) FROM {} AS t", plan.source);
        let counted = self.client.query_one(&query, &[]);
        let counted = counted.map_err(ServerError::statement(format!("counting {}", plan.source)));
        Ok(counted?.get::<_, i64>(0) as u64)
    }

    /// Ends the transaction.
    pub fn end(mut self) {
        // The rows are read; a server that has gone meanwhile changes nothing.
        let _ = self.client.batch_execute("COMMIT");
    }
}

/// With it, a policy that hides rows of a table is an error.
const ALL_ROWS: &str = "SET LOCAL row_security = off";

/// A table of the server.
struct Found {
    /// Its name with its schema, as SQL has it.
    name: String,
    /// Its pages, where it has pages of its own that `ctid` tells apart.
    pages: Option<u64>,
    /// Bytes of them, and of what is stored beside them.
    bytes: u64,
}

/// Functions and operators are those of the server's own schema, whatever the search path of the role finds first. Only
/// the table is looked for on it.
const FIND: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), \
    c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}') AND coalesce(a.amname OPERATOR(pg_catalog.=) 'heap', true), \
    coalesce(pg_catalog.pg_relation_size(c.oid), 0), pg_catalog.current_setting('block_size')::bigint, \
    coalesce(pg_catalog.pg_table_size(c.oid), 0) \
    FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
    LEFT JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam \
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid";

fn find(client: &mut Client, name: &str) -> Result<Found, ServerError> {
    let row = client
        .query_opt(FIND, &[&name])
        .map_err(ServerError::statement(format!(
            "--table {name:?}, which is written as in SQL, with quotes around unusual names"
        )))?
        .ok_or_else(|| ServerError::NoTable(name.to_owned()))?;
    let (has_pages, bytes, block, all): (bool, i64, i64, i64) =
        (row.get(1), row.get(2), row.get(3), row.get(4));
    Ok(Found {
        name: row.get(0),
        pages: has_pages.then_some((bytes / block.max(1)) as u64),
        bytes: all as u64,
    })
}

/// The name that manifests have for a type: bare for a type of the server's own, with its schema for any other.
fn type_name(type_: &Type) -> String {
    match type_.schema() {
        "pg_catalog" => type_.name().to_owned(),
        schema => format!("{schema}.{}", type_.name()),
    }
}

/// Conditions that divide the pages. The last one is open: a table may have grown since it was measured, and its rows
/// that the snapshot shows must not be missing.
fn ranges(pages: Option<u64>, workers: u32) -> Vec<String> {
    let Some(pages) = pages else {
        return vec![String::new()];
    };
    let parts = (pages / LEAST_PAGES).clamp(1, u64::from(workers) * RANGES_PER_WORKER);
    let start = |part: u64| pages * part / parts;
    (0..parts)
        .map(|part| match (part, part + 1 == parts) {
            (0, true) => String::new(),
            (part, true) => format!(" WHERE {}", bound(">=", start(part))),
            (part, false) => format!(
                " WHERE {} AND {}",
                bound(">=", start(part)),
                bound("<", start(part + 1))
            ),
        })
        .collect()
}

fn bound(operator: &str, page: u64) -> String {
    format!("ctid OPERATOR(pg_catalog.{operator}) '({page},0)'")
}

/// Begins a transaction that sees what the plan's snapshot shows.
pub(super) fn join(client: &mut Client, plan: &LoadPlan) -> Result<(), ServerError> {
    let name = plan.snapshot.replace('\'', "''");
    let all_rows = if plan.all_rows { ALL_ROWS } else { "" };
    client
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{name}'; {all_rows}"
        ))
        .map_err(ServerError::statement("joining the snapshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_tells_what_it_was_made_of() {
        for from in [
            Origin::Table("public.t".into()),
            Origin::Table("s.\"(\"".into()),
            Origin::Query("SELECT (1)".into()),
        ] {
            let source = match &from {
                Origin::Table(name) => name.clone(),
                Origin::Query(query) => format!("({query})"),
            };
            assert_eq!(Origin::of(&source), from);
        }
    }

    #[test]
    fn ranges_of_pages_cover_all_and_the_last_is_open() {
        assert_eq!(ranges(None, 4), [""]);
        assert_eq!(ranges(Some(0), 4), [""]);
        assert_eq!(ranges(Some(63), 4), [""]);
        let two = ranges(Some(128), 1);
        assert_eq!(
            two[0],
            " WHERE ctid OPERATOR(pg_catalog.>=) '(0,0)' AND ctid OPERATOR(pg_catalog.<) '(64,0)'"
        );
        assert_eq!(two[1], " WHERE ctid OPERATOR(pg_catalog.>=) '(64,0)'");
        let many = ranges(Some(1_000_000), 4);
        assert_eq!(many.len(), 32);
        for (before, after) in many.iter().zip(&many[1..]) {
            let end = before.split("<) ").nth(1).unwrap();
            assert!(after.starts_with(&format!(" WHERE ctid OPERATOR(pg_catalog.>=) {end}")));
        }
    }
}
