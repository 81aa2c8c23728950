//! From rows to places in pages.

use join_core::page::{DataType, HEADER_BYTES, PAGE_BYTES, Page, PageKind, WIDE_VALUES_AT};
use join_core::prefetch::prefetch_read;
use join_core::table::Column;

use crate::result::Cell;

/// Pages whose headers are asked for ahead.
const AHEAD: usize = 16;

/// A column and the first row of each of its pages.
pub(super) struct Paged<'a> {
    pub data_type: DataType,
    pub pages: &'a [Page],
    /// The first row of each page, and at last the number of rows.
    pub starts: Vec<u32>,
    pub nulls: bool,
    /// Of each run of 2^`shift` rows, the page of the first.
    hints: Vec<u32>,
    shift: u32,
}

impl<'a> Paged<'a> {
    pub fn new(column: &'a Column) -> Paged<'a> {
        let pages = column.pages();
        let mut starts = Vec::with_capacity(pages.len() + 1);
        let mut row = 0;
        let mut nulls = false;
        starts.push(0);
        for (number, page) in pages.iter().enumerate() {
            prefetch_read(pages.as_ptr().wrapping_add(number + AHEAD));
            row += page.rows() as u32;
            nulls |= page.has_nulls();
            starts.push(row);
        }
        Paged {
            data_type: column.data_type(),
            pages,
            starts,
            nulls,
            hints: Vec::new(),
            shift: 0,
        }
    }

    pub fn rows(&self) -> usize {
        self.starts[self.pages.len()] as usize
    }

    /// The page of a row, searched by halves.
    pub fn page_of(&self, row: u32) -> usize {
        self.starts.partition_point(|&start| start <= row) - 1
    }

    /// Prepares [`Paged::place`].
    pub fn with_hints(mut self) -> Paged<'a> {
        let rows = self.rows();
        let rows_a_page = (rows / self.pages.len().max(1)).max(1);
        self.shift = rows_a_page.ilog2();
        self.hints.reserve((rows >> self.shift) + 1);
        let mut page = 0;
        for first in (0..rows as u32).step_by(1 << self.shift) {
            while self.starts[page + 1] <= first {
                page += 1;
            }
            self.hints.push(page as u32);
        }
        self
    }

    /// Page and slot of a row, by the hints.
    #[inline]
    fn place(&self, row: u32) -> (usize, usize) {
        let mut page = self.hints[(row >> self.shift) as usize] as usize;
        while self.starts[page + 1] <= row {
            page += 1;
        }
        (page, (row - self.starts[page]) as usize)
    }

    /// Where the value of a row lies.
    #[inline]
    pub fn cell(&self, row: u32) -> Cell {
        let (number, slot) = self.place(row);
        let page = &self.pages[number];
        if page.kind() != PageKind::Plain {
            return Cell::new(number * PAGE_BYTES, Cell::LONG);
        }
        let value = if page.has_nulls() {
            let validity = page.validity();
            if !validity.is_valid(slot) {
                return Cell::NULL;
            }
            validity.rank(slot)
        } else {
            slot
        };
        match self.data_type {
            DataType::Int32 => Cell::new(number * PAGE_BYTES + HEADER_BYTES + 4 * value, 0),
            DataType::Int64 | DataType::Fp64 => {
                Cell::new(number * PAGE_BYTES + WIDE_VALUES_AT + 8 * value, 0)
            }
            DataType::Varchar => {
                let ends = page.strings().ends();
                let start = if value == 0 { 0 } else { ends[value - 1] };
                let chars = HEADER_BYTES + 2 * ends.len() + start as usize;
                Cell::new(number * PAGE_BYTES + chars, ends[value] - start)
            }
        }
    }
}
