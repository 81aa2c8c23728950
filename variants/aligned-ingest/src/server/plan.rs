//! What to read, divided among workers that all see the same rows.

use postgres::Client;

use super::{Server, ServerError};
use crate::manifest::SourceColumn;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A table, by the name that SQL has for it.
    Table(String),
    /// A query. Nothing tells how to divide it, so one worker reads it.
    Query(String),
}

/// A load to be done: statements that together give each row once.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table, or the query in parentheses, as SQL has it after FROM.
    pub source: String,
    /// Its columns.
    pub columns: Vec<SourceColumn>,
    /// About how many bytes the rows have.
    pub estimated_bytes: u64,
    /// `COPY` statements.
    pub copies: Vec<String>,
    /// The snapshot that all workers read.
    pub snapshot: String,
}

/// The transaction that keeps the snapshot alive. Workers can join it as long as this exists.
pub struct Snapshot {
    client: Client,
}

/// Ranges of pages a worker: enough that one who is done early finds more to do.
const RANGES_A_WORKER: u64 = 8;
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
    /// If there is no such table, or the query is none.
    pub fn plan(&mut self, from: &From, workers: u32) -> Result<Plan, ServerError> {
        let client = &mut self.client;
        let (source, select) = match from {
            From::Query(query) => {
                let query = query.trim().trim_end_matches(';').to_owned();
                (format!("({query})"), query)
            }
            From::Table(name) => {
                let found: Option<String> = client
                    .query_one("SELECT to_regclass($1)::text", &[name])
                    .map_err(ServerError::statement(format!("table {name:?}")))?
                    .get(0);
                let name = found.ok_or_else(|| ServerError::NoTable(name.clone()))?;
                let select = format!("SELECT * FROM {name}");
                (name, select)
            }
        };
        let statement = client
            .prepare(&select)
            .map_err(ServerError::statement(format!("reading {source}")))?;
        let columns = statement.columns().iter().map(|column| SourceColumn {
            name: column.name().to_owned(),
            type_name: column.type_().name().to_owned(),
        });
        let columns = columns.collect();
        let pages = match from {
            From::Query(_) => None,
            From::Table(_) => pages(client, &source)?,
        };
        let snapshot = client
            .query_one("SELECT pg_export_snapshot()", &[])
            .map_err(ServerError::statement("exporting the snapshot"))?
            .get(0);
        let copies = ranges(pages.map(|p| p.0), workers)
            .into_iter()
            .map(|range| format!("COPY ({select}{range}) TO STDOUT (FORMAT binary)"));
        Ok(Plan {
            source: source.clone(),
            columns,
            estimated_bytes: pages.map_or(0, |p| p.1),
            copies: copies.collect(),
            snapshot,
        })
    }

    /// Ends the transaction.
    pub fn end(mut self) {
        // The rows are read; a server that has gone meanwhile changes nothing.
        let _ = self.client.batch_execute("COMMIT");
    }
}

/// Pages and bytes of a table that has pages of its own.
fn pages(client: &mut Client, table: &str) -> Result<Option<(u64, u64)>, ServerError> {
    let row = client
        .query_one(
            "SELECT relkind::text, pg_relation_size(oid), current_setting('block_size')::int8, \
             pg_table_size(oid) FROM pg_class WHERE oid = $1::text::regclass",
            &[&table],
        )
        .map_err(ServerError::statement(format!("the size of {table}")))?;
    let kind: String = row.get(0);
    let (bytes, block): (i64, i64) = (row.get(1), row.get(2));
    let all: i64 = row.get(3);
    let has_pages = matches!(kind.as_str(), "r" | "m");
    Ok(has_pages.then(|| ((bytes / block.max(1)) as u64, all as u64)))
}

/// Conditions that divide the pages. The last one is open: a table may have grown since it was measured, and its rows
/// that the snapshot shows must not be missing.
fn ranges(pages: Option<u64>, workers: u32) -> Vec<String> {
    let Some(pages) = pages else {
        return vec![String::new()];
    };
    let parts = (pages / LEAST_PAGES).clamp(1, u64::from(workers) * RANGES_A_WORKER);
    let start = |part: u64| pages * part / parts;
    (0..parts)
        .map(|part| match (part, part + 1 == parts) {
            (0, true) => String::new(),
            (part, true) => format!(" WHERE ctid >= '({},0)'", start(part)),
            (part, false) => format!(
                " WHERE ctid >= '({},0)' AND ctid < '({},0)'",
                start(part),
                start(part + 1)
            ),
        })
        .collect()
}

/// Begins a transaction that sees what the snapshot shows.
pub(super) fn join(client: &mut Client, snapshot: &str) -> Result<(), ServerError> {
    let name = snapshot.replace('\'', "''");
    client
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{name}'"
        ))
        .map_err(ServerError::statement("joining the snapshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_pages_cover_all_and_the_last_is_open() {
        assert_eq!(ranges(None, 4), [""]);
        assert_eq!(ranges(Some(0), 4), [""]);
        assert_eq!(ranges(Some(63), 4), [""]);
        let two = ranges(Some(128), 1);
        assert_eq!(two[0], " WHERE ctid >= '(0,0)' AND ctid < '(64,0)'");
        assert_eq!(two[1], " WHERE ctid >= '(64,0)'");
        let many = ranges(Some(1_000_000), 4);
        assert_eq!(many.len(), 32);
        for (before, after) in many.iter().zip(&many[1..]) {
            let end = before.split("ctid < ").nth(1).unwrap();
            assert!(after.starts_with(&format!(" WHERE ctid >= {end}")));
        }
    }
}
