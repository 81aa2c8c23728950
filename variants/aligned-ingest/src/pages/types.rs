//! PostgreSQL's types and the types of pages.

use join_core::page::DataType;

/// A type of the server that becomes a column of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceType {
    /// `int2`: INT32.
    Int2,
    /// `int4`: INT32.
    Int4,
    /// `int8`: INT64.
    Int8,
    /// `float4`: FP64.
    Float4,
    /// `float8`: FP64.
    Float8,
    /// `numeric`: FP64, or INT64 in units of a power of ten.
    Numeric(NumericAs),
    /// `bool`: INT32, 0 or 1.
    Bool,
    /// `date`: INT32, days since 1970-01-01.
    Date,
    /// `timestamp` and `timestamptz`: INT64, microseconds since 1970-01-01 00:00 (of UTC, for the second).
    Timestamp,
    /// `text`, `varchar`, `bpchar`: VARCHAR, in the encoding of the connection; `bpchar` with its blanks.
    Text,
}

/// What becomes of `numeric`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumericAs {
    /// The nearest FP64.
    #[default]
    Fp64,
    /// INT64 in units of 10^-n.
    ScaledInt64(u8),
}

impl SourceType {
    /// The types that are taken, for errors.
    pub const NAMES: &str = "int2, int4, int8, float4, float8, numeric, bool, date, timestamp, timestamptz, text, varchar, bpchar";

    /// The type of the server's own that has this name in a manifest, if it is taken.
    pub fn of(name: &str, numeric: NumericAs) -> Option<SourceType> {
        Some(match name {
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "numeric" => Self::Numeric(numeric),
            "bool" => Self::Bool,
            "date" => Self::Date,
            "timestamp" | "timestamptz" => Self::Timestamp,
            "text" | "varchar" | "bpchar" => Self::Text,
            _ => return None,
        })
    }

    /// The type of its pages.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Int2 | Self::Int4 | Self::Bool | Self::Date => DataType::Int32,
            Self::Int8 | Self::Timestamp | Self::Numeric(NumericAs::ScaledInt64(_)) => {
                DataType::Int64
            }
            Self::Float4 | Self::Float8 | Self::Numeric(NumericAs::Fp64) => DataType::Fp64,
            Self::Text => DataType::Varchar,
        }
    }

    /// Bytes of a value as it is sent, where all have the same.
    pub fn width(self) -> Option<u32> {
        match self {
            Self::Bool => Some(1),
            Self::Int2 => Some(2),
            Self::Int4 | Self::Float4 | Self::Date => Some(4),
            Self::Int8 | Self::Float8 | Self::Timestamp => Some(8),
            Self::Numeric(_) | Self::Text => None,
        }
    }
}
