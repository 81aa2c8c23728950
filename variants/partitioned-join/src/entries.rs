//! What a worker's table is built from: a partition, or a whole column.

use join_core::hash::KeyHash;
use join_core::input::{HashedKeys, KeyColumn, KeySource};
use join_core::key::{Key, Tuple};
use join_core::partition::Segments;
use join_core::prefetch::prefetch_read;

/// How many entries ahead are asked for: a processor does not ask beyond a page by itself.
const AHEAD: usize = 256;

/// Pieces of slices, in order, and how many bytes beyond each entry of a piece the one lies that is to be asked for with
/// it: [`AHEAD`] entries, and beyond the end of a slice in the next one.
pub(crate) fn pieces<'a, T>(slices: &'a [&'a [T]]) -> impl Iterator<Item = (&'a [T], isize)> {
    slices.iter().enumerate().flat_map(|(index, slice)| {
        let (head, tail) = slice.split_at(slice.len().saturating_sub(AHEAD));
        let next = slices.get(index + 1).unwrap_or(&tail);
        let apart = next.as_ptr().addr().wrapping_sub(tail.as_ptr().addr());
        let ahead = AHEAD * size_of::<T>();
        [(head, ahead as isize), (tail, apart as isize)]
    })
}

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
        for (piece, ahead) in pieces(self.0.slices(self.1)) {
            let key = |tuple: &Tuple<K>| tuple.key;
            hashed.for_each_item::<H, K, _>(piece, key, |hash, tuple| {
                prefetch_read(std::ptr::from_ref(tuple).wrapping_byte_offset(ahead));
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
