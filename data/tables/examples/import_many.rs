//! Imports files for `.ci/import`, many in one process: one request per line on standard input, one answer per line on standard
//! output. An answer is `ok` and the columns, or `error` and what is wrong. The process is what limits of memory are set for.
//!
//! Each column is its name in hex, its type, and its values: integers as they are, FP64 as the hex of its bits, strings as
//! hex, NULL as `-`.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use join_core::page::DataType;
use join_core::table::{Table, Value};
use serde_json::Value as Json;
use tables::{Decimals, Options, read};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Json = serde_json::from_str(&line?)?;
        let files: Vec<PathBuf> = texts(&request["files"]).map(PathBuf::from).collect();
        match read(&files, &options(&request)?, &mut |_| {}) {
            Ok(table) => writeln!(out, "ok {}", shown(&table)?)?,
            Err(error) => writeln!(out, "error {}", error.to_string().escape_debug())?,
        }
        out.flush()?;
    }
    Ok(())
}

fn texts(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
}

fn options(request: &Json) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        columns: texts(&request["columns"]).map(str::to_owned).collect(),
        decimals: match request["decimals"].as_str() {
            Some("scaled") => Decimals::Scaled,
            Some("rounded") => Decimals::Rounded,
            _ => Decimals::Fp64,
        },
        ..Options::default()
    };
    for (name, asked) in request["types"].as_object().into_iter().flatten() {
        let asked = asked.as_str().unwrap_or_default();
        let data_type = DataType::ALL
            .into_iter()
            .find(|known| known.name() == asked);
        options
            .types
            .push((name.clone(), data_type.ok_or("no such type")?));
    }
    let csv = &request["csv"];
    let byte = |name: &str| Some(*csv[name].as_str()?.as_bytes().first()?);
    options.csv.delimiter = byte("delimiter");
    options.csv.escape = byte("escape");
    if !csv["quote"].is_null() {
        options.csv.quote = byte("quote");
    }
    if !csv["nulls"].is_null() {
        options.csv.nulls = texts(&csv["nulls"]).map(str::to_owned).collect();
    }
    options.csv.header = csv["header"].as_bool().unwrap_or(true);
    Ok(options)
}

fn shown(table: &Table) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for named in table.columns() {
        hex(named.name.as_bytes(), &mut text)?;
        write!(text, " {}", named.column.data_type())?;
        for value in named.column.values() {
            text.push(' ');
            match value {
                Value::Null => text.push('-'),
                Value::Int32(value) => write!(text, "{value}")?,
                Value::Int64(value) => write!(text, "{value}")?,
                Value::Fp64(value) => write!(text, "{:016x}", value.to_bits())?,
                Value::Varchar(bytes) => hex(&bytes, &mut text)?,
            }
        }
        text.push(';');
    }
    Ok(text)
}

/// Hex digits behind an x, which tells the empty string from nothing.
fn hex(bytes: &[u8], text: &mut String) -> std::fmt::Result {
    text.push('x');
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
}
