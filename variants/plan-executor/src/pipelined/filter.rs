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
        few: Option<Few>,
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
            let few = (count <= Few::MOST).then(|| Few::new(chunks));
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
        let keys: &[i32; 64] = K::int32s(keys)?;
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

/// A Bloom filter of two times 256 bits, which fit into registers: words and their bits are looked up without a load, where
/// gathering eight words takes as long as eight loads.
pub(super) struct Few([[u32; 8]; 2]);

impl Few {
    /// Keys that it is made of at most: of others, one in twenty passes.
    const MOST: usize = 64;

    /// Knuth's multiplier for 32 bits. The upper half of the product is a word and a bit of it, twice.
    const HASH: u32 = 0x9e37_79b1;

    fn new<K: PlanKey>(chunks: &[&[K]]) -> Few {
        let mut words = [[0; 8]; 2];
        for &key in chunks.iter().copied().flatten() {
            let hash = (key.wide() as u32).wrapping_mul(Few::HASH);
            words[0][(hash >> 29) as usize] |= (1 << 31) >> (hash >> 24 & 31);
            words[1][(hash >> 21 & 7) as usize] |= (1 << 31) >> (hash >> 16 & 31);
        }
        Few(words)
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
            let first = _mm256_loadu_si256(self.0[0].as_ptr().cast());
            let second = _mm256_loadu_si256(self.0[1].as_ptr().cast());
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
        if let Some(few) = self.few {
            // SAFETY: the machine has AVX2.
            let mut left = unsafe { few.mask(K::int32s(keys)?) };
            let mut mask = 0;
            while left != 0 {
                let nth = left.trailing_zeros();
                mask |= u64::from(self.test(keys[nth as usize])) << nth;
                left &= left - 1;
            }
            return Some(mask);
        }
        let keys: &[i32; 64] = K::int32s(keys)?;
        let mut mask = 0;
        // SAFETY: the machine has AVX2. A bitmap has range / 64 + 1 words of 64 bits, and no bit number is beyond `range`;
        // halves of words are found by the number of 32 bits, as the machine is little-endian. A gather takes signed
        // places, which 2^32 / 32 is not beyond.
        unsafe {
            let min = _mm256_set1_epi32(self.min as i32);
            let range = _mm256_set1_epi32(self.range.min(u64::from(u32::MAX)) as u32 as i32);
            let last = _mm256_set1_epi32(31);
            let words = self.words.as_ptr().cast::<i32>();
            for (nth, keys) in keys.as_chunks::<8>().0.iter().enumerate() {
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
                few: few.as_ref(),
            }),
            Some(Filter::Tags { prefix_bits, tags }) => work.with(InTags {
                prefix_bits: *prefix_bits,
                tags,
            }),
        }
    }
}
