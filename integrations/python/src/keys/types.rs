//! Types of keys, and which of them can be compared.

use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use join_core::kind::NO_ROW;
use join_core::memory::Reservation;

use crate::error::Error;
use crate::gather::{Refusal, Rows, Source, room};
use crate::import::Column;

/// What keys are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// Integers of 4 bytes.
    Words32,
    /// Integers of 8 bytes.
    Words64,
    /// Strings of bytes.
    Bytes,
}

/// What two key columns are compared as, each with what its frame is called.
///
/// # Errors
///
/// One of them cannot be a key, or their types are not compared.
pub(super) fn plain_of(build: (&Column, &str), probe: (&Column, &str)) -> Result<Plain, Error> {
    for (column, what) in [build, probe] {
        if class(column.field.data_type()).is_none() {
            let (name, data_type) = (column.called(what), column.field.data_type());
            return Err(Error::Type(format!(
                "{name} is of type {data_type}, which cannot be a key; cast it to integers or strings, or join on other \
                 columns"
            )));
        }
    }
    let types = (build.0.field.data_type(), probe.0.field.data_type());
    common(types.0, types.1).ok_or_else(|| {
        Error::Type(format!(
            "{} is of type {} and {} of type {}, which are not compared; cast one of them to the type of the other",
            build.0.called(build.1),
            types.0,
            probe.0.called(probe.1),
            types.1
        ))
    })
}

/// What types are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Signed or not, of so many bits: compared by their values.
    Integer(bool, u32),
    /// Compared with the same type alone, by so many bits.
    Bits(u32),
    /// Characters, however they are stored.
    Text,
    /// Bytes, however they are stored.
    Binary,
    /// So many bytes, compared with the same type alone.
    Fixed,
}

/// The type of the values.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn class(data_type: &DataType) -> Option<Class> {
    Some(match value_type(data_type) {
        DataType::Int8 => Class::Integer(true, 8),
        DataType::Int16 => Class::Integer(true, 16),
        DataType::Int32 => Class::Integer(true, 32),
        DataType::Int64 => Class::Integer(true, 64),
        DataType::UInt8 => Class::Integer(false, 8),
        DataType::UInt16 => Class::Integer(false, 16),
        DataType::UInt32 => Class::Integer(false, 32),
        DataType::UInt64 => Class::Integer(false, 64),
        DataType::Boolean => Class::Bits(8),
        DataType::Float32 | DataType::Date32 | DataType::Time32(_) | DataType::Decimal32(..) => {
            Class::Bits(32)
        }
        DataType::Float64 | DataType::Date64 | DataType::Time64(_) | DataType::Decimal64(..) => {
            Class::Bits(64)
        }
        DataType::Timestamp(..) | DataType::Duration(_) => Class::Bits(64),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Class::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Class::Binary,
        DataType::FixedSizeBinary(_) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Class::Fixed
        }
        _ => return None,
    })
}

fn common(build: &DataType, probe: &DataType) -> Option<Plain> {
    let words = |bits: u32| match bits {
        0..=32 => Plain::Words32,
        _ => Plain::Words64,
    };
    let is_same = value_type(build) == value_type(probe);
    match (class(build)?, class(probe)?) {
        // Numbers of one type are told apart by their bits.
        (Class::Integer(_, bits), Class::Integer(..)) if is_same => Some(words(bits)),
        (Class::Integer(false, a), Class::Integer(false, b)) => {
            Some(words(widened(false, a.max(b))))
        }
        (Class::Integer(a_signed, a), Class::Integer(b_signed, b)) => {
            let bits = |signed: bool, bits: u32| if signed { bits } else { bits + 1 };
            let bits = bits(a_signed, a).max(bits(b_signed, b));
            (bits <= 64).then(|| words(widened(true, bits)))
        }
        (Class::Bits(bits), Class::Bits(_)) if is_same => Some(words(bits)),
        (Class::Text, Class::Text) | (Class::Binary, Class::Binary) => Some(Plain::Bytes),
        (Class::Fixed, Class::Fixed) if is_same => Some(Plain::Bytes),
        _ => None,
    }
}

/// The width of numbers of different types, by whose values they are compared: an unsigned one of 32 bits is not read as a
/// signed one.
fn widened(signed: bool, bits: u32) -> u32 {
    match (signed, bits) {
        (_, 0..32) | (true, 32) => 32,
        _ => 64,
    }
}

/// The keys of a chunk without dictionaries and bits, whose bytes `reservation` grows by.
///
/// # Errors
///
/// A dictionary's values are too long as an array, or its keys outside of them, or there is no memory.
pub(super) fn plain(
    chunk: &ArrayData,
    reservation: &mut Reservation,
) -> Result<ArrayData, Refusal> {
    match chunk.data_type() {
        DataType::Boolean => bytes_of_bits(chunk, reservation),
        DataType::Dictionary(keys, values) => {
            let rows = numbers(keys, chunk, reservation)?;
            let source = Source::new(values, vec![chunk.child_data()[0].clone()], reservation)?;
            plain(
                &source.gather(Rows::of_one(&rows, true), reservation)?,
                reservation,
            )
        }
        _ => Ok(chunk.clone()),
    }
}

fn bytes_of_bits(chunk: &ArrayData, reservation: &mut Reservation) -> Result<ArrayData, Refusal> {
    let bits = BooleanBuffer::new(chunk.buffers()[0].clone(), chunk.offset(), chunk.len());
    let mut bytes = room::<u8>(chunk.len(), reservation)?;
    bytes.extend(bits.iter().map(u8::from));
    let bytes = ArrayData::builder(DataType::UInt8)
        .len(chunk.len())
        .nulls(chunk.nulls().cloned())
        .add_buffer(Buffer::from_vec(bytes));
    bytes.build().map_err(Refusal::Invalid)
}

/// The keys of a dictionary as rows of it, [`NO_ROW`] for NULL.
fn numbers(
    keys: &DataType,
    chunk: &ArrayData,
    reservation: &mut Reservation,
) -> Result<Vec<u32>, Refusal> {
    let values = chunk.child_data()[0].len().min(NO_ROW as usize);
    let mut numbers = room::<u32>(chunk.len(), reservation)?;
    macro_rules! numbers {
        ($native:ty) => {{
            let keys = chunk.buffer::<$native>(0).iter().take(chunk.len());
            for (row, &key) in keys.enumerate() {
                numbers.push(match (chunk.is_null(row), key as usize) {
                    (true, _) => NO_ROW,
                    (false, key) if key < values => key as u32,
                    (false, _) => return Err(Refusal::Outside),
                });
            }
        }};
    }
    match keys {
        DataType::Int8 => numbers!(i8),
        DataType::Int16 => numbers!(i16),
        DataType::Int32 => numbers!(i32),
        DataType::UInt8 => numbers!(u8),
        DataType::UInt16 => numbers!(u16),
        DataType::UInt32 => numbers!(u32),
        DataType::UInt64 => numbers!(u64),
        _ => numbers!(i64),
    }
    Ok(numbers)
}
