//! The first test of a chunk: 64 rows at a time.

use join_core::input::KeyChunk;
use join_core::prefetch::prefetch_read;

use super::cursor::Cursor;
use crate::pipelined::filter::{SCAN_AHEAD, Test, WithTest};
use crate::pipelined::keys::PlanKey;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Set bits of 64 from which on places are looked up a byte at a time: below, it takes less to go from bit to bit.
const MANY: u32 = 10;

/// The first test of a chunk, of all its rows. With `VECTORS`, only where there are AVX2 and BMI2.
pub(super) struct First<'r, K, const VECTORS: bool> {
    pub chunk: KeyChunk<'r, K>,
    pub number: usize,
    pub first_row: u32,
    pub rows: &'r mut [u32],
    /// Room for bits of its keys.
    pub masks: &'r mut Vec<u64>,
    pub bitmasks: bool,
    pub cursor: &'r mut Cursor,
}

impl<K: PlanKey, const VECTORS: bool> WithTest<K> for First<'_, K, VECTORS> {
    type Output = usize;

    #[inline(always)]
    fn with<T: Test<K>>(self, test: T) -> usize {
        let First {
            chunk,
            number,
            first_row,
            rows,
            masks,
            bitmasks,
            cursor,
        } = self;
        let values = chunk.keys;
        let has_nulls = cursor.unpack(number, &chunk);
        let mut left = 0;
        if !bitmasks {
            for row in 0..chunk.rows() {
                let place = if has_nulls {
                    cursor.place(row)
                } else {
                    Some(row)
                };
                rows[left] = first_row + row as u32;
                left += usize::from(place.is_some_and(|place| test.test(values[place])));
            }
            return left;
        }
        // Plain loops: what closures do may be compiled apart, without vectors.
        fill::<K, T, VECTORS>(masks, values, test);
        let first_rows = (first_row..).step_by(64);
        if !has_nulls || chunk.of_each_row {
            for ((nth, values), first_row) in values.chunks(64).enumerate().zip(first_rows) {
                let mut passed = known_or_made::<K, T, VECTORS>(masks, nth, values, test);
                if has_nulls {
                    passed &= cursor.words[nth];
                }
                left = keep(rows, left, first_row, passed);
            }
            return left;
        }
        let mut dense = values.chunks(64).enumerate();
        let mut bits = Bits::default();
        for (&word, first_row) in cursor.words.iter().zip(first_rows) {
            let count = word.count_ones();
            let passed = if count <= bits.count {
                bits.take(count)
            } else {
                let next = match dense.next() {
                    Some((nth, values)) => known_or_made::<K, T, VECTORS>(masks, nth, values, test),
                    None => 0,
                };
                bits.take_beyond(count, next)
            };
            left = keep(rows, left, first_row, deposit::<VECTORS>(passed, word));
        }
        left
    }
}

/// Appends the rows, counted from the first, whose bits are set; returns how many rows there are then.
#[inline(always)]
fn keep(rows: &mut [u32], mut left: usize, first_row: u32, mut mask: u64) -> usize {
    if mask == u64::MAX {
        for bit in 0..64 {
            rows[left + bit] = first_row + bit as u32;
        }
        return left + 64;
    }
    if mask.count_ones() >= MANY {
        for (byte, first_row) in mask.to_le_bytes().into_iter().zip((first_row..).step_by(8)) {
            let to = rows[left..].first_chunk_mut::<8>().expect("there is room");
            for (to, &place) in to.iter_mut().zip(&PLACES[usize::from(byte)]) {
                *to = first_row + u32::from(place);
            }
            left += byte.count_ones() as usize;
        }
        return left;
    }
    while mask != 0 {
        rows[left] = first_row + mask.trailing_zeros();
        left += 1;
        mask &= mask - 1;
    }
    left
}

