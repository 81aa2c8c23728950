//! The unchained table with both sides partitioned: a radix join whose partitions are unchained tables.
//!
//! An unchained table probed in input order touches two random lines a match beyond the caches. Here the probe side is
//! partitioned by the same hash prefix as the build side, so that the directory and the tuples of one partition sit in
//! the cache while all of its probes come by (Boncz, Manegold, Kersten: VLDB 1999; write-combining: Balkesen et al., ICDE
//! 2013).
//!
//! 1. *partition build*, 2. *partition probe*: every worker collects entries of its own, through write-combining lines
//! 3. *join*: a worker takes a partition, builds its table in memory of its own that stays in the cache, and probes it
//!
//! A build side whose table fits in L2 is not partitioned: 1. *build*: one worker makes the table; 2. *probe*: all look up
//! keys where they lie.
//!
//! Partitions of very different size (skew) are divided: a partition with many probes is several tasks, each with a part
//! of the probes and a table of its own.

mod entries;
mod local;
mod ranges;
mod task;

use std::marker::PhantomData;

use join_core::input::{BlockRows, KeyColumn, KeySource};
use join_core::join::{Context, JoinError, Outcome, Phases, TypedJoin, consume};
use join_core::key::{Key, Tuple};
use join_core::parallel::{MorselSize, Sharing, Tasks};
use join_core::partition::{ChunkSize, Collect, Partitioning, Plain};
use join_core::unchained::Scheme;

use entries::Part;
use local::LocalTable;

/// How many partitions a join makes of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FanOut {
    /// So many that a partition's table fits in L1; none at all where the whole table fits in L2.
    #[default]
    Cache,
    /// 2^bits.
    Bits(u32),
}

/// The settings of a join with both sides partitioned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Directory slots a tuple.
    pub slots_per_tuple: f64,
    /// How many partitions.
    pub fan_out: FanOut,
    /// How entries are collected.
    pub collect: Collect,
    /// Whether they are gathered to cache lines first.
    pub write_combining: bool,
    /// Whether tuples are compared four at a time, where the machine has the instructions.
    pub simd: bool,
}

impl Settings {
    /// What measurements chose.
    pub const DEFAULT: Self = Self {
        slots_per_tuple: 1.0,
        fan_out: FanOut::Cache,
        collect: Collect::Arena,
        write_combining: true,
        simd: true,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// log2 of the most partitions of one pass: beyond, the lines of a worker leave its L2 and its pages the TLB.
const MAX_PART_BITS: u32 = 12;

/// The join, on tables of scheme `S` (whose tags and directory layout are not used: partitions have a directory of their
/// own).
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

    /// log2 of the partitions for a build side of `rows` keys.
    fn part_bits<K: Key>(&self, rows: usize, context: &Context<'_>) -> u32 {
        match self.settings.fan_out {
            FanOut::Bits(bits) => bits,
            FanOut::Cache => {
                let tuple = size_of::<Tuple<K>>() as f64 + self.settings.slots_per_tuple * 4.0;
                let table = (rows as f64 * tuple) as usize;
                if table <= context.caches.l2 {
                    return 0;
                }
                let parts = table.div_ceil(context.caches.l1);
                parts.next_power_of_two().ilog2().min(MAX_PART_BITS)
            }
        }
    }

    /// The join of a build side that needs no partitions.
    fn join_whole<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let mut phases = Phases::start();
        let slots = self.settings.slots_per_tuple;
        let mut table = LocalTable::<K, S>::new(build.len(), 0, slots, context.memory)?;
        table.build(build);
        phases.lap("build");
        let table_bytes = table.bytes();
        let ranges = table.ranges();
        let simd = self.settings.simd;
        let workers = context.team.workers_for(probe.len());
        let cursors = probe.cursors(workers, Sharing::Counter, MorselSize::default());
        let results = consume(
            cursors,
            context,
            &mut phases,
            "probe",
            |mut cursor, mut sink| {
                while let Some(block) = cursor.next_block() {
                    let keys = block.keys.iter();
                    let sink = sink.reborrow();
                    match block.rows {
                        BlockRows::From(row) => {
                            let probes = (row..).zip(keys).map(|(row, &key)| Tuple::new(key, row));
                            ranges.probe(probes, simd, sink);
                        }
                        BlockRows::List(rows) => {
                            let probes = rows
                                .iter()
                                .zip(keys)
                                .map(|(&row, &key)| Tuple::new(key, row));
                            ranges.probe(probes, simd, sink);
                        }
                    }
                }
            },
        )?;
        drop(table);
        phases.lap("free");
        Ok(Outcome {
            results,
            phases,
            table_bytes,
            notes: vec!["no partitions: the table fits in L2".to_owned()],
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
        let part_bits = self.part_bits::<K>(build.len(), context);
        if part_bits == 0 {
            return self.join_whole(build, probe, context);
        }
        let mut phases = Phases::start();
        let side = |rows: usize| Partitioning {
            part_bits,
            prefix_bits: part_bits,
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
                let largest = tasks.iter().map(|task| builds.len(task.part)).max();
                let tables = (0..workers)
                    .map(|_| {
                        LocalTable::<K, S>::new(
                            largest.unwrap_or(0),
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
                            table.build(&Part(builds, task.part));
                            let ranges = table.ranges();
                            for probes in &task.probes {
                                let probes = probes.iter().copied();
                                ranges.probe(probes, self.settings.simd, sink.reborrow());
                            }
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
