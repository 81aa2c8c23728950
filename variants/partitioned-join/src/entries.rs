//! What a worker's table is built from: a partition, or a whole column.

use join_core::hash::KeyHash;
use join_core::input::{HashedKeys, KeyColumn, KeySource};
use join_core::key::{Key, Tuple};
use join_core::partition::Segments;
use join_core::prefetch::prefetch_read;

/// How many entries ahead are asked for: a processor does not ask beyond a page by itself.
pub(crate) const AHEAD: usize = 256;

/// Entries that can be gone through more than once.
pub(crate) trait Entries<K: Key> {
    /// How many, or some more.
    fn at_most(&self) -> usize;

    /// Calls `each` with every entry and the hash of its key, in the same order each time.
    fn for_each<H: KeyHash>(&self, each: impl FnMut(u64, Tuple<K>));
}

/// A partition.
pub(crate) struct Partition<'a, K: Key>(pub(crate) &'a Segments<'a, Tuple<K>>, pub(crate) usize);

impl<K: Key> Entries<K> for Partition<'_, K> {
    fn at_most(&self) -> usize {
        self.0.len(self.1)
    }

    #[inline(always)]
    fn for_each<H: KeyHash>(&self, mut each: impl FnMut(u64, Tuple<K>)) {
        let mut hashed = HashedKeys::default();
        for slice in self.0.slices(self.1) {
            let key = |tuple: &Tuple<K>| tuple.key;
            hashed.for_each_item::<H, K, _>(slice, key, |hash, tuple| {
                prefetch_read(std::ptr::from_ref(tuple).wrapping_add(AHEAD));
                each(hash, *tuple);
            });
        }
    }
}

impl<K: Key> Entries<K> for KeyColumn<'_, K> {
    fn at_most(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn for_each<H: KeyHash>(&self, mut each: impl FnMut(u64, Tuple<K>)) {
        let mut hashed = HashedKeys::default();
        let mut cursor = self.whole();
        while let Some(block) = cursor.next_block() {
            hashed.for_each::<H, K>(block, &mut each);
        }
    }
}
