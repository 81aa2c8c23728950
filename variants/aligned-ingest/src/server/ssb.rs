//! The Star Schema Benchmark into a server.

use std::io::BufWriter;

use postgres::Client;

use super::{ServerError, one_line};
use crate::ssb::SsbTable;

/// Creates a table and fills it. Returns its rows.
///
/// # Errors
/// If it exists, or the server refuses.
pub fn fill(client: &mut Client, table: SsbTable, scale_factor: f64) -> Result<u64, ServerError> {
    let name = table.name();
    let failed = |what: String| ServerError::Statement {
        doing: format!("filling the table {name}"),
        what,
    };
    let mut transaction = client
        .transaction()
        .map_err(|error| failed(one_line(&error)))?;
    transaction
        .batch_execute(&format!("CREATE TABLE \"{name}\" ({})", table.columns()))
        .map_err(|error| failed(one_line(&error)))?;
    let writer = transaction
        .copy_in(&format!("COPY \"{name}\" FROM STDIN (FORMAT binary)"))
        .map_err(|error| failed(one_line(&error)))?;
    let mut writer = BufWriter::new(writer);
    table
        .write(scale_factor, &mut writer)
        .map_err(|error| failed(error.to_string()))?;
    let rows = writer
        .into_inner()
        .map_err(|error| failed(error.to_string()))?
        .finish()
        .map_err(|error| failed(one_line(&error)))?;
    transaction
        .batch_execute(&format!("ANALYZE \"{name}\""))
        .and_then(|()| transaction.commit())
        .map_err(|error| failed(one_line(&error)))?;
    Ok(rows)
}
