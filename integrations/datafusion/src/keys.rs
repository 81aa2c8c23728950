//! The keys of a join as its core reads them: a column of integers for each side.
//!
//! A single key of an integer type, or of one that is stored as an integer, is what it is. Everything else is a hash of 64
//! bits by DataFusion's own function, and pairs of equal hashes are compared: then keys are equal when DataFusion says so.

use std::hash::BuildHasher;
use std::slice;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, make_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::kernels::cmp::{eq, not_distinct};
use datafusion::arrow::compute::{SortOptions, and, cast, concat};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{NullEquality, Result};
use datafusion::physical_plan::joins::utils::JoinKeyComparator;
use join_core::input::{KeyColumn, KeySlice};
use join_core::join::{JoinError, JoinInput};
use join_core::key::Key;
use join_core::output::Pair;

use crate::side::{Chunks, Side};

/// The seed of hashes. Not that of repartitioning: rows of one partition agree in bits of that one.
const HASH: RandomState = RandomState::with_seed(0x4a6f_696e);

/// The type that [`plain`] leaves of keys of a type.
pub(crate) fn plain_type(key: &DataType) -> DataType {
    match key {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::Date32 | DataType::Time32(_) => DataType::Int32,
        DataType::UInt64 | DataType::Date64 | DataType::Time64(_) => DataType::Int64,
        DataType::Timestamp(..) | DataType::Duration(_) => DataType::Int64,
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Dictionary(_, value) => plain_type(value),
        other => other.clone(),
    }
}

/// Whether [`plain`] leaves of both types what can be compared. A value and a dictionary of such values can, and so can
/// strings however they are stored; equal integers of different units would mean different times.
pub(crate) fn comparable(left: &DataType, right: &DataType) -> bool {
    fn value(key: &DataType) -> &DataType {
        match key {
            DataType::Dictionary(_, value) => value,
            other => other,
        }
    }
    let plain = plain_type(left);
    let views = matches!(plain, DataType::Utf8View | DataType::BinaryView);
    plain == plain_type(right) && (views || value(left) == value(right))
}

/// The keys in as few types as keep equal ones equal and others apart: integers of 4 or 8 bytes by their bits, strings as
/// views, which can be put together whatever their bytes amount to, and dictionaries as their values.
pub(crate) fn plain(keys: &ArrayRef) -> Result<ArrayRef> {
    let target = plain_type(keys.data_type());
    if *keys.data_type() == target {
        return Ok(keys.clone());
    }
    match keys.data_type() {
        DataType::Dictionary(_, value) => plain(&cast(keys, value)?),
        source if source.primitive_width() == target.primitive_width() && target.is_integer() => {
            let data = keys.to_data().into_builder().data_type(target).build()?;
            Ok(make_array(data))
        }
        _ => Ok(cast(keys, &target)?),
    }
}

/// What becomes of rows with a NULL among their keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// They match nothing.
    MatchNothing,
    /// They match nothing, and the join is not to know that they are NULL.
    Hidden,
    /// NULL equals NULL.
    Equal,
}

impl Nulls {
    /// The same for a join that may know of NULLs.
    fn shown(self) -> Self {
        match self {
            Self::Hidden => Self::MatchNothing,
            other => other,
        }
    }
}

/// As what keys are looked up that come batch by batch, so that nothing is known of most of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Integers of 4 bytes, as they are.
    Int32,
    /// Integers of 8 bytes, as they are.
    Int64,
    /// Hashes of 4 bytes: those that are equal are compared anyway, and a table of them takes half as much.
    Hashed,
}

impl Form {
    /// That of keys of these types.
    pub(crate) fn of(types: &[DataType], nulls: Nulls) -> Self {
        match types {
            [one] if nulls != Nulls::Equal => match plain_type(one) {
                DataType::Int32 => Self::Int32,
                DataType::Int64 => Self::Int64,
                _ => Self::Hashed,
            },
            _ => Self::Hashed,
        }
    }

    /// Keys in this form. NULL where one of them is that equals nothing.
    pub(crate) fn of_keys(self, keys: &[Chunks], nulls: Nulls) -> Result<Chunks> {
        match self {
            Self::Hashed => {
                let fold = |hash: u64| (hash >> 32) as i32;
                hashes::<Int32Type>(keys, nulls.shown(), &HASH, fold)
            }
            Self::Int32 | Self::Int64 => Ok(keys[0].clone()),
        }
    }

