//! The tuples of keys that have more copies than slots.

use join_core::key::{Key, Tuple};
use join_core::output::Sink;

use crate::counted::Counted;

/// Entries sorted by key.
pub(super) struct Overflow<K: Key>(Counted<Tuple<K>>);

impl<K: Key> Overflow<K> {
    /// Sorts the entries; few keys are this frequent, so that is little work for each.
    pub(super) fn new(mut entries: Counted<Tuple<K>>) -> Self {
        entries.sort_unstable_by_key(|entry| entry.key);
        Self(entries)
    }

    /// Emits all entries of `key`.
    #[cold]
    pub(super) fn emit(&self, key: K, row: u32, sink: &mut impl Sink) {
        let first = self.0.partition_point(|entry| entry.key < key);
        for entry in self.0[first..].iter().take_while(|entry| entry.key == key) {
            sink.emit(entry.row_id() - 1, row);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}
