//! Keys read where they lie: in the pages of a column, in slices, or in two columns of their halves.

use std::ops::Range;

use super::composed::Composed;
use super::slices::{KeySlice, Slices};
use super::{BlockRows, KeyBlock, KeyCursor, KeySource};
use crate::key::Key;
use crate::parallel::{Division, Morsels, look};
use crate::table::{Column, PageOffsets, PagedColumn};
use crate::validity::Validity;

/// Pages that are read together where a column is divided among workers.
const PAGES: usize = 64;

/// Rows of slices that are.
const ROWS: usize = 1 << 17;

/// A key column, read by its pages (R1.1) or slices, or composed of two of these.
#[derive(Debug, Clone)]
pub struct KeyColumn<'a, K> {
    chunks: Chunks<'a, K>,
}

#[derive(Debug, Clone)]
enum Chunks<'a, K> {
    Pages(PagedColumn<'a>),
    Slices(Slices<'a, K>),
    Composed(Composed<'a>),
}

/// A page or a slice of a key column.
#[derive(Debug, Clone, Copy)]
pub struct KeyChunk<'a, K> {
    /// Its keys.
    pub keys: &'a [K],
    /// Where some row is NULL.
    pub validity: Option<Validity<'a>>,
    /// Whether there is a key for each row, though that of a NULL has no meaning: so it is in slices, not in pages.
    pub of_each_row: bool,
}

impl<K> KeyChunk<'_, K> {
    /// Rows, NULLs included.
    #[inline]
    pub fn rows(&self) -> usize {
        self.validity
            .map_or(self.keys.len(), |validity| validity.rows())
    }
}

impl<'a, K: Key> KeyColumn<'a, K> {
    /// The keys of `column`, or `None` where its type is another or it has more than `u32::MAX` rows.
    pub fn new(column: &'a Column) -> Option<Self> {
        Self::of(PagedColumn::new(column)?)
    }

    /// The keys of a column, or `None` where its type is another.
    pub fn of(paged: PagedColumn<'a>) -> Option<Self> {
        (paged.data_type() == K::DATA_TYPE).then_some(Self {
            chunks: Chunks::Pages(paged),
        })
    }

    /// The keys of slices, one after the other, or `None` where they are more than `u32::MAX`.
    pub fn of_slices(slices: Vec<KeySlice<'a, K>>) -> Option<Self> {
        let chunks = Chunks::Slices(Slices::new(slices)?);
        Some(Self { chunks })
    }

    /// Rows, NULLs included.
    pub fn len(&self) -> usize {
        match &self.chunks {
            Chunks::Pages(paged) => paged.offsets().row_count() as usize,
            Chunks::Slices(slices) => slices.len(),
            Chunks::Composed(composed) => composed.len(),
        }
    }

    /// The way from rows to chunks, that is pages or slices; of keys that are composed, to those of their lower halves.
    #[inline]
    pub fn offsets(&self) -> &PageOffsets {
        match &self.chunks {
            Chunks::Pages(paged) => paged.offsets(),
            Chunks::Slices(slices) => slices.offsets(),
            Chunks::Composed(composed) => composed.columns()[0].offsets(),
        }
    }

    /// Chunks.
    #[inline]
    pub fn chunk_count(&self) -> usize {
        self.offsets().starts().len() - 1
    }

