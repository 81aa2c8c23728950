//! Series of draws under a seed, and the draws of a row.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// An independent series of draws under one seed.
#[derive(Clone, Copy, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The series number `label` of `seed`.
    pub fn new(seed: u64, label: u64) -> Stream {
        Stream(nth(nth(0, seed), label))
    }

    /// The draws of one row.
    #[inline]
    pub fn row(self, row: u64) -> Draws {
        Draws(SplitMix64::from_seed(nth(self.0, row).to_le_bytes()))
    }
}

/// Number `n` of the numbers that SplitMix64 yields from `state`, without those before it.
#[inline]
fn nth(state: u64, n: u64) -> u64 {
    // The generator adds this constant to its state before each number.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = state.wrapping_add(n.wrapping_mul(STEP));
    SplitMix64::from_seed(state.to_le_bytes()).next_u64()
}

/// The draws of one row: SplitMix64 from a state of its own.
#[derive(Clone, Debug)]
pub struct Draws(SplitMix64);

impl Draws {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`, 0 if `n` is 0. Unfair by at most n / 2^64, which no sample can show.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in 0..1 of 53 bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// True with this probability.
    #[inline]
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}
