//! What the numbers of a column stand for, where a table folder has only numbers.

use std::fmt;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::Type;

/// What equal values of two files must share to mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A number or a string that is what it says.
    Plain,
    /// 0 or 1.
    Truth,
    /// Days since 1970.
    Day,
    /// Time since midnight.
    Time {
        /// The unit.
        unit: TimeUnit,
        /// Whether it is that of UTC, not that of a place.
        utc: bool,
    },
    /// Time since 1970.
    Timestamp {
        /// The unit.
        unit: TimeUnit,
        /// Whether it is that of UTC, not that of a place.
        utc: bool,
    },
    /// Nanoseconds since 1970 as outdated writers have it, which do not say whether they are those of UTC.
    Int96,
    /// Units of the last digit, and the digits behind the point.
    Scaled(u32),
}

impl Meaning {
    /// That of a flat column; decimals apart, which are numbers.
    pub fn of(field: &Type) -> Meaning {
        let info = field.get_basic_info();
        match info.logical_type_ref() {
            Some(LogicalType::Date) => return Meaning::Day,
            Some(LogicalType::Time(time)) => {
                return Meaning::Time {
                    unit: time.unit,
                    utc: time.is_adjusted_to_u_t_c,
                };
            }
            Some(LogicalType::Timestamp(time)) => {
                return Meaning::Timestamp {
                    unit: time.unit,
                    utc: time.is_adjusted_to_u_t_c,
                };
            }
            _ => {}
        }
        let utc = true;
        match (info.converted_type(), field) {
            (ConvertedType::DATE, _) => Meaning::Day,
            (ConvertedType::TIME_MILLIS, _) => Meaning::Time {
                unit: TimeUnit::MILLIS,
                utc,
            },
            (ConvertedType::TIME_MICROS, _) => Meaning::Time {
                unit: TimeUnit::MICROS,
                utc,
            },
            (ConvertedType::TIMESTAMP_MILLIS, _) => Meaning::Timestamp {
                unit: TimeUnit::MILLIS,
                utc,
            },
            (ConvertedType::TIMESTAMP_MICROS, _) => Meaning::Timestamp {
                unit: TimeUnit::MICROS,
                utc,
            },
            (
                _,
                Type::PrimitiveType {
                    physical_type: Physical::BOOLEAN,
                    ..
                },
            ) => Meaning::Truth,
            (
                _,
                Type::PrimitiveType {
                    physical_type: Physical::INT96,
                    ..
                },
            ) => Meaning::Int96,
            _ => Meaning::Plain,
        }
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |utc: bool| if utc { "UTC" } else { "local time" };
        match *self {
            Meaning::Plain => f.write_str("a plain value"),
            Meaning::Truth => f.write_str("a BOOLEAN"),
            Meaning::Day => f.write_str("a DATE"),
            Meaning::Time { unit, utc } => write!(f, "a TIME in {}, {}", name(unit), place(utc)),
            Meaning::Timestamp { unit, utc } => {
                write!(f, "a TIMESTAMP in {}, {}", name(unit), place(utc))
            }
            Meaning::Int96 => f.write_str("a timestamp of 96 bits"),
            Meaning::Scaled(scale) => write!(f, "a DECIMAL in units of 1e-{scale}"),
        }
    }
}

fn name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::MILLIS => "ms",
        TimeUnit::MICROS => "µs",
        TimeUnit::NANOS => "ns",
    }
}