    /// The chunk of this number.
    ///
    /// # Panics
    ///
    /// If there is no such chunk, or keys are composed: they lie nowhere.
    #[inline]
    pub fn chunk(&self, number: usize) -> KeyChunk<'_, K> {
        match &self.chunks {
            Chunks::Pages(paged) => {
                let page = &paged.pages()[number];
                KeyChunk {
                    keys: page.fixed(),
                    validity: page.has_nulls().then(|| page.validity()),
                    of_each_row: false,
                }
            }
            Chunks::Slices(slices) => slices.chunk(number),
            Chunks::Composed(_) => panic!("composed keys have no chunk {number}"),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is NULL, from the page headers.
    pub fn has_nulls(&self) -> bool {
        match &self.chunks {
            Chunks::Pages(paged) => paged.has_nulls(),
            Chunks::Slices(slices) => slices.has_nulls(),
            Chunks::Composed(composed) => composed.has_nulls(),
        }
    }

    /// The rows that are NULL, in order.
    pub fn nulls(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match &self.chunks {
            Chunks::Pages(paged) => Box::new(paged.nulls()),
            Chunks::Slices(slices) => Box::new(slices.nulls()),
            Chunks::Composed(composed) => Box::new(composed.nulls()),
        }
    }

    /// Keys, that is rows that are not NULL, from the page headers.
    pub fn keys(&self) -> usize {
        self.parts().map(|(_, keys)| keys).sum()
    }

    /// The column in parts that are worth a worker's while, and how many keys each has.
    pub(super) fn parts(&self) -> Box<dyn Iterator<Item = (Range<usize>, usize)> + '_> {
        match &self.chunks {
            Chunks::Pages(paged) => {
                let pages = paged.pages().chunks(PAGES);
                let starts = paged.offsets().starts();
                Box::new(pages.enumerate().map(move |(nth, pages)| {
                    let (first, end) = (nth * PAGES, nth * PAGES + pages.len());
                    let keys = pages.iter().map(|page| page.fixed::<K>().len());
                    (
                        starts[first] as usize..starts[end] as usize,
                        keys.sum::<usize>(),
                    )
                }))
            }
            Chunks::Slices(_) | Chunks::Composed(_) => {
                Box::new((0..self.len()).step_by(ROWS).map(|first| {
                    let rows = first..self.len().min(first + ROWS);
                    let keys = match &self.chunks {
                        Chunks::Pages(_) => unreachable!("pages are the other arm's"),
                        Chunks::Slices(slices) => slices.keys(rows.clone()),
                        Chunks::Composed(composed) => composed.keys(rows.clone()),
                    };
                    (rows, keys)
                }))
            }
        }
    }

    /// The key of a row, `None` where it is NULL.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn key(&self, row: u32) -> Option<K> {
        match &self.chunks {
            Chunks::Pages(paged) => paged.fixed(row),
            Chunks::Slices(slices) => slices.key(row),
            Chunks::Composed(composed) => composed.key(row),
        }
    }

    /// Asks for the key of a row; in a page with NULLs, for what lies near it.
    #[inline]
    pub(crate) fn prefetch(&self, row: u32) {
        match &self.chunks {
            Chunks::Pages(paged) => paged.prefetch::<K>(row),
            Chunks::Slices(slices) => slices.prefetch(row),
            Chunks::Composed(composed) => composed.prefetch(row),
        }
    }

    /// All rows in order, NULL as `None`.
    pub fn rows(&self) -> Box<dyn Iterator<Item = Option<K>> + '_> {
        match &self.chunks {
            Chunks::Pages(paged) => {
                Box::new(paged.pages().iter().flat_map(|page| page.fixed_rows::<K>()))
            }
            Chunks::Slices(_) | Chunks::Composed(_) => {
                Box::new((0..self.len() as u32).map(|row| self.key(row)))
            }
        }
    }

    /// Calls `each` with the keys of these rows, in order, a run of rows without a NULL at a time: its first row and its keys.
    ///
    /// # Panics
    ///
    /// If there are no such rows, or keys are composed.
    pub(super) fn for_each_run(&self, rows: Range<usize>, mut each: impl FnMut(usize, &[K])) {
        let starts = self.offsets().starts();
        let mut start = rows.start;
        let mut number = match rows.is_empty() {
            true => 0,
            false => self.offsets().locate(start as u32).0,
        };
        while start < rows.end {
            let first = starts[number] as usize;
            let slots = start - first..rows.end.min(starts[number + 1] as usize) - first;
            let chunk = self.chunk(number);
            number += 1;
            match chunk.validity {
                None => each(start, &chunk.keys[slots.clone()]),
                Some(validity) => {
                    let mut skipped = match chunk.of_each_row {
                        true => 0,
                        false => validity.rank(slots.start),
                    };
                    validity.slice(slots.clone()).runs().for_each(|run| {
                        let at = match chunk.of_each_row {
                            true => slots.start + run.start,
                            false => skipped,
                        };
                        skipped += run.len();
                        each(start + run.start, &chunk.keys[at..at + run.len()]);
                    });
                }
            }
            start = first + slots.end;
        }
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
        KeyRows {
            column: self,
            rows,
            announced: true,
        }
    }

    /// A cursor over morsels that are counted from row `first` on.
    fn cursor_from<'s>(&'s self, first: usize, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        match &self.chunks {
            Chunks::Pages(column) => Box::new(PageCursor {
                column,
                morsels,
                first,
                left: 0..0,
                page: 0,
                rows: Vec::new(),
            }),
            Chunks::Slices(slices) => Box::new(slices.cursor_from(first, morsels)),
            Chunks::Composed(composed) => Box::new(composed.cursor_from(first, morsels)),
        }
    }
}

