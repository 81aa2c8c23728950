//! The values of a column chunk.

use join_core::table::{ColumnBuilder, Value};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, Int96};

use super::damage::{damaged, explain};
use super::schema::Planned;

/// Rows that are decoded at once.
const BATCH: usize = 8192;

/// Appends the rows of one column of one row group.
///
/// # Errors
/// If the chunk is damaged, or a value does not fit.
pub fn read_chunk(
    chunk: ColumnReader,
    column: &Planned,
    rows: u64,
    builder: &mut ColumnBuilder,
) -> Result<(), String> {
    let to = column.conversion;
    let unsigned = to.unsigned;
    let out = &mut |value: Result<Value<'_>, String>| {
        builder.push(&value?).map_err(|error| error.to_string())
    };
    match chunk {
        ColumnReader::BoolColumnReader(chunk) => {
            each(chunk, rows, out, |&value| to.number(value.into()))
        }
        ColumnReader::Int32ColumnReader(chunk) => each(chunk, rows, out, |&value| match unsigned {
            true => to.number(value.cast_unsigned().into()),
            false => to.number(value.into()),
        }),
        ColumnReader::Int64ColumnReader(chunk) => each(chunk, rows, out, |&value| match unsigned {
            true => to.number(value.cast_unsigned().into()),
            false => to.number(value.into()),
        }),
        ColumnReader::Int96ColumnReader(chunk) => {
            each(chunk, rows, out, |value| to.number(nanoseconds(value)))
        }
        ColumnReader::FloatColumnReader(chunk) => {
            each(chunk, rows, out, |&value| Ok(Value::Fp64(value.into())))
        }
        ColumnReader::DoubleColumnReader(chunk) => {
            each(chunk, rows, out, |&value| Ok(Value::Fp64(value)))
        }
        ColumnReader::ByteArrayColumnReader(chunk) => {
            each(chunk, rows, out, |value| to.bytes(value.data()))
        }
        ColumnReader::FixedLenByteArrayColumnReader(chunk) => {
            each(chunk, rows, out, |value| match value.data() {
                bytes if Some(bytes.len()) == column.length => to.bytes(bytes),
                _ => Err(damaged("a value is not as long as all must be")),
            })
        }
    }
}

/// Takes a value or what is wrong with it.
type Out<'a> = dyn FnMut(Result<Value<'_>, String>) -> Result<(), String> + 'a;

/// Hands the values of a column chunk to `out`, each as `convert` has it; there must be `rows` of them with the NULLs.
fn each<T: DataType>(
    mut chunk: ColumnReaderImpl<T>,
    rows: u64,
    out: &mut Out<'_>,
    convert: impl Fn(&T::T) -> Result<Value<'_>, String>,
) -> Result<(), String> {
    let (mut values, mut levels) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let mut found = 0;
    loop {
        values.clear();
        levels.clear();
        let read = chunk.read_records(BATCH, Some(&mut levels), None, &mut values);
        let (records, ..) = read.map_err(explain)?;
        if records == 0 {
            break;
        }
        found += records as u64;
        if levels.is_empty() {
            values.iter().try_for_each(|value| out(convert(value)))?;
            continue;
        }
        // Level 1 is a value, level 0 is NULL: columns in columns are refused before.
        let mut values = values.iter();
        for level in &levels {
            if *level == 0 {
                out(Ok(Value::Null))?;
            } else {
                let value = values.next().ok_or_else(|| damaged("a value is missing"))?;
                out(convert(value))?;
            }
        }
    }
    match found == rows {
        true => Ok(()),
        false => Err(damaged(format!(
            "{found} rows, but the row group has {rows}"
        ))),
    }
}

/// Nanoseconds since 1970 of the outdated 96-bit timestamps: nanoseconds of the day, which some writers let be negative,
/// then the Julian day.
fn nanoseconds(value: &Int96) -> i128 {
    const JULIAN_DAY_OF_1970: i128 = 2_440_588;
    let [low, high, day] = *value.data() else {
        return 0;
    };
    let of_day = (u64::from(high) << 32 | u64::from(low)).cast_signed();
    (i128::from(day) - JULIAN_DAY_OF_1970) * 86_400_000_000_000 + i128::from(of_day)
}
