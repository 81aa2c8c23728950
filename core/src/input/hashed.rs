//! Keys and tuples with their hashes, hashed by the block where that is faster.

use super::KeyBlock;
use crate::hash::KeyHash;
use crate::key::{Key, Tuple};

/// Keys that are hashed together where the hash works on blocks.
const BLOCK: usize = 256;

/// Room for the hashes of a block.
pub struct HashedKeys([u64; BLOCK]);

impl Default for HashedKeys {
    fn default() -> Self {
        Self([0; BLOCK])
    }
}

impl HashedKeys {
    /// Calls `each` with the hash and the tuple of every key of `block`.
    #[inline(always)]
    pub fn for_each<H: KeyHash, K: Key>(
        &mut self,
        block: KeyBlock<'_, K>,
        mut each: impl FnMut(u64, Tuple<K>),
    ) {
        if !H::BLOCKWISE {
            return block.for_each(|key, row| each(H::hash(key), Tuple::new(key, row)));
        }
        for block in block.chunks(BLOCK) {
            H::hash_block(block.keys.iter().copied(), &mut self.0);
            let mut hashes = self.0.iter();
            block.for_each(|key, row| {
                let &hash = hashes.next().expect("a hash for every key");
                each(hash, Tuple::new(key, row));
            });
        }
    }

    /// Calls `each` with every item and the hash of its key.
    #[inline(always)]
    pub fn for_each_item<H: KeyHash, K: Key, T>(
        &mut self,
        items: &[T],
        key: impl Fn(&T) -> K,
        mut each: impl FnMut(u64, &T),
    ) {
        if !H::BLOCKWISE {
            return items.iter().for_each(|item| each(H::hash(key(item)), item));
        }
        for items in items.chunks(BLOCK) {
            H::hash_block(items.iter().map(&key), &mut self.0);
            for (item, &hash) in items.iter().zip(&self.0) {
                each(hash, item);
            }
        }
    }
}