// SAFETY: pages and slices are borrowed and cannot change, and morsels cover every row once.
unsafe impl<K: Key> KeySource<K> for KeyColumn<'_, K> {
    fn rows(&self) -> Option<usize> {
        Some(self.len())
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        division.morsels(self.len())
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        self.cursor_from(0, morsels)
    }
}

impl<'a> KeyColumn<'a, i64> {
    /// Keys of two columns of pages or slices, the lower half of each key from the first one. NULL where either is.
    ///
    /// # Panics
    ///
    /// If the columns have different numbers of rows.
    pub(crate) fn of_two(columns: [&'a KeyColumn<'a, i32>; 2]) -> Self {
        Self {
            chunks: Chunks::Composed(Composed::new(columns)),
        }
    }
}

/// Consecutive rows of a column.
#[derive(Debug, Clone)]
pub struct KeyRows<'a, K> {
    column: &'a KeyColumn<'a, K>,
    rows: Range<usize>,
    announced: bool,
}

impl<K> KeyRows<'_, K> {
    /// The same rows, whose number is not told before they have been read: a stream (R4.1) of what is there already.
    #[must_use]
    pub fn unannounced(self) -> Self {
        Self {
            announced: false,
            ..self
        }
    }
}

// SAFETY: pages and slices are borrowed and cannot change, and morsels cover each of the rows once.
unsafe impl<K: Key> KeySource<K> for KeyRows<'_, K> {
    fn rows(&self) -> Option<usize> {
        self.announced.then_some(self.rows.len())
    }

    fn divide(&self, division: Division) -> Vec<Morsels> {
        division.morsels(self.rows.len())
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        self.column.cursor_from(self.rows.start, morsels)
    }
}

/// Walks the pages under the morsels it gets; a block is what a page and a morsel share.
struct PageCursor<'s> {
    column: &'s PagedColumn<'s>,
    morsels: Morsels,
    /// Row that morsels are counted from.
    first: usize,
    left: Range<usize>,
    page: usize,
    rows: Vec<u32>,
}

impl<K: Key> KeyCursor<K> for PageCursor<'_> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        look();
        let column = self.column;
        let starts = column.offsets().starts();
        loop {
            if self.left.is_empty() {
                let morsel = self.morsels.next()?;
                self.left = morsel.start + self.first..morsel.end + self.first;
                self.page = column.offsets().locate(self.left.start as u32).0;
            }
            let page = &column.pages()[self.page];
            let first = starts[self.page] as usize;
            let end = self.left.end.min(starts[self.page + 1] as usize);
            let slots = self.left.start - first..end - first;
            self.left.start = end;
            self.page += 1;
            if slots.is_empty() {
                continue;
            }
            let values = page.fixed::<K>();
            if !page.has_nulls() {
                return Some(KeyBlock {
                    keys: &values[slots.clone()],
                    rows: BlockRows::From((first + slots.start) as u32),
                });
            }
            let validity = page.validity();
            let skipped = validity.rank(slots.start);
            self.rows.clear();
            let start = first + slots.start;
            validity.slice(slots).runs().for_each(|run| {
                let rows = start + run.start..start + run.end;
                self.rows.extend(rows.start as u32..rows.end as u32);
            });
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
