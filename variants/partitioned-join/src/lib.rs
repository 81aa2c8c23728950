//! The unchained table with both sides partitioned: a radix join whose partitions are unchained tables.
//!
//! An unchained table probed in input order touches two random lines per match beyond the caches. Here the probe side is
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
//! The table is of the smaller side, whichever that is. Partitions of very different size (skew) are divided: a partition with many probes is several tasks, each with a part
//! of the probes and a table of its own.

mod both;
mod entries;
mod filter;
mod local;
mod passes;
mod ranges;
mod sample;
mod task;
mod whole;

use std::marker::PhantomData;

use join_core::input::KeyColumn;
use join_core::join::{Context, Join, JoinError, Outcome};
use join_core::key::{Key, Tuple};
use join_core::partition::Collect;
use join_core::simd::Compare;
use join_core::unchained::Scheme;

pub use passes::Passes;
use ranges::How;

/// How much memory a join may take for its speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemoryUse {
    /// Both sides' partitions at once.
    #[default]
    Fast,
    /// At most one and a half times what a table of the build side takes: the probe side is partitioned and joined a part
    /// at a time, and the tables of partitions are built anew for each.
    Low,
}

/// When probes pass a filter of the build side's keys before they are partitioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Semijoin {
    /// Never.
    Off,
    /// Always, unless nothing is partitioned.
    On,
    /// Where so few of a sample of probes match that a filter of its size spares more than it costs: four of ten while it
    /// fits in L2, two of ten up to four times L2; without AVX-512, two of ten while it fits in L2.
    #[default]
    Sampled,
}

/// The settings of a join with both sides partitioned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Directory slots per tuple. By default so many that a slot has more tuples than are compared at once in one probe of
    /// fifty: two with pairs of tuples, one with vectors of four, a half with vectors of eight. That counts on keys that are
    /// distinct: where two of them have more tuples than that, a slot that they share costs twice as much, and tables of partitions
    /// get two slots per tuple.
    pub slots_per_tuple: Option<f64>,
    /// log2 of the partitions of each side, 0 for none. By default so many that a partition's table takes a sixteenth of L2
    /// (whose other users must leave it there), but more than 2^10 only where it would not fit; none at all where the whole
    /// table fits in L2.
    pub part_bits: Option<u32>,
    /// In how many passes.
    pub passes: Passes,
    /// How entries are collected.
    pub collect: Collect,
    /// Whether they are gathered to cache lines first.
    pub write_combining: bool,
    /// How many tuples are compared at once.
    pub compare: Compare,
    /// Whether the table is of the probe side where that is the smaller one.
    pub smaller_side: bool,
    /// How much memory.
    pub memory: MemoryUse,
    /// Whether probes pass a filter of the build side's keys before they are partitioned.
    pub filter: Semijoin,
}

impl Settings {
    /// What measurements chose.
    pub const DEFAULT: Self = Self {
        slots_per_tuple: None,
        part_bits: None,
        passes: Passes::One,
        collect: Collect::Arena,
        write_combining: true,
        compare: Compare::Avx512,
        smaller_side: true,
        memory: MemoryUse::Fast,
        filter: Semijoin::Sampled,
    };

    /// Directory slots per tuple where keys are distinct.
    fn slots_per_tuple<K: Key>(&self) -> f64 {
        let by_vector = || (4.0 / self.compare.tuples::<K>() as f64).min(MOST_SLOTS);
        self.slots_per_tuple.unwrap_or_else(by_vector)
    }

    /// Directory slots per tuple of the tables of partitions, one of which turned out to have so many tuples per key.
    fn slots_of_repeated<K: Key>(&self, tuples_per_key: f64) -> Option<f64> {
        let by_default = self.slots_per_tuple.is_none() && self.memory == MemoryUse::Fast;
        let two_keys = 2.0 * tuples_per_key;
        // 0.9 of the time with eight tuples per key, 512 K × 512 K rows.
        (by_default && two_keys > self.compare.tuples::<K>() as f64).then_some(MOST_SLOTS)
    }

    /// Bytes that a table of `rows` keys takes.
    fn table_bytes<K: Key>(&self, rows: usize) -> usize {
        let tuple =
            size_of::<Tuple<K>>() as f64 + self.slots_per_tuple::<K>() * size_of::<u32>() as f64;
        (rows as f64 * tuple) as usize
    }

    /// log2 of the partitions for a table of `rows` keys.
    fn part_bits<K: Key>(&self, rows: usize, l2: usize) -> u32 {
        let by_cache = || {
            let table = self.table_bytes::<K>(rows);
            let bits = |share: usize| {
                let parts = table.div_ceil(l2 / share);
                parts.next_power_of_two().ilog2()
            };
            match table <= l2 {
                true => 0,
                false => bits(16)
                    .min(CHEAP_PART_BITS.max(bits(2)))
                    .min(MAX_PART_BITS),
            }
        };
        self.part_bits.unwrap_or_else(by_cache)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Directory slots per tuple beyond which they are in the way of what they lead to.
const MOST_SLOTS: f64 = 2.0;

/// log2 of the partitions up to which a pass does not take longer for more of them.
const CHEAP_PART_BITS: u32 = 10;

/// log2 of the most partitions of one pass: beyond, the lines of a worker leave its L2 and its pages the TLB.
const MAX_PART_BITS: u32 = 13;

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
}

/// The two sides as the join takes them: `table` is the one that tables are made of.
struct Sides<'a, 'b, K> {
    table: &'a KeyColumn<'b, K>,
    probe: &'a KeyColumn<'b, K>,
    how: How,
}

impl<K: Key> Sides<'_, '_, K> {
    /// Whether tables are to find ranges: of the build side, not of the probe side.
    fn begins_with_ranges(&self, context: &Context<'_>) -> bool {
        context.begins_with_ranges() && !self.how.swapped
    }
}

impl<S: Scheme> Join for PartitionedJoin<S> {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let swapped = self.settings.smaller_side && probe.len() < build.len();
        let (table, probe) = if swapped {
            (probe, build)
        } else {
            (build, probe)
        };
        let how = How {
            compare: self.settings.compare,
            swapped,
        };
        let sides = Sides { table, probe, how };
        let part_bits = self.settings.part_bits::<K>(table.len(), context.caches.l2);
        let mut outcome = match part_bits {
            0 => whole::join::<K, S>(&sides, &self.settings, context)?,
            _ => both::join::<K, S>(&sides, part_bits, &self.settings, context)?,
        };
        if swapped {
            let note = "table of the probe side, which is the smaller one";
            outcome.notes.push(note.to_owned());
        }
        Ok(outcome)
    }
}
