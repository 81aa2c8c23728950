//! Four tuples compared at once: one register of INT32 keys and rows, or one of INT64 keys and one of their rows.

use std::arch::x86_64::*;

use join_core::hash::KeyHash;
use join_core::join::{Aggregate, PairBuffer, Sink};
use join_core::key::{Key, Tuple};

use super::{PADDING, Ranges};

/// Tuples compared at once. A lane has 64 bits; sinks find a tuple's row in its upper half.
const LANES: usize = 4;

const _: () = assert!(LANES <= PADDING);

/// Whether [`probe`] may be called: the machine has AVX2.
#[inline]
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// A sink of four comparisons at a time.
pub(super) trait Lanes: Sink {
    /// What is kept in registers between two [`Self::end`]s.
    type Kept: Copy;

    /// Nothing kept yet.
    ///
    /// # Safety
    ///
    /// The machine has AVX2, here and below.
    unsafe fn start() -> Self::Kept;

    /// Takes a match of a build and a probe tuple in each lane where all bits of `hits` are set.
    ///
    /// # Safety
    ///
    /// As above. Lanes of `hits` are all ones or all zeroes.
    unsafe fn take(
        &mut self,
        kept: &mut Self::Kept,
        hits: __m256i,
        tuples: __m256i,
        probe: __m256i,
    );

    /// Takes what was kept.
    ///
    /// # Safety
    ///
    /// As above.
    unsafe fn end(&mut self, kept: Self::Kept);
}

/// Finds the matches of the probes.
///
/// # Safety
///
/// AVX2 is [`available`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn probe<const SWAPPED: bool, K: Key, H: KeyHash, O: Lanes>(
    ranges: &Ranges<'_, K, H>,
    probes: impl Iterator<Item = Tuple<K>>,
    sink: &mut O,
) {
    // SAFETY: AVX2 is there.
    let mut kept = unsafe { O::start() };
    for probe in probes {
        let (mut start, end) = ranges.range(probe.key);
        let key = _mm256_set1_epi64x(probe.key.bits() as i64);
        let probe = _mm256_set1_epi64x((u64::from(probe.row_id()) << 32) as i64);
        loop {
            let place = ranges.tuples.as_ptr().wrapping_add(start);
            // SAFETY: `start` is at most `end`, from where four tuples can be read. AVX2 is there.
            unsafe {
                let (equal, tuples, numbers) = compare::<K>(place, key);
                let left = _mm256_set1_epi64x((end - start) as i64);
                let hits = _mm256_and_si256(_mm256_cmpgt_epi64(left, numbers), equal);
                let (build, probe) = if SWAPPED {
                    (probe, tuples)
                } else {
                    (tuples, probe)
                };
                sink.take(&mut kept, hits, build, probe);
            }
            start += LANES;
            if start >= end {
                break;
            }
        }
    }
    // SAFETY: AVX2 is there.
    unsafe { sink.end(kept) }
}

/// Compares four tuples with a key: which are equal, their rows in the upper halves, and which tuple a lane has.
///
/// # Safety
///
/// Four tuples can be read at `place`, and AVX2 is there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn compare<K: Key>(place: *const Tuple<K>, key: __m256i) -> (__m256i, __m256i, __m256i) {
    // SAFETY: the caller promises four tuples: 32 or 64 bytes.
    unsafe {
        let first = _mm256_loadu_si256(place.cast());
        if size_of::<K>() == 4 {
            let differ = _mm256_slli_epi64::<32>(_mm256_xor_si256(first, key));
            let equal = _mm256_cmpeq_epi64(differ, _mm256_setzero_si256());
            return (equal, first, _mm256_setr_epi64x(0, 1, 2, 3));
        }
        let second = _mm256_loadu_si256(place.add(2).cast());
        let keys = _mm256_unpacklo_epi64(first, second);
        let rows = _mm256_slli_epi64::<32>(_mm256_unpackhi_epi64(first, second));
        let equal = _mm256_cmpeq_epi64(keys, key);
        (equal, rows, _mm256_setr_epi64x(0, 2, 1, 3))
    }
}

impl Lanes for Aggregate {
    /// By lane: negative count, sum of build rows, sum of probe rows.
    type Kept = [__m256i; 3];

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn start() -> Self::Kept {
        [_mm256_setzero_si256(); 3]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn take(
        &mut self,
        kept: &mut Self::Kept,
        hits: __m256i,
        build: __m256i,
        probe: __m256i,
    ) {
        let [rows, sum_build, sum_probe] = kept;
        let row = |tuple| _mm256_srli_epi64::<32>(_mm256_and_si256(hits, tuple));
        *rows = _mm256_add_epi64(*rows, hits);
        *sum_build = _mm256_add_epi64(*sum_build, row(build));
        *sum_probe = _mm256_add_epi64(*sum_probe, row(probe));
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn end(&mut self, kept: Self::Kept) {
        let [rows, sum_build, sum_probe] = kept.map(|lanes| {
            // SAFETY: four lanes of 64 bits are a register of 256.
            let lanes: [u64; LANES] = unsafe { std::mem::transmute(lanes) };
            lanes.into_iter().fold(0, u64::wrapping_add)
        });
        self.merge(&Aggregate {
            rows: rows.wrapping_neg(),
            sum_build,
            sum_probe,
        });
    }
}

/// For each set of lanes the 32-bit halves that move those lanes to the front, in order.
static TO_THE_FRONT: [[u32; 8]; 16] = {
    let mut halves = [[0; 8]; 16];
    let mut set = 0;
    while set < 16 {
        let (mut lane, mut front) = (0, 0);
        while lane < 4 {
            if set >> lane & 1 == 1 {
                halves[set][front] = lane * 2;
                halves[set][front + 1] = lane * 2 + 1;
                front += 2;
            }
            lane += 1;
        }
        set += 1;
    }
    halves
};

impl Lanes for PairBuffer<'_> {
    type Kept = ();

    unsafe fn start() {}

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn take(&mut self, _: &mut (), hits: __m256i, build: __m256i, probe: __m256i) {
        // A pair is the build row below the probe row.
        let pairs = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(build), probe);
        let set = _mm256_movemask_pd(_mm256_castsi256_pd(hits)) as usize;
        let room = self.room(LANES);
        debug_assert!(room.len() >= LANES);
        // SAFETY: a set of four lanes is below 16; there is room for four pairs of 64 bits, and the hits among them are
        // written to its front.
        unsafe {
            let order = _mm256_loadu_si256(TO_THE_FRONT[set].as_ptr().cast());
            let pairs = _mm256_permutevar8x32_epi32(pairs, order);
            _mm256_storeu_si256(room.as_mut_ptr().cast(), pairs);
            PairBuffer::take(self, set.count_ones() as usize);
        }
    }

    unsafe fn end(&mut self, (): ()) {}
}