    /// Bytes of the keys of a side in this form.
    pub(crate) fn bytes(self, side: &Side) -> usize {
        match self {
            Self::Hashed => side.rows() * size_of::<i32>(),
            Self::Int32 | Self::Int64 => 0,
        }
    }
}

/// The keys of both sides.
pub(crate) struct Keys {
    left: Chunks,
    right: Chunks,
    /// Tells equal keys from equal hashes, where keys are hashes.
    pub(crate) comparator: Option<JoinKeyComparator>,
}

impl Keys {
    /// The keys of two sides.
    pub(crate) fn new(left: &Side, right: &Side, nulls: Nulls) -> Result<Self> {
        match integers(left, right, nulls) {
            Some((left, right)) => Ok(Self {
                left: left.clone(),
                right: right.clone(),
                comparator: None,
            }),
            None => Self::hashed(left, right, nulls),
        }
    }

    /// Bytes that they take beside the sides.
    pub(crate) fn bytes(left: &Side, right: &Side, nulls: Nulls) -> usize {
        if integers(left, right, nulls).is_some() {
            return 0;
        }
        let of_side = |side: &Side| {
            let keys = side.keys.iter().flatten();
            let keys: usize = keys.map(|key| key.get_array_memory_size()).sum();
            keys + side.rows() * size_of::<i64>()
        };
        of_side(left) + of_side(right)
    }

    fn hashed(left: &Side, right: &Side, nulls: Nulls) -> Result<Self> {
        let comparator = || comparator(&whole(&left.keys)?, &whole(&right.keys)?, nulls);
        let none = left.rows() == 0 || right.rows() == 0;
        Ok(Self {
            left: hashes::<Int64Type>(&left.keys, nulls, &RandomState::with_seed(1), whole_hash)?,
            right: hashes::<Int64Type>(&right.keys, nulls, &RandomState::with_seed(2), whole_hash)?,
            comparator: (!none).then(comparator).transpose()?,
        })
    }

    /// The keys as the core reads them, where they lie.
    ///
    /// # Errors
    ///
    /// If there are too many rows.
    pub(crate) fn input(&self) -> Result<JoinInput<'_>, JoinError> {
        // Of a side without batches the type is not known, nor does it matter.
        let key = self.left.iter().chain(&self.right).next();
        Ok(match key.map(|keys| keys.data_type()) {
            Some(DataType::Int64) => JoinInput::Int64(
                column::<Int64Type>(&self.left)?,
                column::<Int64Type>(&self.right)?,
            ),
            _ => JoinInput::Int32(
                column::<Int32Type>(&self.left)?,
                column::<Int32Type>(&self.right)?,
            ),
        })
    }
}

/// The keys, where each side has a single one and these are integers that say all: what NULLs do is what they always do.
fn integers<'s>(left: &'s Side, right: &'s Side, nulls: Nulls) -> Option<(&'s Chunks, &'s Chunks)> {
    let ([left_keys], [right_keys]) = (left.keys.as_slice(), right.keys.as_slice()) else {
        return None;
    };
    let mut keys = left_keys.iter().chain(right_keys);
    let integers = keys.all(|keys| matches!(keys.data_type(), DataType::Int32 | DataType::Int64));
    let plain = nulls == Nulls::MatchNothing || !(left.has_null_keys() || right.has_null_keys());
    (integers && plain).then_some((left_keys, right_keys))
}

/// Whether the keys of each pair are equal; NULL means that they are not.
pub(crate) fn equal_in_pairs(
    [left, right]: [&Side; 2],
    pairs: &[Pair],
    nulls: Nulls,
) -> Result<BooleanArray> {
    let in_left = left.locate(pairs.iter().map(|pair| pair.build));
    let in_right = right.locate(pairs.iter().map(|pair| pair.probe));
    let equal = |key| {
        let left = left.gather_key(key, &in_left)?;
        equal(&left, &right.gather_key(key, &in_right)?, nulls)
    };
    let mut all = equal(0)?;
    for key in 1..left.keys.len() {
        all = and(&all, &equal(key)?)?;
    }
    Ok(all)
}

/// Each key as one array.
fn whole(keys: &[Chunks]) -> Result<Vec<ArrayRef>> {
    let one = |chunks: &Chunks| {
        let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
        Ok(concat(&chunks)?)
    };
    keys.iter().map(one).collect()
}

