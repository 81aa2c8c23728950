//! The page: 8192 bytes of one column, in the format of the SIGMOD 2025 programming contest.
//!
//! `docs/page-format.md` has the byte pictures. Every reader here is safe on any 8192 bytes: counts
//! that do not fit the page are cut to what does, and offsets that point outside read as empty. What
//! such a page *means* is only defined once [`validate`] has accepted it, so pages from outside go
//! through it once, and no reader has to look again.

mod error;
mod fixed;
mod validate;
mod validity;
mod varchar;
mod writer;

pub use error::{PageError, PageFault};
pub use fixed::Fixed;
pub use validate::{ValidatedCounts, Validator, validate};
pub use varchar::{Strings, long_string, long_string_pages};
pub use writer::{FixedWriter, VarcharWriter, full_page, rows_per_full_page};

use serde::{Deserialize, Serialize};

#[cfg(not(target_endian = "little"))]
compile_error!("pages are little-endian and read in place");

/// Bytes of a page.
pub const PAGE_BYTES: usize = 8192;
/// Where the `u16` number of rows n_r lies.
pub const ROWS_AT: usize = 0;
/// Where the `u16` number of values n_v lies.
pub const VALUES_AT: usize = 2;
/// Bytes of the header; INT32 values, VARCHAR end offsets and the characters of a long string follow it.
pub const HEADER_BYTES: usize = 4;
/// Where the values of 8 bytes (INT64, FP64) begin.
pub const WIDE_VALUES_AT: usize = 8;
/// n_r of the first page of a long string.
pub const LONG_FIRST: u16 = 0xffff;
/// n_r of every following page of a long string.
pub const LONG_NEXT: u16 = 0xfffe;
/// The longest string that a plain page holds: beside it one end offset and one byte of bitmap.
pub const PLAIN_STRING_BYTES: usize = PAGE_BYTES - HEADER_BYTES - 2 - 1;
/// The characters that one page of a long string holds at most.
pub const LONG_PAGE_BYTES: usize = PAGE_BYTES - HEADER_BYTES;

/// One page. Its bytes are aligned to 8, so all fixed-width values are read in place.
#[derive(Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(8))]
pub struct Page([u8; PAGE_BYTES]);

const _: () = assert!(size_of::<Page>() == PAGE_BYTES && align_of::<Page>() == 8);

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DataType {
    /// 4-byte signed integers.
    Int32,
    /// 8-byte signed integers.
    Int64,
    /// 8-byte IEEE 754 floating-point numbers.
    Fp64,
    /// Byte strings of any length; mostly UTF-8, which nothing here relies on.
    Varchar,
}

impl DataType {
    /// All types.
    pub const ALL: [DataType; 4] = [
        DataType::Int32,
        DataType::Int64,
        DataType::Fp64,
        DataType::Varchar,
    ];

    /// The name in plans and table files, such as `INT32`.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::Int32 => "INT32",
            DataType::Int64 => "INT64",
            DataType::Fp64 => "FP64",
            DataType::Varchar => "VARCHAR",
        }
    }
}

impl std::fmt::Display for DataType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What a page is, by its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Rows, values and a bitmap.
    Plain,
    /// The first page of one long string: one row.
    LongFirst,
    /// A following page of the long string before it: no row.
    LongNext,
}

impl Page {
    /// A plain page without rows.
    pub const EMPTY: Page = Page([0; PAGE_BYTES]);

    /// A page of these bytes.
    pub const fn from_bytes(bytes: [u8; PAGE_BYTES]) -> Page {
        Page(bytes)
    }

    /// All bytes of the page.
    #[inline]
    pub const fn bytes(&self) -> &[u8; PAGE_BYTES] {
        &self.0
    }

    /// All bytes of the page, to be written.
    #[inline]
    pub const fn bytes_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        &mut self.0
    }

    /// The two header fields (n_r, n_v) as they stand there.
    #[inline]
    pub const fn header(&self) -> (u16, u16) {
        let b = &self.0;
        (
            u16::from_le_bytes([b[ROWS_AT], b[ROWS_AT + 1]]),
            u16::from_le_bytes([b[VALUES_AT], b[VALUES_AT + 1]]),
        )
    }

    /// Writes the two header fields.
    #[inline]
    pub const fn set_header(&mut self, rows: u16, values: u16) {
        let [r0, r1] = rows.to_le_bytes();
        let [v0, v1] = values.to_le_bytes();
        self.0[ROWS_AT] = r0;
        self.0[ROWS_AT + 1] = r1;
        self.0[VALUES_AT] = v0;
        self.0[VALUES_AT + 1] = v1;
    }

    /// What kind of page this is. Only VARCHAR columns have long pages.
    #[inline]
    pub const fn kind(&self) -> PageKind {
        match self.header().0 {
            LONG_FIRST => PageKind::LongFirst,
            LONG_NEXT => PageKind::LongNext,
            _ => PageKind::Plain,
        }
    }

    /// Rows of the page: n_r; 1 for the first page of a long string, 0 for its following pages.
    #[inline]
    pub const fn rows(&self) -> usize {
        match self.header().0 {
            LONG_FIRST => 1,
            LONG_NEXT => 0,
            rows => rows as usize,
        }
    }

    /// Values of the page, that is rows that are not NULL: n_v; for long strings as in [`Page::rows`].
    #[inline]
    pub const fn values(&self) -> usize {
        match self.header() {
            (LONG_FIRST, _) => 1,
            (LONG_NEXT, _) => 0,
            (_, values) => values as usize,
        }
    }

    /// Whether a row is NULL, from the header alone (R1.4).
    #[inline]
    pub const fn has_nulls(&self) -> bool {
        self.values() < self.rows()
    }

    /// The characters that one page of a long string holds; the string goes on in the following
    /// [`PageKind::LongNext`] pages. Empty for a plain page.
    #[inline]
    pub fn long_bytes(&self) -> &[u8] {
        match self.header() {
            (LONG_FIRST | LONG_NEXT, chars) => {
                &self.0[HEADER_BYTES..][..(chars as usize).min(LONG_PAGE_BYTES)]
            }
            _ => &[],
        }
    }
}

impl Default for Page {
    fn default() -> Page {
        Page::EMPTY
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (rows, values) = self.header();
        write!(f, "Page {{ n_r: {rows:#06x}, n_v: {values:#06x}, .. }}")
    }
}
