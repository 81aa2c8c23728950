//! A worker's place in a column.

use join_core::page::Page;
use join_core::table::PagedColumn;

use crate::pipelined::keys::PlanKey;

/// A worker's place in a column: a page and, where that has NULLs, its bitmap and the values before each word of it.
#[derive(Default)]
pub(super) struct Cursor {
    pub page: usize,
    unpacked: Option<usize>,
    pub words: Vec<u64>,
    before: Vec<u32>,
}

impl Cursor {
    /// Moves to the page of a row. Rows ascend within a morsel, and morsels do.
    #[inline(always)]
    pub fn seek(&mut self, paged: &PagedColumn<'_>, row: u32) {
        let starts = &paged.offsets().starts();
        if row < starts[self.page] || row >= starts[self.page + 1] {
            // Mostly the next page; a page without rows may lie in between.
            let next = self.page + 1;
            self.page = match starts.get(next + 1) {
                Some(&end) if row >= starts[next] && row < end => next,
                _ => paged.offsets().locate(row).0,
            };
        }
    }

    /// Reads the bitmap of a page with NULLs.
    #[inline(always)]
    pub fn unpack(&mut self, number: usize, page: &Page) {
        if self.unpacked == Some(number) {
            return;
        }
        self.unpacked = Some(number);
        self.words.clear();
        self.before.clear();
        let rows = page.rows();
        let bits = &page.bytes()[page.bytes().len() - rows.div_ceil(8)..];
        let mut count = 0;
        for (nth, bytes) in bits.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            let mut word = u64::from_le_bytes(word);
            let left = rows - 64 * nth;
            if left < 64 {
                word &= (1 << left) - 1;
            }
            self.words.push(word);
            self.before.push(count);
            count += word.count_ones();
        }
    }

    /// The place of a slot among the values of the unpacked page.
    #[inline(always)]
    pub fn value(&self, slot: usize) -> Option<usize> {
        let (word, bit) = (self.words[slot / 64], slot % 64);
        let below = word & ((1 << bit) - 1);
        (word >> bit & 1 != 0)
            .then(|| self.before[slot / 64] as usize + below.count_ones() as usize)
    }
}

/// Appends the keys of rows, none of which is NULL.
#[inline(always)]
pub(super) fn gather<K: PlanKey>(
    paged: &PagedColumn<'_>,
    rows: &[u32],
    cursor: &mut Cursor,
    keys: &mut Vec<K>,
) {
    let mut at = 0;
    while at < rows.len() {
        cursor.seek(paged, rows[at]);
        let page = &paged.pages()[cursor.page];
        let (start, end) = (
            paged.offsets().starts()[cursor.page],
            paged.offsets().starts()[cursor.page + 1],
        );
        let values: &[K] = page.fixed();
        let until = rows[at..].iter().position(|&row| row >= end);
        let here = &rows[at..until.map_or(rows.len(), |until| at + until)];
        at += here.len();
        if page.has_nulls() {
            cursor.unpack(cursor.page, page);
            let value = |&row: &u32| cursor.value((row - start) as usize).unwrap_or(0);
            keys.extend(here.iter().map(|row| values[value(row)]));
        } else {
            keys.extend(here.iter().map(|&row| values[(row - start) as usize]));
        }
    }
}
