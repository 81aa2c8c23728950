//! The layout that the rows of a stream have in common.

use join_core::prefetch::prefetch_read;

use super::Row;

/// Bytes that are compared at once.
const BLOCK: usize = 64;
/// Where a longer value lies, comparing the bytes around it at once is not worth it.
const MOST_STEADY_BYTES: i32 = 64;
/// Rows are found much faster than memory delivers them. So what comes this many bytes later is asked for meanwhile.
const AHEAD: usize = 32 << 10;

/// What is alike in all rows so far: the number of fields, and the lengths of those fields that always had the same.
///
/// Walking a row takes one load after another, each field's place being known from the length before. But most
/// columns have a fixed width, so most length words stand where they stood in the row before, with what stood there
/// before. A run of such fields is checked by comparing its bytes under a mask, and only fields that vary are walked
/// over. All framing is read either way: a row that differs is no match, and is left to the walk.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// What the lengths of each field have in common. `None` before the first row.
    fields: Option<Vec<Field>>,
    runs: Vec<Run>,
}

/// The lengths that a field had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// Always this.
    Steady(i32),
    /// Never NULL and never above 255: three bytes of the length word are zero, and for the next field's place a load of one
    /// byte is all there is to wait for.
    Short,
    /// Any.
    Any,
}

/// Neighbouring fields of steady length, from the row's start or a varying field to the next one or the row's end.
#[derive(Clone, Debug)]
struct Run {
    blocks: Vec<Block>,
    /// With the length word of the varying field.
    bytes: usize,
    /// The varying field that it ends with; `None` at the row's end.
    varying: Option<Field>,
}

/// What the bytes of a block are where they are framing.
#[derive(Clone, Debug)]
struct Block {
    /// Zero elsewhere.
    expected: [u8; BLOCK],
    mask: [u8; BLOCK],
    /// The mask, one bit per byte.
    bits: u64,
}

/// Whether the framing in a block is not as expected.
fn differs(block: &Block, bytes: &[u8; BLOCK]) -> bool {
    let pairs = block.expected.iter().zip(&block.mask);
    bytes
        .iter()
        .zip(pairs)
        .fold(0, |all, (byte, (expected, mask))| {
            all | byte & mask ^ expected
        })
        != 0
}

