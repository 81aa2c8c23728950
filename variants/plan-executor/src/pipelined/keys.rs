//! The two types of keys, columns and lists of them.

use join_core::input::KeyColumn;
use join_core::key::Key;
use join_core::page::DataType;
use join_core::table::{PageOffsets, PagedColumn};

/// A key as the pipelined executor handles it.
pub(super) trait PlanKey: Key + Default {
    /// As 64 bits.
    fn wide(self) -> i64;
    /// The key of [`PlanKey::wide`]; any key where there is none.
    fn narrow(wide: i64) -> Self;
    /// How far above `min` the key is; huge where it is below.
    #[inline(always)]
    fn distance(self, min: i64) -> u64 {
        self.offset_from(Self::narrow(min))
    }
    /// These blocks of keys, where they are of 32 bits.
    fn int32s(blocks: &[[Self; 64]]) -> Option<&[[i32; 64]]>;
    /// The list of such keys.
    fn of(list: &KeyList) -> &[Self];
    /// The list of such keys, to be extended.
    fn of_mut(list: &mut KeyList) -> &mut Vec<Self>;
}

/// A key column of an input, whatever it lies in.
#[derive(Debug, Clone)]
pub(super) enum InputKeys<'a> {
    Int32(KeyColumn<'a, i32>),
    Int64(KeyColumn<'a, i64>),
}

impl<'a> InputKeys<'a> {
    /// The keys of a table's column.
    pub fn paged(column: PagedColumn<'a>) -> InputKeys<'a> {
        const TYPE: &str = "keys are of one of the two types";
        match column.data_type() {
            DataType::Int64 => InputKeys::Int64(KeyColumn::of(column).expect(TYPE)),
            _ => InputKeys::Int32(KeyColumn::of(column).expect(TYPE)),
        }
    }

    pub fn has_nulls(&self) -> bool {
        with_column!(self, keys => keys.has_nulls())
    }

    /// The way from rows to chunks.
    pub fn offsets(&self) -> &PageOffsets {
        with_column!(self, keys => keys.offsets())
    }

    /// An empty list of such keys, with room for some.
    pub fn list(&self, capacity: usize) -> KeyList {
        match self {
            InputKeys::Int32(_) => KeyList::Int32(Vec::with_capacity(capacity)),
            InputKeys::Int64(_) => KeyList::Int64(Vec::with_capacity(capacity)),
        }
    }
}

/// Runs `$work` with `$column` as a column of the type that it has.
macro_rules! with_column {
    ($keys:expr, $column:ident => $work:expr) => {
        match $keys {
            $crate::pipelined::keys::InputKeys::Int32($column) => $work,
            $crate::pipelined::keys::InputKeys::Int64($column) => $work,
        }
    };
}
pub(super) use with_column;

/// Keys of one type.
#[derive(Debug, Clone)]
pub(super) enum KeyList {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
}

impl KeyList {
    /// Makes room for so many keys more.
    pub fn reserve(&mut self, more: usize) {
        match self {
            KeyList::Int32(keys) => keys.reserve_exact(more),
            KeyList::Int64(keys) => keys.reserve_exact(more),
        }
    }

    /// Bytes of a key.
    pub fn width(&self) -> usize {
        match self {
            KeyList::Int32(_) => 4,
            KeyList::Int64(_) => 8,
        }
    }
}

impl PlanKey for i32 {
    #[inline(always)]
    fn wide(self) -> i64 {
        self.into()
    }

    #[inline(always)]
    fn narrow(wide: i64) -> i32 {
        wide as i32
    }

    #[inline(always)]
    fn int32s(blocks: &[[i32; 64]]) -> Option<&[[i32; 64]]> {
        Some(blocks)
    }

    fn of(list: &KeyList) -> &[i32] {
        match list {
            KeyList::Int32(keys) => keys,
            KeyList::Int64(_) => &[],
        }
    }

    fn of_mut(list: &mut KeyList) -> &mut Vec<i32> {
        match list {
            KeyList::Int32(keys) => keys,
            KeyList::Int64(_) => unreachable!("a class has one type"),
        }
    }
}

impl PlanKey for i64 {
    #[inline(always)]
    fn wide(self) -> i64 {
        self
    }

    #[inline(always)]
    fn narrow(wide: i64) -> i64 {
        wide
    }

    #[inline(always)]
    fn int32s(_: &[[i64; 64]]) -> Option<&[[i32; 64]]> {
        None
    }

    fn of(list: &KeyList) -> &[i64] {
        match list {
            KeyList::Int64(keys) => keys,
            KeyList::Int32(_) => &[],
        }
    }

    fn of_mut(list: &mut KeyList) -> &mut Vec<i64> {
        match list {
            KeyList::Int64(keys) => keys,
            KeyList::Int32(_) => unreachable!("a class has one type"),
        }
    }
}

/// Runs `$work` with `$K` as the type of a class' keys.
macro_rules! with_key {
    ($data_type:expr, $K:ident => $work:expr) => {
        match $data_type {
            join_core::page::DataType::Int64 => {
                type $K = i64;
                $work
            }
            _ => {
                type $K = i32;
                $work
            }
        }
    };
}
pub(super) use with_key;
