//! Values of eight bytes, moved between columns and rows: eight rows of eight values are exchanged in registers where the
//! machine can (x86-64 with AVX-512), so that each line of either is read and written once.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::prefetch::prefetch_read;
use crate::streaming_store::LINE;

/// Bytes of a value.
pub(super) const WORD: usize = 8;

/// Rows, and columns, that are exchanged at a time: a line of the one holds a value of each of the others.
const LANES: usize = LINE / WORD;

/// Rows that are asked for ahead, so that their cache misses overlap.
const AHEAD: usize = 64;

/// Columns of words that stand side by side in rows.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    /// The rows.
    pub tuples: &'a [u8],
    /// Bytes of a row.
    pub stride: usize,
    /// Where the words begin in it.
    pub first: usize,
    /// Words of a row.
    pub columns: usize,
}

impl Words<'_> {
    /// Writes the words of these rows, a column to each of `to`, which have room for as many; past the caches, if `stream`.
    ///
    /// # Panics
    ///
    /// If there is no such row, or not as many rooms as columns, or one of another length.
    pub fn gather(&self, rows: &[u32], to: &mut [&mut [MaybeUninit<u8>]], stream: bool) {
        let most = rows.iter().fold(0, |most, &row| most.max(row as usize));
        assert!(
            rows.is_empty() || (most + 1) * self.stride <= self.tuples.len(),
            "no row {most}"
        );
        assert!(self.first + self.columns * WORD <= self.stride);
        assert_eq!(to.len(), self.columns, "a room for each column");
        assert!(to.iter().all(|to| to.len() == rows.len() * WORD));
        #[cfg(target_arch = "x86_64")]
        if crate::cpu::has_avx512() {
            let before = |to: &[MaybeUninit<u8>]| to.as_ptr().addr().wrapping_neg() % LINE;
            let bytes = to.first().map_or(0, |to| before(to));
            // Lines begin at the same row in all rooms, or nothing is streamed.
            let stream =
                stream && bytes.is_multiple_of(WORD) && to.iter().all(|to| before(to) == bytes);
            let head = if stream {
                rows.len().min(bytes / WORD)
            } else {
                0
            };
            let whole = head..head + (rows.len() - head) / LANES * LANES;
            self.gather_places(0..head, rows, to);
            // SAFETY: the instructions are there, and so are the rows, their words and the rooms, as was asked above; if lines
            // are streamed, one begins in each room after the head.
            unsafe {
                match stream {
                    true => wide::to_columns::<true>(self, whole.clone(), rows, to),
                    false => wide::to_columns::<false>(self, whole.clone(), rows, to),
                }
            }
            return self.gather_places(whole.end..rows.len(), rows, to);
        }
        let _ = stream;
        self.gather_places(0..rows.len(), rows, to);
    }

    /// The same in these places of the result alone, word by word.
    fn gather_places(&self, places: Range<usize>, rows: &[u32], to: &mut [&mut [MaybeUninit<u8>]]) {
        for begin in places.clone().step_by(AHEAD) {
            let group = begin..places.end.min(begin + AHEAD);
            rows[group.clone()].iter().for_each(|&row| self.ask(row));
            for (column, to) in to.iter_mut().enumerate() {
                let to = &mut to.as_chunks_mut::<WORD>().0[group.clone()];
                let first = self.first + column * WORD;
                for (to, &row) in to.iter_mut().zip(&rows[group.clone()]) {
                    let value = &self.tuples[row as usize * self.stride + first..];
                    let value = value.first_chunk::<WORD>().expect("a word of the row");
                    *to = value.map(MaybeUninit::new);
                }
            }
        }
    }

    /// Asks for the words of a row.
    #[inline(always)]
    fn ask(&self, row: u32) {
        let begin = row as usize * self.stride + self.first;
        let words = self.tuples.as_ptr().wrapping_add(begin);
        let last = self.columns * WORD - 1;
        for byte in (0..last).step_by(LINE) {
            prefetch_read(words.wrapping_add(byte));
        }
        // Words that do not begin with a line end in one more.
        prefetch_read(words.wrapping_add(last));
    }
}

/// Writes rows side by side of columns of words, of which each has `rows` values in `from`, one column after the other.
///
/// # Panics
///
/// If `from` or `to` has another length.
pub(super) fn words_to_rows(
    from: &[MaybeUninit<u8>],
    columns: usize,
    rows: usize,
    to: &mut [MaybeUninit<u8>],
) {
    let bytes = columns * rows * WORD;
    assert!(from.len() == bytes && to.len() == bytes);
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::has_avx512() && rows.is_multiple_of(LANES) {
        // SAFETY: the instructions are there, and both have all values, as was asked above.
        return unsafe { wide::to_rows(from.as_ptr().cast(), columns, rows, to) };
    }
    one_by_one(from, columns, rows, to);
}

