//! Join keys: the two integer types that a join may be on, and the tuple that a table stores for a key.

use std::fmt::Debug;
use std::hash::Hash;

use bytemuck::{Pod, Zeroable};

use crate::page::Fixed;

/// A join key: `i32` (INT32 columns) or `i64` (INT64 columns).
pub trait Key: Fixed + Eq + Ord + Hash {
    /// A row id stored beside the key, as wide as the key so that a tuple has no padding.
    type Row: Pod + Send + Sync + Debug;

    /// The key's bits, zero-extended: what hashes read.
    fn bits(self) -> u64;

    /// The key that has these bits; of an INT32 key, the lower half of them.
    fn from_bits(bits: u64) -> Self;

    /// How far above `least` the key is. Of a key below it, more than of any key above it.
    fn offset_from(self, least: Self) -> u64;

    /// The one of these two that is of this key type: how what is generic over keys reaches what is not.
    fn pick<T: OfKey>(int32: T::Of<i32>, int64: T::Of<i64>) -> T::Of<Self>;

    /// A row id as stored.
    fn row(row: u32) -> Self::Row;

    /// A stored row id.
    fn row_id(row: Self::Row) -> u32;
}

/// Something that there is of each key type.
pub trait OfKey {
    /// That of keys of type `K`.
    type Of<K: Key>;
}

impl Key for i32 {
    type Row = u32;

    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self as u32)
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> i32 {
        bits as i32
    }

    #[inline(always)]
    fn offset_from(self, least: i32) -> u64 {
        u64::from((self as u32).wrapping_sub(least as u32))
    }

    fn pick<T: OfKey>(int32: T::Of<i32>, _: T::Of<i64>) -> T::Of<Self> {
        int32
    }

    #[inline(always)]
    fn row(row: u32) -> u32 {
        row
    }

    #[inline(always)]
    fn row_id(row: u32) -> u32 {
        row
    }
}

impl Key for i64 {
    type Row = u64;

    #[inline(always)]
    fn bits(self) -> u64 {
        self as u64
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> i64 {
        bits as i64
    }

    #[inline(always)]
    fn offset_from(self, least: i64) -> u64 {
        self.wrapping_sub(least) as u64
    }

    fn pick<T: OfKey>(_: T::Of<i32>, int64: T::Of<i64>) -> T::Of<Self> {
        int64
    }

    #[inline(always)]
    fn row(row: u32) -> u64 {
        u64::from(row)
    }

    #[inline(always)]
    fn row_id(row: u64) -> u32 {
        row as u32
    }
}

/// What a table stores for a build row: its key and its row id. 8 bytes for `i32`, 16 for `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Tuple<K: Key> {
    /// The join key.
    pub key: K,
    /// The row id, as wide as the key.
    pub row: K::Row,
}

impl<K: Key> Tuple<K> {
    /// The tuple of a build row.
    #[inline(always)]
    pub fn new(key: K, row: u32) -> Self {
        Self {
            key,
            row: K::row(row),
        }
    }

    /// The build row.
    #[inline(always)]
    pub fn row_id(&self) -> u32 {
        K::row_id(self.row)
    }
}

const _: () = assert!(size_of::<Tuple<i32>>() == 8 && size_of::<Tuple<i64>>() == 16);

// SAFETY: both fields are Pod, so all zeroes is a value of each.
unsafe impl<K: Key> Zeroable for Tuple<K> {}
// SAFETY: repr(C), both fields are Pod and equally wide, so there is no padding (sizes asserted above).
unsafe impl<K: Key> Pod for Tuple<K> {}