/// A hash for each row of a key of several columns, or of one whose values are no integers; NULL where one of them is.
pub(crate) fn hashed(columns: &[Chunks]) -> Result<Chunks> {
    hashes::<Int64Type>(columns, Nulls::MatchNothing, &HASH, whole_hash)
}

/// How many different keys there may be in arrays of as many rows.
pub(crate) fn distinct(columns: &[ArrayRef]) -> Result<usize> {
    let mut hashes = vec![0; columns[0].len()];
    create_hashes(columns, &HASH, &mut hashes)?;
    hashes.sort_unstable();
    hashes.dedup();
    Ok(hashes.len())
}

/// Whether two keys are equal, row by row. NULL means that they are not.
pub(crate) fn equal(left: &ArrayRef, right: &ArrayRef, nulls: Nulls) -> Result<BooleanArray> {
    // Arrow's kernels tell 0 from -0.
    if left.data_type().is_floating() {
        let comparator = comparator(slice::from_ref(left), slice::from_ref(right), nulls)?;
        let rows = (0..left.len()).map(|row| Some(comparator.is_equal(row, row)));
        return Ok(rows.collect());
    }
    Ok(match nulls {
        Nulls::Equal => not_distinct(left, right)?,
        Nulls::MatchNothing | Nulls::Hidden => eq(left, right)?,
    })
}

/// Tells whether keys are equal, each of which is one array.
fn comparator(left: &[ArrayRef], right: &[ArrayRef], nulls: Nulls) -> Result<JoinKeyComparator> {
    let equality = match nulls {
        Nulls::Equal => NullEquality::NullEqualsNull,
        Nulls::MatchNothing | Nulls::Hidden => NullEquality::NullEqualsNothing,
    };
    let options = vec![SortOptions::default(); left.len()];
    JoinKeyComparator::new(left, right, &options, equality)
}

/// Rows of a slice: what a worker takes at a time are some slices.
const SLICE: usize = 1 << 13;

pub(crate) fn column<T: ArrowPrimitiveType<Native: Key>>(
    chunks: &Chunks,
) -> Result<KeyColumn<'_, T::Native>, JoinError> {
    let slices = chunks.iter().flat_map(|chunk| {
        let keys = chunk.as_primitive::<T>();
        let slices = keys.values().chunks(SLICE).enumerate();
        slices.map(move |(number, values)| match keys.nulls() {
            None => KeySlice::new(values),
            Some(nulls) => {
                let offset = nulls.offset() + number * SLICE;
                KeySlice::with_nulls(values, nulls.validity(), offset).expect("a bit for each row")
            }
        })
    });
    let slices = slices.collect();
    KeyColumn::of_slices(slices).ok_or(JoinError::TooManyRows)
}

/// All bits of a hash.
fn whole_hash(hash: u64) -> i64 {
    hash as i64
}

/// A hash for each row, of which `fold` makes what there is room for. Hidden NULLs get numbers of their own, by their row and
/// `side_state`, so that they do not crowd one place of a table.
fn hashes<T: ArrowPrimitiveType>(
    columns: &[Chunks],
    nulls: Nulls,
    side_state: &RandomState,
    fold: fn(u64) -> T::Native,
) -> Result<Chunks> {
    let mut first = 0;
    let mut hashed = Vec::with_capacity(columns[0].len());
    for batch in 0..columns[0].len() {
        let keys = || columns.iter().map(|chunks| &chunks[batch]);
        let mut hashes = vec![0; columns[0][batch].len()];
        create_hashes(keys(), &HASH, &mut hashes)?;
        let null = keys().fold(None, |null, key| {
            NullBuffer::union(null.as_ref(), key.logical_nulls().as_ref())
        });
        if let (Nulls::Hidden, Some(null)) = (nulls, &null) {
            for row in (0..null.len()).filter(|&row| null.is_null(row)) {
                hashes[row] = side_state.hash_one(first + row);
            }
        }
        first += hashes.len();
        let hashes: Vec<T::Native> = hashes.into_iter().map(fold).collect();
        let null = null.filter(|_| nulls == Nulls::MatchNothing);
        hashed.push(Arc::new(PrimitiveArray::<T>::new(hashes.into(), null)) as ArrayRef);
    }
    Ok(hashed)
}
