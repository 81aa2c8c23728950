//! A worker's place in a column.

use join_core::input::{KeyChunk, KeyColumn};
use join_core::table::PageOffsets;
use join_core::validity::Validity;

use crate::pipelined::keys::PlanKey;

/// Rows of a chunk up to which its bitmap is not unpacked for them: counting what is set before each takes less.
const FEW: usize = 3;

/// A worker's place in a column: a chunk and, where that has NULLs, its bitmap and the keys before each word of it.
#[derive(Default)]
pub(super) struct Cursor {
    pub chunk: usize,
    unpacked: Option<usize>,
    pub words: Vec<u64>,
    before: Vec<u32>,
    of_each_row: bool,
}

impl Cursor {
    /// Moves to the chunk of a row. Rows ascend within a morsel, and morsels do.
    #[inline(always)]
    pub fn seek(&mut self, offsets: &PageOffsets, row: u32) {
        let starts = offsets.starts();
        if row < starts[self.chunk] || row >= starts[self.chunk + 1] {
            // Mostly the next one; a chunk without rows may lie in between.
            let next = self.chunk + 1;
            self.chunk = match starts.get(next + 1) {
                Some(&end) if row >= starts[next] && row < end => next,
                _ => offsets.locate(row).0,
            };
        }
    }

    /// Reads the bitmap of a chunk, if it has NULLs; whether it has.
    #[inline(always)]
    pub fn unpack<K>(&mut self, number: usize, chunk: &KeyChunk<'_, K>) -> bool {
        let Some(validity) = chunk.validity else {
            return false;
        };
        if self.unpacked == Some(number) {
            return true;
        }
        self.unpacked = Some(number);
        self.of_each_row = chunk.of_each_row;
        self.words.clear();
        self.before.clear();
        let mut count = 0;
        for word in validity.words() {
            self.words.push(word);
            self.before.push(count);
            count += word.count_ones();
        }
        true
    }

    /// The place of a slot's key in the unpacked chunk; none where it is NULL.
    #[inline(always)]
    pub fn place(&self, slot: usize) -> Option<usize> {
        let (word, bit) = (self.words[slot / 64], slot % 64);
        let below = word & ((1 << bit) - 1);
        let place = match self.of_each_row {
            true => slot,
            false => self.before[slot / 64] as usize + below.count_ones() as usize,
        };
        (word >> bit & 1 != 0).then_some(place)
    }
}

/// Whether `rows`, which ascend, are few up to the row `end`.
#[inline(always)]
pub(super) fn few_until(end: u32, rows: &[u32]) -> bool {
    rows.get(FEW).is_none_or(|&row| row >= end)
}

/// The place of a slot's key in a chunk whose bitmap is `validity`; none where it is NULL.
#[inline(always)]
pub(super) fn place_in<K>(
    chunk: &KeyChunk<'_, K>,
    validity: Validity<'_>,
    slot: usize,
) -> Option<usize> {
    let place = match chunk.of_each_row {
        true => slot,
        false => validity.rank(slot),
    };
    validity.is_valid(slot).then_some(place)
}

/// Appends the keys of rows, none of which is NULL.
#[inline(always)]
pub(super) fn gather<K: PlanKey>(
    column: &KeyColumn<'_, K>,
    mut rows: &[u32],
    cursor: &mut Cursor,
    keys: &mut Vec<K>,
) {
    let offsets = column.offsets();
    while let Some(&first) = rows.first() {
        cursor.seek(offsets, first);
        let chunk = column.chunk(cursor.chunk);
        let (start, end) = (
            offsets.starts()[cursor.chunk],
            offsets.starts()[cursor.chunk + 1],
        );
        let values = chunk.keys;
        let few = few_until(end, rows);
        let until = rows.iter().position(|&row| row >= end);
        let here;
        (here, rows) = rows.split_at(until.unwrap_or(rows.len()));
        let slots = here.iter().map(|&row| (row - start) as usize);
        match chunk.validity {
            None => keys.extend(slots.map(|slot| values[slot])),
            Some(validity) if few => {
                let place = |slot| place_in(&chunk, validity, slot).unwrap_or(0);
                keys.extend(slots.map(|slot| values[place(slot)]));
            }
            Some(_) => {
                cursor.unpack(cursor.chunk, &chunk);
                keys.extend(slots.map(|slot| values[cursor.place(slot).unwrap_or(0)]));
            }
        }
    }
}
