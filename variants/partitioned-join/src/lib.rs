//! The unchained table with both sides partitioned: a radix join whose partitions are unchained tables.
//!
//! An unchained table probed in input order touches two random lines a match beyond the caches. Here the probe side is
//! partitioned by the same hash prefix as the build side, so that the directory and the tuples of one partition sit in
//! L2 while all of its probes come by (Boncz, Manegold, Kersten: VLDB 1999; write-combining: Balkesen et al., ICDE 2013).
//!
//! 1. *partition build*, 2. *partition probe*: every worker collects entries of its own, through write-combining lines
//! 3. *join*: a worker takes a partition, builds its table in memory of its own that stays in L2, and probes it
//!
//! Partitions of very different size (skew) are divided: a partition with many probes is several tasks, each with a part
//! of the probes and a table of its own.

mod local;
mod task;

use std::marker::PhantomData;

use join_core::input::KeyColumn;
use join_core::join::{Context, JoinError, Outcome, Phases, TypedJoin, consume};
use join_core::key::{Key, Tuple};
use join_core::parallel::Tasks;
use join_core::partition::{ChunkSize, Collect, Partitioning, Plain};
use join_core::unchained::Scheme;

use local::LocalTable;

/// The settings of a join with both sides partitioned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Directory slots a tuple.
    pub slots_per_tuple: f64,
    /// log2 of the partitions; chosen from the rows and L2 where there is none.
    pub part_bits: Option<u32>,
    /// How entries are collected.
    pub collect: Collect,
    /// Whether they are gathered to cache lines first.
    pub write_combining: bool,
}

impl Settings {
    /// What measurements chose.
    pub const DEFAULT: Self = Self {
        slots_per_tuple: 2.0,
        part_bits: None,
        collect: Collect::Arena,
        write_combining: true,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// log2 of the most partitions of one pass: beyond, the lines of a worker leave its L2 and its pages the TLB.
const MAX_PART_BITS: u32 = 12;

/// The join, on tables of scheme `S` (whose directory layout is not used: partitions have one of their own).
pub struct PartitionedJoin<S> {
    settings: Settings,
    scheme: PhantomData<S>,
}

impl<S: Scheme> PartitionedJoin<S> {
    /// A join with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            scheme: PhantomData,
        }
    }

    /// log2 of the partitions for a build side of `rows` keys: a partition's directory and tuples take a quarter of L2.
    fn part_bits<K: Key>(&self, rows: usize, l2: usize) -> u32 {
        self.settings.part_bits.unwrap_or_else(|| {
            let tuple = size_of::<Tuple<K>>() as f64 + self.settings.slots_per_tuple * 4.0;
            let partition = (l2 / 4) as f64;
            let parts = (rows as f64 * tuple / partition).ceil().max(1.0) as usize;
            parts.next_power_of_two().ilog2().min(MAX_PART_BITS)
        })
    }
}

impl<S: Scheme> TypedJoin for PartitionedJoin<S> {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let mut phases = Phases::start();
        let part_bits = self.part_bits::<K>(build.len(), context.caches.l2);
        let side = |rows: usize| Partitioning {
            part_bits,
            prefix_bits: part_bits.max(1),
            workers: context.team.workers_for(rows),
            rows,
            collect: self.settings.collect,
            chunk: ChunkSize::Expected,
            write_combining: self.settings.write_combining,
        };
        let builds = side(build.len());
        let probes = side(probe.len());
        let mut table_bytes = 0;
        let results = builds.collect::<K, S, Plain, _>(build, context, |builds| {
            phases.lap("partition build");
            probes.collect::<K, S, Plain, _>(probe, context, |probes| {
                phases.lap("partition probe");
                let workers = context.team.workers_for(build.len().max(probe.len()));
                let tasks = task::divide(builds, probes, workers);
                let largest = tasks
                    .iter()
                    .map(|task| builds.len(task.part))
                    .max()
                    .unwrap_or(0);
                let tables = (0..workers)
                    .map(|_| {
                        LocalTable::<K, S>::new(
                            largest,
                            part_bits,
                            self.settings.slots_per_tuple,
                            context.memory,
                        )
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                table_bytes = tables.iter().map(LocalTable::bytes).sum();
                let tasks = Tasks::new(tasks);
                consume(
                    tables,
                    context,
                    &mut phases,
                    "join",
                    |mut table, mut sink| {
                        while let Some((_, task)) = tasks.take() {
                            table.build(builds, task.part);
                            table.probe(&task.probes, sink.reborrow());
                        }
                    },
                )
            })
        })?;
        phases.lap("free");
        Ok(Outcome {
            results,
            phases,
            table_bytes,
            notes: vec![format!("2^{part_bits} partitions")],
        })
    }
}
