//! What a worker's table is built from: a partition, or a whole column.

use join_core::input::{KeyColumn, KeySource};
use join_core::key::{Key, Tuple};
use join_core::parallel::{MorselSize, Sharing};
use join_core::partition::Segments;

/// Entries that can be gone through more than once.
pub(crate) trait Entries<K: Key> {
    /// How many, or some more.
    fn at_most(&self) -> usize;

    /// Calls `each` with every entry, in the same order each time.
    fn for_each(&self, each: impl FnMut(Tuple<K>));
}

/// A partition.
pub(crate) struct Part<'a, K: Key>(pub(crate) &'a Segments<'a, Tuple<K>>, pub(crate) usize);

impl<K: Key> Entries<K> for Part<'_, K> {
    fn at_most(&self) -> usize {
        self.0.len(self.1)
    }

    #[inline(always)]
    fn for_each(&self, mut each: impl FnMut(Tuple<K>)) {
        self.0.for_each(self.1, |&tuple| each(tuple));
    }
}

impl<K: Key> Entries<K> for KeyColumn<'_, K> {
    fn at_most(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn for_each(&self, mut each: impl FnMut(Tuple<K>)) {
        for mut cursor in self.cursors(1, Sharing::Static, MorselSize::default()) {
            while let Some(block) = cursor.next_block() {
                block.for_each(|key, row| each(Tuple::new(key, row)));
            }
        }
    }
}
