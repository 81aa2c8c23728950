//! Whether the chunks hold what the server has: row count, values that are not NULL, and a sum or a checksum a column.
//!
//! Whole numbers are summed. For all other types each value's bytes as the server sends them go through MD5, of which
//! the first four bytes are summed: the server's send functions give exactly the bytes of COPY BINARY, so both sides
//! compute the same whatever the type.

use join_core::parallel::{Sharing, Team};

use super::{Server, ServerError};
use crate::chunks::Chunks;
use crate::manifest::SourceColumn;

/// A figure of which the chunks have another value than the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is counted or summed.
    pub what: String,
    /// In the chunks.
    pub chunks: i128,
    /// On the server.
    pub server: i128,
}

/// Figures of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    values: i128,
    sum: i128,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Bool,
    Bytes,
}

fn kind(column: &SourceColumn) -> Kind {
    match column.type_name.as_str() {
        "int2" | "int4" | "int8" => Kind::Int,
        "bool" => Kind::Bool,
        _ => Kind::Bytes,
    }
}

/// Compares chunks with the table or query that they were loaded from. Returns the rows on the server, and what
/// differs.
///
/// # Errors
/// If the server refuses.
pub fn check(
    chunks: &Chunks,
    server: &Server,
    team: &Team,
) -> Result<(i128, Vec<Difference>), ServerError> {
    let manifest = chunks.manifest();
    let (rows, ours) = figures_of_chunks(chunks, team);
    let (server_rows, theirs) = figures_of_server(&manifest.source, &manifest.columns, server)?;
    let mut differences = Vec::new();
    let mut compare = |what: String, chunks: i128, server: i128| {
        if chunks != server {
            differences.push(Difference {
                what,
                chunks,
                server,
            });
        }
    };
    compare("rows".into(), rows, server_rows);
    for (column, (ours, theirs)) in manifest.columns.iter().zip(ours.iter().zip(&theirs)) {
        let name = &column.name;
        compare(
            format!("values of {name:?} that are not NULL"),
            ours.values,
            theirs.values,
        );
        let how = if kind(column) == Kind::Bytes {
            "checksum"
        } else {
            "sum"
        };
        compare(format!("{how} of {name:?}"), ours.sum, theirs.sum);
    }
    Ok((server_rows, differences))
}

fn figures_of_chunks(chunks: &Chunks, team: &Team) -> (i128, Vec<Figures>) {
    let columns = &chunks.manifest().columns;
    let kinds: Vec<Kind> = columns.iter().map(kind).collect();
    let states = vec![(0i128, vec![Figures::default(); columns.len()]); team.threads()];
    let result = chunks.read(
        team,
        Sharing::Counter,
        states,
        |(rows, figures), section| {
            // Sections that are wrong were refused by Chunks::verify.
            for row in section.rows().flatten() {
                *rows += 1;
                for ((figures, kind), field) in figures.iter_mut().zip(&kinds).zip(row.fields()) {
                    if let Some(value) = field {
                        figures.values += 1;
                        figures.sum += number(*kind, value);
                    }
                }
            }
            Ok::<_, std::convert::Infallible>(())
        },
    );
    let Ok(states) = result;
    let mut all = (0, vec![Figures::default(); columns.len()]);
    for (rows, figures) in states {
        all.0 += rows;
        for (all, one) in all.1.iter_mut().zip(figures) {
            all.values += one.values;
            all.sum += one.sum;
        }
    }
    all
}

/// What a value adds to the sum of its column.
fn number(kind: Kind, value: &[u8]) -> i128 {
    match kind {
        Kind::Bytes => {
            let digest = md5::compute(value);
            i128::from(u32::from_be_bytes([
                digest[0], digest[1], digest[2], digest[3],
            ]))
        }
        Kind::Int | Kind::Bool => {
            let negative = kind == Kind::Int && value.first().is_some_and(|byte| byte & 0x80 != 0);
            let start = if negative { -1 } else { 0 };
            value
                .iter()
                .take(8)
                .fold(start, |all: i128, &byte| all << 8 | i128::from(byte))
        }
    }
}

fn figures_of_server(
    source: &str,
    columns: &[SourceColumn],
    server: &Server,
) -> Result<(i128, Vec<Figures>), ServerError> {
    let mut client = server.connect()?;
    let mut sums = vec!["count(*)::text".to_owned()];
    for (number, column) in columns.iter().enumerate() {
        let name = format!("c{number}");
        sums.push(format!("count({name})::text"));
        sums.push(match kind(column) {
            Kind::Int => format!("coalesce(sum({name}), 0)::text"),
            Kind::Bool => format!("coalesce(sum({name}::int), 0)::text"),
            Kind::Bytes => {
                let send = send_function(&mut client, &column.type_name)?;
                format!(
                    "coalesce(sum(('x' || left(md5({send}({name})), 8))::bit(32)::int8), 0)::text"
                )
            }
        });
    }
    let names: Vec<String> = (0..columns.len())
        .map(|number| format!("c{number}"))
        .collect();
    let query = format!(
        "SELECT {} FROM {source} AS t({})",
        sums.join(", "),
        names.join(", ")
    );
    let row = client
        .query_one(&query, &[])
        .map_err(ServerError::statement(format!("the sums of {source}")))?;
    let number = |place: usize| -> i128 {
        let text: &str = row.get(place);
        text.parse().unwrap_or_default()
    };
    let figures = (0..columns.len()).map(|column| Figures {
        values: number(1 + 2 * column),
        sum: number(2 + 2 * column),
    });
    Ok((number(0), figures.collect()))
}

/// The function that turns a value into the bytes that are sent.
fn send_function(client: &mut postgres::Client, type_name: &str) -> Result<String, ServerError> {
    let row = client
        .query_one(
            "SELECT typsend::text FROM pg_type WHERE oid = to_regtype($1)",
            &[&type_name],
        )
        .map_err(ServerError::statement(format!("the type {type_name}")))?;
    Ok(row.get(0))
}
