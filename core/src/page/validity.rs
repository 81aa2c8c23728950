//! The validity bitmap at the end of a plain page.

use super::{HEADER_BYTES, PAGE_BYTES, Page, PageKind};

/// The last ⌈n_r/8⌉ bytes of a plain page: bit i, least significant first, is set where row i has a
/// value. Bits from n_r on have no meaning and are never looked at.
#[derive(Clone, Copy)]
pub struct Validity<'a> {
    bits: &'a [u8],
    rows: usize,
}

impl Page {
    /// The validity bitmap. Pages of a long string have none and yield one without rows.
    #[inline]
    pub fn validity(&self) -> Validity<'_> {
        let rows = match self.kind() {
            PageKind::Plain => self.rows().min((PAGE_BYTES - HEADER_BYTES) * 8),
            PageKind::LongFirst | PageKind::LongNext => 0,
        };
        Validity {
            bits: &self.bytes()[PAGE_BYTES - rows.div_ceil(8)..],
            rows,
        }
    }
}

impl Page {
    /// Whether the row in a slot is NULL. `slot` must be below [`Page::rows`], else this may panic.
    #[inline]
    pub fn is_null(&self, slot: usize) -> bool {
        self.has_nulls() && !self.validity().is_valid(slot)
    }

    /// The place of a slot's value among the page's dense values; `None` where the row is NULL. `slot` must be below
    /// [`Page::rows`], else this may panic.
    #[inline]
    pub fn rank_of(&self, slot: usize) -> Option<usize> {
        if !self.has_nulls() {
            return Some(slot);
        }
        let validity = self.validity();
        validity.is_valid(slot).then(|| validity.rank(slot))
    }
}

impl<'a> Validity<'a> {
    /// The rows that the bitmap speaks of.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether row `row` has a value. `row` must be below [`Validity::rows`], else this may panic.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        debug_assert!(row < self.rows);
        self.bits[row / 8] >> (row % 8) & 1 != 0
    }

    /// The number of valid rows before `row`, which is the place of row `row` among the dense values.
    /// A `row` beyond the end counts all.
    #[inline]
    pub fn rank(&self, row: usize) -> usize {
        let row = row.min(self.rows);
        let (words, tail) = self.bits[..row / 8].as_chunks::<8>();
        let mut count: u32 = words
            .iter()
            .map(|word| u64::from_le_bytes(*word).count_ones())
            .sum();
        count += tail.iter().map(|byte| byte.count_ones()).sum::<u32>();
        if !row.is_multiple_of(8) {
            count += (self.bits[row / 8] & ((1 << (row % 8)) - 1)).count_ones();
        }
        count as usize
    }

    /// The number of valid rows.
    #[inline]
    pub fn count(&self) -> usize {
        self.rank(self.rows)
    }

    /// For each row in turn whether it has a value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = bool> + use<'a> {
        let bits = self.bits;
        (0..self.rows).map(move |row| bits[row / 8] >> (row % 8) & 1 != 0)
    }

    /// The rows that have a value, ascending.
    #[inline]
    pub fn valid_rows(&self) -> ValidRows<'a> {
        ValidRows {
            bits: self.bits,
            rows: self.rows,
            word: 0,
            next_base: 0,
        }
    }
}

/// Ascending rows with a value; see [`Validity::valid_rows`].
pub struct ValidRows<'a> {
    bits: &'a [u8],
    rows: usize,
    /// The bits not yet yielded of the 64 rows that end at `next_base`.
    word: u64,
    next_base: usize,
}

impl Iterator for ValidRows<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.word == 0 {
            if self.next_base >= self.rows {
                return None;
            }
            let (word, rest) = match self.bits.split_first_chunk::<8>() {
                Some((word, rest)) => (u64::from_le_bytes(*word), rest),
                None => {
                    let mut word = [0; 8];
                    word[..self.bits.len()].copy_from_slice(self.bits);
                    (u64::from_le_bytes(word), &[][..])
                }
            };
            let left = self.rows - self.next_base;
            self.word = if left < 64 {
                word & ((1 << left) - 1)
            } else {
                word
            };
            self.bits = rest;
            self.next_base += 64;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.next_base - 64 + bit)
    }
}
