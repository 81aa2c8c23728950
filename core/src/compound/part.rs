//! One column of a key.

use std::ops::Range;

use crate::input::{KeyColumn, KeySource, STRING_GROUP, StringColumn};
use crate::join::JoinError;
use crate::key::Key;
use crate::output::Pair;
use crate::page::DataType;
use crate::prefetch::prefetch_read;
use crate::table::{Column, PagedColumn};

/// One column of a key.
#[derive(Debug, Clone)]
pub enum KeyPart<'a> {
    /// INT32 values.
    Int32(KeyColumn<'a, i32>),
    /// INT64 values.
    Int64(KeyColumn<'a, i64>),
    /// Strings.
    Varchar(StringColumn<'a>),
}

impl<'a> KeyPart<'a> {
    /// A column of pages.
    ///
    /// # Errors
    ///
    /// If its values are floating-point numbers, or its rows more than `u32::MAX`.
    pub fn new(column: &'a Column) -> Result<Self, JoinError> {
        let paged = PagedColumn::new(column).ok_or(JoinError::TooManyRows)?;
        match column.data_type() {
            DataType::Int32 => Ok(Self::Int32(KeyColumn::of(paged).expect("its type"))),
            DataType::Int64 => Ok(Self::Int64(KeyColumn::of(paged).expect("its type"))),
            DataType::Varchar => Ok(Self::Varchar(StringColumn::of(paged))),
            DataType::Fp64 => Err(JoinError::PartTypes(DataType::Fp64, DataType::Fp64)),
        }
    }

    /// Its type.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Int32(_) => DataType::Int32,
            Self::Int64(_) => DataType::Int64,
            Self::Varchar(_) => DataType::Varchar,
        }
    }

    /// Rows, NULLs included.
    pub fn len(&self) -> usize {
        match self {
            Self::Int32(keys) => keys.len(),
            Self::Int64(keys) => keys.len(),
            Self::Varchar(strings) => strings.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is NULL.
    pub fn has_nulls(&self) -> bool {
        match self {
            Self::Int32(keys) => keys.has_nulls(),
            Self::Int64(keys) => keys.has_nulls(),
            Self::Varchar(strings) => strings.has_nulls(),
        }
    }

    /// Calls `each` with the bits of every value among `rows` and its place among them; those of a string are a hash.
    pub(super) fn for_each(&self, rows: Range<usize>, mut each: impl FnMut(usize, u64)) {
        match self {
            Self::Int32(keys) => for_each_key(keys, rows, each),
            Self::Int64(keys) => for_each_key(keys, rows, each),
            Self::Varchar(strings) => {
                let first = rows.start;
                strings.for_each(rows, |row, string| each(row - first, hash_string(string)));
            }
        }
    }

    /// Calls `each` with every string among `rows` and its place among them, if it is a column of strings.
    pub(super) fn for_each_string(&self, rows: Range<usize>, mut each: impl FnMut(usize, &[u8])) {
        if let Self::Varchar(strings) = self {
            let first = rows.start;
            strings.for_each(rows, |row, string| each(row - first, string));
        }
    }

    /// Of a column of strings, whether most of a sample are short enough for their heads to have all of them.
    pub(super) fn has_short_strings(&self) -> Option<bool> {
        /// Strings that are looked at, at rows as far apart as there are.
        const SAMPLE: usize = 64;
        let Self::Varchar(strings) = self else {
            return None;
        };
        let rows = (0..strings.len()).step_by((strings.len() / SAMPLE).max(1));
        let sample = rows.take(SAMPLE).filter_map(|row| strings.get(row as u32));
        let (mut short, mut seen) = (0, 0);
        for string in sample {
            seen += 1;
            short += usize::from(string.len() <= Head::WHOLE);
        }
        Some(4 * short >= 3 * seen)
    }

    /// Moves the pairs of rows that are equal here and in `probe`, a column of the same type, to the front. Where there are
    /// heads of either side's strings, they are asked first.
    pub(super) fn keep_equal(
        &self,
        probe: &Self,
        heads: Option<[&[Head]; 2]>,
        pairs: &mut [Pair],
    ) -> usize {
        match (self, probe) {
            (Self::Int32(build), Self::Int32(probe)) => keep_keys(build, probe, pairs),
            (Self::Int64(build), Self::Int64(probe)) => keep_keys(build, probe, pairs),
            (Self::Varchar(build), Self::Varchar(probe)) => match heads {
                None => keep_strings(build, probe, pairs, |_| true),
                Some(heads) => {
                    let kept = keep_heads(heads, pairs);
                    let is_open = |pair: Pair| !heads[0][pair.build as usize].is_whole();
                    keep_strings(build, probe, &mut pairs[..kept], is_open)
                }
            },
            _ => unreachable!("columns that meet have one type"),
        }
    }
}

/// The length of a string and its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Head(u128);

impl Head {
    /// The longest string that its head has all of.
    const WHOLE: usize = 12;

    /// That of NULL, which looks like a string longer than any.
    pub const NULL: Self = Self(u128::MAX);

    /// That of a string.
    #[inline(always)]
    pub fn of(string: &[u8]) -> Self {
        let first = &string[..string.len().min(Self::WHOLE)];
        let (low, high) = first.split_at(first.len().min(8));
        let bytes = u128::from(word(low)) | u128::from(word(high)) << 64;
        let len = u32::try_from(string.len()).unwrap_or(u32::MAX);
        Self(u128::from(len) | bytes << 32)
    }

    /// Whether two strings that have it are equal, and neither is NULL.
    fn is_whole(self) -> bool {
        self.0 as u32 as usize <= Self::WHOLE
    }
}

fn for_each_key<K: Key>(
    keys: &KeyColumn<'_, K>,
    rows: Range<usize>,
    mut each: impl FnMut(usize, u64),
) {
    let first = rows.start as u32;
    let rows = keys.slice(rows);
    let mut cursor = rows.whole();
    while let Some(block) = cursor.next_block() {
        block.for_each(|key, row| each((row - first) as usize, key.bits()));
    }
}

/// As [`keep`], of integers.
fn keep_keys<K: Key>(
    build: &KeyColumn<'_, K>,
    probe: &KeyColumn<'_, K>,
    pairs: &mut [Pair],
) -> usize {
    let ask = |ahead: Pair| {
        build.prefetch(ahead.build);
        probe.prefetch(ahead.probe);
    };
    let holds = |pair: Pair| build.key(pair.build) == probe.key(pair.probe);
    keep(pairs, ask, holds)
}

/// As [`keep`], of strings whose heads are equal.
fn keep_heads([build, probe]: [&[Head]; 2], pairs: &mut [Pair]) -> usize {
    let ask = |ahead: Pair| {
        prefetch_read(build.as_ptr().wrapping_add(ahead.build as usize));
        prefetch_read(probe.as_ptr().wrapping_add(ahead.probe as usize));
    };
    let holds = |pair: Pair| build[pair.build as usize] == probe[pair.probe as usize];
    keep(pairs, ask, holds)
}

/// As [`keep`], of strings, of which those of open pairs are compared and the others known to be equal. While those of a group
/// of pairs are compared, the strings of the next group are on their way to the cache, and what says where those of the group
/// after that lie.
fn keep_strings(
    build: &StringColumn<'_>,
    probe: &StringColumn<'_>,
    pairs: &mut [Pair],
    is_open: impl Fn(Pair) -> bool,
) -> usize {
    let mut of_build = [const { [const { None }; STRING_GROUP] }; 2];
    let mut of_probe = [const { [const { None }; STRING_GROUP] }; 2];
    let len = pairs.len();
    let groups = len.div_ceil(STRING_GROUP);
    let group = |number: usize| number * STRING_GROUP..len.min((number + 1) * STRING_GROUP);
    let mut kept = 0;
    for number in 0..groups + 2 {
        if number < groups {
            for pair in pairs[group(number)].iter().filter(|pair| is_open(**pair)) {
                build.ask(pair.build);
                probe.ask(pair.probe);
            }
        }
        if let Some(last) = number.checked_sub(1).filter(|&last| last < groups) {
            // Pairs that are not open have no string on either side: no string equals no string.
            let open = pairs[group(last)].iter();
            let open = open.map(|&pair| is_open(pair).then_some(pair));
            let rows = open.clone().map(|open| open.map(|pair| pair.build));
            build.find(rows, &mut of_build[last % 2]);
            probe.find(
                open.map(|open| open.map(|pair| pair.probe)),
                &mut of_probe[last % 2],
            );
        }
        if let Some(due) = number.checked_sub(2) {
            let strings = of_build[due % 2].iter().zip(&of_probe[due % 2]);
            for (at, (build, probe)) in group(due).zip(strings) {
                pairs[kept] = pairs[at];
                kept += usize::from(build == probe);
            }
        }
    }
    kept
}

/// Pairs of which what is compared is asked for ahead.
const AHEAD: usize = 32;

/// Moves the pairs of which `holds` is true to the front, in order. `ask` is called with each pair ahead of that.
fn keep(pairs: &mut [Pair], ask: impl Fn(Pair), holds: impl Fn(Pair) -> bool) -> usize {
    let mut kept = 0;
    for at in 0..pairs.len() {
        if let Some(&ahead) = pairs.get(at + AHEAD) {
            ask(ahead);
        }
        let pair = pairs[at];
        pairs[kept] = pair;
        kept += usize::from(holds(pair));
    }
    kept
}

/// The product of two numbers, its halves folded (as wyhash does).
#[inline(always)]
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Digits of π behind its point: numbers with nothing up their sleeve.
const SALTS: [u64; 3] = [
    0x243F_6A88_85A3_08D3,
    0x1319_8A2E_0370_7344,
    0xA409_3822_299F_31D0,
];

/// Adds the next column's bits to a hash.
#[inline(always)]
pub(super) fn mix(hash: u64, bits: u64) -> u64 {
    fold(hash ^ SALTS[0], bits ^ SALTS[1])
}

/// Up to 8 bytes as a little-endian number, without a loop: a byte that is read twice stands in the same place.
#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    let number = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let byte = |at: usize| u64::from(bytes[at]) << (8 * at);
    match (bytes.first_chunk(), bytes.last_chunk(), bytes.len()) {
        (Some(first), Some(last), len) => number(first) | (number(last) << (8 * (len - 4))),
        (.., 0) => 0,
        (.., len) => byte(0) | byte(len / 2) | byte(len - 1),
    }
}

/// A hash of a string, 16 bytes at a time. The last 16 begin where they end the string, among those that were read before, so
/// that its length decides how often the loop runs and nothing else (as in wyhash and rapidhash).
#[inline]
fn hash_string(string: &[u8]) -> u64 {
    let len = string.len();
    let halves = |block: &[u8; 16]| {
        let block = u128::from_le_bytes(*block);
        (block as u64, (block >> 64) as u64)
    };
    let mut hash = SALTS[2] ^ len as u64;
    for block in &string.as_chunks().0[..len.saturating_sub(1) / 16] {
        let (low, high) = halves(block);
        hash = mix(hash ^ low, high);
    }
    let (low, high) = match (
        string.last_chunk(),
        string.first_chunk(),
        string.last_chunk(),
    ) {
        (Some(last), ..) => halves(last),
        (None, Some(&first), Some(&last)) => (u64::from_le_bytes(first), u64::from_le_bytes(last)),
        _ => (word(string), 0),
    };
    mix(hash ^ low, high)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

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
        for one in strings {
            for other in strings {
                let first = |string: &[u8]| string[..string.len().min(12)].to_vec();
                let alike = (one.len(), first(one)) == (other.len(), first(other));
                assert_eq!(Head::of(one) == Head::of(other), alike);
            }
            assert_eq!(Head::of(one).is_whole(), one.len() <= 12);
            assert_ne!(Head::of(one), Head::NULL);
        }
        assert!(!Head::NULL.is_whole());
    }

    #[test]
    fn a_word_is_its_bytes_and_zeros() {
        let bytes = [0x81, 0x92, 0xA3, 0xB4, 0xC5, 0xD6, 0xE7, 0xF8];
        for len in 0..=8 {
            let mut padded = [0; 8];
            padded[..len].copy_from_slice(&bytes[..len]);
            assert_eq!(word(&bytes[..len]), u64::from_le_bytes(padded), "{len}");
        }
    }

    #[test]
    fn every_byte_of_a_string_counts() {
        let string: Vec<u8> = (0..70).collect();
        let mut hashes = HashSet::new();
        for len in 0..=string.len() {
            assert!(hashes.insert(hash_string(&string[..len])), "{len}");
            for at in 0..len {
                let mut other = string[..len].to_vec();
                other[at] ^= 0x80;
                assert!(hashes.insert(hash_string(&other)), "byte {at} of {len}");
            }
        }
    }
}
