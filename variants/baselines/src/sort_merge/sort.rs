//! Sorting in the cache.

use join_core::key::{Key, Tuple};
use join_core::memory::{Buffer, Memory, OutOfMemory};

use super::ordered;

/// Bits a pass: 256 places to write to, each in a line of L1.
const DIGIT: u32 = 8;

/// Bits that are sorted by digits: three passes. What is equal in them is rare where keys are wide, and sorted by
/// comparison.
const DIGITS: u32 = 3 * DIGIT;

/// Tuples below which a comparison sort is faster.
const MIN_LEN: usize = 256;

/// Sorts tuples by key, by least significant digits (Knuth, vol. 3, 5.2.5).
pub(super) struct Sorter<K: Key> {
    spare: Buffer<Tuple<K>>,
}

impl<K: Key> Sorter<K> {
    /// A sorter of up to `longest` tuples.
    pub(super) fn new(longest: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            spare: memory.zeroed(longest)?,
        })
    }

    /// Sorts tuples whose keys span less than 2^`bits`.
    pub(super) fn sort(&mut self, tuples: &mut [Tuple<K>], bits: u32) {
        if tuples.len() < MIN_LEN {
            tuples.sort_unstable_by_key(|tuple| tuple.key);
            return;
        }
        // A partition's keys start at a multiple of 2^bits from the first key of all, so only relative to their own
        // minimum are they below 2^bits.
        let least = tuples.iter().map(|tuple| ordered(tuple.key)).min();
        let least = least.unwrap_or(0);
        let skipped = bits.saturating_sub(DIGITS);
        let passes = (bits - skipped).div_ceil(DIGIT);
        let digit = |tuple: &Tuple<K>, pass: u32| {
            ((ordered(tuple.key) - least) >> (skipped + pass * DIGIT)) as usize & ((1 << DIGIT) - 1)
        };
        let spare = &mut self.spare[..tuples.len()];
        for pass in 0..passes {
            let even = pass % 2 == 0;
            let (from, to): (&[_], &mut [_]) = if even {
                (&*tuples, &mut *spare)
            } else {
                (&*spare, &mut *tuples)
            };
            let mut places = [0_u32; 1 << DIGIT];
            for tuple in from {
                places[digit(tuple, pass)] += 1;
            }
            let mut next = 0;
            for place in &mut places {
                next += std::mem::replace(place, next);
            }
            for tuple in from {
                let place = &mut places[digit(tuple, pass)];
                to[*place as usize] = *tuple;
                *place += 1;
            }
        }
        if passes % 2 == 1 {
            tuples.copy_from_slice(spare);
        }
        if skipped > 0 {
            let digits = |tuple: &Tuple<K>| (ordered(tuple.key) - least) >> skipped;
            for equal in tuples.chunk_by_mut(|a, b| digits(a) == digits(b)) {
                if equal.len() > 1 {
                    equal.sort_unstable_by_key(|tuple| tuple.key);
                }
            }
        }
    }
}
