//! Sets of keys that scans test before they read anything else of a row.

use join_core::hash::{Fibonacci, KeyHash};
use join_core::memory::{Buffer, OutOfMemory};
use join_core::tag::{MaskTable, TagScheme};

use super::graph::Role;
use super::hands::Hands;
use super::keys::PlanKey;

/// Key ranges up to this many bits are a bitmap whatever the number of keys: half of a usual L2 cache.
const SMALL_BITMAP: u64 = 1 << 22;

/// Bits that a bitmap may spend on a key: a tag spends 16 to 32 and is not exact.
const BITS_A_KEY: u64 = 128;

/// Bytes of keys that scans ask for ahead. Chunks mostly lie one behind the other, and the processor by itself does not ask beyond
/// the 4 KiB that it is in, whose addresses it would have to look up.
pub(super) const SCAN_AHEAD: usize = 4096;

/// The keys that one class may still have.
pub(super) enum Filter {
    /// This one.
    Equals(i64),
    /// Those whose bit is set; exact.
    Bitmap {
        min: i64,
        /// Bits; the one behind them is never set.
        range: u64,
        words: Buffer<u64>,
        /// Of few keys, what most others are told from them by.
        few: Option<Box<Few>>,
    },
    /// Those whose tag may be in its slot: a Bloom filter of one cache line a test.
    Tags { prefix_bits: u32, tags: Buffer<u16> },
}

impl Filter {
    /// The set of these keys, which are from `min` to `max`.
    pub fn new<K: PlanKey>(
        chunks: &[&[K]],
        (min, max): (K, K),
        constants: bool,
        hands: Hands<'_>,
    ) -> Result<Filter, OutOfMemory> {
        let (min, max) = (min.wide(), max.wide());
        if constants && min == max {
            return Ok(Filter::Equals(min));
        }
        let count: usize = chunks.iter().map(|keys| keys.len()).sum();
        let range = max.wrapping_sub(min) as u64;
        if range < SMALL_BITMAP.max((count as u64).saturating_mul(BITS_A_KEY)) {
            let range = range + 1;
            let size = ((range / 64 + 1) as usize, count);
            let set = |words: &mut [u64], keys: &&[K]| {
                for &key in *keys {
                    let bit = key.wide().wrapping_sub(min) as u64;
                    words[(bit / 64) as usize] |= 1 << (bit % 64);
                }
            };
            let words = hands.noted(chunks, size, set, |a, b| a | b)?;
            let few = (count <= Few::MOST).then(|| Box::new(Few::new(chunks)));
            return Ok(Filter::Bitmap {
                min,
                range,
                words,
                few,
            });
        }
        let prefix_bits = count.next_power_of_two().ilog2() + 1;
        let set = |tags: &mut [u16], keys: &&[K]| {
            for &key in *keys {
                let hash = Fibonacci::hash(key);
                tags[(hash >> (64 - prefix_bits)) as usize] |= MaskTable::tag(hash, prefix_bits);
            }
        };
        let tags = hands.noted(chunks, (1 << prefix_bits, count), set, |a, b| a | b)?;
        Ok(Filter::Tags { prefix_bits, tags })
    }

    /// How many keys pass, where the set is exact.
    pub fn keys(&self) -> Option<u64> {
        match self {
            Filter::Equals(_) => Some(1),
            Filter::Bitmap { words, .. } => {
                Some(words.iter().map(|word| u64::from(word.count_ones())).sum())
            }
            Filter::Tags { .. } => None,
        }
    }

    /// Whether the keys of `rows` rows, of which the set was made, say all of them: no key stands there twice, or that does
    /// not matter.
    pub fn says_all(&self, rows: usize, role: Role) -> bool {
        match self.keys() {
            Some(keys) => role == Role::Required || keys == rows as u64,
            None => false,
        }
    }

