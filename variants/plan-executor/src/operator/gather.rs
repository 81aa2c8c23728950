//! Materialising: the values of chosen rows, in their order.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

use join_core::memory::{Buffer, OutOfMemory, UninitBuffer};
use join_core::page::DataType;
use join_core::parallel::Tasks;

use super::column::{BufferedValues, ColumnData, StringRef};
use crate::Context;

/// Rows of a task.
const TASK: usize = 1 << 14;

/// Rows `pick(0)`, `pick(1)`, … of a column, `rows` in all.
pub(super) fn gather<'a>(
    column: &ColumnData<'a>,
    rows: usize,
    pick: impl Fn(usize) -> u32 + Sync,
    context: &Context<'_>,
) -> Result<ColumnData<'a>, OutOfMemory> {
    Ok(match column {
        ColumnData::Pages(paged) => match paged.data_type() {
            DataType::Int32 => {
                let read = |at| paged.fixed::<i32>(pick(at));
                ColumnData::Int32(Arc::new(values(rows, paged.has_nulls(), read, context)?))
            }
            wide @ (DataType::Int64 | DataType::Fp64) => {
                // The bits count, whatever they mean.
                let read = |at| paged.fixed::<i64>(pick(at));
                ColumnData::Wide(
                    wide,
                    Arc::new(values(rows, paged.has_nulls(), read, context)?),
                )
            }
            DataType::Varchar => {
                let refs = buffer(rows, |at| StringRef::of(paged, pick(at)), context)?;
                ColumnData::Strings(Arc::new(refs), paged.pages())
            }
        },
        ColumnData::Int32(from) => {
            let read = |at| from.get(pick(at));
            ColumnData::Int32(Arc::new(values(rows, from.valid.is_some(), read, context)?))
        }
        ColumnData::Wide(data_type, from) => {
            let read = |at| from.get(pick(at));
            let values = values(rows, from.valid.is_some(), read, context)?;
            ColumnData::Wide(*data_type, Arc::new(values))
        }
        ColumnData::Strings(refs, pages) => {
            let refs = buffer(rows, |at| refs[pick(at) as usize], context)?;
            ColumnData::Strings(Arc::new(refs), pages)
        }
    })
}

impl<T: Copy> BufferedValues<T> {
    /// The value of a row.
    pub fn get(&self, row: u32) -> Option<T> {
        let row = row as usize;
        let valid = self.valid.as_ref().is_none_or(|valid| valid[row]);
        valid.then(|| self.values[row])
    }
}

fn values<T: Copy + Default + Send + Sync>(
    rows: usize,
    nulls: bool,
    read: impl Fn(usize) -> Option<T> + Sync,
    context: &Context<'_>,
) -> Result<BufferedValues<T>, OutOfMemory> {
    let values = buffer(rows, |at| read(at).unwrap_or_default(), context)?;
    let valid = nulls.then(|| buffer(rows, |at| read(at).is_some(), context));
    Ok(BufferedValues {
        values,
        valid: valid.transpose()?,
    })
}

/// A buffer of `read(0)`, `read(1)`, …, read by all threads.
fn buffer<T: Copy + Send + Sync>(
    rows: usize,
    read: impl Fn(usize) -> T + Sync,
    context: &Context<'_>,
) -> Result<Buffer<T>, OutOfMemory> {
    let mut buffer: UninitBuffer<T> = context.memory.uninit(rows)?;
    let fill = |rows: Range<usize>, places: &mut [MaybeUninit<T>]| {
        for (place, row) in places.iter_mut().zip(rows) {
            place.write(read(row));
        }
    };
    let tasks = Tasks::new(buffer.chunks_mut(TASK));
    context
        .team
        .run(vec![(); context.team.workers_for(rows)], |_, ()| {
            while let Some((task, places)) = tasks.take() {
                fill(task * TASK..rows, places);
            }
        });
    drop(tasks);
    // SAFETY: the tasks divide the buffer, and each writes all of its places.
    Ok(unsafe { buffer.assume_init() })
}

const _: () = assert!(size_of::<StringRef>() == 8);
