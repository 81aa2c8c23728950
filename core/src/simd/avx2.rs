//! Four tuples at a time with AVX2: one 32-byte vector of INT32 tuples, two of INT64 tuples.

use std::arch::x86_64::*;

use super::{Lanes, WithLanes};
use crate::key::{Key, Tuple};
use crate::output::{Aggregate, Pair};

#[derive(Clone, Copy)]
pub(super) struct Avx2;

/// Runs `work`, compiled for AVX2.
///
/// # Safety
///
/// [`crate::cpu::has_avx2`].
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn run(work: impl WithLanes) {
    work.run::<Avx2>();
}

/// For each set of four 8-byte values the order of 4-byte halves that moves the set to the front: AVX2 lacks a
/// compress instruction.
static TO_FRONT: [[u32; 8]; 16] = {
    let mut orders = [[0; 8]; 16];
    let mut set = 0;
    while set < 16 {
        let mut next = 0;
        let mut value = 0;
        while value < 4 {
            if set >> value & 1 == 1 {
                orders[set][next] = 2 * value;
                orders[set][next + 1] = 2 * value + 1;
                next += 2;
            }
            value += 1;
        }
        set += 1;
    }
    orders
};

/// The upper halves of four 8-byte values.
const ODD: i32 = 0b10_10_10_10;

/// The keys and the rows of four tuples, as 64 bits each.
///
/// # Safety
///
/// Four tuples can be read, and the machine has the instructions.
#[inline(always)]
unsafe fn keys_and_rows<K: Key>(tuples: *const Tuple<K>) -> (__m256i, __m256i) {
    let vectors = tuples.cast::<__m256i>();
    // SAFETY: the caller promises the instructions and four tuples: 32 bytes of INT32 ones, 64 of INT64 ones.
    unsafe {
        if size_of::<K>() == 4 {
            let tuples = _mm256_loadu_si256(vectors);
            (
                _mm256_blend_epi32::<ODD>(tuples, _mm256_setzero_si256()),
                _mm256_srli_epi64::<32>(tuples),
            )
        } else {
            let (first, second) = (
                _mm256_loadu_si256(vectors),
                _mm256_loadu_si256(vectors.add(1)),
            );
            // Unpacking yields the tuples 0, 2, 1, 3.
            (
                _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_unpacklo_epi64(first, second)),
                _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_unpackhi_epi64(first, second)),
            )
        }
    }
}

/// Which of the first `len` of four keys are `key`.
///
/// # Safety
///
/// The machine has the instructions.
#[inline(always)]
unsafe fn which<K: Key>(keys: __m256i, len: usize, key: K) -> u32 {
    // SAFETY: the caller promises the instructions.
    unsafe {
        let key = _mm256_set1_epi64x(key.bits() as i64);
        let equal = _mm256_castsi256_pd(_mm256_cmpeq_epi64(keys, key));
        _bzhi_u32(_mm256_movemask_pd(equal) as u32, len as u32)
    }
}

// SAFETY: the lanes that match are moved to the front and stored, and their number is returned.
unsafe impl Lanes for Avx2 {
    const TUPLES: usize = 4;

    #[inline(always)]
    unsafe fn compare<K: Key>(
        tuples: *const Tuple<K>,
        len: usize,
        key: K,
        probe: u32,
        pairs: *mut Pair,
    ) -> usize {
        debug_assert!(len <= Self::TUPLES);
        // SAFETY: the caller promises the instructions, four tuples and room for four 8-byte pairs; a set of four lanes is
        // below 16.
        unsafe {
            let (keys, rows) = keys_and_rows(tuples);
            let found = which(keys, len, key);
            let both = _mm256_blend_epi32::<ODD>(rows, _mm256_set1_epi32(probe as i32));
            let order = _mm256_loadu_si256(TO_FRONT[found as usize & 15].as_ptr().cast());
            let front = _mm256_permutevar8x32_epi32(both, order);
            _mm256_storeu_si256(pairs.cast(), front);
            found.count_ones() as usize
        }
    }

    #[inline(always)]
    unsafe fn equal<K: Key>(tuples: *const Tuple<K>, len: usize, key: K) -> u32 {
        debug_assert!(len <= Self::TUPLES);
        // SAFETY: the caller promises the instructions and four tuples.
        unsafe { which(keys_and_rows(tuples).0, len, key) }
    }

    /// By lane: negative count, sum of build rows, sum of probe rows.
    type Sums = [__m256i; 3];

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        // SAFETY: the caller promises the instructions.
        [unsafe { _mm256_setzero_si256() }; 3]
    }

    #[inline(always)]
    unsafe fn add<K: Key>(sums: &mut Self::Sums, tuples: *const Tuple<K>, probe: &Tuple<K>) {
        let [count, build, probes] = sums;
        let (tuples, probe) = (tuples.cast::<__m256i>(), std::ptr::from_ref(probe));
        // SAFETY: the caller promises the instructions and four tuples: 32 or 64 bytes. A probe's tuple is a value of
        // 64 bits, or two.
        unsafe {
            let (hits, rows, row) = if size_of::<K>() == 4 {
                let tuples = _mm256_loadu_si256(tuples);
                // From memory, not from the register that the hash is computed in.
                let probe = _mm256_castpd_si256(_mm256_broadcast_sd(&*probe.cast::<f64>()));
                let differ = _mm256_slli_epi64::<32>(_mm256_xor_si256(tuples, probe));
                (
                    _mm256_cmpeq_epi64(differ, _mm256_setzero_si256()),
                    _mm256_srli_epi64::<32>(tuples),
                    _mm256_srli_epi64::<32>(probe),
                )
            } else {
                let (first, second) = (
                    _mm256_loadu_si256(tuples),
                    _mm256_loadu_si256(tuples.add(1)),
                );
                let probe = probe.cast::<f64>();
                let key = _mm256_castpd_si256(_mm256_broadcast_sd(&*probe));
                (
                    _mm256_cmpeq_epi64(_mm256_unpacklo_epi64(first, second), key),
                    _mm256_unpackhi_epi64(first, second),
                    _mm256_castpd_si256(_mm256_broadcast_sd(&*probe.add(1))),
                )
            };
            *count = _mm256_add_epi64(*count, hits);
            *build = _mm256_add_epi64(*build, _mm256_and_si256(hits, rows));
            *probes = _mm256_add_epi64(*probes, _mm256_and_si256(hits, row));
        }
    }

    #[inline(always)]
    unsafe fn aggregate(sums: Self::Sums) -> Aggregate {
        let [rows, sum_build, sum_probe] = sums.map(|lanes| {
            // SAFETY: four lanes of 64 bits are a register of 256.
            let lanes: [u64; Self::TUPLES] = unsafe { std::mem::transmute(lanes) };
            lanes.into_iter().fold(0, u64::wrapping_add)
        });
        Aggregate {
            rows: rows.wrapping_neg(),
            sum_build,
            sum_probe,
        }
    }
}