    /// A short name for telemetry.
    pub fn name(&self) -> &'static str {
        match self {
            Filter::Equals(_) => "=",
            Filter::Bitmap { .. } => "bitmap",
            Filter::Tags { .. } => "tags",
        }
    }

    /// What the cheapest of tests costs.
    pub const CHEAPEST: f64 = 1.0;

    /// What that of a bitmap costs.
    pub const USUAL: f64 = 3.0;

    /// What testing a row costs that the first test has left: rows are tested one by one then, not 64 at a time.
    pub const AGAIN: f64 = 20.0;

    /// What a test costs as the first one of a scan, relative to the cheapest.
    pub fn cost(&self) -> f64 {
        match self {
            Filter::Equals(_) => Filter::CHEAPEST,
            Filter::Bitmap { few: Some(_), .. } => 1.5,
            Filter::Bitmap { few: None, .. } => Filter::USUAL,
            Filter::Tags { .. } => 5.0,
        }
    }
}

/// A test of keys, compiled into the loop that makes it.
pub(super) trait Test<K>: Copy {
    fn test(self, key: K) -> bool;

    /// Bit i is set where key i passes, where there are vector instructions for that.
    ///
    /// # Safety
    ///
    /// The machine has AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn mask(self, _: &[K; 64]) -> Option<u64> {
        None
    }

    /// Appends the bits of each block of keys, where making those of many at a time pays; else nothing.
    ///
    /// # Safety
    ///
    /// The machine has AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn masks(self, _: &[[K; 64]], _: &mut Vec<u64>) {}
}

#[derive(Clone, Copy)]
pub(super) struct Any;

impl<K> Test<K> for Any {
    #[inline(always)]
    fn test(self, _: K) -> bool {
        true
    }
}

#[derive(Clone, Copy)]
pub(super) struct Equals<K>(pub K);

impl<K: PlanKey> Test<K> for Equals<K> {
    #[inline(always)]
    fn test(self, key: K) -> bool {
        key == self.0
    }

    /// Eight keys at a time.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn mask(self, keys: &[K; 64]) -> Option<u64> {
        use std::arch::x86_64::*;
        let [keys] = K::int32s(std::slice::from_ref(keys))? else {
            return None;
        };
        let mut mask = 0;
        // SAFETY: the machine has AVX2, and eight keys are read where there are eight.
        unsafe {
            let wanted = _mm256_set1_epi32(self.0.wide() as i32);
            for (nth, keys) in keys.as_chunks::<8>().0.iter().enumerate() {
                let keys = _mm256_loadu_si256(keys.as_ptr().cast());
                let equal = _mm256_cmpeq_epi32(keys, wanted);
                let passed = _mm256_movemask_ps(_mm256_castsi256_ps(equal)) as u8;
                mask |= u64::from(passed) << (8 * nth);
            }
        }
        Some(mask)
    }
}

/// A Bloom filter that fits into registers: words and their bits are looked up without a load, where gathering eight words takes
/// as long as eight loads.
pub(super) struct Few {
    /// Of two times 256 bits, for AVX2.
    words: [[u32; 8]; 2],
    /// Of two times 512 bits, for AVX-512.
    wide: [[u32; 16]; 2],
}

impl Few {
    /// Keys that it is made of at most: of others, one in twenty passes, one in seventy of the wide one.
    const MOST: usize = 64;

    /// Knuth's multiplier for 32 bits. The upper half of the product is a word and a bit of it, twice.
    const HASH: u32 = 0x9e37_79b1;

    fn new<K: PlanKey>(chunks: &[&[K]]) -> Few {
        let (mut words, mut wide) = ([[0; 8]; 2], [[0; 16]; 2]);
        for &key in chunks.iter().copied().flatten() {
            let hash = (key.wide() as u32).wrapping_mul(Few::HASH);
            words[0][(hash >> 29) as usize] |= (1 << 31) >> (hash >> 24 & 31);
            words[1][(hash >> 21 & 7) as usize] |= (1 << 31) >> (hash >> 16 & 31);
            wide[0][(hash >> 28) as usize] |= 1 << (hash >> 23 & 31);
            wide[1][(hash >> 19 & 15) as usize] |= 1 << (hash >> 14 & 31);
        }
        Few { words, wide }
    }

