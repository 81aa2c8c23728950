//! References to values.

use join_core::page::{DataType, HEADER_BYTES, PAGE_BYTES, PageKind, WIDE_VALUES_AT};
use join_core::prefetch::prefetch_read;
use join_core::table::PagedColumn;

/// Values whose pages are asked for ahead of the one that is looked up.
const AHEAD: usize = 16;

/// A value as 8 bytes: where it begins in its column's pages, and of a string how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValuePlace(u64);

impl ValuePlace {
    /// No value.
    pub const NULL: ValuePlace = ValuePlace(u64::MAX);
    /// The length of a string that has pages of its own: the place is its first page then.
    pub const LONG: u16 = 0xffff;

    #[inline]
    pub fn new(at: usize, length: u16) -> ValuePlace {
        debug_assert!(at < 1 << 48);
        ValuePlace(u64::from(length) << 48 | at as u64)
    }

    /// Where the value of a row lies.
    #[inline]
    pub fn of(paged: &PagedColumn<'_>, row: u32) -> ValuePlace {
        let (number, slot) = paged.offsets().locate(row);
        let page = &paged.pages()[number];
        if page.kind() != PageKind::Plain {
            return ValuePlace::new(number * PAGE_BYTES, ValuePlace::LONG);
        }
        let Some(rank) = page.rank_of(slot) else {
            return ValuePlace::NULL;
        };
        let (at, length) = match paged.data_type() {
            DataType::Int32 => (HEADER_BYTES + 4 * rank, 0),
            DataType::Int64 | DataType::Fp64 => (WIDE_VALUES_AT + 8 * rank, 0),
            DataType::Varchar => {
                let ends = page.strings().ends();
                let start = if rank == 0 { 0 } else { ends[rank - 1] };
                let chars = HEADER_BYTES + 2 * ends.len() + start as usize;
                (chars, ends[rank] - start)
            }
        };
        ValuePlace::new(number * PAGE_BYTES + at, length)
    }

    /// Where the values of rows lie, in order.
    pub fn of_all<'r>(
        paged: &'r PagedColumn<'_>,
        rows: impl ExactSizeIterator<Item = u32> + Clone + 'r,
    ) -> impl Iterator<Item = ValuePlace> + 'r {
        let mut ahead = rows.clone().skip(AHEAD);
        rows.map(move |row| {
            if let Some(row) = ahead.next() {
                ValuePlace::ask(paged, row);
            }
            ValuePlace::of(paged, row)
        })
    }

    /// Asks for what [`ValuePlace::of`] reads of a page: a line each of its header, its bitmap and the ends of its strings. What
    /// stands in one says where to look in the next, so without this they are waited for one after the other.
    #[inline]
    fn ask(paged: &PagedColumn<'_>, row: u32) {
        let (number, slot) = paged.offsets().locate(row);
        let page = paged.pages().as_ptr().wrapping_add(number).cast::<u8>();
        prefetch_read(page);
        if paged.data_type() == DataType::Varchar {
            // Where it has NULLs, the end lies before.
            prefetch_read(page.wrapping_add(HEADER_BYTES + 2 * slot));
        }
        if paged.has_nulls() {
            let starts = paged.offsets().starts();
            let rows = (starts[number + 1] - starts[number]) as usize;
            prefetch_read(page.wrapping_add(PAGE_BYTES - rows.div_ceil(8) + slot / 8));
        }
    }

    /// The byte of the column where the value begins.
    #[inline]
    pub fn at(self) -> usize {
        (self.0 & ((1 << 48) - 1)) as usize
    }

    /// The length of a string.
    #[inline]
    pub fn length(self) -> u16 {
        (self.0 >> 48) as u16
    }
}
