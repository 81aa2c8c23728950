//! One column of a key.

use std::ops::Range;

use super::strings::{Head, Notes, Strings, hash_string, keep_heads};
use crate::input::{
    BlockRows, KeyColumn, KeySource, Located, STRINGS, StringBlock, StringColumn, StringRef,
};
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

    /// Mixes what is in `places`, one for each of these rows, with the bits of its value: those of a string are a hash. The
    /// places of NULLs stay as they are; `held`, where there is any, counts the others. Of strings is noted what has places.
    /// Whether all strings lie inside of what is said to hold them.
    pub(super) fn combine(
        &self,
        rows: Range<usize>,
        places: &mut [u64],
        held: &mut [u8],
        notes: &mut Notes<&mut [StringRef<'a>], &mut [Head]>,
    ) -> bool {
        match self {
            Self::Int32(keys) => {
                combine_keys(keys, rows, places, held);
                true
            }
            Self::Int64(keys) => {
                combine_keys(keys, rows, places, held);
                true
            }
            Self::Varchar(strings) => {
                let first = rows.start as u32;
                let mut hashes = [0; STRINGS];
                strings.for_each_block(rows, &mut |block| {
                    let (strings, rows) = match block {
                        StringBlock::Lying(strings, rows) => (strings, rows),
                        StringBlock::InPages(string, row) => {
                            let string = Located::from(string);
                            if let Some(head) = notes.heads.get_mut((row - first) as usize) {
                                *head = Head::of(string);
                            }
                            let hash = [hash_string(string)].into_iter();
                            let rows = BlockRows::From(row);
                            return combine_block(hash, rows, first, places, held);
                        }
                    };
                    for (hash, &string) in hashes.iter_mut().zip(strings) {
                        *hash = hash_string(string);
                    }
                    let hashes = hashes[..strings.len()].iter().copied();
                    combine_block(hashes, rows, first, places, held);
                    if !notes.refs.is_empty() {
                        let refs = strings.iter().map(|&string| StringRef::new(string));
                        scatter(refs, rows, first, notes.refs);
                    }
                    if !notes.heads.is_empty() {
                        let heads = strings.iter().map(|&string| Head::of(string));
                        scatter(heads, rows, first, notes.heads);
                    }
                })
            }
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

    /// Moves the pairs of rows that are equal here and in `probe`, a column of the same type, to the front. Of strings, `notes`
    /// are those of either side; where there are heads, they are asked first.
    pub(super) fn keep_equal(
        &self,
        probe: &Self,
        notes: [Notes<&[StringRef<'_>], &[Head]>; 2],
        pairs: &mut [Pair],
    ) -> usize {
        match (self, probe) {
            (Self::Int32(build), Self::Int32(probe)) => keep_keys(build, probe, pairs),
            (Self::Int64(build), Self::Int64(probe)) => keep_keys(build, probe, pairs),
            (Self::Varchar(build), Self::Varchar(probe)) => {
                let strings = Strings {
                    columns: [build, probe],
                    refs: notes.each_ref().map(|notes| notes.refs),
                };
                let heads = notes.map(|notes| notes.heads);
                if heads[0].is_empty() {
                    return strings.keep(|_| true, pairs);
                }
                let kept = keep_heads(heads, pairs);
                let is_open = |pair: Pair| !heads[0][pair.build as usize].is_whole();
                strings.keep(is_open, &mut pairs[..kept])
            }
            _ => unreachable!("columns that meet have one type"),
        }
    }
}

/// [`KeyPart::combine`] of a column of integers.
fn combine_keys<K: Key>(
    keys: &KeyColumn<'_, K>,
    rows: Range<usize>,
    places: &mut [u64],
    held: &mut [u8],
) {
    let first = rows.start as u32;
    let rows = keys.slice(rows);
    let mut cursor = rows.whole();
    while let Some(block) = cursor.next_block() {
        let bits = block.keys.iter().map(|key| key.bits());
        combine_block(bits, block.rows, first, places, held);
    }
}

/// Puts values in the places of their rows, the first place being that of row `first`.
#[inline(always)]
fn scatter<T>(
    values: impl ExactSizeIterator<Item = T>,
    rows: BlockRows<'_>,
    first: u32,
    places: &mut [T],
) {
    match rows {
        BlockRows::From(row) => {
            let places = &mut places[(row - first) as usize..];
            for (place, value) in places.iter_mut().zip(values) {
                *place = value;
            }
        }
        BlockRows::List(rows) => {
            for (&row, value) in rows.iter().zip(values) {
                places[(row - first) as usize] = value;
            }
        }
    }
}

/// [`KeyPart::combine`] of a block of values, the first place being that of row `first`.
#[inline(always)]
fn combine_block(
    bits: impl ExactSizeIterator<Item = u64>,
    rows: BlockRows<'_>,
    first: u32,
    places: &mut [u64],
    held: &mut [u8],
) {
    match rows {
        // Side by side, so that several are combined at a time.
        BlockRows::From(row) => {
            let start = (row - first) as usize;
            let places = &mut places[start..start + bits.len()];
            if !held.is_empty() {
                let held = &mut held[start..start + bits.len()];
                held.iter_mut().for_each(|held| *held += 1);
            }
            for (place, bits) in places.iter_mut().zip(bits) {
                *place = mix(*place, bits);
            }
        }
        BlockRows::List(rows) => {
            for (&row, bits) in rows.iter().zip(bits) {
                let at = (row - first) as usize;
                places[at] = mix(places[at], bits);
                if !held.is_empty() {
                    held[at] += 1;
                }
            }
        }
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

/// Pairs of which what is compared is asked for ahead.
const AHEAD: usize = 32;

/// Moves the pairs of which `holds` is true to the front, in order. `ask` is called with each pair ahead of that.
pub(super) fn keep(pairs: &mut [Pair], ask: impl Fn(Pair), holds: impl Fn(Pair) -> bool) -> usize {
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
const SALTS: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];

/// Adds the next column's bits to a hash.
#[inline(always)]
pub(super) fn mix(hash: u64, bits: u64) -> u64 {
    fold(hash ^ SALTS[0], bits ^ SALTS[1])
}