    /// Bit i is set where key i may be one of them.
    ///
    /// # Safety
    ///
    /// The machine has AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn mask(&self, keys: &[i32; 64]) -> u64 {
        use std::arch::x86_64::*;
        let mut mask = 0;
        // SAFETY: the machine has AVX2; eight values are read where there are eight.
        unsafe {
            let first = _mm256_loadu_si256(self.words[0].as_ptr().cast());
            let second = _mm256_loadu_si256(self.words[1].as_ptr().cast());
            let multiplier = _mm256_set1_epi32(Few::HASH as i32);
            let last = _mm256_set1_epi32(31);
            for (nth, keys) in keys.as_chunks::<8>().0.iter().enumerate() {
                let keys = _mm256_loadu_si256(keys.as_ptr().cast());
                let hash = _mm256_mullo_epi32(keys, multiplier);
                // Of the number of a word, three bits count; the bit that is wanted is moved to where the sign is.
                let word = _mm256_permutevar8x32_epi32(first, _mm256_srli_epi32::<29>(hash));
                let bit = _mm256_and_si256(_mm256_srli_epi32::<24>(hash), last);
                let one = _mm256_sllv_epi32(word, bit);
                let word = _mm256_permutevar8x32_epi32(second, _mm256_srli_epi32::<21>(hash));
                let bit = _mm256_and_si256(_mm256_srli_epi32::<16>(hash), last);
                let both = _mm256_and_si256(one, _mm256_sllv_epi32(word, bit));
                let passed = _mm256_movemask_ps(_mm256_castsi256_ps(both)) as u8;
                mask |= u64::from(passed) << (8 * nth);
            }
        }
        mask
    }

    /// The same of blocks of keys, sixteen keys at a time.
    ///
    /// # Safety
    ///
    /// The machine has AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn masks(&self, blocks: &[[i32; 64]], masks: &mut [u64]) {
        use join_core::prefetch::prefetch_read;
        use std::arch::x86_64::*;
        // SAFETY: sixteen values are read where there are sixteen.
        let [first, second] =
            [0, 1].map(|nth| unsafe { _mm512_loadu_si512(self.wide[nth].as_ptr().cast()) });
        let multiplier = _mm512_set1_epi32(Few::HASH as i32);
        let one = _mm512_set1_epi32(1);
        for (block, mask) in blocks.iter().zip(masks) {
            *mask = 0;
            for (nth, keys) in block.as_chunks::<16>().0.iter().enumerate() {
                prefetch_read(keys.as_ptr().wrapping_byte_add(SCAN_AHEAD));
                // SAFETY: sixteen keys are read where there are sixteen.
                let keys = unsafe { _mm512_loadu_si512(keys.as_ptr().cast()) };
                let hash = _mm512_mullo_epi32(keys, multiplier);
                // Of the number of a word, four bits count; of that of a bit, five.
                let word = _mm512_permutexvar_epi32(_mm512_srli_epi32::<28>(hash), first);
                let bit = _mm512_rolv_epi32(one, _mm512_srli_epi32::<23>(hash));
                let passed = _mm512_test_epi32_mask(word, bit);
                let word = _mm512_permutexvar_epi32(_mm512_srli_epi32::<19>(hash), second);
                let bit = _mm512_rolv_epi32(one, _mm512_srli_epi32::<14>(hash));
                let passed = _mm512_mask_test_epi32_mask(passed, word, bit);
                *mask |= u64::from(passed) << (16 * nth);
            }
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct InBitmap<'a> {
    pub min: i64,
    pub range: u64,
    pub words: &'a [u64],
    pub few: Option<&'a Few>,
}

