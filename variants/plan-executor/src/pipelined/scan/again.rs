//! Further tests: of the rows of a page that are left, and of rows that were read before a filter was there.

use join_core::memory::{Memory, OutOfMemory};
use join_core::parallel::{Tasks, Team};
use join_core::table::PagedColumn;

use super::Reduced;
use super::cursor::Cursor;
use crate::pipelined::filter::{Filter, Test, WithTest};
use crate::pipelined::keys::{KeyList, PlanKey};

/// A further test, of the rows that are left.
pub(super) struct Refine<'r> {
    pub paged: &'r PagedColumn<'r>,
    pub rows: &'r mut [u32],
    pub cursor: &'r mut Cursor,
}

impl<K: PlanKey> WithTest<K> for Refine<'_> {
    type Output = usize;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> usize {
        let Refine {
            paged,
            rows,
            cursor,
        } = self;
        let (mut at, mut left) = (0, 0);
        while at < rows.len() {
            cursor.seek(paged, rows[at]);
            let page = &paged.pages()[cursor.page];
            let (start, end) = (
                paged.offsets().starts()[cursor.page],
                paged.offsets().starts()[cursor.page + 1],
            );
            let values: &[K] = page.fixed();
            if page.has_nulls() {
                cursor.unpack(cursor.page, page);
                while at < rows.len() && rows[at] < end {
                    let row = rows[at];
                    let value = cursor.value((row - start) as usize);
                    rows[left] = row;
                    left += usize::from(value.is_some_and(|value| test.test(values[value])));
                    at += 1;
                }
            } else {
                while at < rows.len() && rows[at] < end {
                    let row = rows[at];
                    rows[left] = row;
                    left += usize::from(test.test(values[(row - start) as usize]));
                    at += 1;
                }
            }
        }
        left
    }
}

/// Keeps the rows whose key number `key` passes a filter.
pub(in crate::pipelined) fn refilter(
    reduced: &mut Reduced,
    key: usize,
    filter: &Filter,
    workers: usize,
    team: &Team,
    memory: &Memory,
) -> Result<(), OutOfMemory> {
    // The places of the rows that pass.
    let _places = memory.reserve(4 * reduced.len)?;
    let tasks = Tasks::new(&mut reduced.chunks);
    team.run(vec![(); workers.min(tasks.len())], |_, ()| {
        while let Some((_, chunk)) = tasks.take() {
            let kept = match &chunk.keys[key] {
                KeyList::Int32(keys) => Filter::dispatch(Some(filter), Passing(keys)),
                KeyList::Int64(keys) => Filter::dispatch(Some(filter), Passing(keys)),
            };
            if kept.len() < chunk.rows.len() {
                chunk.retain(&kept);
            }
        }
    });
    drop(tasks);
    reduced.chunks.retain(|chunk| !chunk.rows.is_empty());
    reduced.len = reduced.chunks.iter().map(|chunk| chunk.rows.len()).sum();
    Ok(())
}

/// The places of the keys that pass.
struct Passing<'k, K>(&'k [K]);

impl<K: PlanKey> WithTest<K> for Passing<'_, K> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> Vec<u32> {
        let mut places = vec![0; self.0.len()];
        let mut left = 0;
        for (place, &key) in (0..).zip(self.0) {
            places[left] = place;
            left += usize::from(test.test(key));
        }
        places.truncate(left);
        places
    }
}
