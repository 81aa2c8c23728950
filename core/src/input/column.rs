//! Keys read where they lie in the pages of a column.

use std::ops::Range;

use super::{BlockRows, KeyBlock, KeyCursor, KeySource};
use crate::key::Key;
use crate::page::Page;
use crate::parallel::{MorselSize, Morsels, Sharing, morsels};
use crate::table::Column;

/// A key column: its pages and the rows before each ("page offsets", R1.1).
#[derive(Debug, Clone)]
pub struct KeyColumn<'a, K> {
    pages: &'a [Page],
    /// `offsets[p]` rows come before page p; one entry more than pages.
    offsets: Vec<u32>,
    nulls: bool,
    marker: std::marker::PhantomData<K>,
}

impl<'a, K: Key> KeyColumn<'a, K> {
    /// The keys of `column`, or `None` where its type is another or it has more than `u32::MAX` rows.
    pub fn new(column: &'a Column) -> Option<Self> {
        if column.data_type() != K::DATA_TYPE {
            return None;
        }
        let pages = column.pages();
        let mut offsets = Vec::with_capacity(pages.len() + 1);
        let mut rows = 0_u32;
        let mut nulls = false;
        offsets.push(0);
        for page in pages {
            rows = rows.checked_add(page.rows() as u32)?;
            nulls |= page.has_nulls();
            offsets.push(rows);
        }
        Some(Self {
            pages,
            offsets,
            nulls,
            marker: std::marker::PhantomData,
        })
    }

    /// Rows, NULLs included.
    pub fn len(&self) -> usize {
        self.offsets[self.pages.len()] as usize
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is NULL, from the page headers.
    pub fn has_nulls(&self) -> bool {
        self.nulls
    }

    /// Keys, that is rows that are not NULL, from the page headers.
    pub fn keys(&self) -> usize {
        self.pages.iter().map(|page| K::values(page).len()).sum()
    }

    /// The page of a row and the row's place in it.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn locate(&self, row: u32) -> (usize, usize) {
        assert!((row as usize) < self.len(), "row {row} of {}", self.len());
        let page = self.offsets.partition_point(|&first| first <= row) - 1;
        (page, (row - self.offsets[page]) as usize)
    }

    /// The row that a place in a page is.
    pub fn row(&self, page: usize, slot: usize) -> u32 {
        self.offsets[page] + slot as u32
    }

    /// The key of a row, `None` where it is NULL.
    pub fn key(&self, row: u32) -> Option<K> {
        let (page, slot) = self.locate(row);
        let page = &self.pages[page];
        if !page.has_nulls() {
            return Some(K::values(page)[slot]);
        }
        let validity = page.validity();
        validity
            .is_valid(slot)
            .then(|| K::values(page)[validity.rank(slot)])
    }

    /// The pages.
    pub fn pages(&self) -> &'a [Page] {
        self.pages
    }

    /// Rows before each page, and in all.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The keys of these rows alone.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    pub fn slice(&self, rows: Range<usize>) -> KeyRows<'_, K> {
        assert!(
            rows.start <= rows.end && rows.end <= self.len(),
            "rows {rows:?} of {}",
            self.len()
        );
        KeyRows { column: self, rows }
    }

    /// A cursor over morsels that are counted from row `first` on.
    fn cursor(&self, morsels: Morsels, first: usize) -> PageCursor<'_, K> {
        PageCursor {
            column: self,
            morsels,
            first,
            left: 0..0,
            page: 0,
            rows: Vec::new(),
        }
    }
}

// SAFETY: the pages are borrowed and cannot change, and morsels cover every row once.
unsafe impl<K: Key> KeySource<K> for KeyColumn<'_, K> {
    fn rows(&self) -> Option<usize> {
        Some(self.len())
    }

    fn cursors<'s>(
        &'s self,
        workers: usize,
        sharing: Sharing,
        morsel: MorselSize,
    ) -> Vec<Box<dyn KeyCursor<K> + 's>> {
        cursors(self, 0..self.len(), workers, sharing, morsel)
    }
}

