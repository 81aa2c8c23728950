//! The radix-partitioned join (Manegold, Boncz, Kersten, 2002; Balkesen et al., ICDE 2013): both sides are divided by
//! hash bits until a partition of the build side and its table fit in the cache, then joined partition by partition.

mod local;

use std::marker::PhantomData;

use join_core::hash::{Fibonacci, KeyHash};
use join_core::input::{KeyColumn, KeySource};
use join_core::join::{Build, Context, Join, JoinError, Kernel, Outcome, Phases, consume};
use join_core::key::{Key, Tuple};
use join_core::output::SinkRef;
use join_core::parallel::{Division, Tasks};

use crate::open_addressing::LinearProbing;
use crate::partition::{HashBits, Partitioned, partition};
use local::LocalTable;

/// log2 of the most partitions of one pass: a line each fits in L2, and an entry each in the second-level TLB.
const MAX_PASS: u32 = 12;

/// log2 of the tuples that a partition of the build side should have: with a table of 64 KiB or 128 KiB, a fraction of an L2
/// cache of 1 MiB, which leaves room for what streams by.
const PARTITION: u32 = 12;

/// Fewest probe tuples of a task.
const MIN_PIECE: usize = 1 << 16;

/// Keys that are prefetched together where there are no partitions.
const GROUP: usize = 64;

/// log2 of the most partitions of a pass that is asked for: beyond, a worker's lines alone are 4 MiB.
const MOST_PASS: u32 = 16;

/// The radix-partitioned join, with software write-combining and streaming stores, partitions of exact size, and a table
/// per partition. A build side whose table fits in L2 is not partitioned: it is joined by [`LinearProbing`].
pub struct Radix<H = Fibonacci> {
    passes: Option<(u32, u32)>,
    hash: PhantomData<fn() -> H>,
}

impl<H> Radix<H> {
    /// A join with so many partitions that one of the build side has about 4096 tuples; none at all where one table fits in
    /// L2, and two passes where that is more than 4096.
    pub fn new() -> Self {
        Self {
            passes: None,
            hash: PhantomData,
        }
    }

    /// A join with 2^`first` partitions in a first pass, and each of them again in 2^`second` in a second one, if that is
    /// not 0.
    pub fn with_passes(first: u32, second: u32) -> Self {
        Self {
            passes: Some((first.min(MOST_PASS), second.min(MOST_PASS))),
            ..Self::new()
        }
    }

    /// log2 of the partitions of the first and of the second pass.
    fn passes<K: Key>(&self, rows: usize, l2: usize) -> (u32, u32) {
        let by_size = || {
            if rows * 2 * size_of::<Tuple<K>>() <= l2 {
                return (0, 0);
            }
            let bits = rows.next_power_of_two().ilog2();
            let bits = bits.saturating_sub(PARTITION).max(1);
            match bits <= MAX_PASS {
                true => (bits, 0),
                false => (bits.div_ceil(2), bits / 2),
            }
        };
        self.passes.unwrap_or_else(by_size)
    }
}

impl Default for Radix {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: KeyHash> Join for Radix<H> {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let mut phases = Phases::start();
        let rows = build.len();
        let passes = self.passes::<K>(rows, context.caches.l2);
        if passes == (0, 0) {
            return unpartitioned::<K, H>(build, probe, context, phases);
        }
        let workers = context.team.workers_for(rows.max(probe.len()));
        let build = partitioned::<K, H>(build, passes, workers, context)?;
        phases.lap("partition build");
        let probe = partitioned::<K, H>(probe, passes, workers, context)?;
        phases.lap("partition probe");
        let bits = passes.0 + passes.1;
        let table_bytes = build.bytes() + probe.bytes();

        let mut tasks = Vec::with_capacity(1 << bits);
        let average = probe.len() >> bits;
        for (build, probe) in build.parts().zip(probe.parts()) {
            if !build.is_empty() {
                // A partition far larger than the others becomes several tasks, which build its table anew each.
                let piece = MIN_PIECE.max(4 * average).max(4 * build.len());
                tasks.extend(probe.chunks(piece).map(|probe| (build, probe)));
            }
        }
        let tasks = Tasks::new(tasks);
        let longest = build.lens().max().unwrap_or(0);
        let tables = (0..workers).map(|_| LocalTable::new(longest, context.memory));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let results = consume(
            tables,
            context,
            &mut phases,
            "join",
            |mut table, sink| match sink {
                SinkRef::Aggregate(sink) => table.join_all::<H, _>(&tasks, bits, sink),
                SinkRef::Pairs(sink) => table.join_all::<H, _>(&tasks, bits, sink),
            },
        )?;
        drop(tasks);
        drop((build, probe));
        phases.lap("free");
        Ok(Outcome {
            results,
            phases,
            table_bytes,
            notes: vec![match passes {
                (first, 0) => format!("2^{first} partitions in one pass"),
                (first, second) => format!("2^{first} × 2^{second} partitions in two passes"),
            }],
        })
    }
}

/// A side in 2^(first + second) partitions by the top bits of the hash.
fn partitioned<K: Key, H: KeyHash>(
    side: &KeyColumn<'_, K>,
    (first, second): (u32, u32),
    workers: usize,
    context: &Context<'_>,
) -> Result<Partitioned<K>, JoinError> {
    let partitions = partition(side, workers, HashBits::<H>::new(0, first), context)?;
    if second == 0 {
        return Ok(partitions);
    }
    partitions.divided(workers, HashBits::<H>::new(first, second), context)
}

/// The join by one table of the whole build side.
fn unpartitioned<K: Key, H: KeyHash>(
    build: &KeyColumn<'_, K>,
    probe: &KeyColumn<'_, K>,
    context: &Context<'_>,
    mut phases: Phases,
) -> Result<Outcome, JoinError> {
    let table = LinearProbing::<H>::new().build(build, context, &mut phases)?;
    // Beyond L1, misses are worth overlapping.
    let kernel = if table.bytes() > context.caches.l1 {
        Kernel::batched(GROUP)
    } else {
        Kernel::SCALAR
    };
    let workers = context.team.workers_for(probe.len());
    let cursors = probe.cursors(Division::counter(workers));
    let results = consume(
        cursors,
        context,
        &mut phases,
        "probe",
        |mut cursor, mut sink| {
            while let Some(block) = cursor.next_block() {
                table.probe(block, kernel, sink.reborrow());
            }
        },
    )?;
    Ok(Outcome {
        results,
        table_bytes: table.bytes(),
        phases,
        notes: vec!["no partitions: the table fits in L2".into()],
    })
}
