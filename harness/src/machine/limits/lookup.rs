//! What a join does per tuple where nothing misses the caches: hash the key, read a slot of the directory, read the tuple that
//! it leads to, compare, and add up the row ids of a match.

use super::random::{Walk, power_of_two};

/// An odd multiplier, so that the low bits of products are a permutation of the low bits of keys: 2^64/φ.
const HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Another, which scatters tuples.
const PLACE: u64 = 0xbf58_476d_1ce4_e5b9;

/// The slot of a key in a directory of a power of two of slots.
#[inline(always)]
fn slot(key: usize, mask: usize) -> usize {
    (key as u64).wrapping_mul(HASH) as usize & mask
}

/// Divides the words into a directory and its tuples, as long as a power of two allows.
fn split(words: &[u64]) -> Option<(&[u64], &[u64])> {
    let length = power_of_two(words.len() / 2);
    (length > 0).then(|| words[..2 * length].split_at(length))
}

/// Builds a table in the words: in its first half the places of tuples, in its second the tuples of the keys from 0 on, one
/// per key, with the key in the upper 32 bits and a row id below.
pub fn build(words: &mut [u64]) {
    let length = power_of_two(words.len() / 2);
    let (slots, tuples) = words[..2 * length].split_at_mut(length);
    for key in 0..length {
        let place = (key as u64).wrapping_mul(PLACE) as usize & (length - 1);
        slots[slot(key, length - 1)] = place as u64;
        tuples[place] = (key as u64) << 32 | place as u64;
    }
}

/// Looks up `2 * pairs` keys of the table, which are all there, and returns the wrapping sum of the row ids of both sides.
pub fn sum(words: &[u64], walk: &mut Walk, pairs: u64) -> u64 {
    let Some((slots, tuples)) = split(words) else {
        return 0;
    };
    // As long as each other, and so that the compiler knows that a masked place is in bounds.
    let mask = slots.len() - 1;
    let tuples = &tuples[..=mask];
    let mut walking = walk.clone();
    let mut total = 0u64;
    for row in 0..pairs {
        for key in walking.step() {
            let key = key & mask;
            let tuple = tuples[slots[slot(key, mask)] as usize & mask];
            let matched = u64::from(tuple >> 32 == key as u64);
            total = total.wrapping_add((u64::from(tuple as u32) + row) * matched);
        }
    }
    *walk = walking;
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_found_once() {
        let mut words = vec![0; 100];
        build(&mut words);
        let (slots, tuples) = split(&words).unwrap();
        assert_eq!(slots.len(), 32);
        let mut rows: Vec<u64> = (0..32)
            .map(|key| {
                let tuple = tuples[slots[slot(key, 31)] as usize];
                assert_eq!(tuple >> 32, key as u64);
                tuple & 0xffff_ffff
            })
            .collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..32).collect::<Vec<_>>());
    }

    #[test]
    fn every_lookup_adds_both_row_ids() {
        let (mut words, pairs) = (vec![0; 64], 1000);
        build(&mut words);
        let (mut walk, mut same) = (Walk::new(1), Walk::new(1));
        let (_, tuples) = split(&words).unwrap();
        let want: u64 = (0..pairs)
            .map(|row| {
                let of = |key: usize| {
                    let key = key as u64 & 31;
                    tuples.iter().find(|&&t| t >> 32 == key).unwrap() & 0xffff_ffff
                };
                same.step().map(of).iter().sum::<u64>() + 2 * row
            })
            .sum();
        assert_eq!(sum(&words, &mut walk, pairs), want);
        assert_eq!(sum(&[], &mut walk, pairs), 0);
    }
}
