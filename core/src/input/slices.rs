//! Keys of somebody else's: contiguous values with a place for each row, and a bitmap of those that are not NULL.

use std::ops::Range;

use super::{BlockRows, KeyBlock, KeyChunk, KeyCursor};
use crate::key::Key;
use crate::parallel::{Morsels, look};
use crate::prefetch::prefetch_read;
use crate::table::PageOffsets;
use crate::validity::Validity;

/// Keys per block.
const BLOCK: usize = 1024;

/// Consecutive rows of a key column, as other engines have them: a value for each row, of which those of NULL rows have no
/// meaning. Both are read where they lie.
#[derive(Debug, Clone, Copy)]
pub struct KeySlice<'a, K> {
    values: &'a [K],
    /// Where some row is NULL.
    validity: Option<Validity<'a>>,
}

impl<'a, K> KeySlice<'a, K> {
    /// Rows of which none is NULL.
    pub fn new(values: &'a [K]) -> Self {
        Self {
            values,
            validity: None,
        }
    }

    /// Rows of which those are NULL whose bit is clear: bits count from the least significant of a byte, and that of the
    /// first row is number `offset`. `None` where there are fewer bits than values.
    pub fn with_nulls(values: &'a [K], bits: &'a [u8], offset: usize) -> Option<Self> {
        let validity = Validity::new(bits, offset, values.len())?;
        Some(Self {
            values,
            validity: Some(validity).filter(|validity| validity.count() < values.len()),
        })
    }
}

/// A key column of slices.
#[derive(Debug, Clone)]
pub(super) struct Slices<'a, K> {
    slices: Vec<KeySlice<'a, K>>,
    /// The way from rows to slices.
    offsets: PageOffsets,
}

impl<'a, K: Key> Slices<'a, K> {
    /// The rows of these slices, one after the other; `None` if they are more than `u32::MAX`.
    pub fn new(slices: Vec<KeySlice<'a, K>>) -> Option<Self> {
        let counts = slices.iter().map(|slice| slice.values.len());
        Some(Self {
            offsets: PageOffsets::from_row_counts(counts)?,
            slices,
        })
    }

    pub fn len(&self) -> usize {
        self.offsets.row_count() as usize
    }

    #[inline]
    pub fn offsets(&self) -> &PageOffsets {
        &self.offsets
    }

    #[inline]
    pub fn chunk(&self, number: usize) -> KeyChunk<'a, K> {
        let KeySlice { values, validity } = self.slices[number];
        KeyChunk {
            keys: values,
            validity,
            of_each_row: true,
        }
    }

    pub fn has_nulls(&self) -> bool {
        self.slices.iter().any(|slice| slice.validity.is_some())
    }

    pub fn key(&self, row: u32) -> Option<K> {
        let (slice, slot) = self.offsets.locate(row);
        let KeySlice { values, validity } = self.slices[slice];
        let is_valid = validity.is_none_or(|validity| validity.is_valid(slot));
        is_valid.then(|| values[slot])
    }

    pub fn prefetch(&self, row: u32) {
        let (slice, slot) = self.offsets.locate(row);
        prefetch_read(&raw const self.slices[slice].values[slot]);
    }

    pub fn nulls(&self) -> impl Iterator<Item = u32> + '_ {
        let slices = self.slices.iter().zip(self.offsets.starts());
        slices.flat_map(|(slice, &first)| {
            let nulls = slice.validity.into_iter().flat_map(|v| v.nulls());
            nulls.map(move |slot| first + slot as u32)
        })
    }

    /// Keys among these rows.
    pub fn keys(&self, rows: Range<usize>) -> usize {
        let starts = self.offsets.starts().windows(2).zip(&self.slices);
        let keys = starts.map(|(bounds, slice)| {
            let slot = |row: usize| row.clamp(bounds[0] as usize, bounds[1] as usize);
            let (start, end) = (slot(rows.start), slot(rows.end));
            let rank = |row: usize| match slice.validity {
                None => row - bounds[0] as usize,
                Some(validity) => validity.rank(row - bounds[0] as usize),
            };
            rank(end) - rank(start)
        });
        keys.sum()
    }

    /// A cursor over morsels that are counted from row `first` on.
    pub fn cursor_from(&self, first: usize, morsels: Morsels) -> SliceCursor<'_, K> {
        SliceCursor {
            column: self,
            morsels,
            first,
            left: 0..0,
            keys: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// Walks the slices under the morsels it gets.
pub(super) struct SliceCursor<'s, K> {
    column: &'s Slices<'s, K>,
    morsels: Morsels,
    /// Row that morsels are counted from.
    first: usize,
    left: Range<usize>,
    /// Keys and rows of a block with NULLs, moved together.
    keys: Vec<K>,
    rows: Vec<u32>,
}

