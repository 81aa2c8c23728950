//! Further tests: of the rows of a chunk that are left, and of rows that were read before a filter was there.

use join_core::input::KeyColumn;
use join_core::memory::OutOfMemory;

use super::Reduced;
use super::cursor::{Cursor, few_until, place_in};
use crate::pipelined::filter::{Filter, Test, WithTest};
use crate::pipelined::hands::Hands;
use crate::pipelined::keys::{KeyList, PlanKey};

/// A further test, of the rows that are left.
pub(super) struct Refine<'r, K> {
    pub column: &'r KeyColumn<'r, K>,
    pub rows: &'r mut [u32],
    pub cursor: &'r mut Cursor,
}

impl<K: PlanKey> WithTest<K> for Refine<'_, K> {
    type Output = usize;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> usize {
        let Refine {
            column,
            rows,
            cursor,
        } = self;
        let offsets = column.offsets();
        let (mut at, mut left) = (0, 0);
        while at < rows.len() {
            cursor.seek(offsets, rows[at]);
            let chunk = column.chunk(cursor.chunk);
            let (start, end) = (
                offsets.starts()[cursor.chunk],
                offsets.starts()[cursor.chunk + 1],
            );
            let values = chunk.keys;
            let few = few_until(end, &rows[at..]);
            // A loop for each way to find the place of a key.
            macro_rules! keep {
                ($slot:ident => $passes:expr) => {
                    while at < rows.len() && rows[at] < end {
                        let row = rows[at];
                        let $slot = (row - start) as usize;
                        rows[left] = row;
                        left += usize::from($passes);
                        at += 1;
                    }
                };
            }
            match chunk.validity {
                None => keep!(slot => test.test(values[slot])),
                Some(validity) if few => keep!(slot => {
                    let place = place_in(&chunk, validity, slot);
                    place.is_some_and(|place| test.test(values[place]))
                }),
                Some(_) => {
                    cursor.unpack(cursor.chunk, &chunk);
                    keep!(slot => {
                        let place = cursor.place(slot);
                        place.is_some_and(|place| test.test(values[place]))
                    });
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
    hands: Hands<'_>,
) -> Result<(), OutOfMemory> {
    // The places of the rows that pass.
    let _places = hands.memory.reserve(4 * reduced.len)?;
    hands.each(&mut reduced.chunks, |chunk| {
        let kept = match &chunk.keys[key] {
            KeyList::Int32(keys) => Filter::dispatch(Some(filter), Passing(keys)),
            KeyList::Int64(keys) => Filter::dispatch(Some(filter), Passing(keys)),
        };
        if kept.len() < chunk.rows.len() {
            chunk.retain(&kept);
        }
    });
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