impl Shape {
    /// How many bytes and rows at the start of `bytes` have this shape. All of them end within the first `most` bytes,
    /// and none is longer than `row_bytes`. Calls `meanwhile` with where each of them ends.
    pub(super) fn rows(
        &self,
        bytes: &[u8],
        most: usize,
        row_bytes: u64,
        meanwhile: &mut impl FnMut(usize),
    ) -> (usize, u64) {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512bw") {
                // SAFETY: the machine has AVX-512BW.
                return unsafe { self.rows_avx512(bytes, most, row_bytes, meanwhile) };
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the machine has AVX2.
                return unsafe { self.rows_avx2(bytes, most, row_bytes, meanwhile) };
            }
        }
        self.rows_by(differs, bytes, most, row_bytes, meanwhile)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512bw")]
    fn rows_avx512(
        &self,
        bytes: &[u8],
        most: usize,
        row_bytes: u64,
        meanwhile: &mut impl FnMut(usize),
    ) -> (usize, u64) {
        use std::arch::x86_64::{_mm512_loadu_si512, _mm512_mask_cmpneq_epi8_mask};
        let differs = |block: &Block, bytes: &[u8; BLOCK]| {
            // SAFETY: both are blocks.
            let (bytes, expected) = unsafe {
                (
                    _mm512_loadu_si512(bytes.as_ptr().cast()),
                    _mm512_loadu_si512(block.expected.as_ptr().cast()),
                )
            };
            _mm512_mask_cmpneq_epi8_mask(block.bits, bytes, expected) != 0
        };
        self.rows_by(differs, bytes, most, row_bytes, meanwhile)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn rows_avx2(
        &self,
        bytes: &[u8],
        most: usize,
        row_bytes: u64,
        meanwhile: &mut impl FnMut(usize),
    ) -> (usize, u64) {
        use std::arch::x86_64::{
            __m256i, _mm256_and_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_testz_si256,
            _mm256_xor_si256,
        };
        let differs = |block: &Block, bytes: &[u8; BLOCK]| {
            let vector = |bytes: &[u8; BLOCK], half: usize| {
                // SAFETY: a block has two halves of 32 bytes.
                unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>().add(half)) }
            };
            let half = |half| {
                let framing = _mm256_and_si256(vector(bytes, half), vector(&block.mask, half));
                _mm256_xor_si256(framing, vector(&block.expected, half))
            };
            let all = _mm256_or_si256(half(0), half(1));
            _mm256_testz_si256(all, all) == 0
        };
        self.rows_by(differs, bytes, most, row_bytes, meanwhile)
    }

    #[inline(always)]
    fn rows_by(
        &self,
        differs: impl Fn(&Block, &[u8; BLOCK]) -> bool,
        bytes: &[u8],
        most: usize,
        row_bytes: u64,
        meanwhile: &mut impl FnMut(usize),
    ) -> (usize, u64) {
        if self.runs.is_empty() {
            return (0, 0);
        }
        // Where a run that starts at `at`, and its varying field, end.
        let after = |run: &Run, at: usize| {
            let mut rest = bytes.get(at..)?;
            for block in &run.blocks {
                // The last block reaches beyond the run, its mask does not.
                let (part, after) = rest.split_first_chunk()?;
                prefetch_read(part.as_ptr().wrapping_add(AHEAD));
                if differs(block, part) {
                    return None;
                }
                rest = after;
            }
            let end = at.checked_add(run.bytes)?;
            match run.varying {
                None => Some(end),
                Some(Field::Short) => end.checked_add((*bytes.get(end - 1)?).into()),
                Some(_) => {
                    let length = i32::from_be_bytes(*bytes.get(end - 4..)?.first_chunk()?);
                    if length < -1 {
                        return None;
                    }
                    end.checked_add(length.max(0) as usize)
                }
            }
        };
        // Where a row of this shape ends that starts at `at`.
        let end = |at| self.runs.iter().try_fold(at, |at, run| after(run, at));
        let most = most.min(bytes.len());
        let (mut at, mut rows) = (0, 0);
        while let Some(end) = end(at)
            && end <= most
            && (end - at) as u64 <= row_bytes
        {
            meanwhile(end);
            at = end;
            rows += 1;
        }
        (at, rows)
    }

    /// Takes a whole row into account. The shape of a stream changes at most twice per field. Rows with another number of
    /// fields than the first one have no shape.
    pub(super) fn learn(&mut self, row: &[u8]) {
        let row = Row {
            offset: 0,
            bytes: row,
        };
        let found = row.fields();
        let found = found.map(|value| value.map_or(-1, |value| value.len() as i32));
        let fields: Vec<Field> = match &self.fields {
            None => found.map(Field::of_first).collect(),
            Some(known) if known.len() != found.len() => return,
            Some(known) => {
                let both = known.iter().zip(found);
                both.map(|(field, length)| field.and(length)).collect()
            }
        };
        if self.fields.as_ref() == Some(&fields) {
            return;
        }
        self.runs.clear();
        let mut run = Template::default();
        run.framing(&(fields.len() as i16).to_be_bytes());
        for &field in &fields {
            match field {
                Field::Steady(length) => {
                    run.framing(&length.to_be_bytes());
                    run.value(length.max(0) as usize);
                    continue;
                }
                Field::Short => {
                    run.framing(&[0; 3]);
                    run.value(1);
                }
                Field::Any => run.value(4),
            }
            self.runs.push(std::mem::take(&mut run).finish(Some(field)));
        }
        self.runs.push(run.finish(None));
        self.fields = Some(fields);
    }
}

impl Field {
    fn of_first(length: i32) -> Self {
        match length {
            ..=MOST_STEADY_BYTES => Self::Steady(length),
            _ => Self::Short.and(length),
        }
    }

    /// With one more length.
    fn and(self, length: i32) -> Self {
        match self {
            Self::Steady(known) if known == length => self,
            Self::Steady(known) => Self::Short.and(known).and(length),
            Self::Short if (0..=255).contains(&length) => self,
            Self::Short | Self::Any => Self::Any,
        }
    }
}

/// A run, byte by byte.
#[derive(Default)]
struct Template {
    expected: Vec<u8>,
    mask: Vec<u8>,
    /// Up to the last byte of framing.
    compared: usize,
}

impl Template {
    fn framing(&mut self, bytes: &[u8]) {
        self.expected.extend(bytes);
        self.mask.extend(bytes.iter().map(|_| 0xff));
        self.compared = self.mask.len();
    }

    fn value(&mut self, bytes: usize) {
        self.expected.resize(self.expected.len() + bytes, 0);
        self.mask.resize(self.mask.len() + bytes, 0);
    }

