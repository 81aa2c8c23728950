//! The constants of a query's filters: those of the benchmark's text, or others by a seed.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Gives a query its constants.
pub(crate) struct Choice(Option<SplitMix64>);

impl Choice {
    /// The constants of `query`: drawn by the seed, or those of the benchmark's text.
    pub fn new(seed: Option<u64>, query: &str) -> Choice {
        Choice(seed.map(|seed| {
            let folded = query.bytes().fold(seed, |state, byte| {
                SplitMix64::seed_from_u64(state ^ u64::from(byte)).next_u64()
            });
            SplitMix64::seed_from_u64(folded)
        }))
    }

    /// `usual`, or one of 0..`count`.
    pub fn number(&mut self, usual: usize, count: usize) -> usize {
        match &mut self.0 {
            None => usual,
            Some(draws) => (draws.next_u64() % count as u64) as usize,
        }
    }

    /// `usual`, or one of `all`.
    pub fn one_of<T: Copy>(&mut self, usual: T, all: &[T]) -> T {
        match &mut self.0 {
            None => usual,
            Some(draws) => all[(draws.next_u64() % all.len() as u64) as usize],
        }
    }
}
