//! Strings as a part of a key: hashed, compared, and by their heads.

use super::part::{fold, keep};
use crate::input::{Located, StringColumn, StringRef};
use crate::output::Pair;
use crate::prefetch::prefetch_read;

/// What is noted of a column's strings as they are hashed, a place for each row; or nothing.
#[derive(Debug)]
pub(super) struct Notes<R, H> {
    /// Where each lies.
    pub refs: R,
    /// The head of each.
    pub heads: H,
}

/// The length of a string and its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Head(u128);

impl Head {
    /// The longest string that its head has all of.
    pub const WHOLE: usize = 12;

    /// That of NULL, which looks like a string longer than any.
    pub const NULL: Self = Self(u128::MAX);

    /// That of a string.
    #[inline(always)]
    pub fn of(string: Located<'_>) -> Self {
        let len = u32::try_from(string.len()).unwrap_or(u32::MAX);
        Self(u128::from(len) | string.first() << 32)
    }

    /// Whether two strings that have it are equal, and neither is NULL.
    pub fn is_whole(self) -> bool {
        self.0 as u32 as usize <= Self::WHOLE
    }
}

/// Digits of π behind its point: numbers with nothing up their sleeve.
const SALTS: [u64; 6] = [
    0xA409_3822_299F_31D0,
    0x082E_FA98_EC4E_6C89,
    0x4528_21E6_38D0_1377,
    0xBE54_66CF_34E9_0C6C,
    0xC0AC_29B7_C97C_50DD,
    0x3F84_D5B5_B547_0917,
];

/// A hash of a string: products of halves of its blocks, folded (as in wyhash), which do not wait for each other.
#[inline(always)]
pub(super) fn hash_string(string: Located<'_>) -> u64 {
    let len = string.len();
    match len <= Located::IN_BLOCKS {
        true => hash_blocks(len as u64, string.blocks()),
        false => hash_long(string.bytes()),
    }
}

#[inline(always)]
fn hash_blocks(state: u64, blocks: [[u64; 2]; 3]) -> u64 {
    let product = |nth: usize, state: u64| {
        let [low, high] = blocks[nth];
        fold(low ^ SALTS[2 * nth] ^ state, high ^ SALTS[2 * nth + 1])
    };
    product(0, state) ^ product(1, 0) ^ product(2, 0)
}

/// That of a string longer than its [blocks](Located::blocks): as many at a time, the last of which end it.
#[inline(never)]
fn hash_long(string: &[u8]) -> u64 {
    const BLOCKS: usize = Located::IN_BLOCKS;
    let of = |state, bytes: &[u8; BLOCKS]| hash_blocks(state, Located::from(&bytes[..]).blocks());
    let (whole, _) = string.as_chunks();
    let state = whole.iter().fold(string.len() as u64, of);
    of(state, string.last_chunk().expect("a long string"))
}

/// As [`keep`], of strings whose heads are equal.
pub(super) fn keep_heads([build, probe]: [&[Head]; 2], pairs: &mut [Pair]) -> usize {
    let ask = |ahead: Pair| {
        prefetch_read(build.as_ptr().wrapping_add(ahead.build as usize));
        prefetch_read(probe.as_ptr().wrapping_add(ahead.probe as usize));
    };
    let holds = |pair: Pair| build[pair.build as usize] == probe[pair.probe as usize];
    keep(pairs, ask, holds)
}

/// The strings of both sides of a column, and where they lie, as was noted when they were hashed.
#[derive(Clone, Copy)]
pub(super) struct Strings<'a> {
    pub columns: [&'a StringColumn<'a>; 2],
    pub refs: [&'a [StringRef<'a>]; 2],
}

/// Pairs from those of which strings are asked for to those which are compared, and from those of which it is asked where the
/// strings lie to these. One after the other, not in groups: at the end of a group fewer lines would be on their way.
const AHEAD: usize = 32;

impl Strings<'_> {
    /// As [`keep`], of strings, of which those of open pairs are compared and the others known to be equal.
    pub fn keep(self, is_open: impl Fn(Pair) -> bool, pairs: &mut [Pair]) -> usize {
        let [build, probe] = self.refs;
        let ask = |pair: Pair| {
            if is_open(pair) {
                prefetch_read(build.as_ptr().wrapping_add(pair.build as usize));
                prefetch_read(probe.as_ptr().wrapping_add(pair.probe as usize));
            }
        };
        let find = |pair: Pair| match is_open(pair) {
            true => {
                let found = [build[pair.build as usize], probe[pair.probe as usize]];
                found.iter().for_each(|string| string.prefetch());
                found
            }
            false => [StringRef::ASK; 2],
        };
        let mut found = [[StringRef::ASK; 2]; AHEAD];
        pairs.iter().take(2 * AHEAD).for_each(|&pair| ask(pair));
        for (found, &pair) in found.iter_mut().zip(&*pairs) {
            *found = find(pair);
        }
        let mut kept = 0;
        for at in 0..pairs.len() {
            let pair = pairs[at];
            let strings = found[at % AHEAD];
            if let Some(&next) = pairs.get(at + AHEAD) {
                found[at % AHEAD] = find(next);
            }
            if let Some(&later) = pairs.get(at + 2 * AHEAD) {
                ask(later);
            }
            let holds = match strings.map(StringRef::get) {
                [Some(build), Some(probe)] => build.equals(probe),
                _ if !is_open(pair) => true,
                _ => {
                    let [build, probe] = self.columns;
                    build.get(pair.build) == probe.get(pair.probe)
                }
            };
            pairs[kept] = pair;
            kept += usize::from(holds);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Strings of each length up to `longest`, and each with one byte changed.
    fn strings(longest: u8) -> Vec<Vec<u8>> {
        let string: Vec<u8> = (0..longest).collect();
        let mut strings = Vec::new();
        for len in 0..=string.len() {
            strings.push(string[..len].to_vec());
            for at in 0..len {
                let mut other = string[..len].to_vec();
                other[at] ^= 0x80;
                strings.push(other);
            }
        }
        strings
    }

    #[test]
    fn heads_are_equal_where_lengths_and_first_bytes_are() {
        let strings: [&[u8]; 9] = [
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"twelve bytes",
            b"twelve byteS",
            b"twelve bytes and four",
            b"twelve bytes and more",
            b"Twelve bytes and more",
        ];
        let head = |string: &[u8]| Head::of(string.into());
        for one in strings {
            for other in strings {
                let first = |string: &[u8]| string[..string.len().min(12)].to_vec();
                let alike = (one.len(), first(one)) == (other.len(), first(other));
                assert_eq!(head(one) == head(other), alike);
            }
            assert_eq!(head(one).is_whole(), one.len() <= 12);
            assert_ne!(head(one), Head::NULL);
        }
        assert!(!Head::NULL.is_whole());
    }

    #[test]
    fn every_byte_of_a_string_counts() {
        let mut hashes = HashSet::new();
        for string in strings(160) {
            let hash = hash_string((&*string).into());
            assert!(hashes.insert(hash), "{string:?}");
        }
    }

    #[test]
    fn strings_are_equal_where_all_bytes_are() {
        let strings = strings(60);
        for (nth, one) in strings.iter().enumerate() {
            for (mth, other) in strings.iter().enumerate() {
                let equal = Located::from(&**one).equals((&**other).into());
                assert_eq!(equal, nth == mth, "{one:?} and {other:?}");
            }
        }
    }
}