    fn finish(mut self, varying: Option<Field>) -> Run {
        let bytes = self.mask.len();
        let padded = self.compared.next_multiple_of(BLOCK);
        self.expected.resize(padded, 0);
        self.mask.resize(padded, 0);
        let (expected, mask) = (self.expected.as_chunks().0, self.mask.as_chunks().0);
        let blocks = expected.iter().zip(mask).map(|(&expected, &mask)| Block {
            expected,
            mask,
            bits: mask
                .iter()
                .rev()
                .fold(0, |bits, &byte| bits << 1 | u64::from(byte & 1)),
        });
        Run {
            blocks: blocks.collect(),
            bytes,
            varying,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::RowEncoder;

    /// Rows of fields of these widths, where the last one has from none to 40 bytes or is NULL now and then.
    fn encoded(widths: &[usize], nulls: bool, rows: usize) -> Vec<u8> {
        let mut encoder = RowEncoder::new();
        for row in 0..rows {
            for &width in widths {
                encoder.field(Some(&vec![row as u8; width]));
            }
            encoder.field((!nulls || row % 5 > 0).then_some(&vec![0xff; row * 7 % 41]));
            encoder.end_row();
        }
        encoder.rows().to_vec()
    }

    /// A way to find rows.
    type Way = fn(&Shape, &[u8], usize, u64) -> (usize, u64);

    fn ways() -> Vec<(&'static str, Way)> {
        #[allow(unused_mut)]
        let mut ways: Vec<(&str, Way)> = vec![("portable", |shape, bytes, most, limit| {
            shape.rows_by(differs, bytes, most, limit, &mut |_| ())
        })];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the machine has AVX2.
                ways.push(("avx2", |s, b, m, l| unsafe {
                    s.rows_avx2(b, m, l, &mut |_| ())
                }));
            }
            if std::arch::is_x86_feature_detected!("avx512bw") {
                // SAFETY: the machine has AVX-512BW.
                ways.push(("avx512", |s, b, m, l| unsafe {
                    s.rows_avx512(b, m, l, &mut |_| ())
                }));
            }
        }
        ways
    }

    #[test]
    fn any_byte_of_framing_that_differs_ends_the_rows_in_all_ways() {
        // Runs of less than a block, of exactly one, and of several.
        let widths = [&[4, 8, 1][..], &[18, 18, 10], &[64, 64, 4, 64, 3], &[]];
        for (widths, nulls) in widths.into_iter().flat_map(|w| [(w, true), (w, false)]) {
            let bytes = encoded(widths, nulls, 8);
            let mut shape = Shape::default();
            let lengths: Vec<usize> = crate::framing::Rows::new(&bytes, Default::default(), 0)
                .map(|row| row.unwrap().bytes)
                .map(|row| (shape.learn(row), row.len()).1)
                .collect();
            let (all, first): (usize, usize) = (lengths.iter().sum(), lengths[0]);
            // Where the last blocks reach beyond the end, rows are left to the walk.
            let mut long = bytes.clone();
            long.resize(all + 4 * BLOCK, 0xff);
            let framing = |at: usize| {
                let mut start = 2;
                at < 2
                    || widths.iter().chain([&0]).any(|width| {
                        let here = (start..start + 4).contains(&at);
                        start += 4 + width;
                        here
                    })
            };
            for (name, rows) in ways() {
                assert_eq!(rows(&shape, &long, all, u64::MAX), (all, 8), "{name}");
                assert_eq!(
                    rows(&shape, &long, all - 1, u64::MAX),
                    (all - lengths[7], 7),
                    "{name}"
                );
                assert_eq!(rows(&shape, &long, all, first as u64 - 1), (0, 0), "{name}");
                assert!(rows(&shape, &bytes, all, u64::MAX).0 <= all);
                if nulls {
                    // NULL in the first row, which varies.
                    let mut lie = long.clone();
                    lie[first - 1] = 0xfe;
                    assert_eq!(
                        rows(&shape, &lie, all, u64::MAX),
                        (0, 0),
                        "{name}: a length of -2"
                    );
                }
                // The last field varies. Of its length word only the first byte is tried, or, where it is part of the shape,
                // all but the last.
                for at in 0..first - if nulls { 3 } else { 1 } {
                    let mut wrong = long.clone();
                    wrong[at] ^= 0x80;
                    let found = rows(&shape, &wrong, all, u64::MAX);
                    assert_eq!(
                        found == (0, 0),
                        framing(at),
                        "{name}: byte {at} of {widths:?}"
                    );
                }
            }
        }
    }
}
