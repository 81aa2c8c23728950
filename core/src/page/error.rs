//! What can be wrong with a page that comes from outside.

use super::{DataType, LONG_PAGE_BYTES, PAGE_BYTES};

/// A page that does not follow the format. One line: where, what, and how to fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("page {page}, byte {byte} of the page (byte {} of the file): {fault}", .page * PAGE_BYTES + .byte)]
pub struct PageError {
    /// The page, counted from 0.
    pub page: usize,
    /// The byte in the page where the fault shows.
    pub byte: usize,
    /// What is wrong.
    pub fault: PageFault,
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// More values than rows.
    #[error(
        "{values} values in a page of {rows} rows; n_v must be at most n_r: write the page again"
    )]
    MoreValuesThanRows {
        /// n_r.
        rows: usize,
        /// n_v.
        values: usize,
    },
    /// The values run into the bitmap.
    #[error(
        "{values} {data_type} values end at byte {end}, but the bitmap of {rows} rows begins at byte \
         {bitmap}; check that the column is {data_type}, or write the page again with fewer rows"
    )]
    ValuesOverlapBitmap {
        /// The type that the column was declared to have.
        data_type: DataType,
        /// n_r.
        rows: usize,
        /// n_v.
        values: usize,
        /// The byte after the last value.
        end: usize,
        /// The first byte of the bitmap; negative where n_r rows need a bitmap larger than the page.
        bitmap: isize,
    },
    /// The bitmap has another number of set bits than the header says there are values.
    #[error(
        "the bitmap marks {marked} of {rows} rows as valid, but the header says {values} values; \
         set n_v to the number of set bits, or fix the bitmap"
    )]
    BitmapContradictsHeader {
        /// n_r.
        rows: usize,
        /// n_v.
        values: usize,
        /// Set bits among the first n_r.
        marked: usize,
    },
    /// A string ends before it begins.
    #[error(
        "string {value} ends at offset {end}, before the one in front of it at {start}; \
         end offsets must not run backwards: write the page again"
    )]
    OffsetsRunBackwards {
        /// The index among the values.
        value: usize,
        /// The end of the string before.
        start: usize,
        /// Its own end.
        end: usize,
    },
    /// A string ends in the bitmap or beyond the page.
    #[error(
        "string {value} ends at offset {end}, but there is room for {room} characters before the \
         bitmap; check that the column is VARCHAR, or write the page again"
    )]
    OffsetOutsidePage {
        /// The index among the values.
        value: usize,
        /// Its end, relative to the first character.
        end: usize,
        /// Bytes between the end offsets and the bitmap.
        room: usize,
    },
    /// A long string page in a column of fixed width.
    #[error(
        "n_r is {marker:#06x}, a page of a long string, in an {data_type} column; \
         check the type that the column was declared to have"
    )]
    LongPageInFixedColumn {
        /// The type that the column was declared to have.
        data_type: DataType,
        /// n_r.
        marker: u16,
    },
    /// A following page without its first page.
    #[error(
        "n_r is 0xfffe, the following page of a long string, but no page of a long string precedes \
         it; restore the missing 0xffff page or remove this one"
    )]
    LongNextWithoutFirst,
    /// A page of a long string that claims more characters than fit.
    #[error(
        "{chars} characters in a page of a long string, which holds at most {LONG_PAGE_BYTES}; \
         put the rest into a following page"
    )]
    LongPageOverflow {
        /// n_v.
        chars: usize,
    },
}
