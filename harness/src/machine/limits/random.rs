//! Accesses to places that no prefetcher can guess: the number of cache lines that a core can have
//! in flight, and the reach of the TLB, set the pace.
//!
//! A core overlaps only the accesses that fit into its reorder buffer together, so every
//! instruction that goes into finding the next place costs bandwidth. A [`Walk`] needs one
//! multiplication and one addition a place.

use std::hint::black_box;

use super::region::Line;

/// Length of a batch of prefetches.
pub const BATCH: usize = 64;

/// The multiplier of a linear congruential generator modulo 2^64 with a good lattice (Steele and
/// Vigna, "Computationally easy, spectrally good multipliers", 2021).
const MULTIPLIER: u64 = 0xd134_2543_de82_ef95;

/// A 64-bit number that looks random; distinct for distinct `i`.
#[inline(always)]
pub fn mix(i: u64) -> u64 {
    // Two odd multipliers (2^64/φ, and one of SplitMix64's) with a fold between them.
    let x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 32)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// A fixed sequence of random places, two at a time: two generators side by side, because each
/// step of one waits for the multiplication before it.
#[derive(Debug, Clone)]
pub struct Walk {
    states: [u64; 2],
}

impl Walk {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            states: [mix(2 * seed + 1), mix(2 * seed + 2)],
        }
    }

    /// The next two places. Callers mask them to the length of their array, a power of two up to
    /// 2^32.
    #[inline(always)]
    pub(super) fn step(&mut self) -> [usize; 2] {
        self.states = self
            .states
            .map(|state| state.wrapping_mul(MULTIPLIER).wrapping_add(1));
        // The low bits of such a generator repeat soon.
        self.states.map(|state| (state >> 32) as usize)
    }
}

/// Writes into the first word of each line the number of the next, so that following them visits
/// every line once and comes back: Sattolo's shuffle, whose result is a single cycle.
pub fn link_cycle(lines: &mut [Line], seed: u64) {
    for (i, line) in lines.iter_mut().enumerate() {
        line.0[0] = i as u64;
    }
    for i in (1..lines.len()).rev() {
        let random = u128::from(mix(seed.wrapping_add(i as u64)));
        let j = ((random * i as u128) >> 64) as usize;
        let next = lines[i].0[0];
        lines[i].0[0] = lines[j].0[0];
        lines[j].0[0] = next;
    }
}

/// Follows the cycle for `steps` from line `at`; returns where it ends. Each address needs the
/// value loaded before it: one access at a time.
pub fn chase(lines: &[Line], at: u64, steps: u64) -> u64 {
    (0..steps).fold(at, |at, _| lines[at as usize].0[0])
}

/// Wrapping sum of the words at the next `2 * pairs` places. Addresses do not depend on loaded
/// values, so the core overlaps as many accesses as it can. Places lie in the first power of two
/// of words.
pub fn sum(words: &[u64], walk: &mut Walk, pairs: u64) -> u64 {
    let words = &words[..power_of_two(words.len())];
    // Without an empty slice the compiler knows that a masked place is in bounds.
    let Some(mask) = words.len().checked_sub(1) else {
        return 0;
    };
    let mut walking = walk.clone();
    let mut total = 0u64;
    for _ in 0..pairs {
        let [a, b] = walking.step();
        total = total
            .wrapping_add(words[a & mask])
            .wrapping_add(words[b & mask]);
    }
    *walk = walking;
    total
}

/// As [`sum`], in batches of [`BATCH`] prefetches and then as many reads.
pub fn sum_prefetched(words: &[u64], walk: &mut Walk, pairs: u64) -> u64 {
    let words = &words[..power_of_two(words.len())];
    let Some(mask) = words.len().checked_sub(1) else {
        return 0;
    };
    let mut walking = walk.clone();
    let mut places = [0usize; BATCH];
    let mut total = 0u64;
    let mut left = pairs as usize;
    while left > 0 {
        let batch = &mut places[..2 * left.min(BATCH / 2)];
        for pair in batch.chunks_exact_mut(2) {
            pair.copy_from_slice(&walking.step().map(|place| place & mask));
            prefetch(&words[pair[0] & mask]);
            prefetch(&words[pair[1] & mask]);
        }
        for place in &*batch {
            total = total.wrapping_add(words[place & mask]);
        }
        left -= batch.len() / 2;
    }
    *walk = walking;
    total
}

/// Writes `0, 1 …` to the next `2 * pairs` places, in the first power of two of words.
pub fn write(words: &mut [u64], walk: &mut Walk, pairs: u64) {
    let length = power_of_two(words.len());
    let words = &mut words[..length];
    let Some(mask) = words.len().checked_sub(1) else {
        return;
    };
    let mut walking = walk.clone();
    for pair in 0..pairs {
        let [a, b] = walking.step();
        words[a & mask] = 2 * pair;
        words[b & mask] = 2 * pair + 1;
    }
    *walk = walking;
    black_box(words);
}

/// The largest one that is not above `len`; 0 for 0.
pub(super) fn power_of_two(len: usize) -> usize {
    len.checked_ilog2().map_or(0, |bits| 1 << bits)
}

#[inline(always)]
fn prefetch(word: &u64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program can see, and the reference is valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *word).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}
