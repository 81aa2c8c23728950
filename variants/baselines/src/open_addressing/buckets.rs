//! Bucket-based comparison: a bucket's fingerprints are compared with one vector instruction.

use bytemuck::Zeroable;
use join_core::hash::KeyHash;
use join_core::key::{Key, Tuple};
use join_core::output::Sink;
use join_core::prefetch::prefetch_read;

use super::{MAX_COPIES, Placed, Space, private};

/// Slots of a bucket: as many fingerprints as the vectors of every x86-64 and every AArch64 hold.
const SLOTS: usize = 16;

/// Buckets of 16 slots, filled one after the other and at most 7/8 full all together. Each slot has a fingerprint, a byte
/// of its key's hash; only keys with the right one are compared. A search goes on to the next bucket where a bucket is full.
#[derive(Debug)]
pub enum Buckets {}

/// A bucket: fingerprints beside the tuples that they belong to, as in the paper. Slots are filled from the first on.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct Bucket<K: Key> {
    /// 0 is an empty slot.
    fingerprints: [u8; SLOTS],
    tuples: [Tuple<K>; SLOTS],
}

// SAFETY: all zeroes is a value of each field.
unsafe impl<K: Key> Zeroable for Bucket<K> {}

impl<K: Key> Bucket<K> {
    /// The slots with this fingerprint.
    #[inline(always)]
    fn with(&self, fingerprint: u8) -> Slots {
        Slots(equal(&self.fingerprints, fingerprint))
    }

    /// Whether a search must go on.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.fingerprints[SLOTS - 1] != 0
    }
}

/// Some slots of a bucket, a bit each.
#[derive(Clone, Copy, Default)]
pub struct Slots(u32);

impl Iterator for Slots {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let slot = (self.0 != 0).then_some(self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// The fingerprint of a hash whose top `bits` choose the bucket: the bits below them.
#[inline(always)]
fn fingerprint(hash: u64, bits: u32) -> u8 {
    ((hash << bits >> 56) as u8).max(1)
}

/// A bit for each of the bytes that is `byte`. SSE2 is part of every x86-64, so there is nothing to detect.
#[inline(always)]
fn equal(bytes: &[u8; SLOTS], byte: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the machine has the instructions, and 16 bytes are read.
    return unsafe {
        use std::arch::x86_64::*;
        let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))) as u32
    };
    #[cfg(not(target_arch = "x86_64"))]
    equal_portable(bytes, byte)
}

/// The scalar twin of [`equal`].
#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_portable(bytes: &[u8; SLOTS], byte: u8) -> u32 {
    let bits = bytes.iter().enumerate();
    bits.fold(0, |all, (slot, &of_slot)| {
        all | u32::from(of_slot == byte) << slot
    })
}

impl private::Placement for Buckets {
    type Cell<K: Key> = Bucket<K>;
    type Glance = Slots;

    fn cells(tuples: usize) -> usize {
        (tuples + tuples / 7 + 1).div_ceil(SLOTS)
    }

    #[allow(private_interfaces)]
    #[inline(always)]
    fn place<K: Key, H: KeyHash>(
        buckets: &mut [Bucket<K>],
        space: Space<H>,
        at: usize,
        entry: Tuple<K>,
    ) -> Placed<K> {
        let fingerprint = fingerprint(H::hash(entry.key), space.bits);
        let mut copies = 0;
        for bucket in &mut buckets[at..] {
            for slot in bucket.with(fingerprint) {
                copies += u32::from(bucket.tuples[slot].key == entry.key);
            }
            if copies >= MAX_COPIES {
                return Placed::Copies(entry);
            }
            if let Some(slot) = bucket.with(0).next() {
                bucket.fingerprints[slot] = fingerprint;
                bucket.tuples[slot] = entry;
                return Placed::Slot { copy: copies > 0 };
            }
        }
        Placed::End {
            entry,
            copy: copies > 0,
        }
    }

    #[inline(always)]
    fn prefetch<K: Key>(buckets: &[Bucket<K>], home: usize) {
        prefetch_read(&raw const buckets[home].fingerprints);
    }

    #[inline(always)]
    fn glance<K: Key, H: KeyHash>(buckets: &[Bucket<K>], home: usize, key: K) -> Slots {
        let bucket = &buckets[home];
        let slots = bucket.with(fingerprint(H::hash(key), buckets.len().ilog2()));
        if let Some(slot) = { slots }.next() {
            prefetch_read(&raw const bucket.tuples[slot]);
        }
        slots
    }

    #[inline(always)]
    fn find<const UNIQUE: bool, K: Key, H: KeyHash, S: Sink>(
        buckets: &[Bucket<K>],
        home: usize,
        mut slots: Slots,
        key: K,
        row: u32,
        sink: &mut S,
    ) -> u32 {
        let mask = buckets.len() - 1;
        let mut copies = 0;
        for at in home.. {
            let bucket = &buckets[at & mask];
            if at != home {
                slots = bucket.with(fingerprint(H::hash(key), buckets.len().ilog2()));
            }
            for slot in slots {
                let tuple = &bucket.tuples[slot];
                let hit = tuple.key == key;
                sink.emit_if(hit, tuple.row_id().wrapping_sub(1), row);
                copies += u32::from(hit);
                if UNIQUE && hit {
                    return copies;
                }
            }
            if !bucket.is_full() {
                break;
            }
        }
        copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_vector_and_its_twin_agree(bytes: [u8; SLOTS], few in proptest::array::uniform16(0_u8..3), byte: u8) {
            for byte in [byte, bytes[3], 0] {
                prop_assert_eq!(equal(&bytes, byte), equal_portable(&bytes, byte));
                prop_assert_eq!(equal(&few, byte % 3), equal_portable(&few, byte % 3));
            }
        }
    }
}
