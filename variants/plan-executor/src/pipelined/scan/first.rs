//! The first test of a chunk: 64 rows at a time.

use join_core::input::KeyChunk;
use join_core::prefetch::prefetch_read;

use super::cursor::Cursor;
use crate::pipelined::filter::{Test, WithTest};
use crate::pipelined::keys::PlanKey;

/// Bytes that are asked for ahead. Chunks mostly lie one behind the other, and the processor by itself does not ask beyond the 4 KiB
/// that it is in, whose addresses it would have to look up.
const AHEAD: usize = 4096;

/// Bytes of a cache line.
const LINE: usize = 64;

/// The first test of a chunk, of all its rows.
pub(super) struct First<'r, K, const VECTORS: bool> {
    pub chunk: KeyChunk<'r, K>,
    pub number: usize,
    pub first_row: u32,
    pub rows: &'r mut [u32],
    pub bitmasks: bool,
    pub cursor: &'r mut Cursor,
}

impl<K: PlanKey, const VECTORS: bool> WithTest<K> for First<'_, K, VECTORS> {
    type Output = usize;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> usize {
        let values = self.chunk.keys;
        let mut left = 0;
        if self.cursor.unpack(self.number, &self.chunk) {
            let mut dense = values.iter();
            for (nth, &word) in self.cursor.words.iter().enumerate() {
                let (slots, first_row) = (64 * nth, self.first_row + 64 * nth as u32);
                ask_ahead(match self.chunk.of_each_row {
                    true => &values[slots..],
                    false => dense.as_slice(),
                });
                let mut word = word;
                while word != 0 {
                    let bit = word.trailing_zeros();
                    let value = match self.chunk.of_each_row {
                        true => values.get(slots + bit as usize),
                        false => dense.next(),
                    };
                    let Some(&value) = value else { break };
                    self.rows[left] = first_row + bit;
                    left += usize::from(test.test(value));
                    word &= word - 1;
                }
            }
        } else if self.bitmasks {
            for (nth, values) in values.chunks(64).enumerate() {
                ask_ahead(values);
                let mut mask = mask::<K, T, VECTORS>(values, test);
                let first_row = self.first_row + 64 * nth as u32;
                if mask == u64::MAX {
                    for bit in 0..64 {
                        self.rows[left + bit] = first_row + bit as u32;
                    }
                    left += 64;
                    continue;
                }
                while mask != 0 {
                    self.rows[left] = first_row + mask.trailing_zeros();
                    left += 1;
                    mask &= mask - 1;
                }
            }
        } else {
            for (row, &value) in (self.first_row..).zip(values) {
                self.rows[left] = row;
                left += usize::from(test.test(value));
            }
        }
        left
    }
}

/// Asks for what lies ahead of the first 64 values.
#[inline(always)]
fn ask_ahead<K>(values: &[K]) {
    for line in (0..64 * size_of::<K>()).step_by(LINE) {
        prefetch_read(values.as_ptr().wrapping_byte_add(AHEAD + line));
    }
}

/// Bit i is set where value i passes; of 64 values at most.
///
/// First a byte per value, which compilers turn into vector instructions, then eight bytes at a time into bits: the product
/// moves the lowest bit of byte i to bit 56 + i.
#[inline(always)]
fn mask<K: PlanKey, T: Test<K>, const VECTORS: bool>(values: &[K], test: T) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if VECTORS && let Some(values) = values.as_array::<64>() {
        // SAFETY: `VECTORS` says that there is AVX2.
        if let Some(mask) = unsafe { test.mask(values) } {
            return mask;
        }
    }
    let mut passed = [0_u8; 64];
    match values.as_array::<64>() {
        Some(values) => {
            for (byte, &value) in passed.iter_mut().zip(values) {
                *byte = u8::from(test.test(value));
            }
        }
        None => {
            for (byte, &value) in passed.iter_mut().zip(values) {
                *byte = u8::from(test.test(value));
            }
        }
    }
    let words = passed.as_chunks::<8>().0.iter().enumerate();
    words.fold(0, |mask, (nth, bytes)| {
        let bits = u64::from_le_bytes(*bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask | bits << (8 * nth)
    })
}
