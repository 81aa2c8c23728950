//! A column from fields as they are sent.

use join_core::page::Page;
use join_core::table::{ColumnBuilder, TypeMismatch, Value};

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

    /// Appends a value that was read already, or NULL.
    ///
    /// # Errors
    /// If it is not of the column's type.
    pub fn push_value(&mut self, value: &Value<'_>) -> Result<(), TypeMismatch> {
        self.builder.push(value)
    }

    /// Appends a field.
    ///
    /// # Errors
    /// What is wrong with it.
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
                [bool @ 0..=1] => Value::Int32(bool.into()),
                [other] => return Err(format!("a bool cannot be {other}; load again")),
            },
            SourceType::Date => Value::Int32(match i32::from_be_bytes(fixed(bytes)?) {
                // The server's infinities.
                days @ (i32::MIN | i32::MAX) => days,
                // Nor may any other date become one of them.
                days => (days.checked_add(EPOCH_DAYS))
                    .filter(|&days| days != i32::MAX)
                    .ok_or_else(|| beyond("a date", "INT32, in days since 1970"))?,
            }),
            SourceType::Timestamp => Value::Int64(match i64::from_be_bytes(fixed(bytes)?) {
                time @ (i64::MIN | i64::MAX) => time,
                time => (time.checked_add(EPOCH_MICROSECONDS))
                    .filter(|&time| time != i64::MAX)
                    .ok_or_else(|| beyond("a timestamp", "INT64, in microseconds since 1970"))?,
            }),
            SourceType::Text => Value::Varchar(bytes.into()),
            SourceType::Numeric(target) => {
                let number = Numeric::read(bytes).ok_or("the bytes are no numeric; load again")?;
                let beyond = |what: &str| beyond(&number.to_string(), what);
                let (value, lost) = match target {
                    NumericAs::Fp64 => {
                        let (value, lost) = number.to_f64().ok_or_else(|| beyond("FP64"))?;
                        (Value::Fp64(value), lost)
                    }
                    NumericAs::ScaledInt64(scale) => {
                        let (value, lost) = number.to_scaled_i64(scale).ok_or_else(|| {
                            let what = format!("INT64 with {scale} decimals");
                            format!("{}; or choose fewer decimals, or FP64", beyond(&what))
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

/// What is said of a value that its type of pages does not hold.
fn beyond(value: &str, what: &str) -> String {
    format!(
        "{value} does not fit into {what}; leave such rows out, or cast the column, with --query"
    )
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| {
        format!(
            "{} bytes where {N} were expected; was the manifest edited? load again",
            bytes.len()
        )
    })
}
