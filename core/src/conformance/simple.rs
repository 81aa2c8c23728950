//! A build and a probe that are too simple to be wrong: each stands beside what is checked.

use crate::input::{KeyColumn, KeySource};
use crate::join::{
    Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, Phases, Probe, RowIds, consume,
};
use crate::key::Key;
use crate::output::{Results, Sink};
use crate::parallel::Division;

/// Sorts the build side; its table answers by binary search.
#[derive(Debug, Clone, Copy)]
pub struct SortedBuild;

struct Sorted<K>(Vec<(K, u32)>);

impl Build for SortedBuild {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        _: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let mut sorted = Vec::new();
        for mut cursor in source.cursors(Division::fixed(1).by(1000)) {
            while let Some(block) = cursor.next_block() {
                block.for_each(|key, row| sorted.push((key, row)));
            }
        }
        sorted.sort_unstable();
        phases.lap("sort");
        Ok(Box::new(Sorted(sorted)))
    }
}

impl<K: Key> JoinTable<K> for Sorted<K> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let first = self.0.partition_point(|&(other, _)| other < key);
            for &(_, row) in self.0[first..]
                .iter()
                .take_while(|&&(other, _)| other == key)
            {
                sink.emit(row, rows.row(index));
            }
        }
    }

    fn tuples(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }
}

/// Probes with all keys in input order, in static shares.
#[derive(Debug, Clone, Copy)]
pub struct SimpleProbe {
    /// How the table is asked to probe.
    pub kernel: Kernel,
}

impl Probe for SimpleProbe {
    fn probe<K: Key>(
        &self,
        table: &dyn DynJoinTable<K>,
        column: &KeyColumn<'_, K>,
        context: &Context<'_>,
        phases: &mut Phases,
        _: &mut Vec<String>,
    ) -> Result<Results, JoinError> {
        let workers = context.team.workers_for(column.len());
        let cursors = column.cursors(Division::fixed(workers).by(97));
        consume(cursors, context, phases, "probe", |mut cursor, mut sink| {
            while let Some(block) = cursor.next_block() {
                table.probe(block, self.kernel, sink.reborrow());
            }
        })
    }
}
