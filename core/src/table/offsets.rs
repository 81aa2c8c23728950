//! From rows to pages.

use std::ops::Range;

use crate::page::Page;

/// The prefix sum of page row counts (R1.1): page p holds the rows `starts[p]..starts[p + 1]`.
///
/// Pages without rows, such as the following pages of a long string, are never the answer of a lookup.
#[derive(Clone, Debug)]
pub struct PageOffsets {
    starts: Box<[u32]>,
    /// Where all pages but the last hold the same number of rows d > 1, as those of a column without
    /// NULLs do: 2^64 / d rounded up, which divides any `u32` exactly by a multiplication (Lemire,
    /// Kaser, Kurz 2019). Otherwise 0.
    reciprocal: u64,
}

impl PageOffsets {
    /// The offsets of these pages.
    ///
    /// # Panics
    /// If they hold more than `u32::MAX` rows, which no table does.
    pub fn new(pages: &[Page]) -> PageOffsets {
        PageOffsets::from_row_counts(pages.iter().map(Page::rows))
    }

    /// The offsets of pages with these numbers of rows.
    ///
    /// # Panics
    /// As [`PageOffsets::new`].
    pub fn from_row_counts(counts: impl ExactSizeIterator<Item = usize>) -> PageOffsets {
        let mut starts = Vec::with_capacity(counts.len() + 1);
        let mut next = 0u32;
        starts.push(next);
        for rows in counts {
            let end = u32::try_from(rows)
                .ok()
                .and_then(|rows| next.checked_add(rows));
            next = end.expect("a table holds at most u32::MAX rows");
            starts.push(next);
        }
        PageOffsets {
            reciprocal: reciprocal(&starts),
            starts: starts.into(),
        }
    }

    /// The number of rows.
    #[inline]
    pub fn row_count(&self) -> u32 {
        self.starts[self.starts.len() - 1]
    }

    /// The number of pages.
    #[inline]
    pub fn page_count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The first row of each page, and at last the number of rows.
    #[inline]
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The rows of a page.
    #[inline]
    pub fn rows_of(&self, page: usize) -> Range<u32> {
        self.starts[page]..self.starts[page + 1]
    }

    /// The page that holds a row, and the row's slot in it.
    ///
    /// # Panics
    /// If `row` is not below [`PageOffsets::row_count`].
    #[inline]
    pub fn locate(&self, row: u32) -> (usize, usize) {
        assert!(row < self.row_count(), "no such row");
        let page = if self.reciprocal != 0 {
            ((u128::from(self.reciprocal) * u128::from(row)) >> 64) as usize
        } else {
            self.starts.partition_point(|&start| start <= row) - 1
        };
        (page, (row - self.starts[page]) as usize)
    }

    /// The pages that a range of rows lies in, each with its slots in that range. This is how a morsel
    /// becomes runs of dense values.
    ///
    /// # Panics
    /// If the range ends beyond [`PageOffsets::row_count`].
    pub fn slots_in(&self, rows: Range<u32>) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let Range { start, end } = rows;
        assert!(end <= self.row_count(), "no such row");
        let first = if start < end {
            self.locate(start).0
        } else {
            self.page_count()
        };
        (first..self.page_count())
            .map(move |page| {
                let of_page = self.rows_of(page);
                let slot =
                    |row: u32| (row.clamp(of_page.start, of_page.end) - of_page.start) as usize;
                (page, slot(start)..slot(end))
            })
            .take_while(move |&(page, _)| self.starts[page] < end)
            .filter(|(_, slots)| !slots.is_empty())
    }
}

fn reciprocal(starts: &[u32]) -> u64 {
    let rows = starts.windows(2).map(|pair| pair[1] - pair[0]);
    let Some(first) = rows.clone().next() else {
        return 0;
    };
    let (full, last) = (starts.len() - 2, rows.clone().next_back().unwrap_or(0));
    if first > 1 && last <= first && rows.take(full).all(|rows| rows == first) {
        u64::MAX / u64::from(first) + 1
    } else {
        0
    }
}
