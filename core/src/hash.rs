//! Hashes of join keys. The table uses the top bits as the slot, so these are what a hash must mix.

use crate::key::Key;

/// A 64-bit hash of join keys.
pub trait KeyHash: Copy + Send + Sync + 'static {
    /// Name in toggles and reports.
    const NAME: &'static str;

    /// Whether [`Self::hash_block`] is faster than hashing key by key (it uses instructions that must be detected).
    const BLOCKWISE: bool = false;

    /// The hash of one key.
    fn hash<K: Key>(key: K) -> u64;

    /// The hashes of a block of keys; `hashes` is at least as long.
    #[inline(always)]
    fn hash_block<K: Key>(keys: impl Iterator<Item = K>, hashes: &mut [u64]) {
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = Self::hash(key);
        }
    }
}

/// 2^64 / φ, rounded to odd.
const FIBONACCI: u64 = 0x9E37_79B9_7F4A_7C15;

/// Fibonacci hashing (Knuth): the key times 2^64/φ. One multiplication; the top bits are good, the low bits of the
/// product depend on the low bits of the key alone. The contest engine's hash.
#[derive(Debug, Clone, Copy)]
pub struct Fibonacci;

impl KeyHash for Fibonacci {
    const NAME: &'static str = "fibonacci";

    #[inline(always)]
    fn hash<K: Key>(key: K) -> u64 {
        key.bits().wrapping_mul(FIBONACCI)
    }
}

/// The 64-bit finaliser of MurmurHash3 (Appleby): three shifts and two multiplications, all bits mixed.
#[derive(Debug, Clone, Copy)]
pub struct Murmur;

impl KeyHash for Murmur {
    const NAME: &'static str = "murmur";

    #[inline(always)]
    fn hash<K: Key>(key: K) -> u64 {
        let mut hash = key.bits();
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        hash ^ (hash >> 33)
    }
}

/// CRC32-C under two seeds, mixed by a multiplication, as in HyPer and Umbra. Uses SSE 4.2 where the machine has it.
#[derive(Debug, Clone, Copy)]
pub struct Crc32;

const CRC_SEEDS: [u32; 2] = [0x8445_D61A, 0x4886_6A34];

impl Crc32 {
    #[inline(always)]
    fn mix(low: u32, high: u32) -> u64 {
        (u64::from(low) | u64::from(high) << 32).wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

impl KeyHash for Crc32 {
    const NAME: &'static str = "crc32c";
    const BLOCKWISE: bool = true;

    #[inline]
    fn hash<K: Key>(key: K) -> u64 {
        let [low, high] = CRC_SEEDS.map(|seed| crc32c_table(seed, key.bits()));
        Self::mix(low, high)
    }

    #[inline]
    fn hash_block<K: Key>(keys: impl Iterator<Item = K>, hashes: &mut [u64]) {
        #[cfg(target_arch = "x86_64")]
        if crate::cpu::has_sse42() {
            // SAFETY: the processor has the instruction.
            return unsafe { crc32c_block(keys, hashes) };
        }
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = Self::hash(key);
        }
    }
}

/// # Safety
///
/// The machine has SSE 4.2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
unsafe fn crc32c_block<K: Key>(keys: impl Iterator<Item = K>, hashes: &mut [u64]) {
    use std::arch::x86_64::_mm_crc32_u64;
    for (hash, key) in hashes.iter_mut().zip(keys) {
        let [low, high] = CRC_SEEDS.map(|seed| _mm_crc32_u64(u64::from(seed), key.bits()) as u32);
        *hash = Crc32::mix(low, high);
    }
}

/// CRC32-C of eight bytes, without the final complement, as the instruction computes it.
fn crc32c_table(seed: u32, bits: u64) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0x82F6_3B78
                } else {
                    crc >> 1
                };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    bits.to_le_bytes().iter().fold(seed, |crc, &byte| {
        (crc >> 8) ^ TABLE[((crc ^ u32::from(byte)) & 0xFF) as usize]
    })
}

/// A hash under which every key collides: for the conformance suite.
#[cfg(any(test, feature = "conformance"))]
#[derive(Debug, Clone, Copy)]
pub struct Colliding;

#[cfg(any(test, feature = "conformance"))]
impl KeyHash for Colliding {
    const NAME: &'static str = "colliding";

    #[inline(always)]
    fn hash<K: Key>(_: K) -> u64 {
        FIBONACCI
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn crc32c_is_castagnolis() {
        // The check value of CRC32-C over eight zero bytes.
        assert_eq!(!crc32c_table(!0, 0), 0x8C28_B28A);
    }

    proptest! {
        #[test]
        fn blocks_agree_with_single_keys(keys in proptest::collection::vec(any::<i64>(), 0..200)) {
            fn agree<H: KeyHash, K: Key>(keys: &[K]) {
                let mut hashes = vec![0; keys.len()];
                H::hash_block(keys.iter().copied(), &mut hashes);
                for (&hash, &key) in hashes.iter().zip(keys) {
                    assert_eq!(hash, H::hash(key), "{}", H::NAME);
                }
            }
            agree::<Fibonacci, _>(&keys);
            agree::<Murmur, _>(&keys);
            agree::<Crc32, _>(&keys);
            let narrow: Vec<i32> = keys.iter().map(|&key| key as i32).collect();
            agree::<Crc32, _>(&narrow);
        }
    }
}