impl<K: Key> KeyCursor<K> for SliceCursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        look();
        loop {
            if self.left.is_empty() {
                let morsel = self.morsels.next()?;
                self.left = morsel.start + self.first..morsel.end + self.first;
            }
            let start = self.left.start;
            let (slice, slot) = self.column.offsets.locate(start as u32);
            let KeySlice { values, validity } = self.column.slices[slice];
            let len = (values.len() - slot).min(self.left.len()).min(BLOCK);
            self.left.start += len;
            let values = &values[slot..slot + len];
            let Some(validity) = validity else {
                return Some(KeyBlock {
                    keys: values,
                    rows: BlockRows::From(start as u32),
                });
            };
            self.keys.clear();
            self.rows.clear();
            validity.slice(slot..slot + len).runs().for_each(|run| {
                let rows = start + run.start..start + run.end;
                self.rows.extend(rows.start as u32..rows.end as u32);
                self.keys.extend_from_slice(&values[run]);
            });
            if !self.rows.is_empty() {
                return Some(KeyBlock {
                    keys: &self.keys,
                    rows: BlockRows::List(&self.rows),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::input::{InputMode, KeyColumn};
    use crate::memory::Memory;
    use crate::parallel::{Team, ThreadStart};
    use crate::table::Column;

    /// What a column says of its rows, one by one and in blocks.
    fn read(column: &KeyColumn<'_, i64>, mode: InputMode) -> Vec<(i64, u32)> {
        let (team, memory) = (
            Team::new(2, ThreadStart::Fresh).parallel_from(0),
            Memory::unlimited(),
        );
        let source = mode.source(column, &team, &memory).unwrap();
        let mut found = Vec::new();
        let mut cursor = source.whole();
        while let Some(block) = cursor.next_block() {
            block.for_each(|key, row| found.push((key, row)));
        }
        found
    }

    proptest! {
        #[test]
        fn slices_say_what_pages_say(
            slices in proptest::collection::vec(
                (proptest::collection::vec(proptest::option::weighted(0.8, any::<i64>()), 0..2500), 0_usize..20, any::<bool>()),
                0..4,
            ),
            first: prop::sample::Index,
            end: prop::sample::Index,
        ) {
            let bits: Vec<Vec<u8>> = slices.iter().map(|(rows, offset, rubbish)| {
                let mut bits = vec![if *rubbish { 0xff } else { 0 }; (offset + rows.len()).div_ceil(8)];
                for (at, row) in rows.iter().enumerate() {
                    let bit = 1 << ((offset + at) % 8);
                    bits[(offset + at) / 8] &= !bit;
                    bits[(offset + at) / 8] |= if row.is_some() { bit } else { 0 };
                }
                bits
            }).collect();
            let values: Vec<Vec<i64>> = slices.iter()
                .map(|(rows, ..)| rows.iter().map(|row| row.unwrap_or(77)).collect())
                .collect();
            let parts = slices.iter().zip(&values).zip(&bits).map(|(((_, offset, _), values), bits)| {
                KeySlice::with_nulls(values, bits, *offset).unwrap()
            });
            let of_slices = KeyColumn::of_slices(parts.collect()).unwrap();
            let rows: Vec<Option<i64>> = slices.iter().flat_map(|(rows, ..)| rows.iter().copied()).collect();
            let column = Column::from_options(rows.iter().copied());
            let of_pages = KeyColumn::<i64>::new(&column).unwrap();

            prop_assert_eq!(of_slices.len(), of_pages.len());
            prop_assert_eq!(of_slices.has_nulls(), of_pages.has_nulls());
            prop_assert_eq!(of_slices.keys(), of_pages.keys());
            prop_assert!(of_slices.nulls().eq(of_pages.nulls()));
            prop_assert!((0..rows.len()).all(|row| of_slices.key(row as u32) == rows[row]));
            let chunks = (0..of_slices.chunk_count()).map(|number| of_slices.chunk(number));
            prop_assert!(chunks.map(|chunk| chunk.rows()).eq(slices.iter().map(|(rows, ..)| rows.len())));
            for mode in [InputMode::ZeroCopy, InputMode::Materialised, InputMode::Stream] {
                prop_assert_eq!(read(&of_slices, mode), read(&of_pages, mode));
            }
            let end = end.index(rows.len() + 1);
            let first = first.index(end + 1);
            let some = |column: &KeyColumn<'_, i64>| {
                let (rows, mut found) = (column.slice(first..end), Vec::new());
                let mut cursor = crate::input::KeySource::whole(&rows);
                while let Some(block) = cursor.next_block() {
                    block.for_each(|key, row| found.push((key, row)));
                }
                found
            };
            prop_assert_eq!(some(&of_slices), some(&of_pages));
        }
    }
}