/// As [`words_to_rows`], word by word.
fn one_by_one(from: &[MaybeUninit<u8>], columns: usize, rows: usize, to: &mut [MaybeUninit<u8>]) {
    let (from, to) = (from.as_chunks::<WORD>().0, to.as_chunks_mut::<WORD>().0);
    for row in 0..rows {
        for column in 0..columns {
            to[row * columns + column] = from[column * rows + row];
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;
    use std::mem::MaybeUninit;
    use std::ops::Range;

    use super::{AHEAD, LANES, LINE, WORD, Words};

    /// Which of eight lanes hold one of so many values.
    fn lanes(values: usize) -> __mmask8 {
        u8::MAX >> (LANES - values.min(LANES))
    }

    /// Rows become columns, and columns rows.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn exchanged(rows: [__m512i; LANES]) -> [__m512i; LANES] {
        let [a, b, c, d, e, f, g, h] = rows;
        // Of two rows each, the even columns and the odd ones.
        let (ab, ab_odd) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        let (cd, cd_odd) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
        let (ef, ef_odd) = (_mm512_unpacklo_epi64(e, f), _mm512_unpackhi_epi64(e, f));
        let (gh, gh_odd) = (_mm512_unpacklo_epi64(g, h), _mm512_unpackhi_epi64(g, h));
        // Of four rows each, two columns whose numbers differ by four.
        const EVEN: i32 = 0x88;
        const ODD: i32 = 0xDD;
        let low = [
            _mm512_shuffle_i64x2::<EVEN>(ab, cd),
            _mm512_shuffle_i64x2::<EVEN>(ab_odd, cd_odd),
            _mm512_shuffle_i64x2::<ODD>(ab, cd),
            _mm512_shuffle_i64x2::<ODD>(ab_odd, cd_odd),
        ];
        let high = [
            _mm512_shuffle_i64x2::<EVEN>(ef, gh),
            _mm512_shuffle_i64x2::<EVEN>(ef_odd, gh_odd),
            _mm512_shuffle_i64x2::<ODD>(ef, gh),
            _mm512_shuffle_i64x2::<ODD>(ef_odd, gh_odd),
        ];
        [
            _mm512_shuffle_i64x2::<EVEN>(low[0], high[0]),
            _mm512_shuffle_i64x2::<EVEN>(low[1], high[1]),
            _mm512_shuffle_i64x2::<EVEN>(low[2], high[2]),
            _mm512_shuffle_i64x2::<EVEN>(low[3], high[3]),
            _mm512_shuffle_i64x2::<ODD>(low[0], high[0]),
            _mm512_shuffle_i64x2::<ODD>(low[1], high[1]),
            _mm512_shuffle_i64x2::<ODD>(low[2], high[2]),
            _mm512_shuffle_i64x2::<ODD>(low[3], high[3]),
        ]
    }

    /// As [`Words::gather`], in these places of the result alone.
    ///
    /// # Safety
    ///
    /// The machine has AVX-512. There are these places, a multiple of eight, their rows and the words of these; as many rooms as
    /// columns, with room for as many values as rows; and if `STREAM`, a line begins at the first place of each.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn to_columns<const STREAM: bool>(
        words: &Words<'_>,
        places: Range<usize>,
        rows: &[u32],
        to: &mut [&mut [MaybeUninit<u8>]],
    ) {
        let first = places.start * WORD;
        let rows = &rows[places];
        rows.iter().take(AHEAD).for_each(|&row| words.ask(row));
        let base = words.tuples.as_ptr().wrapping_add(words.first);
        for (nth, eight) in rows.as_chunks::<LANES>().0.iter().enumerate() {
            let ahead = rows.iter().skip(nth * LANES + AHEAD).take(LANES);
            ahead.for_each(|&row| words.ask(row));
            for (set, to) in to.chunks_mut(LANES).enumerate() {
                let mask = lanes(to.len());
                let mut values = [_mm512_setzero_si512(); LANES];
                for lane in 0..LANES {
                    let row = base.wrapping_add(eight[lane] as usize * words.stride + set * LINE);
                    // SAFETY: the caller promises the row and so many words of it.
                    values[lane] = unsafe { _mm512_maskz_loadu_epi64(mask, row.cast()) };
                }
                let columns = exchanged(values);
                for lane in 0..LANES {
                    if lane < to.len() {
                        let line = to[lane].as_mut_ptr().wrapping_add(first + nth * LINE);
                        // SAFETY: the caller promises room for these eight values, where a line begins if it is streamed.
                        unsafe {
                            match STREAM {
                                true => _mm512_stream_si512(line.cast(), columns[lane]),
                                false => _mm512_storeu_si512(line.cast(), columns[lane]),
                            }
                        }
                    }
                }
            }
        }
    }

    /// As [`super::words_to_rows`], and past the caches where rows are whole lines.
    ///
    /// # Safety
    ///
    /// The machine has AVX-512. `rows` is a multiple of eight, each of the columns has so many values in `from`, and there is
    /// room for all of them.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn to_rows(
        from: *const u8,
        columns: usize,
        rows: usize,
        to: &mut [MaybeUninit<u8>],
    ) {
        let to = to.as_mut_ptr();
        let are_lines = columns.is_multiple_of(LANES) && to.addr().is_multiple_of(LINE);
        for row in (0..rows).step_by(LANES) {
            for column in (0..columns).step_by(LANES) {
                let wide = (columns - column).min(LANES);
                let mut values = [_mm512_setzero_si512(); LANES];
                for (lane, value) in values.iter_mut().enumerate() {
                    if lane < wide {
                        let values_of = from.wrapping_add(((column + lane) * rows + row) * WORD);
                        // SAFETY: the caller promises eight values of this column from this row on.
                        *value = unsafe { _mm512_loadu_si512(values_of.cast()) };
                    }
                }
                for (lane, of_row) in exchanged(values).into_iter().enumerate() {
                    let line = to.wrapping_add(((row + lane) * columns + column) * WORD);
                    // SAFETY: the caller promises room for `wide` values of this row from this column on; where rows are
                    // whole lines, a line begins there.
                    unsafe {
                        match are_lines {
                            true => _mm512_stream_si512(line.cast(), of_row),
                            false => {
                                _mm512_mask_storeu_epi64(line.cast(), lanes(wide), of_row);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64]) -> Vec<MaybeUninit<u8>> {
        let bytes = words.iter().flat_map(|word| word.to_ne_bytes());
        bytes.map(MaybeUninit::new).collect()
    }

    fn words(bytes: &[MaybeUninit<u8>]) -> Vec<u64> {
        let words = bytes.as_chunks::<WORD>().0.iter();
        // SAFETY: all that tests look at has been written.
        let word = |word: &[MaybeUninit<u8>; WORD]| word.map(|byte| unsafe { byte.assume_init() });
        words.map(|bytes| u64::from_ne_bytes(word(bytes))).collect()
    }

    /// In registers, where the machine can, and word by word.
    #[test]
    fn columns_become_rows() {
        for (columns, rows) in [(1, 8), (2, 5), (8, 64), (9, 16), (16, 8), (21, 40), (3, 0)] {
            let word = |column: usize, row: usize| (column << 32 | row) as u64;
            let from: Vec<u64> = (0..columns)
                .flat_map(|column| (0..rows).map(move |row| word(column, row)))
                .collect();
            let expected: Vec<u64> = (0..rows)
                .flat_map(|row| (0..columns).map(move |column| word(column, row)))
                .collect();
            for way in [words_to_rows, one_by_one] {
                let mut to = bytes(&vec![0; columns * rows]);
                way(&bytes(&from), columns, rows, &mut to);
                assert_eq!(words(&to), expected, "{columns} columns, {rows} rows");
            }
        }
    }

    /// As above; into rooms that begin anywhere in a line, alike or not.
    #[test]
    fn rows_become_columns() {
        const ROWS: usize = 300;
        for (columns, first, len) in [(1, 0, 9), (3, 2, 70), (8, 0, 8), (16, 1, 200), (19, 5, 133)]
        {
            let stride = first + columns + 1;
            let word = |row: usize, at: usize| (row << 32 | at) as u64;
            let all: Vec<u64> = (0..ROWS * stride)
                .map(|at| word(at / stride, at % stride))
                .collect();
            let tuples: &[u8] = bytemuck::cast_slice(&all);
            let found = Words {
                tuples,
                stride: stride * WORD,
                first: first * WORD,
                columns,
            };
            let rows: Vec<u32> = (0..len as u32).map(|at| at * 7919 % ROWS as u32).collect();
            for (offset, apart, stream) in [(0, 0, true), (3, 0, true), (5, 1, true), (1, 0, false)]
            {
                let mut rooms: Vec<_> = (0..columns).map(|_| bytes(&vec![0; len + 32])).collect();
                let mut to = Vec::new();
                for (nth, room) in rooms.iter_mut().enumerate() {
                    let line = room.as_ptr().align_offset(LINE);
                    let begin = line + WORD * (offset + nth * apart) % LINE;
                    to.push(&mut room[begin..][..len * WORD]);
                }
                for way in [true, false] {
                    to.iter_mut().for_each(|to| to.fill(MaybeUninit::new(0)));
                    match way {
                        true => found.gather(&rows, &mut to, stream),
                        false => found.gather_places(0..len, &rows, &mut to),
                    }
                    crate::streaming_store::fence();
                    for (column, to) in to.iter().enumerate() {
                        let expected = rows.iter().map(|&row| word(row as usize, first + column));
                        assert!(
                            words(to).into_iter().eq(expected),
                            "{columns} columns, {len} rows"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "no row 3")]
    fn a_row_that_is_not_there_is_not_read() {
        let tuples = [0; 3 * 16];
        let words = Words {
            tuples: &tuples,
            stride: 16,
            first: 0,
            columns: 2,
        };
        let mut rooms = [[MaybeUninit::uninit(); 8]; 2];
        let [one, two] = &mut rooms;
        words.gather(&[3], &mut [one, two], false);
    }
}
