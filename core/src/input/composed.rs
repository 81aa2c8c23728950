//! Two INT32 columns read as one of 64 bits, which lies nowhere: a block is composed as it is read.

use std::ops::Range;

use super::{BlockRows, KeyBlock, KeyColumn, KeyCursor};
use crate::key::Key;
use crate::parallel::{Morsels, look};

/// Keys per block: few enough for L1 to hold them until they are read.
const BLOCK: usize = 1 << 11;

/// Keys of two INT32 columns of pages or slices, equally long. The first column's value is the lower half; a row is NULL where
/// either value is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Composed<'a> {
    columns: [&'a KeyColumn<'a, i32>; 2],
}

impl<'a> Composed<'a> {
    pub fn new(columns: [&'a KeyColumn<'a, i32>; 2]) -> Self {
        assert_eq!(columns[0].len(), columns[1].len(), "rows of the columns");
        Self { columns }
    }

    pub fn len(&self) -> usize {
        self.columns[0].len()
    }

    /// The columns.
    pub fn columns(&self) -> [&'a KeyColumn<'a, i32>; 2] {
        self.columns
    }

    pub fn has_nulls(&self) -> bool {
        self.columns.iter().any(|column| column.has_nulls())
    }

    pub fn key<K: Key>(&self, row: u32) -> Option<K> {
        let [low, high] = self.columns.map(|column| column.key(row));
        Some(K::from_bits(low?.bits() | high?.bits() << 32))
    }

    pub fn prefetch(&self, row: u32) {
        self.columns.iter().for_each(|column| column.prefetch(row));
    }

    pub fn nulls(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (own, has_nulls) = (*self, self.has_nulls());
        let blocks = self.blocks(0..self.len()).filter(move |_| has_nulls);
        blocks.flat_map(move |rows| {
            let mut held = vec![0; rows.len()];
            own.count(rows.clone(), &mut held);
            let rows = rows.zip(held).filter(|&(_, held)| held < 2);
            rows.map(|(row, _)| row as u32)
        })
    }

    /// Keys among these rows.
    pub fn keys(&self, rows: Range<usize>) -> usize {
        if !self.has_nulls() {
            return rows.len();
        }
        let mut room = [0; BLOCK];
        let keys = self.blocks(rows).map(|rows| {
            let held = &mut room[..rows.len()];
            held.fill(0);
            self.count(rows, held);
            held.iter().filter(|&&held| held == 2).count()
        });
        keys.sum()
    }

    fn blocks(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
        let starts = rows.clone().step_by(BLOCK);
        starts.map(move |start| start..rows.end.min(start + BLOCK))
    }

    /// Adds to each row's number how many of the two columns hold a value.
    fn count(&self, rows: Range<usize>, held: &mut [u8]) {
        let first = rows.start;
        for column in self.columns {
            column.for_each_run(rows.clone(), |row, keys| {
                let held = &mut held[row - first..][..keys.len()];
                held.iter_mut().for_each(|held| *held += 1);
            });
        }
    }

    /// Writes the rows' keys, each in its place; what is in that of a NULL has no meaning.
    fn write<K: Key>(&self, rows: Range<usize>, keys: &mut [K]) {
        let first = rows.start;
        let [low, high] = self.columns;
        // A loop each, so that several keys are written at a time.
        low.for_each_run(rows.clone(), |row, lows| {
            for (key, low) in keys[row - first..].iter_mut().zip(lows) {
                *key = K::from_bits(low.bits());
            }
        });
        high.for_each_run(rows, |row, highs| {
            for (key, high) in keys[row - first..].iter_mut().zip(highs) {
                *key = K::from_bits(key.bits() | high.bits() << 32);
            }
        });
    }

    /// A cursor over morsels that are counted from row `first` on.
    pub fn cursor_from<K: Key>(&self, first: usize, morsels: Morsels) -> ComposedCursor<'a, K> {
        ComposedCursor {
            composed: *self,
            has_nulls: self.has_nulls(),
            morsels,
            first,
            left: 0..0,
            keys: Vec::new(),
            rows: Vec::new(),
            held: Vec::new(),
        }
    }
}

/// Composes the keys under the morsels it gets.
pub(super) struct ComposedCursor<'s, K> {
    composed: Composed<'s>,
    has_nulls: bool,
    morsels: Morsels,
    /// Row that morsels are counted from.
    first: usize,
    left: Range<usize>,
    keys: Vec<K>,
    /// Of a block with NULLs.
    rows: Vec<u32>,
    held: Vec<u8>,
}

