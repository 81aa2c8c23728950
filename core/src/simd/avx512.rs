//! A 64-byte vector at a time with AVX-512: eight INT32 tuples, four INT64 tuples.

use std::arch::x86_64::*;

use super::{Lanes, WithLanes};
use crate::key::{Key, Tuple};
use crate::output::{Aggregate, Pair};

#[derive(Clone, Copy)]
pub(super) struct Avx512;

/// Runs `work`, compiled for AVX-512.
///
/// # Safety
///
/// [`crate::cpu::has_avx512`].
#[target_feature(enable = "avx512f,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn run(work: impl WithLanes) {
    work.run::<Avx512>();
}

/// Eight INT32 tuples, and which of the first `len` of them have the key `key`.
///
/// # Safety
///
/// They can be read, and the machine has the instructions.
#[inline(always)]
unsafe fn eight<K: Key>(tuples: *const Tuple<K>, len: usize, key: K) -> (__m512i, u8) {
    // SAFETY: the caller promises the instructions and the tuples.
    unsafe {
        let key = _mm512_set1_epi64(key.bits() as i64);
        let tuples = _mm512_loadu_si512(tuples.cast());
        let keys = _mm512_and_si512(tuples, _mm512_set1_epi64(0xFFFF_FFFF));
        let asked = _bzhi_u32(0xFF, len as u32) as u8;
        (tuples, _mm512_mask_cmpeq_epi64_mask(asked, keys, key))
    }
}

/// Keys of a vector of INT64 tuples stand in the even lanes, their rows in the odd ones.
const EVEN: u32 = 0b01_01_01_01;

/// The four INT64 tuples from number 4 × `half` on, and which of those among the first `len` have the key `key`: a bit in
/// the lane of each key.
///
/// # Safety
///
/// They can be read, and the machine has the instructions.
#[inline(always)]
unsafe fn four<K: Key>(tuples: *const Tuple<K>, half: usize, len: usize, key: K) -> (__m512i, u8) {
    // SAFETY: the caller promises the instructions and the tuples.
    unsafe {
        let key = _mm512_set1_epi64(key.bits() as i64);
        let tuples = _mm512_loadu_si512(tuples.add(4 * half).cast());
        let asked = _bzhi_u32(EVEN, 2 * (len as u32).saturating_sub(4 * half as u32));
        (
            tuples,
            _mm512_mask_cmpeq_epi64_mask(asked as u8, tuples, key),
        )
    }
}

// SAFETY: the lanes that match are compressed to the front and stored, and their number is returned.
unsafe impl Lanes for Avx512 {
    const TUPLES: usize = 8;

    #[inline(always)]
    unsafe fn compare<K: Key>(
        tuples: *const Tuple<K>,
        len: usize,
        key: K,
        probe: u32,
        pairs: *mut Pair,
    ) -> usize {
        debug_assert!(len <= Self::TUPLES);
        // SAFETY: the caller promises the instructions, eight tuples and room for eight pairs.
        unsafe {
            let row = _mm512_set1_epi64((u64::from(probe) << 32) as i64);
            if size_of::<K>() == 4 {
                let (tuples, found) = eight(tuples, len, key);
                let found_pairs = _mm512_or_si512(_mm512_srli_epi64::<32>(tuples), row);
                // Not the instruction that compresses to memory, which is slow on some machines.
                let front = _mm512_maskz_compress_epi64(found, found_pairs);
                _mm512_storeu_si512(pairs.cast(), front);
                found.count_ones() as usize
            } else {
                let mut found_before = 0;
                for half in 0..2 {
                    let (tuples, found) = four(tuples, half, len, key);
                    let front =
                        _mm512_maskz_compress_epi64(found << 1, _mm512_or_si512(tuples, row));
                    _mm256_storeu_si256(
                        pairs.add(found_before).cast(),
                        _mm512_castsi512_si256(front),
                    );
                    found_before += found.count_ones() as usize;
                }
                found_before
            }
        }
    }

    #[inline(always)]
    unsafe fn equal<K: Key>(tuples: *const Tuple<K>, len: usize, key: K) -> u32 {
        debug_assert!(len <= Self::TUPLES);
        // SAFETY: the caller promises the instructions and eight tuples.
        unsafe {
            if size_of::<K>() == 4 {
                u32::from(eight(tuples, len, key).1)
            } else {
                let (_, low) = four(tuples, 0, len, key);
                let (_, high) = four(tuples, 1, len, key);
                _pext_u32(low.into(), EVEN) | _pext_u32(high.into(), EVEN) << 4
            }
        }
    }

    /// By lane: negative count, sum of build rows, sum of probe rows.
    type Sums = [__m512i; 3];

    /// A register's.
    #[inline(always)]
    fn summed<K: Key>() -> usize {
        64 / size_of::<Tuple<K>>()
    }

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        // SAFETY: the caller promises the instructions.
        [unsafe { _mm512_setzero_si512() }; 3]
    }

    #[inline(always)]
    unsafe fn add<K: Key>(sums: &mut Self::Sums, tuples: *const Tuple<K>, probe: &Tuple<K>) {
        let [count, build, probes] = sums;
        let probe = std::ptr::from_ref(probe).cast::<i64>();
        // SAFETY: the caller promises the instructions and 64 bytes of tuples. A probe's tuple is a value of 64 bits, or
        // two.
        unsafe {
            let tuples = _mm512_loadu_si512(tuples.cast());
            let (hits, rows, row) = if size_of::<K>() == 4 {
                // From memory, not from the register that the hash is computed in.
                let probe = _mm512_set1_epi64(*probe);
                let differ = _mm512_xor_si512(tuples, probe);
                (
                    _mm512_testn_epi64_mask(differ, _mm512_set1_epi64(0xFFFF_FFFF)),
                    _mm512_srli_epi64::<32>(tuples),
                    _mm512_srli_epi64::<32>(probe),
                )
            } else {
                // Keys stand in the even lanes, and so do their rows once the lanes of a pair are exchanged.
                let key = _mm512_set1_epi64(*probe);
                (
                    _mm512_mask_cmpeq_epi64_mask(EVEN as u8, tuples, key),
                    _mm512_shuffle_epi32::<0b01_00_11_10>(tuples),
                    _mm512_set1_epi64(*probe.add(1)),
                )
            };
            *count = _mm512_mask_add_epi64(*count, hits, *count, _mm512_set1_epi64(-1));
            *build = _mm512_mask_add_epi64(*build, hits, *build, rows);
            *probes = _mm512_mask_add_epi64(*probes, hits, *probes, row);
        }
    }

    #[inline(always)]
    unsafe fn aggregate(sums: Self::Sums) -> Aggregate {
        let [rows, sum_build, sum_probe] = sums.map(|lanes| {
            // SAFETY: eight lanes of 64 bits are a register of 512.
            let lanes: [u64; 8] = unsafe { std::mem::transmute(lanes) };
            lanes.into_iter().fold(0, u64::wrapping_add)
        });
        Aggregate {
            rows: rows.wrapping_neg(),
            sum_build,
            sum_probe,
        }
    }
}