/// The places of the set bits of each byte, in order; what stands behind them has no meaning.
const PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 != 0 {
                places[byte][count] = bit as u8;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Bits of a row of masks that are still to be taken: the lowest `count`.
#[derive(Default)]
struct Bits {
    bits: u64,
    count: u32,
}

impl Bits {
    /// Takes some of those that there are. Bits above them have no meaning.
    #[inline(always)]
    fn take(&mut self, count: u32) -> u64 {
        let taken = self.bits;
        self.bits = taken.unbounded_shr(count);
        self.count -= count;
        taken
    }

    /// Takes more than there are, at most 64; the others are of the next mask.
    #[inline(always)]
    fn take_beyond(&mut self, count: u32, next: u64) -> u64 {
        let taken = self.bits | next.unbounded_shl(self.count);
        let of_next = count - self.count;
        self.bits = next.unbounded_shr(of_next);
        self.count = 64 - of_next;
        taken
    }
}

/// Puts the lowest bits of `bits`, in order, to the places that are set in `places`.
#[inline(always)]
fn deposit<const VECTORS: bool>(bits: u64, places: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if VECTORS {
        // SAFETY: with vectors there is BMI2.
        return unsafe { std::arch::x86_64::_pdep_u64(bits, places) };
    }
    let (mut bits, mut left, mut deposited) = (bits, places, 0);
    while left != 0 {
        let place = left & left.wrapping_neg();
        deposited |= if bits & 1 != 0 { place } else { 0 };
        bits >>= 1;
        left ^= place;
    }
    deposited
}

/// Fills `masks` with those of whole blocks of 64 values, where the test makes them of many at a time; else with none.
#[inline(always)]
fn fill<K: PlanKey, T: Test<K>, const VECTORS: bool>(masks: &mut Vec<u64>, values: &[K], test: T) {
    masks.clear();
    #[cfg(target_arch = "x86_64")]
    if VECTORS && join_core::cpu::has_avx512() {
        let (blocks, _) = values.as_chunks::<64>();
        // SAFETY: there is AVX-512.
        unsafe { test.masks(blocks, masks) };
    }
}

/// The bits of block `nth`, which are known if they were filled in.
#[inline(always)]
fn known_or_made<K: PlanKey, T: Test<K>, const VECTORS: bool>(
    masks: &[u64],
    nth: usize,
    values: &[K],
    test: T,
) -> u64 {
    match masks.get(nth) {
        Some(&mask) => mask,
        None => mask::<K, T, VECTORS>(values, test),
    }
}

/// Asks for what lies ahead of 64 values.
#[inline(always)]
fn ask_ahead<K>(values: &[K]) {
    for line in (0..64 * size_of::<K>()).step_by(LINE) {
        prefetch_read(values.as_ptr().wrapping_byte_add(SCAN_AHEAD + line));
    }
}

/// Bit i is set where value i passes; of 64 values at most.
///
/// First a byte per value, which compilers turn into vector instructions, then eight bytes at a time into bits: the product
/// moves the lowest bit of byte i to bit 56 + i.
#[inline(always)]
fn mask<K: PlanKey, T: Test<K>, const VECTORS: bool>(values: &[K], test: T) -> u64 {
    ask_ahead(values);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_in_order() {
        let masks = [0x0123_4567_89ab_cdef_u64, 0xfedc_ba98_7654_3210, 5];
        let bit = |at: usize| masks[at / 64] >> (at % 64) & 1;
        let (mut bits, mut next, mut at) = (Bits::default(), masks.iter(), 0);
        for count in [3, 0, 61, 64, 1, 1] {
            let taken = match count <= bits.count {
                true => bits.take(count),
                false => bits.take_beyond(count, *next.next().unwrap()),
            };
            for nth in 0..count as usize {
                assert_eq!(taken >> nth & 1, bit(at + nth), "{nth} of {count}");
            }
            at += count as usize;
        }
    }

    #[test]
    fn bits_are_put_to_their_places() {
        let bits = 0xa5a5_5a5a_0ff0_3cc3;
        for places in [0, 1, u64::MAX, 0x8000_0000_0000_0001, 0x0f0f_1234_0000_ffff] {
            let deposited = deposit::<false>(bits, places);
            let mut nth = 0;
            for place in 0..64 {
                let is_place = places >> place & 1;
                assert_eq!(deposited >> place & 1, is_place & bits >> nth, "{place}");
                nth += is_place;
            }
            #[cfg(target_arch = "x86_64")]
            if join_core::cpu::has_avx2() {
                assert_eq!(deposit::<true>(bits, places), deposited);
            }
        }
    }
}
