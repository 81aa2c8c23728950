//! What a build leaves and a probe reads.

use super::sink::{Sink, SinkRef};
use crate::input::{BlockRows, KeyBlock};
use crate::key::Key;

/// The longest group of keys that a batched probe works on at a time.
pub const MAX_GROUP: usize = 256;

/// How a probe compares the tuples of a slot with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compare {
    /// One after the other, to the end of the slot.
    Loop,
    /// The first two without a branch, the rest (rare at one slot a tuple and more) one after the other. Spares the
    /// mispredictions that run lengths of 0, 1 and 2 cause.
    #[default]
    BranchFree,
}

/// How a table is probed with a block of keys. A table without such a loop uses its plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Keys worked on together, stage by stage (hash, prefetch directory, test tags, prefetch tuples, compare), at
    /// most [`MAX_GROUP`]; 0 is scalar, one key after the other.
    pub group: usize,
    /// How tuples are compared.
    pub compare: Compare,
}

impl Kernel {
    /// One key after the other.
    pub const SCALAR: Self = Self {
        group: 0,
        compare: Compare::Loop,
    };

    /// Groups of `group` keys with software prefetch.
    pub const fn batched(group: usize) -> Self {
        Self {
            group,
            compare: Compare::BranchFree,
        }
    }
}

/// A finished table, probed a block of keys at a time.
pub trait JoinTable<K: Key>: Send + Sync {
    /// Finds the matches of a block of probe keys.
    fn probe(&self, block: KeyBlock<'_, K>, kernel: Kernel, sink: SinkRef<'_, '_>);

    /// Build tuples that it holds.
    fn tuples(&self) -> usize;

    /// Bytes that it holds.
    fn bytes(&self) -> usize;
}

/// Row ids of a block, as the inner loops see them.
pub trait RowIds: Copy {
    /// The row of the block's key number `index`.
    fn row(&self, index: usize) -> u32;
}

/// Consecutive rows from this one on.
#[derive(Clone, Copy)]
struct From(u32);

impl RowIds for From {
    #[inline(always)]
    fn row(&self, index: usize) -> u32 {
        self.0 + index as u32
    }
}

impl RowIds for &[u32] {
    #[inline(always)]
    fn row(&self, index: usize) -> u32 {
        self[index]
    }
}

/// A table's probe, generic over sink and row ids: what a table implements to be a [`JoinTable`].
pub trait ProbeTable<K: Key>: Send + Sync {
    /// Finds the matches of `keys`, whose rows are `rows`.
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S);

    /// As [`JoinTable::tuples`].
    fn tuples(&self) -> usize;

    /// As [`JoinTable::bytes`].
    fn bytes(&self) -> usize;
}

impl<K: Key, T: ProbeTable<K>> JoinTable<K> for T {
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

    fn tuples(&self) -> usize {
        ProbeTable::tuples(self)
    }

    fn bytes(&self) -> usize {
        ProbeTable::bytes(self)
    }
}
