//! A dense copy of a column's keys.

use super::{BlockRows, KeyBlock, KeyColumn, KeyCursor, KeySource};
use crate::key::Key;
use crate::memory::{Buffer, Memory, OutOfMemory};
use crate::parallel::{Division, Morsels, Tasks, Team};

/// Keys per block.
const BLOCK: usize = 1024;

/// Keys copied out of their pages, without the NULLs; row ids are kept only where there are NULLs.
#[derive(Debug)]
pub struct Materialised<K: Key> {
    keys: Buffer<K>,
    rows: Option<Buffer<u32>>,
    all_rows: usize,
}

impl<K: Key> Materialised<K> {
    /// Copies the keys of `column` with all threads of `team`.
    pub fn new(
        column: &KeyColumn<'_, K>,
        team: &Team,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        let mut keys = memory.uninit::<K>(column.keys())?;
        let mut rows = column
            .has_nulls()
            .then(|| memory.uninit::<u32>(column.keys()))
            .transpose()?;
        let mut keys_left: &mut [_] = &mut keys;
        let mut rows_left: &mut [_] = rows.as_deref_mut().unwrap_or_default();
        let tasks = Tasks::new(column.parts().map(|(part, count)| {
            let keys = keys_left
                .split_off_mut(..count)
                .expect("room for every key");
            let rows = rows_left
                .split_off_mut(..count.min(rows_left.len()))
                .expect("within bounds");
            (part, keys, rows)
        }));
        team.run(vec![(); team.workers_for(column.len())], |_, ()| {
            while let Some((_, (part, mut keys, mut rows))) = tasks.take() {
                let part = column.slice(part);
                let mut cursor = part.whole();
                while let Some(block) = cursor.next_block() {
                    let count = block.keys.len();
                    let place = keys.split_off_mut(..count).expect("room for every key");
                    place.write_copy_of_slice(block.keys);
                    if rows.is_empty() {
                        continue;
                    }
                    let place = rows.split_off_mut(..count).expect("room for every row");
                    match block.rows {
                        BlockRows::List(rows) => {
                            place.write_copy_of_slice(rows);
                        }
                        BlockRows::From(first) => {
                            for (place, row) in place.iter_mut().zip(first..) {
                                place.write(row);
                            }
                        }
                    }
                }
                assert!(
                    keys.is_empty() && rows.is_empty(),
                    "a part has the keys that were counted"
                );
            }
        });
        // SAFETY: the tasks divide both buffers by the parts' numbers of keys, and each has seen to it that it wrote all of
        // its keys and, where rows are kept, of its rows.
        let (keys, rows) = unsafe { (keys.assume_init(), rows.map(|rows| rows.assume_init())) };
        Ok(Self {
            keys,
            rows,
            all_rows: column.len(),
        })
    }

    fn block(&self, range: std::ops::Range<usize>) -> KeyBlock<'_, K> {
        KeyBlock {
            rows: match &self.rows {
                None => BlockRows::From(range.start as u32),
                Some(rows) => BlockRows::List(&rows[range.clone()]),
            },
            keys: &self.keys[range],
        }
    }

    /// Bytes of the copy.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.rows.as_ref().map_or(0, Buffer::bytes)
    }
}

// SAFETY: the copy is not changed, and morsels cover every key once.
unsafe impl<K: Key> KeySource<K> for Materialised<K> {
    fn rows(&self) -> Option<usize> {
        Some(self.all_rows)
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        division.morsels(self.keys.len())
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        Box::new(Cursor {
            source: self,
            morsels,
            left: 0..0,
        })
    }
}

struct Cursor<'s, K: Key> {
    source: &'s Materialised<K>,
    morsels: Morsels,
    left: std::ops::Range<usize>,
}

impl<K: Key> KeyCursor<K> for Cursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        if self.left.is_empty() {
            self.left = self.morsels.next()?;
        }
        let end = self.left.end.min(self.left.start + BLOCK);
        let block = self.source.block(self.left.start..end);
        self.left.start = end;
        Some(block)
    }
}
