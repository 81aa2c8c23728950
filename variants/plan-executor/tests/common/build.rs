//! The simplest build: sorted keys, searched by halves.

use join_core::input::KeySource;
use join_core::join::{
    Build, Context, JoinError, JoinTable, Kernel, Phases, ProbeTable, RowIds, Sink,
};
use join_core::key::Key;
use join_core::parallel::{MorselSize, Sharing};

/// A build whose table is a sorted list.
pub struct Sorted;

struct SortedTable<K>(Vec<(K, u32)>);

impl Build for Sorted {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        _: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn JoinTable<K> + 'a>, JoinError> {
        let mut tuples = Vec::new();
        for mut cursor in source.cursors(1, Sharing::Counter, MorselSize::default()) {
            while let Some(block) = cursor.next_block() {
                block.for_each(|key, row| tuples.push((key, row)));
            }
        }
        tuples.sort_unstable();
        phases.lap("sort");
        Ok(Box::new(SortedTable(tuples)))
    }
}

impl<K: Key> ProbeTable<K> for SortedTable<K> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let first = self.0.partition_point(|&(other, _)| other < key);
            let equal = self.0[first..]
                .iter()
                .take_while(|(other, _)| *other == key);
            equal.for_each(|&(_, row)| sink.emit(row, rows.row(index)));
        }
    }

    fn tuples(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }
}
