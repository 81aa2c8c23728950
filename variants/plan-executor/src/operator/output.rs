//! The result: the last operator's columns as pages.

use std::ops::Range;

use join_core::join::Phases;
use join_core::memory::OutOfMemory;
use join_core::page::{
    DataType, Fixed, FixedWriter, PAGE_BYTES, Page, PageKind, VarcharWriter, long_string,
};
use join_core::parallel::Tasks;

use super::column::{ColumnData, Relation, StringRef};
use crate::result::{PageRun, ResultColumn, ResultTable};
use crate::telemetry::Step;
use crate::{Context, ExecuteError};

/// Rows whose pages one worker writes at a time.
const TASK: usize = 1 << 16;

/// Writes all rows as pages.
pub(super) fn write(
    relation: &Relation<'_>,
    node: usize,
    context: &Context<'_>,
) -> Result<(ResultTable, Step), ExecuteError> {
    let mut phases = Phases::start();
    let columns = relation.columns.iter().map(|column| {
        let runs = runs(column, relation.rows, context)?;
        Ok(ResultColumn::new(column.data_type(), runs))
    });
    let columns = columns
        .collect::<Result<Vec<_>, _>>()
        .map_err(ExecuteError::memory(node))?;
    phases.lap("write pages");
    let rows = relation.rows as u64;
    let result = ResultTable::new(rows, columns);
    let step = Step {
        name: "result".to_owned(),
        rows_in: rows,
        rows_out: rows,
        bytes: result.bytes(),
        ..Step::default()
    };
    Ok((result, step.timed(&phases)))
}

/// The pages of a column, a run for each task.
fn runs(
    column: &ColumnData<'_>,
    rows: usize,
    context: &Context<'_>,
) -> Result<Vec<PageRun>, OutOfMemory> {
    let count = rows.div_ceil(TASK);
    let mut runs: Vec<Result<Option<PageRun>, OutOfMemory>> =
        (0..count).map(|_| Ok(None)).collect();
    let tasks = Tasks::new(runs.iter_mut());
    let workers = context.team.workers_for(rows);
    context.team.run(vec![(); workers], |_, ()| {
        while let Some((task, run)) = tasks.take() {
            let first = task * TASK;
            *run = pages(column, first..rows.min(first + TASK), context).map(Some);
        }
    });
    drop(tasks);
    runs.into_iter().filter_map(Result::transpose).collect()
}

fn pages(
    column: &ColumnData<'_>,
    rows: Range<usize>,
    context: &Context<'_>,
) -> Result<PageRun, OutOfMemory> {
    let ids = rows.clone().map(|row| row as u32);
    let pages = match column {
        ColumnData::Pages(paged) => match paged.data_type() {
            DataType::Int32 => fixed(ids.map(|row| paged.fixed::<i32>(row))),
            DataType::Int64 => fixed(ids.map(|row| paged.fixed::<i64>(row))),
            DataType::Fp64 => fixed(ids.map(|row| paged.fixed::<f64>(row))),
            DataType::Varchar => strings(ids.map(|row| StringRef::of(paged, row)), paged.pages()),
        },
        ColumnData::Int32(values) => fixed(ids.map(|row| values.get(row))),
        ColumnData::Wide(DataType::Fp64, values) => {
            fixed(ids.map(|row| values.get(row).map(|bits| f64::from_bits(bits as u64))))
        }
        ColumnData::Wide(_, values) => fixed(ids.map(|row| values.get(row))),
        ColumnData::Strings(refs, pages) => strings(refs[rows].iter().copied(), pages),
    };
    let reservation = context.memory.reserve(pages.len() * PAGE_BYTES)?;
    Ok(PageRun::new(pages, reservation))
}

fn fixed<T: Fixed>(rows: impl Iterator<Item = Option<T>>) -> Vec<Page> {
    let mut writer = FixedWriter::new();
    rows.for_each(|row| writer.push(row));
    writer.finish()
}

fn strings(rows: impl Iterator<Item = StringRef>, pages: &[Page]) -> Vec<Page> {
    let mut writer = VarcharWriter::new();
    for row in rows {
        match row.place() {
            None => writer.push(None),
            Some((page, slot)) => match pages[page].kind() {
                PageKind::Plain => {
                    let rank = pages[page].rank_of(slot);
                    writer.push(rank.map(|rank| pages[page].strings().get(rank)));
                }
                _ => writer.push(Some(&long_string(&pages[page..]))),
            },
        }
    }
    writer.finish()
}