impl<K: PlanKey> Test<K> for InBitmap<'_> {
    #[inline(always)]
    fn test(self, key: K) -> bool {
        let bit = (key.distance(self.min)).min(self.range);
        // SAFETY: a bitmap has range / 64 + 1 words, and `bit` is at most `range`.
        let word = unsafe { *self.words.get_unchecked((bit / 64) as usize) };
        word >> (bit % 64) & 1 != 0
    }

    /// Eight keys at a time: their words are gathered, and the bit of each moved to where the sign is.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn mask(self, keys: &[K; 64]) -> Option<u64> {
        use std::arch::x86_64::*;
        let [ints] = K::int32s(std::slice::from_ref(keys))? else {
            return None;
        };
        if let Some(few) = self.few {
            // SAFETY: the machine has AVX2.
            return Some(self.those_of(keys, unsafe { few.mask(ints) }));
        }
        // SAFETY: the machine has AVX2.
        if let Some(mask) = unsafe { self.of_successive(ints) } {
            return Some(mask);
        }
        let mut mask = 0;
        // SAFETY: the machine has AVX2. A bitmap has range / 64 + 1 words of 64 bits, and no bit number is beyond `range`;
        // halves of words are found by the number of 32 bits, as the machine is little-endian. A gather takes signed
        // places, which 2^32 / 32 is not beyond.
        unsafe {
            let min = _mm256_set1_epi32(self.min as i32);
            let range = _mm256_set1_epi32(self.range.min(u64::from(u32::MAX)) as u32 as i32);
            let last = _mm256_set1_epi32(31);
            let words = self.words.as_ptr().cast::<i32>();
            for (nth, keys) in ints.as_chunks::<8>().0.iter().enumerate() {
                let keys = _mm256_loadu_si256(keys.as_ptr().cast());
                let bit = _mm256_min_epu32(_mm256_sub_epi32(keys, min), range);
                let word = _mm256_i32gather_epi32::<4>(words, _mm256_srli_epi32::<5>(bit));
                let sign = _mm256_sllv_epi32(word, _mm256_andnot_si256(bit, last));
                let passed = _mm256_movemask_ps(_mm256_castsi256_ps(sign)) as u8;
                mask |= u64::from(passed) << (8 * nth);
            }
        }
        Some(mask)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn masks(self, blocks: &[[K; 64]], masks: &mut Vec<u64>) {
        if let (Some(few), Some(ints)) = (self.few, K::int32s(blocks)) {
            masks.resize(blocks.len(), 0);
            // SAFETY: the machine has AVX-512.
            unsafe { few.masks(ints, masks) };
            for (keys, mask) in blocks.iter().zip(masks) {
                *mask = self.those_of(keys, *mask);
            }
        }
    }
}

impl InBitmap<'_> {
    /// The bits of keys each of which is the next after the one before, as primary keys mostly are: they lie together.
    ///
    /// # Safety
    ///
    /// The machine has AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn of_successive(self, keys: &[i32; 64]) -> Option<u64> {
        use std::arch::x86_64::*;
        let start = keys[0].distance(self.min);
        if keys[63].wrapping_sub(keys[0]) != 63 || start.saturating_add(63) >= self.range {
            return None;
        }
        // SAFETY: the machine has AVX2, and eight keys are read where there are eight.
        let all = unsafe {
            let mut wanted = _mm256_add_epi32(
                _mm256_set1_epi32(keys[0]),
                _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
            );
            let mut equal = _mm256_set1_epi32(-1);
            for keys in keys.as_chunks::<8>().0 {
                let keys = _mm256_loadu_si256(keys.as_ptr().cast());
                equal = _mm256_and_si256(equal, _mm256_cmpeq_epi32(keys, wanted));
                wanted = _mm256_add_epi32(wanted, _mm256_set1_epi32(8));
            }
            _mm256_movemask_epi8(equal) == -1
        };
        let (word, bit) = ((start / 64) as usize, (start % 64) as u32);
        let high = match bit {
            0 => 0,
            _ => self.words[word + 1] << (64 - bit),
        };
        all.then(|| self.words[word] >> bit | high)
    }

    /// Those of the keys whose bit is set in `left` that pass.
    #[inline(always)]
    fn those_of<K: PlanKey>(self, keys: &[K; 64], mut left: u64) -> u64 {
        let mut mask = 0;
        while left != 0 {
            let nth = left.trailing_zeros();
            mask |= u64::from(self.test(keys[nth as usize])) << nth;
            left &= left - 1;
        }
        mask
    }
}

