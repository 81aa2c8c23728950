//! One column of a key.

use std::ops::Range;

use crate::input::{KeyColumn, KeySource, StringColumn};
use crate::join::JoinError;
use crate::key::Key;
use crate::output::Pair;
use crate::page::DataType;
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

    /// Moves the pairs of rows that are equal here and in `probe`, a column of the same type, to the front.
    pub(super) fn keep_equal(&self, probe: &Self, pairs: &mut [Pair]) -> usize {
        match (self, probe) {
            (Self::Int32(build), Self::Int32(probe)) => {
                keep(pairs, |pair| build.key(pair.build) == probe.key(pair.probe))
            }
            (Self::Int64(build), Self::Int64(probe)) => {
                keep(pairs, |pair| build.key(pair.build) == probe.key(pair.probe))
            }
            (Self::Varchar(build), Self::Varchar(probe)) => keep_strings(build, probe, pairs),
            _ => unreachable!("columns that meet have one type"),
        }
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

/// Pairs whose strings are asked for together, so that their cache misses overlap.
const GROUP: usize = 32;

/// As [`keep`], of strings: where each lies, and then the string itself, is asked for ahead, group by group.
fn keep_strings(build: &StringColumn<'_>, probe: &StringColumn<'_>, pairs: &mut [Pair]) -> usize {
    let mut kept = 0;
    for first in (0..pairs.len()).step_by(GROUP) {
        let group = first..pairs.len().min(first + GROUP);
        for pair in &pairs[group.clone()] {
            build.prefetch_place(pair.build);
            probe.prefetch_place(pair.probe);
        }
        for pair in &pairs[group.clone()] {
            build.prefetch_string(pair.build);
            probe.prefetch_string(pair.probe);
        }
        for at in group {
            let pair = pairs[at];
            pairs[kept] = pair;
            kept += usize::from(build.get(pair.build) == probe.get(pair.probe));
        }
    }
    kept
}

fn keep(pairs: &mut [Pair], holds: impl Fn(Pair) -> bool) -> usize {
    let mut kept = 0;
    for at in 0..pairs.len() {
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

/// A hash of a string, 16 bytes at a time.
fn hash_string(string: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let (blocks, tail) = string.as_chunks::<16>();
    let mut hash = SALTS[2] ^ string.len() as u64;
    for block in blocks {
        hash = mix(hash ^ word(&block[..8]), word(&block[8..]));
    }
    let (low, high) = tail.split_at(tail.len().min(8));
    mix(hash ^ word(low), word(high))
}
