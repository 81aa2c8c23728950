//! What is compared of the rows of a query.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use join_core::checksum::RowHasher;
use report::record::{Answer, Checksum};

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
