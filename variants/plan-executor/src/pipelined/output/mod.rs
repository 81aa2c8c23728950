//! The result: resolved rows multiplied out, a batch at a time, each worker into pages of its own or as row ids.

mod batches;
mod levels;
mod parts;
mod rows;
mod writer;

use std::collections::HashMap;

use join_core::memory::{OutOfMemory, Reservation};
use join_core::parallel::Tasks;
use join_core::table::PagedColumn;

use super::hands::Hands;
use crate::result::{PageRun, ValuePlace};
use parts::parts;
use writer::Writer;

pub(super) use levels::{Level, levels};
pub use rows::RowConsumer;
pub(super) use rows::emit;

/// Rows of a batch.
const BATCH: u64 = 1024;

/// A distinct column of the result.
pub(super) struct OutputColumn<'a> {
    pub input: usize,
    pub paged: &'a PagedColumn<'a>,
}

/// Where a column's values come from, and those that were looked up before.
struct ColumnSource<'s> {
    column: &'s OutputColumn<'s>,
    rows: &'s [u32],
    level: usize,
    looked_up: Option<Vec<ValuePlace>>,
    _reserved: Reservation,
}

/// What is written, and how.
pub(super) struct Output<'o> {
    /// The root and the tables under it.
    pub levels: &'o [Level<'o>],
    pub columns: &'o [OutputColumn<'o>],
    /// Whether values that appear more than once are looked up once.
    pub references: bool,
}

/// Writes the result of a root and the tables under it. Returns the runs of each column.
pub(super) fn write(
    output: &Output<'_>,
    hands: Hands<'_>,
) -> Result<Vec<Vec<PageRun>>, OutOfMemory> {
    let &Output {
        levels,
        columns,
        references,
    } = output;
    let Hands {
        workers,
        team,
        memory,
    } = hands;
    let root = levels[0].entries;
    let total = root.results(0, root.rows.len() as u32);
    let level_of = levels.iter().enumerate();
    let level_of: HashMap<usize, usize> = level_of.map(|(n, level)| (level.input, n)).collect();
    let sources: Vec<ColumnSource<'_>> = columns
        .iter()
        .map(|column| {
            let level = level_of[&column.input];
            let rows = &levels[level].entries.rows[..];
            let repeated = references && (rows.len() as u64) < total;
            let cells = if repeated { rows.len() } else { 0 };
            Ok(ColumnSource {
                _reserved: memory.reserve(cells * size_of::<ValuePlace>())?,
                column,
                rows,
                level,
                looked_up: repeated.then(|| {
                    hands.made(rows, |rows| {
                        ValuePlace::of_all(column.paged, rows.iter().copied())
                    })
                }),
            })
        })
        .collect::<Result<_, OutOfMemory>>()?;
    let parts = Tasks::new(parts(levels, workers));
    let written = team.run(vec![(); workers], |_, ()| {
        let mut writer = Writer::new(levels, &sources, total, memory)?;
        while let Some((_, part)) = parts.take() {
            writer.part(part)?;
        }
        writer.finish()
    });
    let mut runs: Vec<Vec<PageRun>> = columns.iter().map(|_| Vec::new()).collect();
    for of_worker in written {
        for (all, more) in runs.iter_mut().zip(of_worker?) {
            all.extend(more);
        }
    }
    Ok(runs)
}
