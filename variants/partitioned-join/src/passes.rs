//! Partitioning in one pass or in two.

use join_core::hash::KeyHash;
use join_core::input::{BlockRows, KeyBlock, KeyCursor, KeySource};
use join_core::join::{Context, JoinError};
use join_core::key::{Key, Tuple};
use join_core::parallel::{Division, Morsels};
use join_core::partition::{ChunkSize, Collect, Partitioning, Plain, Segments};

use crate::{MemoryUse, Settings};

/// How often entries are copied until they are where they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passes {
    /// Once, to all partitions.
    #[default]
    One,
    /// To the square root of so many partitions, and each of these to as many again, so that a worker writes to few places
    /// at a time (Boncz, Manegold, Kersten: VLDB 1999). A round of [`MemoryUse::Low`] has no room for it.
    Two,
}

/// Tuples that a second pass takes at a time.
const BLOCK: usize = 1024;

/// Divides the keys of `source`, of which about `rows` are expected, and calls `with` with the 2^`part_bits` partitions.
pub(crate) fn partitioned<K: Key, H: KeyHash, R>(
    source: &dyn KeySource<K>,
    rows: usize,
    part_bits: u32,
    settings: &Settings,
    context: &Context<'_>,
    with: impl FnOnce(&Segments<'_, Tuple<K>>) -> Result<R, JoinError>,
) -> Result<R, JoinError> {
    let low = settings.memory == MemoryUse::Low;
    let plan = |part_bits| Partitioning {
        part_bits,
        prefix_bits: part_bits,
        workers: context.team.workers_for(rows),
        rows,
        // Lists are the faster, but have room left over.
        collect: if low {
            Collect::Exact
        } else {
            settings.collect
        },
        chunk: ChunkSize::Expected,
        write_combining: settings.write_combining,
    };
    if low || settings.passes == Passes::One {
        return plan(part_bits).collect::<K, H, Plain, R>(source, context, with);
    }
    plan(part_bits.div_ceil(2)).collect::<K, H, Plain, R>(source, context, |coarse| {
        let again = Again::new(coarse);
        plan(part_bits).collect::<K, H, Plain, R>(&again, context, with)
    })
}

/// The entries of partitions, partition after partition.
struct Again<'a, K: Key>(Vec<&'a [Tuple<K>]>);

impl<'a, K: Key> Again<'a, K> {
    fn new(coarse: &Segments<'a, Tuple<K>>) -> Self {
        let parts = 0..coarse.parts();
        Self(
            parts
                .flat_map(|part| coarse.slices(part).to_vec())
                .collect(),
        )
    }
}

// SAFETY: it does not know its rows, and so is read once.
unsafe impl<K: Key> KeySource<K> for Again<'_, K> {
    fn rows(&self) -> Option<usize> {
        None
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        Division::counter(division.workers)
            .by(1)
            .morsels(self.0.len())
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        Box::new(AgainCursor {
            slices: &self.0,
            morsels,
            slice: &[],
            keys: [K::zeroed(); BLOCK],
            rows: [0; BLOCK],
        })
    }
}

struct AgainCursor<'s, K: Key> {
    slices: &'s [&'s [Tuple<K>]],
    morsels: Morsels,
    slice: &'s [Tuple<K>],
    keys: [K; BLOCK],
    rows: [u32; BLOCK],
}

impl<K: Key> KeyCursor<K> for AgainCursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        while self.slice.is_empty() {
            self.slice = self.slices[self.morsels.next()?.start];
        }
        let (tuples, rest) = self.slice.split_at(self.slice.len().min(BLOCK));
        self.slice = rest;
        let (keys, rows) = (
            &mut self.keys[..tuples.len()],
            &mut self.rows[..tuples.len()],
        );
        for ((tuple, key), row) in tuples.iter().zip(&mut *keys).zip(&mut *rows) {
            (*key, *row) = (tuple.key, tuple.row_id());
        }
        Some(KeyBlock {
            keys,
            rows: BlockRows::List(rows),
        })
    }
}