#[derive(Clone, Copy)]
pub(super) struct InTags<'a> {
    pub prefix_bits: u32,
    pub tags: &'a [u16],
}

impl<K: PlanKey> Test<K> for InTags<'_> {
    #[inline(always)]
    fn test(self, key: K) -> bool {
        let hash = Fibonacci::hash(key);
        // SAFETY: there are 2^prefix_bits tags, and a hash has 64 bits.
        let tag = unsafe {
            *self
                .tags
                .get_unchecked((hash >> (64 - self.prefix_bits)) as usize)
        };
        MaskTable::tag(hash, self.prefix_bits) & !tag == 0
    }
}

/// Something done with a test whose type is known.
pub(super) trait WithTest<K> {
    type Output;
    fn with<T: Test<K>>(self, test: T) -> Self::Output;
}

impl Filter {
    /// Does `work` with the test of this filter, [`Any`] where there is none.
    #[inline(always)]
    pub fn dispatch<K: PlanKey, W: WithTest<K>>(filter: Option<&Filter>, work: W) -> W::Output {
        match filter {
            None => work.with(Any),
            Some(Filter::Equals(key)) => work.with(Equals(K::narrow(*key))),
            Some(Filter::Bitmap {
                min,
                range,
                words,
                few,
            }) => work.with(InBitmap {
                min: *min,
                range: *range,
                words,
                few: few.as_deref(),
            }),
            Some(Filter::Tags { prefix_bits, tags }) => work.with(InTags {
                prefix_bits: *prefix_bits,
                tags,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_found_by_vectors_of_all_widths() {
        let block =
            |first: i32| std::array::from_fn(|at| first.wrapping_add(at as i32).wrapping_mul(7919));
        let blocks: [[i32; 64]; 3] = [block(-70), block(0), block(i32::MAX - 20)];
        let keys = blocks.as_flattened();
        for count in [1, 2, 5, 64] {
            let set: Vec<i32> = keys.iter().copied().step_by(keys.len() / count).collect();
            let few = Few::new(&[&set[..]]);
            let mut found: Vec<[u64; 3]> = Vec::new();
            #[cfg(target_arch = "x86_64")]
            if join_core::cpu::has_avx2() {
                // SAFETY: the machine has AVX2.
                found.push(blocks.each_ref().map(|block| unsafe { few.mask(block) }));
            }
            #[cfg(target_arch = "x86_64")]
            if join_core::cpu::has_avx512() {
                let mut masks = [0; 3];
                // SAFETY: the machine has AVX-512.
                unsafe { few.masks(&blocks, &mut masks) };
                found.push(masks);
            }
            for masks in found {
                let passed = |at: usize| masks[at / 64] >> (at % 64) & 1 != 0;
                let mut others = 0;
                for (at, key) in keys.iter().enumerate() {
                    let is_one = set.contains(key);
                    assert!(passed(at) || !is_one, "key {at} of {count}");
                    others += usize::from(passed(at) && !is_one);
                }
                assert!(others < 40, "{others} others pass for {count} keys");
            }
        }
    }

    #[test]
    fn keys_that_follow_one_another_have_the_bits_of_the_bitmap() {
        #[cfg(target_arch = "x86_64")]
        if join_core::cpu::has_avx2() {
            let words: Vec<u64> = (1_u64..6)
                .map(|nth| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .collect();
            let bitmap = InBitmap {
                min: -40,
                range: 64 * 4 + 17,
                words: &words,
                few: None,
            };
            for first in -120..260 {
                for swapped in [None, Some(1), Some(31), Some(62)] {
                    let mut keys: [i32; 64] = std::array::from_fn(|at| first + at as i32);
                    if let Some(at) = swapped {
                        keys.swap(at, at + 1);
                    }
                    let is_one = |at: usize| u64::from(bitmap.test(keys[at])) << at;
                    let wanted = (0..64).map(is_one).sum();
                    // SAFETY: the machine has AVX2.
                    assert_eq!(unsafe { bitmap.mask(&keys) }, Some(wanted), "from {first}");
                }
            }
        }
    }
}
