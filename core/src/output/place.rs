//! The pairs of all workers as one result.

use super::ranges::{Piece, Ranges};
use super::sink::{Aggregate, Pair, Sink};
use crate::checksum::{Checksum, checksum_int64_row};
use crate::memory::{Buffer, Memory, OutOfMemory};
use crate::parallel::{Tasks, Team};

/// How the pairs of all workers become one result (R8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PairPlacement {
    /// One thread copies worker after worker, as the contest engine does.
    Serial,
    /// Each worker copies its own to the place that a prefix sum gives it.
    #[default]
    Parallel,
    /// Not at all: the workers' chunks are the result.
    Chunks,
    /// Of a table of ranges, pairs are made when all ranges are known, each in its place. Otherwise as [`Self::Parallel`].
    Expanded,
    /// Of a table of ranges, no pair is made: the ranges are the result. Otherwise as [`Self::Chunks`].
    Ranges,
}

impl PairPlacement {
    /// Whether a table of ranges is to find ranges.
    pub fn begins_with_ranges(self) -> bool {
        matches!(self, Self::Expanded | Self::Ranges)
    }
}

/// The pairs of a join.
#[derive(Debug, Default)]
pub struct Pairs {
    /// Those that are written out: one block after a merge, a worker's chunks each without one.
    pub chunks: Vec<Buffer<Pair>>,
    /// Those that are not: the ranges of the tables in which they were found.
    pub ranges: Vec<Ranges>,
}

impl Pairs {
    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = Pair> + '_ {
        let written = self.chunks.iter().flat_map(|chunk| chunk.iter().copied());
        written.chain(self.ranges.iter().flat_map(Ranges::pairs))
    }

    /// Adds those of another round.
    pub(super) fn append(&mut self, round: Self) {
        self.chunks.extend(round.chunks);
        self.ranges.extend(round.ranges);
    }

    /// Count and sums of the pairs.
    pub fn aggregate(&self) -> Aggregate {
        let mut sums = Aggregate::default();
        self.iter()
            .for_each(|pair| sums.emit(pair.build, pair.probe));
        sums
    }

    /// The order-independent checksum of the pairs as a table of two INT64 columns.
    pub fn checksum(&self) -> Checksum {
        Checksum(self.iter().fold(0, |sum, pair| {
            sum.wrapping_add(checksum_int64_row(&[
                i64::from(pair.build),
                i64::from(pair.probe),
            ]))
        }))
    }

    /// The pairs as `placement` wants them.
    ///
    /// # Errors
    ///
    /// If there is no memory for a second copy of them.
    pub(super) fn placed(
        self,
        placement: PairPlacement,
        team: &Team,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        if let PairPlacement::Chunks | PairPlacement::Ranges = placement {
            return Ok(self);
        }
        let ranges = self.ranges;
        let written = self.chunks.into_iter().map(Part::Written);
        let found = ranges.iter().flat_map(Ranges::pieces).map(Part::Found);
        let parts = written.chain(found).map(|part| (part.pairs(), part));
        let parts: Vec<(usize, Part<'_>)> = parts.collect();
        let total = parts.iter().map(|(pairs, _)| pairs).sum();
        let threads = match placement {
            PairPlacement::Serial => 1,
            _ => team.workers_for(total),
        };
        let mut merged = memory.uninit::<Pair>(total)?;
        let mut left: &mut [_] = &mut merged;
        let tasks = Tasks::new(parts.into_iter().map(|(pairs, part)| {
            let place = left.split_off_mut(..pairs);
            (place.expect("room for every pair"), part)
        }));
        team.run(vec![(); threads], |_, ()| {
            while let Some((_, (place, part))) = tasks.take() {
                match part {
                    Part::Written(chunk) => {
                        place.write_copy_of_slice(&chunk);
                    }
                    Part::Found(piece) => piece.expand(place),
                }
            }
        });
        drop(tasks);
        // SAFETY: the parts divide the buffer, and each writes all of its place.
        let merged = unsafe { merged.assume_init() };
        Ok(Self {
            chunks: vec![merged],
            ranges: Vec::new(),
        })
    }
}

/// Pairs that one worker brings to their place.
enum Part<'a> {
    /// To be copied.
    Written(Buffer<Pair>),
    /// To be made.
    Found(Piece<'a>),
}

impl Part<'_> {
    fn pairs(&self) -> usize {
        match self {
            Self::Written(chunk) => chunk.len(),
            Self::Found(piece) => piece.pairs(),
        }
    }
}
