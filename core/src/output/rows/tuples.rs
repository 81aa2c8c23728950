//! Values of several columns, row by row: those of a row are a cache miss or two, and not one a column.

use std::mem::MaybeUninit;

use super::column::{FixedColumn, RowColumn, Wanted};
use super::words::{WORD, words_to_rows};
use crate::memory::{Buffer, Memory, OutOfMemory};
use crate::parallel::{Tasks, Team};
use crate::streaming_store::fence;

/// Rows whose values are moved together, in the cache in between.
const GROUP: usize = 256;

/// Rows that a worker takes at a time.
const MORSEL: usize = GROUP << 4;

/// The values of columns of fixed width, row by row.
pub(crate) struct Tuples {
    bytes: Buffer<u8>,
    widths: Vec<usize>,
}

impl Tuples {
    /// The values of these columns without NULLs, which have `rows` rows.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub fn of(
        columns: &[&FixedColumn<'_>],
        rows: usize,
        team: &Team,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        let widths: Vec<usize> = columns.iter().map(|column| column.width()).collect();
        let width: usize = widths.iter().sum();
        let mut bytes = memory.uninit::<u8>(rows * width)?;
        let tasks = Tasks::new(bytes.chunks_mut((MORSEL * width).max(1)));
        team.run(vec![(); team.workers_for(rows)], |_, ()| {
            // The values of a group, column by column.
            let mut scratch = vec![MaybeUninit::uninit(); GROUP * width];
            while let Some((morsel, to)) = tasks.take() {
                for (group, to) in to.chunks_mut(GROUP * width).enumerate() {
                    let first = morsel * MORSEL + group * GROUP;
                    let len = to.len() / width;
                    let mut rows = [0; GROUP];
                    (first as u32..)
                        .zip(&mut rows)
                        .for_each(|(row, to)| *to = row);
                    let wanted = Wanted::new(&rows[..len], 0);
                    let (scratch, mut own) = (&mut scratch[..to.len()], 0);
                    for column in columns {
                        let values = &mut scratch[own..][..len * column.width()];
                        column.gather(&wanted, values, None, false);
                        own += values.len();
                    }
                    match widths.iter().all(|&width| width == WORD) {
                        true => words_to_rows(scratch, widths.len(), len, to),
                        false => values_to_rows(&widths, scratch, len, to),
                    }
                }
            }
            fence();
        });
        drop(tasks);
        Ok(Self {
            // SAFETY: the tasks are all of it, and every value of every group has been written.
            bytes: unsafe { bytes.assume_init() },
            widths,
        })
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.bytes()
    }

    /// The columns, as rows are gathered from them.
    pub fn columns(&self) -> impl Iterator<Item = RowColumn<'_>> {
        columns_of(&self.bytes, &self.widths)
    }
}

/// The columns of so wide values that stand row by row.
pub(crate) fn columns_of<'a>(
    tuples: &'a [u8],
    widths: &'a [usize],
) -> impl Iterator<Item = RowColumn<'a>> {
    let stride: usize = widths.iter().sum();
    widths.iter().scan(0, move |next, &width| {
        let first = *next;
        *next += width;
        Some(RowColumn::Fixed(FixedColumn::of_tuples(
            tuples, stride, first, width,
        )))
    })
}

/// Writes rows side by side of columns of any widths, of which each has `rows` values in `from`, one column after the other.
fn values_to_rows(
    widths: &[usize],
    from: &[MaybeUninit<u8>],
    rows: usize,
    to: &mut [MaybeUninit<u8>],
) {
    let stride: usize = widths.iter().sum();
    let (mut begin, mut first) = (0, 0);
    for &width in widths {
        let values = from[begin..][..rows * width].chunks_exact(width);
        for (value, tuple) in values.zip(to.chunks_exact_mut(stride)) {
            tuple[first..][..width].copy_from_slice(value);
        }
        (begin, first) = (begin + rows * width, first + width);
    }
}
