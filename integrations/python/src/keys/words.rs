//! Keys that are integers: read where they lie, or converted.

use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;
use join_core::input::KeyColumn;
use join_core::key::Key;
use join_core::memory::Reservation;

use super::key_column;
use crate::error::Error;
use crate::gather::room;
use crate::work::Means;

/// A key as an integer of its own or a greater width.
pub(super) trait Word: Key {
    /// That of an integer.
    fn of_integer(value: i128) -> Self;

    /// The values of a chunk that are such integers already.
    fn in_place(chunk: &ArrayData) -> Option<&[Self]>;
}

impl Word for i32 {
    fn of_integer(value: i128) -> Self {
        value as Self
    }

    fn in_place(chunk: &ArrayData) -> Option<&[Self]> {
        let is_float = chunk.data_type().is_floating();
        (chunk.data_type().primitive_width() == Some(4) && !is_float).then(|| chunk.buffer(0))
    }
}

impl Word for i64 {
    fn of_integer(value: i128) -> Self {
        value as Self
    }

    fn in_place(chunk: &ArrayData) -> Option<&[Self]> {
        let is_float = chunk.data_type().is_floating();
        (chunk.data_type().primitive_width() == Some(8) && !is_float).then(|| chunk.buffer(0))
    }
}

/// The values of a column.
pub(super) struct Words<'a, K> {
    chunks: Vec<(Values<'a, K>, Option<&'a NullBuffer>)>,
    _reservation: Reservation,
}

enum Values<'a, K> {
    InPlace(&'a [K]),
    Converted(Vec<K>),
}

impl<'a, K: Word> Words<'a, K> {
    pub(super) fn of(chunks: &'a [ArrayData], means: &Means) -> Result<Self, Error> {
        let mut reservation = means.memory.reserve(0)?;
        let chunks = chunks.iter().map(|chunk| {
            let values = match K::in_place(chunk) {
                Some(values) => Values::InPlace(values),
                None => {
                    let mut values = room(chunk.len(), &mut reservation)?;
                    each(chunk, |value| values.push(K::of_integer(value)));
                    Values::Converted(values)
                }
            };
            Ok((values, chunk.nulls()))
        });
        Ok(Self {
            chunks: chunks.collect::<Result<_, Error>>()?,
            _reservation: reservation,
        })
    }

    pub(super) fn column(&self) -> Result<KeyColumn<'_, K>, Error> {
        key_column(self.chunks.iter().map(|(values, nulls)| match values {
            Values::InPlace(values) => (*values, *nulls),
            Values::Converted(values) => (values.as_slice(), *nulls),
        }))
    }
}

/// Calls `value` with the value of each row of a chunk; that of a NULL may be anything. Floating-point numbers are their
/// bits, those that equal each other the same ones.
#[inline(always)]
fn each(chunk: &ArrayData, mut value: impl FnMut(i128)) {
    macro_rules! each {
        ($native:ty, $integer:expr) => {{
            let values = chunk.buffer::<$native>(0).iter().take(chunk.len());
            let integer: fn($native) -> i128 = $integer;
            values.for_each(|&of_row| value(integer(of_row)))
        }};
    }
    match chunk.data_type() {
        DataType::Int8 => each!(i8, i128::from),
        DataType::Int16 => each!(i16, i128::from),
        DataType::UInt8 => each!(u8, i128::from),
        DataType::UInt16 => each!(u16, i128::from),
        DataType::UInt32 => each!(u32, i128::from),
        DataType::UInt64 => each!(u64, i128::from),
        DataType::Float32 => each!(f32, |value| i128::from(canonical32(value))),
        DataType::Float64 => each!(f64, |value| i128::from(canonical64(value))),
        other => match other.primitive_width() {
            Some(4) => each!(i32, i128::from),
            _ => each!(i64, i128::from),
        },
    }
}

/// The bits of a number: 0 has no sign, and there is one value that is none.
fn canonical32(value: f32) -> u32 {
    match value {
        0.0 => 0,
        value if value.is_nan() => f32::NAN.to_bits(),
        value => value.to_bits(),
    }
}

fn canonical64(value: f64) -> u64 {
    match value {
        0.0 => 0,
        value if value.is_nan() => f64::NAN.to_bits(),
        value => value.to_bits(),
    }
}
