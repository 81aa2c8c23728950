//! The sort-merge join (Blasgen, Eswaran, 1977; on many cores Kim et al., VLDB 2009): both sides sorted by key, then
//! read side by side.
//!
//! Sorting is by radix throughout: both sides are partitioned by the key's most significant bits first (the range of the
//! build side's keys decides which those are), then pieces that fit in the cache are sorted by the bits below. A
//! partition longer than a piece stays several sorted runs, so that a frequent key keeps no thread busy alone.

mod merge;
mod sort;

use join_core::input::{KeyColumn, KeySource};
use join_core::join::{Context, Join, JoinError, Outcome, Phases, consume};
use join_core::key::{Key, Tuple};
use join_core::output::{Sink, SinkRef};
use join_core::parallel::{Division, Tasks};

use crate::partition::{Digit, partition};
use merge::merge;
use sort::Sorter;

/// log2 of the most partitions.
const MAX_FAN_OUT: u32 = 12;

/// log2 of the tuples that a partition of the longer side should have.
const PARTITION: u32 = 14;

/// Most tuples that are sorted together: with the room that sorting needs, half of an L2 cache of 1 MiB.
const PIECE: usize = 1 << 15;

/// The sort-merge join.
#[derive(Debug, Clone, Copy, Default)]
pub struct SortMerge;

/// The key's bits as an unsigned number in the order of keys.
#[inline(always)]
fn ordered<K: Key>(key: K) -> u64 {
    key.bits() ^ 1 << (8 * size_of::<K>() - 1)
}

/// Ranges of equal width over the keys of the build side, and one for all keys outside.
#[derive(Debug, Clone, Copy)]
struct KeyRanges {
    first: u64,
    /// log2 of a range's width.
    width: u32,
    /// The range of what is outside.
    outside: usize,
}

impl KeyRanges {
    /// About 2^`bits` ranges over the keys of `source`; `None` where there are no keys.
    fn new<K: Key>(source: &KeyColumn<'_, K>, bits: u32, context: &Context<'_>) -> Option<Self> {
        let workers = context.team.workers_for(source.len());
        let cursors = source.cursors(Division::counter(workers));
        let bounds = context.team.run(cursors, |_, mut cursor| {
            let (mut least, mut most) = (u64::MAX, u64::MIN);
            while let Some(block) = cursor.next_block() {
                for &key in block.keys {
                    least = least.min(ordered(key));
                    most = most.max(ordered(key));
                }
            }
            (least, most)
        });
        let first = bounds.iter().map(|bounds| bounds.0).min()?;
        let last = bounds.iter().map(|bounds| bounds.1).max()?;
        let span = last.checked_sub(first)?;
        let width = (u64::BITS - span.leading_zeros()).saturating_sub(bits.max(1));
        Some(Self {
            first,
            width,
            outside: (span >> width) as usize + 1,
        })
    }
}

impl<K: Key> Digit<K> for KeyRanges {
    fn parts(self) -> usize {
        self.outside + 1
    }

    #[inline(always)]
    fn part(self, key: K) -> usize {
        let range = ordered(key).wrapping_sub(self.first) >> self.width;
        range.min(self.outside as u64) as usize
    }
}

impl Join for SortMerge {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let mut phases = Phases::start();
        let longer = build.len().max(probe.len());
        let workers = context.team.workers_for(longer);
        let bits = longer
            .max(1)
            .ilog2()
            .saturating_sub(PARTITION)
            .min(MAX_FAN_OUT);
        let ranges = KeyRanges::new(build, bits, context);
        phases.lap("find range");
        let Some(ranges) = ranges else {
            let results = consume(Vec::<()>::new(), context, &mut phases, "merge", |(), _| ())?;
            return Ok(Outcome {
                results,
                phases,
                table_bytes: 0,
                notes: vec!["no build keys".into()],
            });
        };
        let mut build = partition(build, workers, ranges, context)?;
        phases.lap("partition build");
        let mut probe = partition(probe, workers, ranges, context)?;
        phases.lap("partition probe");
        let table_bytes = build.bytes() + probe.bytes();

        let inside = || 0..ranges.outside;
        let unsorted = build
            .parts_mut()
            .zip(inside())
            .chain(probe.parts_mut().zip(inside()));
        let pieces = Tasks::new(unsorted.flat_map(|(tuples, _)| tuples.chunks_mut(PIECE)));
        let sorters = (0..workers).map(|_| Sorter::new(PIECE.min(longer), context.memory));
        let sorters = sorters.collect::<Result<Vec<_>, _>>()?;
        context.team.run(sorters, |_, mut sorter| {
            while let Some((_, piece)) = pieces.take() {
                sorter.sort(piece, ranges.width);
            }
        });
        drop(pieces);
        phases.lap("sort");

        let sides = inside().zip(build.parts().zip(probe.parts()));
        let tasks = sides.flat_map(|(_, (build, probe))| {
            let runs = probe.chunks(PIECE);
            runs.map(move |probe| (build, probe))
        });
        let tasks = Tasks::new(tasks);
        let results = consume(
            vec![(); workers],
            context,
            &mut phases,
            "merge",
            |(), sink| match sink {
                SinkRef::Aggregate(sink) => merge_all(&tasks, sink),
                SinkRef::Pairs(sink) => merge_all(&tasks, sink),
            },
        )?;
        drop(tasks);
        drop((build, probe));
        phases.lap("free");
        Ok(Outcome {
            results,
            phases,
            table_bytes,
            notes: vec![format!("{} key ranges", ranges.outside)],
        })
    }
}

/// A partition of the build side, and a sorted run of the probe side's.
type Task<'a, K> = (&'a [Tuple<K>], &'a [Tuple<K>]);

#[inline(always)]
fn merge_all<K: Key, S: Sink>(tasks: &Tasks<Task<'_, K>>, sink: &mut S) {
    while let Some((_, (build, probe))) = tasks.take() {
        for run in build.chunks(PIECE) {
            merge(run, probe, sink);
        }
    }
}
