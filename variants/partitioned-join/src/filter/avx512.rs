//! Eight keys asked for at once.

use std::arch::x86_64::*;

use join_core::hash::KeyHash;
use join_core::input::{BlockRows, KeyBlock};
use join_core::key::Key;

use super::{Filter, MIX};
use crate::entries::Partition;

/// Keys that are asked for at once.
pub(super) const LANES: usize = 8;

/// Keys that are hashed together.
const HASHED: usize = 64;

/// Sets the bits of all entries in the words of their partition: the same code in fewer instructions.
///
/// # Safety
///
/// [`join_core::cpu::has_avx512`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,bmi2")]
pub(super) unsafe fn add<K: Key, H: KeyHash>(
    entries: &Partition<'_, K>,
    shift: u32,
    words: &mut [u64],
) {
    super::add_each::<K, H>(entries, shift, words);
}

/// Writes those of the block's keys that pass, and their rows; returns how many they are.
///
/// # Panics
///
/// If there is not room for all of the block's keys, and [`LANES`] more.
///
/// # Safety
///
/// [`join_core::cpu::has_avx512`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,bmi2,popcnt")]
pub(super) unsafe fn pass<K: Key, H: KeyHash>(
    filter: &Filter<H>,
    block: KeyBlock<'_, K>,
    keys: &mut [K],
    rows: &mut [u32],
) -> usize {
    let room = block.keys.len() + LANES;
    assert!(keys.len() >= room && rows.len() >= room);
    let mut passed = 0;
    let mut hashes = [0; HASHED];
    for block in block.chunks(HASHED) {
        H::hash_block(block.keys.iter().copied(), &mut hashes);
        for at in (0..block.keys.len()).step_by(LANES) {
            let left = block.keys.len() - at;
            let lanes = if left < LANES {
                (1 << left) - 1
            } else {
                u8::MAX
            };
            let from = block.keys[at..].as_ptr();
            // SAFETY: only so many lanes are read as are left, of hashes all. A hash shifted chooses one of the words.
            // There is room for a vector behind as many keys as have been read.
            unsafe {
                let hashes = _mm512_loadu_si512(hashes[at..at + LANES].as_ptr().cast());
                let lanes = filter.ask(hashes, lanes);
                let row = match block.rows {
                    BlockRows::From(row) => _mm256_add_epi32(
                        _mm256_set1_epi32((row + at as u32) as i32),
                        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                    ),
                    BlockRows::List(rows) => {
                        _mm256_maskz_loadu_epi32(lanes, rows[at..].as_ptr().cast())
                    }
                };
                let row = _mm256_maskz_compress_epi32(lanes, row);
                _mm256_storeu_si256(rows.as_mut_ptr().add(passed).cast(), row);
                let to = keys.as_mut_ptr().add(passed);
                if size_of::<K>() == 4 {
                    let key = _mm256_maskz_loadu_epi32(lanes, from.cast());
                    let key = _mm256_maskz_compress_epi32(lanes, key);
                    _mm256_storeu_si256(to.cast(), key);
                } else {
                    let key = _mm512_maskz_loadu_epi64(lanes, from.cast());
                    let key = _mm512_maskz_compress_epi64(lanes, key);
                    _mm512_storeu_si512(to.cast(), key);
                }
                passed += lanes.count_ones() as usize;
            }
        }
    }
    passed
}

impl<H: KeyHash> Filter<H> {
    /// Which of `lanes` have hashes that pass.
    ///
    /// # Safety
    ///
    /// [`join_core::cpu::has_avx512`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn ask(&self, hashes: __m512i, lanes: u8) -> u8 {
        let shift = _mm_cvtsi32_si128(self.shift as i32);
        let index = _mm512_srl_epi64(hashes, shift);
        // SAFETY: a hash shifted chooses one of the words.
        let words = unsafe {
            let zero = _mm512_setzero_si512();
            _mm512_mask_i64gather_epi64::<8>(zero, lanes, index, self.words.as_ptr().cast())
        };
        let mixed = _mm512_mullo_epi64(hashes, _mm512_set1_epi64(MIX as i64));
        let place = |shifted| _mm512_and_si512(shifted, _mm512_set1_epi64(63));
        let one = _mm512_set1_epi64(1);
        let bits = _mm512_or_si512(
            _mm512_sllv_epi64(one, _mm512_srli_epi64::<58>(mixed)),
            _mm512_or_si512(
                _mm512_sllv_epi64(one, place(_mm512_srli_epi64::<52>(mixed))),
                _mm512_sllv_epi64(one, place(_mm512_srli_epi64::<46>(mixed))),
            ),
        );
        _mm512_mask_testn_epi64_mask(lanes, _mm512_andnot_si512(words, bits), bits)
    }
}
