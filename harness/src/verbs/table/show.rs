//! What a table folder holds, and whether it is sound.

use std::path::Path;

use join_core::page::PAGE_BYTES;
use join_core::table::{Column, Table, Value, one_line};

use crate::verbs::{Ending, list};

/// Characters of a string that are shown.
const SHOWN: usize = 40;

/// Prints the columns of a table and its first rows.
pub fn show(folder: &Path, rows: usize) -> Result<(), Ending> {
    let table = Table::open(folder).map_err(Ending::usage)?;
    say!("{}: {} rows", table.name(), table.num_rows());
    let mut lines = vec![
        ["column", "type", "NULLs", "pages", "bytes"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for named in table.columns() {
        let column = &named.column;
        lines.push(vec![
            one_line(&named.name).into_owned(),
            column.data_type().to_string(),
            nulls(column).to_string(),
            column.pages().len().to_string(),
            bytes(column).to_string(),
        ]);
    }
    list::print(&lines)?;
    if rows == 0 || table.columns().is_empty() {
        return Ok(());
    }
    let mut lines = vec![
        table
            .columns()
            .iter()
            .map(|named| one_line(&named.name).into_owned())
            .collect(),
    ];
    let mut columns: Vec<_> = table
        .columns()
        .iter()
        .map(|named| named.column.values())
        .collect();
    for _ in 0..rows.min(table.num_rows()) {
        lines.push(
            columns
                .iter_mut()
                .filter_map(Iterator::next)
                .map(cell)
                .collect(),
        );
    }
    say!("");
    list::print(&lines)
}

/// Checks the description of a table, every page, and that both agree: all that opening a table does.
pub fn check(folder: &Path) -> Result<(), Ending> {
    let table = Table::open(folder).map_err(Ending::usage)?;
    let pages: usize = table
        .columns()
        .iter()
        .map(|named| named.column.pages().len())
        .sum();
    say!(
        "ok: {} rows in {} columns, {pages} pages",
        table.num_rows(),
        table.columns().len()
    );
    Ok(())
}

fn nulls(column: &Column) -> usize {
    column
        .pages()
        .iter()
        .map(|page| page.rows() - page.values())
        .sum()
}

fn bytes(column: &Column) -> usize {
    column.pages().len() * PAGE_BYTES
}

fn cell(value: Value<'_>) -> String {
    let Value::Varchar(bytes) = value else {
        return value.to_string();
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
