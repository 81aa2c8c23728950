//! A column from fields as they are sent.

use join_core::page::Page;
use join_core::table::{ColumnBuilder, Value};

use super::numeric::Numeric;
use super::types::{NumericAs, SourceType};

/// From 1970-01-01 to 2000-01-01, where the server counts from.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROSECONDS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// Builds a column.
pub struct ColumnReader {
    kind: SourceType,
    builder: ColumnBuilder,
    /// Values that lost digits.
    pub lost: u64,
}

impl ColumnReader {
    /// Without rows.
    pub fn new(kind: SourceType) -> ColumnReader {
        ColumnReader {
            kind,
            builder: ColumnBuilder::new(kind.data_type()),
            lost: 0,
        }
    }

    /// Appends a field; an error says what is wrong with it.
    pub fn push(&mut self, field: Option<&[u8]>) -> Result<(), String> {
        let Some(bytes) = field else {
            self.builder.push_null();
            return Ok(());
        };
        let value = self.value(bytes)?;
        self.builder.push(&value).map_err(|error| error.to_string())
    }

    fn value<'b>(&mut self, bytes: &'b [u8]) -> Result<Value<'b>, String> {
        Ok(match self.kind {
            SourceType::Int2 => Value::Int32(i16::from_be_bytes(fixed(bytes)?).into()),
            SourceType::Int4 => Value::Int32(i32::from_be_bytes(fixed(bytes)?)),
            SourceType::Int8 => Value::Int64(i64::from_be_bytes(fixed(bytes)?)),
            SourceType::Float4 => Value::Fp64(f32::from_be_bytes(fixed(bytes)?).into()),
            SourceType::Float8 => Value::Fp64(f64::from_be_bytes(fixed(bytes)?)),
            SourceType::Bool => match fixed(bytes)? {
                [0] => Value::Int32(0),
                [1] => Value::Int32(1),
                [other] => return Err(format!("a bool cannot be {other}")),
            },
            SourceType::Date => Value::Int32(match i32::from_be_bytes(fixed(bytes)?) {
                // The server's infinities.
                days @ (i32::MIN | i32::MAX) => days,
                days => days
                    .checked_add(EPOCH_DAYS)
                    .ok_or("the date does not fit into INT32")?,
            }),
            SourceType::Timestamp => Value::Int64(match i64::from_be_bytes(fixed(bytes)?) {
                time @ (i64::MIN | i64::MAX) => time,
                time => time
                    .checked_add(EPOCH_MICROSECONDS)
                    .ok_or("the timestamp does not fit into INT64")?,
            }),
            SourceType::Text => Value::Varchar(bytes.into()),
            SourceType::Numeric(target) => {
                let number = Numeric::read(bytes).ok_or("the bytes are no numeric")?;
                let (value, lost) = match target {
                    NumericAs::Fp64 => {
                        let (value, lost) = number.to_f64();
                        (Value::Fp64(value), lost)
                    }
                    NumericAs::ScaledInt64(scale) => {
                        let (value, lost) = number.to_scaled_i64(scale).ok_or_else(|| {
                            format!("a numeric does not fit into INT64 with {scale} decimals; choose fewer, or fp64")
                        })?;
                        (Value::Int64(value), lost)
                    }
                };
                self.lost += u64::from(lost);
                value
            }
        })
    }

    /// The pages.
    pub fn finish(self) -> Vec<Page> {
        self.builder.finish().pages().to_vec()
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes
        .try_into()
        .map_err(|_| format!("{} bytes where {N} were expected", bytes.len()))
}
