//! The partitioned build of the unchained table: three phases with a join of all threads between them (R3.1 to R3.4,
//! R5.1, R5.2).
//!
//! 1. *partition*: each thread takes blocks of the input, hashes them, and pushes each tuple onto a list of its own of
//!    that partition (R3.2); the input may be a stream of unknown length (R4.1)
//! 2. *count and tag*: one writer per partition goes through all threads' lists of it (R3.3, R5.1), counts into the
//!    partition's slots and ORs tags in (R7.4); prefix sums make ENDs of the counts (R6.2)
//! 3. *copy*: one writer per partition copies the tuples into place (R7.1)
//!
//! Partitioning already tells where each partition's tuples will lie, so a writer may copy a partition right after it
//! has counted it, while it is in its cache; [`Settings::phases_apart`] keeps the two phases apart instead.
//!
//! A partition is a range of consecutive slots, so its writer owns its part of the directory and of the tuple store, and
//! the last two phases need no synchronisation (R5.2). Memory comes in three levels (R4.3): large blocks of the process
//! ([`join_core::memory::process`]), a bump arena per thread, and fixed-capacity chunks per list; each can be switched off.

pub use join_core::partition::{ChunkSize, Collect, Entry, Plain, Tagged};

use std::marker::PhantomData;

use join_core::directory::{DirectoryLayout, Sizing};
use join_core::input::{HashedKeys, KeySource};
use join_core::join::{Build, CacheSizes, Context, DynJoinTable, JoinError, Phases};
use join_core::key::{Key, Tuple};
use join_core::parallel::Tasks;
use join_core::partition::{Partitioning, Segments};
use join_core::unchained::{Scheme, SlotPart, StorePart, Unchained, UnchainedBuilder};

/// How many partitions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FanOut {
    /// So many that the slots and the tuples of one fit into half of an L2 cache.
    #[default]
    Cache,
    /// One per directory slot, as in the contest engine.
    Slots,
    /// 2^bits.
    Bits(u32),
}

/// The settings of a partitioned build.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How many slots the directory gets.
    pub sizing: Sizing,
    /// How many partitions there are.
    pub fan_out: FanOut,
    /// How tuples are collected.
    pub collect: Collect,
    /// Capacity of a chunk.
    pub chunk: ChunkSize,
    /// Whether tuples are gathered to cache lines before they are written to their list.
    pub write_combining: bool,
    /// Whether all partitions are counted before any is copied (phases 2 and 3 as in the contest engine), or each is copied
    /// while it is still in the cache of who counted it.
    pub phases_apart: bool,
}

impl Settings {
    /// What measurements chose.
    pub const DEFAULT: Self = Self {
        sizing: Sizing::per_tuple(1.0),
        fan_out: FanOut::Cache,
        collect: Collect::Arena,
        chunk: ChunkSize::Expected,
        write_combining: false,
        phases_apart: false,
    };

    /// The contest engine's: one list per slot, chunks of 256 tuples, at most 2^18 slots.
    pub const CONTEST: Self = Self {
        sizing: Sizing::CONTEST,
        fan_out: FanOut::Slots,
        collect: Collect::Arena,
        chunk: ChunkSize::Entries(256),
        write_combining: false,
        phases_apart: true,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The partitioned build of a table of scheme `S`, with entries `E` in its lists.
pub struct PartitionedBuild<S, E = Plain> {
    settings: Settings,
    marker: PhantomData<fn() -> (S, E)>,
}

impl<S: Scheme, E: Entry> PartitionedBuild<S, E> {
    /// A build with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            marker: PhantomData,
        }
    }
}

/// Rows that a stream is taken to have when partitions are chosen for it; slots can wait until it has ended.
const UNKNOWN_ROWS: usize = 1 << 22;

/// log2 of the most partitions that [`FanOut::Cache`] chooses: beyond, a pass misses the TLB at every push.
const MAX_CACHE_BITS: u32 = 11;

impl FanOut {
    /// log2 of the partitions of a table of `rows` tuples and 2^`prefix_bits` slots.
    pub fn bits<K: Key, S: Scheme>(self, rows: usize, prefix_bits: u32, caches: CacheSizes) -> u32 {
        let bits = match self {
            Self::Cache => {
                let bytes =
                    rows * size_of::<Tuple<K>>() + (S::Directory::SLOT_BYTES << prefix_bits);
                bytes
                    .div_ceil(caches.l2 / 2)
                    .next_power_of_two()
                    .ilog2()
                    .min(MAX_CACHE_BITS)
            }
            Self::Slots => prefix_bits,
            Self::Bits(bits) => bits,
        };
        bits.min(prefix_bits)
    }
}