/// Cursors over some rows of a column.
fn cursors<'s, K: Key>(
    column: &'s KeyColumn<'_, K>,
    rows: Range<usize>,
    workers: usize,
    sharing: Sharing,
    morsel: MorselSize,
) -> Vec<Box<dyn KeyCursor<K> + 's>> {
    let size = morsel.units(rows.len(), workers);
    morsels(rows.len(), size, workers, sharing)
        .into_iter()
        .map(|morsels| Box::new(column.cursor(morsels, rows.start)) as Box<dyn KeyCursor<K> + 's>)
        .collect()
}

/// Consecutive rows of a column.
#[derive(Debug, Clone)]
pub struct KeyRows<'a, K> {
    column: &'a KeyColumn<'a, K>,
    rows: Range<usize>,
}

// SAFETY: the pages are borrowed and cannot change, and morsels cover each of the rows once.
unsafe impl<K: Key> KeySource<K> for KeyRows<'_, K> {
    fn rows(&self) -> Option<usize> {
        Some(self.rows.len())
    }

    fn cursors<'s>(
        &'s self,
        workers: usize,
        sharing: Sharing,
        morsel: MorselSize,
    ) -> Vec<Box<dyn KeyCursor<K> + 's>> {
        cursors(self.column, self.rows.clone(), workers, sharing, morsel)
    }
}

/// A column that does not tell its number of rows before it has been read: a stream (R4.1) of what is there already.
#[derive(Debug, Clone, Copy)]
pub struct Unannounced<'a, K>(pub &'a KeyColumn<'a, K>);

// SAFETY: the source does not know its rows.
unsafe impl<K: Key> KeySource<K> for Unannounced<'_, K> {
    fn rows(&self) -> Option<usize> {
        None
    }

    fn cursors<'s>(
        &'s self,
        workers: usize,
        sharing: Sharing,
        morsel: MorselSize,
    ) -> Vec<Box<dyn KeyCursor<K> + 's>> {
        self.0.cursors(workers, sharing, morsel)
    }
}

/// Walks the pages under the morsels it gets; a block is what a page and a morsel share.
struct PageCursor<'s, K> {
    column: &'s KeyColumn<'s, K>,
    morsels: Morsels,
    /// Row that morsels are counted from.
    first: usize,
    left: Range<usize>,
    page: usize,
    rows: Vec<u32>,
}

impl<K: Key> KeyCursor<K> for PageCursor<'_, K> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        let column = self.column;
        loop {
            if self.left.is_empty() {
                let morsel = self.morsels.next()?;
                self.left = morsel.start + self.first..morsel.end + self.first;
                self.page = column.locate(self.left.start as u32).0;
            }
            let page = &column.pages[self.page];
            let first = column.offsets[self.page] as usize;
            let end = self.left.end.min(column.offsets[self.page + 1] as usize);
            let slots = self.left.start - first..end - first;
            self.left.start = end;
            self.page += 1;
            if slots.is_empty() {
                continue;
            }
            let values = K::values(page);
            if !page.has_nulls() {
                return Some(KeyBlock {
                    keys: &values[slots.clone()],
                    rows: BlockRows::From((first + slots.start) as u32),
                });
            }
            let validity = page.validity();
            let skipped = validity.rank(slots.start);
            self.rows.clear();
            self.rows.extend(
                validity
                    .valid_rows()
                    .skip(skipped)
                    .take_while(|&slot| slot < slots.end)
                    .map(|slot| (first + slot) as u32),
            );
            if !self.rows.is_empty() {
                let keys = &values[skipped..skipped + self.rows.len()];
                return Some(KeyBlock {
                    keys,
                    rows: BlockRows::List(&self.rows),
                });
            }
        }
    }
}