impl<K: Key> KeyCursor<K> for ComposedCursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        look();
        loop {
            if self.left.is_empty() {
                let morsel = self.morsels.next()?;
                self.left = morsel.start + self.first..morsel.end + self.first;
            }
            let rows = self.left.start..self.left.end.min(self.left.start + BLOCK);
            self.left.start = rows.end;
            self.keys.resize(rows.len(), K::zeroed());
            self.composed.write(rows.clone(), &mut self.keys);
            let start = rows.start as u32;
            if !self.has_nulls {
                return Some(KeyBlock {
                    keys: &self.keys,
                    rows: BlockRows::From(start),
                });
            }
            self.held.clear();
            self.held.resize(rows.len(), 0);
            self.composed.count(rows.clone(), &mut self.held);
            self.rows.resize(rows.len(), 0);
            let mut end = 0;
            for (at, &held) in self.held.iter().enumerate() {
                (self.keys[end], self.rows[end]) = (self.keys[at], start + at as u32);
                end += usize::from(held == 2);
            }
            if end > 0 {
                return Some(KeyBlock {
                    keys: &self.keys[..end],
                    rows: BlockRows::List(&self.rows[..end]),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::input::{InputMode, KeyColumn, KeySlice, KeySource};
    use crate::memory::Memory;
    use crate::parallel::{Team, ThreadStart};
    use crate::table::Column;

    /// Rows of two columns, of which one in ten is NULL, or none.
    fn rows() -> impl Strategy<Value = Vec<[Option<i32>; 2]>> {
        (any::<bool>(), any::<bool>()).prop_flat_map(|(low, high)| {
            let value = |has_nulls: bool| {
                let drawn = (0..10, any::<i32>());
                drawn.prop_map(move |(draw, value)| (!has_nulls || draw > 0).then_some(value))
            };
            let row = (value(low), value(high)).prop_map(|(low, high)| [low, high]);
            proptest::collection::vec(row, 0..7000)
        })
    }

    proptest! {
        #[test]
        fn two_columns_say_what_one_of_their_keys_says(
            rows in rows(),
            first: prop::sample::Index,
            end: prop::sample::Index,
            cut: prop::sample::Index,
        ) {
            let low = Column::from_options(rows.iter().map(|row| row[0]));
            let low = KeyColumn::<i32>::new(&low).unwrap();
            // The other one in two slices, with NULLs in places of their own.
            let values: Vec<i32> = rows.iter().map(|row| row[1].unwrap_or(77)).collect();
            let mut bits = vec![0_u8; rows.len().div_ceil(8)];
            for (row, _) in rows.iter().enumerate().filter(|(_, row)| row[1].is_some()) {
                bits[row / 8] |= 1 << (row % 8);
            }
            let cut = cut.index(rows.len() + 1);
            let slices = vec![
                KeySlice::with_nulls(&values[..cut], &bits, 0).unwrap(),
                KeySlice::with_nulls(&values[cut..], &bits[cut / 8..], cut % 8).unwrap(),
            ];
            let high = KeyColumn::of_slices(slices).unwrap();
            let composed = KeyColumn::of_two([&low, &high]);
            let keys: Vec<Option<i64>> = rows
                .iter()
                .map(|row| Some(i64::from(row[0]?) & 0xFFFF_FFFF | i64::from(row[1]?) << 32))
                .collect();
            let column = Column::from_options(keys.iter().copied());
            let one = KeyColumn::<i64>::new(&column).unwrap();

            prop_assert_eq!(composed.len(), rows.len());
            prop_assert_eq!(composed.has_nulls(), one.has_nulls());
            prop_assert_eq!(composed.keys(), one.keys());
            prop_assert!(composed.nulls().eq(one.nulls()));
            prop_assert!(composed.rows().eq(keys.iter().copied()));
            let (team, memory) = (Team::new(2, ThreadStart::Fresh).parallel_from(0), Memory::unlimited());
            let read = |source: &dyn KeySource<i64>| {
                let (mut cursor, mut found) = (source.whole(), Vec::new());
                while let Some(block) = cursor.next_block() {
                    block.for_each(|key, row| found.push((key, row)));
                }
                found
            };
            for mode in [InputMode::ZeroCopy, InputMode::Materialised, InputMode::Stream] {
                let [composed, one] = [&composed, &one].map(|column| mode.source(column, &team, &memory).unwrap());
                prop_assert_eq!(read(&*composed), read(&*one));
            }
            let end = end.index(rows.len() + 1);
            let first = first.index(end + 1);
            prop_assert_eq!(read(&composed.slice(first..end)), read(&one.slice(first..end)));
        }
    }
}
