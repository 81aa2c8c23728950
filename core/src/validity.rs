//! The bitmap of rows that have a value, in pages and beside slices.

use std::ops::Range;

/// Bits of consecutive bytes, the least significant of a byte first: bit `skip` + i is set where row i has a value. Bits
/// before and behind those of the rows have no meaning and are never looked at.
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a> {
    bits: &'a [u8],
    skip: usize,
    rows: usize,
}

impl<'a> Validity<'a> {
    /// The bitmap of `rows` rows whose first bit is number `offset` of `bytes`; `None` where there are fewer bits.
    #[inline]
    pub fn new(bytes: &'a [u8], offset: usize, rows: usize) -> Option<Self> {
        let skip = offset % 8;
        let bytes = bytes.get(offset / 8..)?;
        let bits = bytes.get(..skip.checked_add(rows)?.div_ceil(8))?;
        Some(Self { bits, skip, rows })
    }

    /// The rows that the bitmap speaks of.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether row `row` has a value. `row` must be below [`Validity::rows`], else this may panic.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        debug_assert!(row < self.rows);
        is_set(self.bits, self.skip + row)
    }

    /// The number of valid rows before `row`, which is the place of row `row` among the dense values.
    /// A `row` beyond the end counts all.
    #[inline]
    pub fn rank(&self, row: usize) -> usize {
        let row = self.skip + row.min(self.rows);
        let (words, tail) = self.bits[..row / 8].as_chunks::<8>();
        let mut count: u32 = words
            .iter()
            .map(|word| u64::from_le_bytes(*word).count_ones())
            .sum();
        count += tail.iter().map(|byte| byte.count_ones()).sum::<u32>();
        if !row.is_multiple_of(8) {
            count += (self.bits[row / 8] & ((1 << (row % 8)) - 1)).count_ones();
        }
        if self.skip > 0 {
            count -= (self.bits[0] & ((1 << self.skip) - 1)).count_ones();
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
        let (bits, skip) = (self.bits, self.skip);
        (0..self.rows).map(move |row| is_set(bits, skip + row))
    }

    /// The rows without a value, in order.
    pub fn nulls(&self) -> impl Iterator<Item = usize> + use<'a> {
        let rows = self.rows;
        let missing = self.words().enumerate().flat_map(|(number, word)| {
            let mut missing = !word;
            std::iter::from_fn(move || {
                let bit = missing.trailing_zeros() as usize;
                let there = missing != 0;
                missing &= missing.wrapping_sub(1);
                there.then_some(64 * number + bit)
            })
        });
        // Bits behind the last row look like its.
        missing.take_while(move |&row| row < rows)
    }

    /// The bits of 64 rows at a time, that of the first one lowest; bits behind the last row are clear.
    #[inline]
    pub fn words(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        let Self { bits, skip, rows } = *self;
        (0..rows.div_ceil(64)).map(move |number| {
            let bits = &bits[8 * number..];
            let word = bits.first_chunk().copied().unwrap_or_else(|| {
                let mut word = [0; 8];
                word[..bits.len()].copy_from_slice(bits);
                word
            });
            let mut word = u64::from_le_bytes(word) >> skip;
            if skip > 0
                && let Some(&next) = bits.get(8)
            {
                word |= u64::from(next) << (64 - skip);
            }
            match rows - 64 * number {
                left @ ..64 => word & ((1 << left) - 1),
                _ => word,
            }
        })
    }

    /// The bitmap of these rows alone.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end && rows.end <= self.rows,
            "rows {rows:?} of {}",
            self.rows
        );
        let first = self.skip + rows.start;
        Self {
            bits: &self.bits[first / 8..],
            skip: first % 8,
            rows: rows.len(),
        }
    }

    /// The rows that have a value, ascending: runs without a gap, at most 64 rows each.
    #[inline]
    pub fn runs(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        self.words().enumerate().flat_map(|(number, word)| {
            let (mut left, mut end) = (word, 64 * number);
            std::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let gap = left.trailing_zeros();
                left >>= gap;
                let len = left.trailing_ones();
                left = left.checked_shr(len).unwrap_or(0);
                let start = end + gap as usize;
                end = start + len as usize;
                Some(start..end)
            })
        })
    }

    /// The rows that have a value, ascending.
    pub fn valid_rows(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.runs().flatten()
    }
}

#[inline]
fn is_set(bits: &[u8], bit: usize) -> bool {
    bits[bit / 8] >> (bit % 8) & 1 != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_of_reading_says_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            offset: prop::sample::Index,
            rows: prop::sample::Index,
        ) {
            let all = bytes.len() * 8;
            let offset = offset.index(all + 1);
            let rows = rows.index(all - offset + 1);
            let bit = |row: usize| bytes[(offset + row) / 8] >> ((offset + row) % 8) & 1 == 1;
            let valid: Vec<usize> = (0..rows).filter(|&row| bit(row)).collect();
            let validity = Validity::new(&bytes, offset, rows).unwrap();
            prop_assert!(validity.iter().enumerate().all(|(row, valid)| valid == bit(row)));
            prop_assert!((0..rows).all(|row| validity.is_valid(row) == bit(row)));
            prop_assert!(validity.valid_rows().eq(valid.iter().copied()));
            prop_assert!(validity.nulls().eq((0..rows).filter(|&row| !bit(row))));
            let words = validity.words().enumerate();
            let set = words.flat_map(|(number, word)| {
                (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| 64 * number + bit)
            });
            prop_assert!(set.eq(valid.iter().copied()));
            let half = validity.slice(rows / 3..rows);
            let runs = half.runs().collect::<Vec<_>>();
            prop_assert!(runs.windows(2).all(|runs| runs[0].end < runs[1].start || runs[1].start % 64 == 0));
            let of_half = valid.iter().filter(|&&row| row >= rows / 3).map(|row| row - rows / 3);
            prop_assert!(runs.into_iter().flatten().eq(of_half));
            for row in 0..=rows + 1 {
                let before = valid.iter().filter(|&&valid| valid < row).count();
                prop_assert_eq!(validity.rank(row), before);
            }
            prop_assert!(Validity::new(&bytes, offset, all - offset + 1).is_none());
        }
    }
}
