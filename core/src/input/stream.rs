//! Blocks of keys whose number is not known before the last one (R4.1).

use super::{BlockRows, KeyBlock, KeyCursor, KeySource};
use crate::key::Key;
use crate::parallel::{Division, Morsels};

/// Keys and rows of one block, in a worker's own memory.
#[derive(Debug, Default)]
pub struct OwnedBlock<K> {
    /// The keys.
    pub keys: Vec<K>,
    /// The row of each key.
    pub rows: Vec<u32>,
}

/// Something that produces numbered blocks of keys, from any thread, each once.
pub trait KeyStream<K: Key>: Sync {
    /// Fills `block`, which is empty, with block number `index`; `false` where the stream has ended before it. A block
    /// may stay empty.
    fn fill(&self, index: usize, block: &mut OwnedBlock<K>) -> bool;
}

impl<K: Key, F: Fn(usize, &mut OwnedBlock<K>) -> bool + Sync> KeyStream<K> for F {
    fn fill(&self, index: usize, block: &mut OwnedBlock<K>) -> bool {
        self(index, block)
    }
}

/// A [`KeyStream`] as a source: workers draw block numbers from one atomic counter. It can be read once.
#[derive(Debug)]
pub struct StreamSource<S>(pub S);

// SAFETY: the source does not know its rows.
unsafe impl<K: Key, S: KeyStream<K>> KeySource<K> for StreamSource<S> {
    fn rows(&self) -> Option<usize> {
        None
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        // Morsels are block numbers, which never run out.
        Division::counter(division.workers)
            .by(1)
            .morsels(usize::MAX)
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        Box::new(Cursor {
            stream: &self.0,
            morsels,
            block: OwnedBlock {
                keys: Vec::new(),
                rows: Vec::new(),
            },
        })
    }
}

struct Cursor<'s, K, S> {
    stream: &'s S,
    morsels: Morsels,
    block: OwnedBlock<K>,
}

impl<K: Key, S: KeyStream<K>> KeyCursor<K> for Cursor<'_, K, S> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        loop {
            self.block.keys.clear();
            self.block.rows.clear();
            let index = self.morsels.next()?.start;
            if !self.stream.fill(index, &mut self.block) {
                return None;
            }
            if !self.block.keys.is_empty() {
                return Some(KeyBlock {
                    keys: &self.block.keys,
                    rows: BlockRows::List(&self.block.rows[..self.block.keys.len()]),
                });
            }
        }
    }
}
