//! What is compared of the rows of a query.

use std::io::Write;
use std::path::Path;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use join_core::checksum::RowHasher;
use report::record::{Answer, Checksum};
use serde_json::Value;

/// Rows and a checksum that does not depend on their order, since rows that tie are in any order. Floating-point numbers
/// count with nine digits, because sums of them depend on the order in which they are added.
///
/// # Errors
///
/// If a value cannot be shown.
pub fn of(batches: &[RecordBatch]) -> Result<Answer> {
    let mut answer = Answer::default();
    for batch in batches {
        let mut rows = vec![RowHasher::new(); batch.num_rows()];
        for column in batch.columns() {
            if column.data_type().is_floating() {
                let numbers = cast(column, &DataType::Float64)?;
                let numbers = numbers.as_primitive::<Float64Type>();
                add(&mut rows, |row| {
                    numbers
                        .is_valid(row)
                        .then(|| format!("{:.8e}", numbers.value(row)))
                });
            } else {
                let shown = ArrayFormatter::try_new(column, &FormatOptions::new())?;
                add(&mut rows, |row| {
                    column.is_valid(row).then(|| shown.value(row).to_string())
                });
            }
        }
        let sum = rows
            .iter()
            .fold(0_u64, |sum, row| sum.wrapping_add(row.finish()));
        answer.rows += rows.len() as u64;
        answer.checksum = Checksum(answer.checksum.0.wrapping_add(sum));
    }
    Ok(answer)
}

fn add(rows: &mut [RowHasher], text: impl Fn(usize) -> Option<String>) {
    for (number, row) in rows.iter_mut().enumerate() {
        match text(number) {
            Some(text) => row.string(text.as_bytes()),
            None => row.null(),
        }
    }
}

/// What another engine may be off by, in all or of a number's own size: DataFusion cuts averages of decimals off behind six
/// places.
const NEAR: f64 = 1e-6;

/// A value as engines agree on it.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Number(f64),
    Text(String),
}

impl Cell {
    /// What rows are sorted by: a number by so few digits that engines agree on them, but for very few.
    fn key(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Number(number) => format!("{number:.4e}"),
            Self::Text(text) => text.clone(),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => near(*a, *b),
            (a, b) => a == b,
        }
    }
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= NEAR * a.abs().max(b.abs()).max(1.0) || (a.is_nan() && b.is_nan())
}

/// Writes rows as peers do: a JSON array for each.
///
/// # Errors
///
/// If a value cannot be shown, or the rows cannot be written.
pub fn write(batches: &[RecordBatch], to: &mut impl Write) -> Result<()> {
    for batch in batches {
        let mut rows = vec![Vec::new(); batch.num_rows()];
        for column in batch.columns() {
            let numbers = match column.data_type() {
                of if of.is_numeric() => Some(cast(column, &DataType::Float64)?),
                _ => None,
            };
            let shown = ArrayFormatter::try_new(column, &FormatOptions::new())?;
            for (row, values) in rows.iter_mut().enumerate() {
                values.push(match &numbers {
                    _ if column.is_null(row) => Value::Null,
                    Some(numbers) => Value::from(numbers.as_primitive::<Float64Type>().value(row)),
                    None => Value::String(shown.value(row).to_string()),
                });
            }
        }
        for row in rows {
            writeln!(to, "{}", Value::Array(row))?;
        }
    }
    Ok(())
}

/// Compares rows that two engines wrote, in any order, numbers to six digits or places.
///
/// # Errors
///
/// What differs, in one line.
pub fn alike(expected: &Path, found: &Path) -> Result<(), String> {
    let (mut expected, mut found) = (read(expected)?, read(found)?);
    if expected.len() != found.len() {
        let (found, expected) = (found.len(), expected.len());
        return Err(format!("{found} rows, not {expected}"));
    }
    let columns = expected.first().map_or(0, Vec::len);
    if let Some(row) = found.iter().find(|row| row.len() != columns) {
        return Err(format!("{} columns, not {columns}", row.len()));
    }
    // What is a text on one side, as decimals may be, and a number on the other is a number.
    for column in 0..columns {
        let is_number = expected
            .iter()
            .any(|row| matches!(row[column], Cell::Number(_)));
        for row in &mut found {
            if let (true, Cell::Text(text)) = (is_number, &row[column])
                && let Ok(number) = text.parse()
            {
                row[column] = Cell::Number(number);
            }
        }
    }
    let order = |row: &Vec<Cell>| {
        // Texts first: rows that differ in one never stand in each other's place.
        let is_text = |cell: &&Cell| matches!(cell, Cell::Text(_));
        let (texts, others): (Vec<&Cell>, Vec<&Cell>) = row.iter().partition(is_text);
        let keys = texts.into_iter().chain(others).map(Cell::key);
        keys.collect::<Vec<String>>()
    };
    expected.sort_by_cached_key(order);
    found.sort_by_cached_key(order);
    for (number, (a, b)) in expected.iter().zip(&found).enumerate() {
        if let Some(at) = (0..a.len()).find(|&at| !a[at].is_like(&b[at])) {
            return Err(format!(
                "row {} in order has {:?} in column {}, not {:?}",
                number + 1,
                b[at],
                at + 1,
                a[at]
            ));
        }
    }
    Ok(())
}

/// The rows of a file.
fn read(file: &Path) -> Result<Vec<Vec<Cell>>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let row = |line: &str| {
        let row: Vec<Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        Ok(row.into_iter().map(cell).collect())
    };
    text.lines().map(row).collect()
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Number(number) => Cell::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Cell::Text(text.replace('T', " ")),
        other => Cell::Text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};

    use super::*;

    fn batch(texts: [Option<&str>; 3], numbers: [i64; 3], decimals: [i128; 3]) -> RecordBatch {
        let decimals = Decimal128Array::from_iter_values(decimals);
        let decimals = decimals.with_precision_and_scale(20, 2).unwrap();
        RecordBatch::try_from_iter([
            (
                "t",
                Arc::new(texts.into_iter().collect::<StringArray>()) as ArrayRef,
            ),
            (
                "n",
                Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef,
            ),
            ("d", Arc::new(decimals) as ArrayRef),
        ])
        .unwrap()
    }

    fn compared(rows: &str) -> std::result::Result<(), String> {
        let ours = batch(
            [Some("b"), None, Some("a")],
            [1, 2, 3],
            [150, 250, 333_333_333],
        );
        let [mut expected, mut found] = [(); 2].map(|()| tempfile::NamedTempFile::new().unwrap());
        write(&[ours], &mut expected).unwrap();
        found.write_all(rows.as_bytes()).unwrap();
        alike(expected.path(), found.path())
    }

    #[test]
    fn rows_of_a_peer_are_compared_in_any_order_and_numbers_nearly() {
        let alike = "[\"a\", 3, 3333333.3301]\n[\"b\", 1, \"1.50\"]\n[null, 2, 2.5]\n";
        assert_eq!(compared(alike), Ok(()));
        for (wrong, says) in [
            (alike.replace("1.50", "1.50001"), "column 3"),
            (alike.replace("\"a\"", "\"c\""), "column 1"),
            (alike.replace("null", "0"), "column 1"),
            (alike.replace("[null, 2, 2.5]\n", ""), "2 rows, not 3"),
            (alike.replace(", 2.5", ""), "2 columns, not 3"),
        ] {
            let error = compared(&wrong).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
