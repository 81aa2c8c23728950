//! What a build leaves and a probe reads.

use std::fmt;

use super::context::CacheSizes;
use crate::input::{BlockRows, KeyBlock};
use crate::key::{Key, Tuple};
use crate::output::{RangeBuffer, Sink, SinkRef};
use crate::simd::Compare;

/// The longest group of keys that a batched probe works on at a time.
pub const MAX_GROUP: usize = 256;

/// In what order a probe goes about the lookups of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// One key after the other, from its hash to its matches.
    Direct,
    /// Groups of so many keys, at most [`MAX_GROUP`], each stage over the whole group before the next one: hash, test
    /// tags, look ranges up, compare, each prefetching for the next (Chen et al., ICDE 2004). A table may take longer
    /// groups where few keys get far.
    Staged(usize),
    /// So many lookups, at most [`MAX_GROUP`], each a state machine of its own, which start at the next key as they end
    /// (asynchronous memory access chaining: Kocberber, Falsafi, Grot, VLDB 2015).
    Interleaved(usize),
    /// [`Self::Direct`] on a table that fits into a core's L2 cache, where staging costs more than it hides, otherwise
    /// [`Self::Staged`] in groups of so many.
    BySize(usize),
}

/// How a table is probed with a block of keys. A table without such a loop uses its plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// The order of the lookups.
    pub schedule: Schedule,
    /// How tuples are compared.
    pub compare: Compare,
}

impl Kernel {
    /// One key after the other, one tuple after the other.
    pub const SCALAR: Self = Self {
        schedule: Schedule::Direct,
        compare: Compare::Loop,
    };

    /// Groups of `group` keys with software prefetch, unless the table is in the cache.
    pub fn batched(group: usize) -> Self {
        Self {
            schedule: Schedule::BySize(group),
            compare: Compare::default(),
        }
    }

    /// The kernel for a table of so many bytes, its schedule chosen.
    #[must_use]
    pub fn for_table(self, bytes: usize, caches: CacheSizes) -> Self {
        let schedule = match self.schedule {
            Schedule::BySize(_) if bytes <= caches.l2 => Schedule::Direct,
            Schedule::BySize(group) => Schedule::Staged(group),
            chosen => chosen,
        };
        Self { schedule, ..self }
    }

    /// Keys that are worked on together, 1 to [`MAX_GROUP`].
    pub fn group(self) -> usize {
        match self.schedule {
            Schedule::Direct => 1,
            Schedule::Staged(keys) | Schedule::Interleaved(keys) | Schedule::BySize(keys) => {
                keys.clamp(1, MAX_GROUP)
            }
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schedule {
            Schedule::Direct => write!(f, "keys one by one")?,
            Schedule::Staged(_) => write!(f, "keys in groups of {}", self.group())?,
            Schedule::Interleaved(_) => write!(f, "{} lookups interleaved", self.group())?,
            Schedule::BySize(_) => write!(f, "keys one by one or in groups of {}", self.group())?,
        }
        write!(f, ", tuples compared by {}", self.compare.available())
    }
}

/// A finished table, probed a block of keys at a time.
pub trait DynJoinTable<K: Key>: Send + Sync {
    /// Finds the matches of a block of probe keys.
    fn probe(&self, block: KeyBlock<'_, K>, kernel: Kernel, sink: SinkRef<'_, '_>);

    /// The same table as one in which matches are ranges, if it is one.
    fn as_ranges(&self) -> Option<&dyn RangeTable<K>>;

    /// Build tuples that it holds.
    fn tuples(&self) -> usize;

    /// Bytes that it holds.
    fn bytes(&self) -> usize;
}

/// A table whose slots are ranges of one store of tuples, so that what a probe finds may be a range.
pub trait RangeTable<K: Key>: Send + Sync {
    /// The tuples, slot by slot.
    fn store(&self) -> &[Tuple<K>];

    /// Finds the ranges of a block of probe keys.
    fn find(&self, block: KeyBlock<'_, K>, kernel: Kernel, found: &mut RangeBuffer);
}

/// Row ids of a block, as the inner loops see them.
pub trait RowIds: Copy {
    /// The row of the block's key number `index`.
    fn row(&self, index: usize) -> u32;

    /// All of them.
    fn rows(&self) -> BlockRows<'_>;
}

/// Consecutive rows from this one on.
#[derive(Clone, Copy)]
struct From(u32);

impl RowIds for From {
    #[inline(always)]
    fn row(&self, index: usize) -> u32 {
        self.0 + index as u32
    }

    #[inline(always)]
    fn rows(&self) -> BlockRows<'_> {
        BlockRows::From(self.0)
    }
}

impl RowIds for &[u32] {
    #[inline(always)]
    fn row(&self, index: usize) -> u32 {
        self[index]
    }

    #[inline(always)]
    fn rows(&self) -> BlockRows<'_> {
        BlockRows::List(self)
    }
}

/// A table's probe, generic over sink and row ids: what a table implements to be a [`DynJoinTable`].
pub trait JoinTable<K: Key>: Send + Sync {
    /// Finds the matches of `keys`, whose rows are `rows`.
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S);

    /// As [`DynJoinTable::as_ranges`].
    fn as_ranges(&self) -> Option<&dyn RangeTable<K>> {
        None
    }

    /// As [`DynJoinTable::tuples`].
    fn tuples(&self) -> usize;

    /// As [`DynJoinTable::bytes`].
    fn bytes(&self) -> usize;
}

impl<K: Key, T: JoinTable<K>> DynJoinTable<K> for T {
    fn probe(&self, block: KeyBlock<'_, K>, kernel: Kernel, sink: SinkRef<'_, '_>) {
        match (block.rows, sink) {
            (BlockRows::From(row), SinkRef::Aggregate(sink)) => {
                self.probe_keys(block.keys, From(row), kernel, sink);
            }
            (BlockRows::From(row), SinkRef::Pairs(sink)) => {
                self.probe_keys(block.keys, From(row), kernel, sink);
            }
            (BlockRows::List(rows), SinkRef::Aggregate(sink)) => {
                self.probe_keys(block.keys, &rows[..block.keys.len()], kernel, sink);
            }
            (BlockRows::List(rows), SinkRef::Pairs(sink)) => {
                self.probe_keys(block.keys, &rows[..block.keys.len()], kernel, sink);
            }
        }
    }

    fn as_ranges(&self) -> Option<&dyn RangeTable<K>> {
        JoinTable::as_ranges(self)
    }

    fn tuples(&self) -> usize {
        JoinTable::tuples(self)
    }

    fn bytes(&self) -> usize {
        JoinTable::bytes(self)
    }
}
