//! A column read by its rows.

use super::{Column, PageOffsets};
use crate::page::{DataType, Fixed, Page, PageKind};
use crate::prefetch::prefetch_read;

/// Pages whose headers are asked for ahead: each is a line of its own.
const AHEAD: usize = 16;

/// A column's pages, and the way to them from its rows: what one walk over the page headers tells (R1.1, R1.4).
#[derive(Clone, Debug)]
pub struct PagedColumn<'a> {
    data_type: DataType,
    pages: &'a [Page],
    offsets: PageOffsets,
    nulls: bool,
    /// Whether there are no pages but plain ones.
    only_plain: bool,
}

impl<'a> PagedColumn<'a> {
    /// The pages of `column`, `None` if it has more than `u32::MAX` rows, which no column of a table has.
    pub fn new(column: &'a Column) -> Option<Self> {
        let pages = column.pages();
        let (mut nulls, mut only_plain) = (false, true);
        let counts = pages.iter().enumerate().map(|(number, page)| {
            prefetch_read(pages.as_ptr().wrapping_add(number + AHEAD));
            nulls |= page.has_nulls();
            only_plain &= page.kind() == PageKind::Plain;
            page.rows()
        });
        Some(Self {
            data_type: column.data_type(),
            pages,
            offsets: PageOffsets::from_row_counts(counts)?,
            nulls,
            only_plain,
        })
    }

    /// The type of the values.
    #[inline]
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The pages in order.
    #[inline]
    pub fn pages(&self) -> &'a [Page] {
        self.pages
    }

    /// The way from rows to pages.
    #[inline]
    pub fn offsets(&self) -> &PageOffsets {
        &self.offsets
    }

    /// Whether a row is NULL.
    #[inline]
    pub fn has_nulls(&self) -> bool {
        self.nulls
    }

    /// Whether there is neither a NULL nor a long string: then a page has as many values as rows, and its header, which is a
    /// line in the same few sets of a cache as those of all others, need not be read.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.only_plain && !self.nulls
    }

    /// The rows that are NULL, in order.
    pub fn nulls(&self) -> impl Iterator<Item = u32> + '_ {
        let pages = self.pages.iter().zip(self.offsets.starts());
        let with_nulls = pages.filter(|(page, _)| page.has_nulls());
        with_nulls.flat_map(|(page, &first)| {
            let slots = page.validity().nulls();
            slots.map(move |slot| first + slot as u32)
        })
    }

    /// The value of a row of a column of fixed width; `None` where it is NULL.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn fixed<T: Fixed>(&self, row: u32) -> Option<T> {
        let (page, slot) = self.offsets.locate(row);
        match self.is_plain() {
            true => Some(self.pages[page].fixed_room()[slot]),
            false => self.pages[page].fixed_at(slot),
        }
    }

    /// Asks for the value of a row; in a page with NULLs, for what lies near it.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn prefetch<T: Fixed>(&self, row: u32) {
        let (page, slot) = self.offsets.locate(row);
        let values = self.pages[page].bytes().as_ptr().wrapping_add(T::VALUES_AT);
        prefetch_read(values.wrapping_add(slot * T::WIDTH));
    }
}
