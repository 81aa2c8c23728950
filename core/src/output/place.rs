//! The pairs of all workers as one result.

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
}

/// The pairs of a join: one block after a merge, a worker's chunks each without one.
#[derive(Debug, Default)]
pub struct Pairs(pub Vec<Buffer<Pair>>);

impl Pairs {
    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = Pair> + '_ {
        self.0.iter().flat_map(|chunk| chunk.iter().copied())
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
        let total = self.0.iter().map(|chunk| chunk.len()).sum();
        let threads = match placement {
            PairPlacement::Chunks => return Ok(self),
            PairPlacement::Serial => 1,
            PairPlacement::Parallel => team.workers_for(total),
        };
        let mut merged = memory.uninit::<Pair>(total)?;
        let mut left: &mut [_] = &mut merged;
        let copies = Tasks::new(self.0.into_iter().map(|chunk| {
            let place = left.split_off_mut(..chunk.len());
            (place.expect("room for every pair"), chunk)
        }));
        team.run(vec![(); threads], |_, ()| {
            while let Some((_, (place, chunk))) = copies.take() {
                place.write_copy_of_slice(&chunk);
            }
        });
        drop(copies);
        // SAFETY: the copies divide the buffer among the chunks, and each writes all of its part.
        Ok(Self(vec![unsafe { merged.assume_init() }]))
    }
}
