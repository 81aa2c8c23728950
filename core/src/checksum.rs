//! The order-independent checksum by which implementations of a join are compared.
//!
//! A row's hash is FNV-1a 64 over its fields in column order; the hashes of all rows are added with
//! wrapping. So the bag of rows counts, not their order.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::table::{Table, Value};

/// A checksum. Prints, parses and serialises as 16 hex digits; adds with wrapping.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Checksum(pub u64);

/// A text that is no checksum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a checksum; write 16 hex digits")]
pub struct NotAChecksum(String);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl FromStr for Checksum {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Checksum, NotAChecksum> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(bits) if is_hex => Ok(Checksum(bits)),
            _ => Err(NotAChecksum(text.to_owned())),
        }
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> String {
        checksum.to_string()
    }
}

impl TryFrom<String> for Checksum {
    type Error = NotAChecksum;

    fn try_from(text: String) -> Result<Checksum, NotAChecksum> {
        text.parse()
    }
}

impl AddAssign for Checksum {
    #[inline]
    fn add_assign(&mut self, other: Checksum) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Add for Checksum {
    type Output = Checksum;

    #[inline]
    fn add(mut self, other: Checksum) -> Checksum {
        self += other;
        self
    }
}

impl AddAssign<RowHasher> for Checksum {
    #[inline]
    fn add_assign(&mut self, row: RowHasher) {
        *self += Checksum(row.finish());
    }
}

impl Sum for Checksum {
    fn sum<I: Iterator<Item = Checksum>>(parts: I) -> Checksum {
        parts.fold(Checksum::default(), Add::add)
    }
}

/// The hash of one row, field by field in column order.
#[derive(Clone, Copy, Debug)]
pub struct RowHasher(u64);

impl RowHasher {
    /// A row without fields.
    #[inline]
    pub const fn new() -> RowHasher {
        RowHasher(0xcbf2_9ce4_8422_2325)
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// An INT64 field, or an INT32 field sign-extended.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    /// An FP64 field, by its bits.
    #[inline]
    pub fn float(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// A VARCHAR field: its length as 8 bytes, then its bytes.
    #[inline]
    pub fn string(&mut self, value: &[u8]) {
        self.bytes(&(value.len() as u64).to_le_bytes());
        self.bytes(value);
    }

    /// A NULL field: eight bytes 0xff and one 0x01.
    #[inline]
    pub fn null(&mut self) {
        self.bytes(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }

    /// A field of any type.
    #[inline]
    pub fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => self.null(),
            Value::Int32(value) => self.int((*value).into()),
            Value::Int64(value) => self.int(*value),
            Value::Fp64(value) => self.float(*value),
            Value::Varchar(value) => self.string(value),
        }
    }

    /// The hash of the fields so far.
    #[inline]
    pub const fn finish(self) -> u64 {
        self.0
    }
}

impl Default for RowHasher {
    fn default() -> RowHasher {
        RowHasher::new()
    }
}

/// The hash of a row of INT64 fields.
#[inline]
pub fn checksum_int64_row(fields: &[i64]) -> u64 {
    let mut row = RowHasher::new();
    for &field in fields {
        row.int(field);
    }
    row.finish()
}

/// The checksum of a table.
pub fn checksum(table: &Table) -> Checksum {
    // Column by column within a block: the hash states of a block stay in the L1 cache, and each
    // column is read in long runs.
    const BLOCK: usize = 1024;
    let mut columns: Vec<_> = table
        .columns()
        .iter()
        .map(|column| column.column.values())
        .collect();
    let mut sum = Checksum::default();
    let mut left = table.num_rows();
    while left > 0 {
        let mut rows = [RowHasher::new(); BLOCK];
        let rows = &mut rows[..left.min(BLOCK)];
        for column in &mut columns {
            for (row, value) in rows.iter_mut().zip(column) {
                row.value(&value);
            }
        }
        rows.iter().for_each(|row| sum += *row);
        left -= rows.len();
    }
    sum
}
