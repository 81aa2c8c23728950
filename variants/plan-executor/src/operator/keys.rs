//! The key column of a join's child, as builds and probes read it.

use join_core::input::{BlockRows, KeyBlock, KeyColumn, KeyCursor, KeySource};
use join_core::key::{Key, OfKey};
use join_core::parallel::{Division, Morsels};

use join_core::table::PagedColumn;

use super::column::{BufferedValues, ColumnData};

/// Keys per block.
const BLOCK: usize = 1024;

/// The values of a buffer of keys of this type.
fn buffer<'s, K: Key>(column: &'s ColumnData<'_>) -> Option<&'s BufferedValues<K>> {
    struct Buffer;

    impl OfKey for Buffer {
        type Of<K: Key> = for<'s> fn(&'s ColumnData<'_>) -> Option<&'s BufferedValues<K>>;
    }

    K::pick::<Buffer>(
        |column| match column {
            ColumnData::Int32(values) => Some(values),
            _ => None,
        },
        |column| match column {
            ColumnData::Wide(_, values) => Some(values),
            _ => None,
        },
    )(column)
}

/// The keys of a column, where they lie.
pub(super) fn source<'s, K: Key>(column: &'s ColumnData<'_>) -> Box<dyn KeySource<K> + 's> {
    match column {
        ColumnData::Pages(paged) => {
            let keys = KeyColumn::of(PagedColumn::clone(paged));
            Box::new(keys.expect("a checked plan joins keys of one type"))
        }
        buffered => {
            let values = buffer::<K>(buffered).expect("a checked plan joins keys of one type");
            Box::new(BufferKeys {
                keys: &values.values,
                valid: values.valid.as_deref(),
            })
        }
    }
}

/// Keys in a buffer between two operators.
struct BufferKeys<'s, K> {
    keys: &'s [K],
    valid: Option<&'s [bool]>,
}

// SAFETY: the buffer is borrowed and cannot change, and morsels cover every key once.
unsafe impl<K: Key> KeySource<K> for BufferKeys<'_, K> {
    fn rows(&self) -> Option<usize> {
        Some(self.keys.len())
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        division.morsels(self.keys.len())
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        Box::new(BufferCursor {
            source: self,
            morsels,
            left: 0..0,
            keys: Vec::new(),
            rows: Vec::new(),
        })
    }
}

struct BufferCursor<'s, K> {
    source: &'s BufferKeys<'s, K>,
    morsels: Morsels,
    left: std::ops::Range<usize>,
    keys: Vec<K>,
    rows: Vec<u32>,
}

impl<K: Key> KeyCursor<K> for BufferCursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        loop {
            if self.left.is_empty() {
                self.left = self.morsels.next()?;
            }
            let block = self.left.start..self.left.end.min(self.left.start + BLOCK);
            self.left.start = block.end;
            let Some(valid) = self.source.valid else {
                return Some(KeyBlock {
                    rows: BlockRows::From(block.start as u32),
                    keys: &self.source.keys[block],
                });
            };
            self.keys.clear();
            self.rows.clear();
            for row in block.filter(|&row| valid[row]) {
                self.keys.push(self.source.keys[row]);
                self.rows.push(row as u32);
            }
            if !self.keys.is_empty() {
                return Some(KeyBlock {
                    keys: &self.keys,
                    rows: BlockRows::List(&self.rows),
                });
            }
        }
    }
}