impl<S: Scheme, E: Entry> Build for PartitionedBuild<S, E> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        Ok(Box::new(self.table(source, context, phases)?))
    }
}

impl<S: Scheme, E: Entry> PartitionedBuild<S, E> {
    /// Builds a table of all keys of `source`, which does not borrow it.
    ///
    /// # Errors
    ///
    /// If memory runs out.
    pub fn table<K: Key>(
        &self,
        source: &dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Unchained<K, S>, JoinError> {
        let settings = &self.settings;
        let rows = source.rows().unwrap_or(UNKNOWN_ROWS);
        let workers = context.team.workers_for(rows);
        let prefix_bits = settings.sizing.bits(rows);
        let plan = Partitioning {
            part_bits: settings
                .fan_out
                .bits::<K, S>(rows, prefix_bits, context.caches),
            prefix_bits,
            workers,
            rows,
            collect: settings.collect,
            chunk: settings.chunk,
            write_combining: settings.write_combining,
        };
        plan.collect::<K, S::Hash, E, _>(source, context, |segments| {
            phases.lap("partition");
            let mut plan = plan;
            if source.rows().is_none() && !E::KEEPS_TAG {
                let rows = (0..segments.parts()).map(|part| segments.len(part)).sum();
                plan.prefix_bits = settings.sizing.bits(rows).max(plan.part_bits);
            }
            finish::<K, S, E>(segments, &plan, settings.phases_apart, context, phases)
        })
    }
}

/// Phases 2 and 3 over the collected entries.
fn finish<K: Key, S: Scheme, E: Entry>(
    segments: &Segments<'_, E::Of<K>>,
    plan: &Partitioning,
    apart: bool,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Unchained<K, S>, JoinError> {
    let mut table = UnchainedBuilder::<K, S>::new(plan.prefix_bits, context.memory)?;
    let lens: Vec<usize> = (0..plan.parts()).map(|part| segments.len(part)).collect();
    let count =
        |hashed: &mut HashedKeys, part, slots: &mut SlotPart<'_, S>, start| {
            for entries in segments.slices(part) {
                hashed.for_each_item::<S::Hash, K, _>(entries, key::<K, E>, |hash, entry| {
                    match E::tag(entry) {
                        Some(tag) => slots.count_tagged(hash, tag),
                        None => slots.count(hash),
                    }
                });
            }
            slots.prefix_sum(start);
            slots.rewind(start);
        };
    let copy = |hashed: &mut HashedKeys,
                part,
                slots: &mut SlotPart<'_, S>,
                store: &mut StorePart<'_, K>| {
        for entries in segments.slices(part) {
            hashed.for_each_item::<S::Hash, K, _>(entries, key::<K, E>, |hash, entry| {
                store.copy(slots, hash, E::tuple(entry));
            });
        }
    };
    if apart {
        let starts = lens.iter().scan(0, |start, len| {
            *start += len;
            Some(*start - len)
        });
        let counts = Tasks::new(table.slot_parts(plan.part_bits).into_iter().zip(starts));
        context.team.run(vec![(); plan.workers], |_, ()| {
            let mut hashed = HashedKeys::default();
            while let Some((part, (slots, start))) = counts.take() {
                count(&mut hashed, part, &mut slots.clear(), start);
            }
        });
        drop(counts);
        phases.lap("count and tag");
    }
    table.allocate(lens.iter().sum(), context.memory)?;
    let copies = Tasks::new(table.table_parts(plan.part_bits, &lens));
    context.team.run(vec![(); plan.workers], |_, ()| {
        let mut hashed = HashedKeys::default();
        while let Some((part, (slots, mut store))) = copies.take() {
            let mut slots = if apart {
                // SAFETY: each part was taken by a worker, who cleared it.
                unsafe { slots.cleared() }
            } else {
                let mut slots = slots.clear();
                count(&mut hashed, part, &mut slots, store.start());
                slots
            };
            copy(&mut hashed, part, &mut slots, &mut store);
        }
    });
    drop(copies);
    // SAFETY: each part was taken by a worker, who cleared it and counted and copied the same entries.
    let table = unsafe { table.finish() };
    phases.lap(if apart { "copy" } else { "count, tag and copy" });
    Ok(table)
}

/// The key of an entry.
#[inline(always)]
fn key<K: Key, E: Entry>(entry: &E::Of<K>) -> K {
    E::tuple(entry).key
}
