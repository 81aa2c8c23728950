//! The directory of the unchained table: where each slot's tuples end, and a tag that may rule the slot out.
//!
//! Slot s is the range [END(s-1), END(s)) of the tuple store (R7.2). Both layouts keep an entry before slot 0 that
//! holds 0, the source's directory[-1] (R7.3), so no slot is special. A directory is written in disjoint parts, one
//! writer a part, in three steps: [`DirectoryPart::count`] every tuple, [`DirectoryPart::prefix_sum`] the counts into
//! ENDs, then [`DirectoryPart::rewind`] each entry to the previous END, from where [`DirectoryPart::advance`] moves it
//! back to its own END as the tuples are copied into place (R7.1).

use std::ops::Range;

use crate::memory::{Buffer, Memory, OutOfMemory};
use crate::prefetch::prefetch_read;

/// A directory layout.
pub trait DirectoryLayout: Send + Sync + Sized + 'static {
    /// Name in toggles and reports.
    const NAME: &'static str;

    /// Bytes a slot takes.
    const SLOT_BYTES: usize;

    /// Exclusive access to consecutive slots.
    type Part<'a>: DirectoryPart
    where
        Self: 'a;

    /// Shared access to all slots.
    type View<'a>: DirectoryView
    where
        Self: 'a;

    /// A directory of `slots` empty slots.
    fn new(slots: usize, memory: &Memory) -> Result<Self, OutOfMemory>;

    /// Number of slots.
    fn slots(&self) -> usize;

    /// Divides the directory into parts of `slots` slots each.
    fn parts(&mut self, slots: usize) -> Vec<Self::Part<'_>>;

    /// The range of a slot.
    fn range(&self, slot: usize) -> Range<usize>;

    /// The tag of a slot.
    fn tag(&self, slot: usize) -> u16;

    /// The directory as a probe sees it.
    fn view(&self) -> Self::View<'_>;

    /// Size in bytes.
    fn bytes(&self) -> usize;
}

/// A finished directory: pointers that a probe keeps in registers, whatever it writes meanwhile.
pub trait DirectoryView: Copy {
    /// The range of a slot.
    ///
    /// # Safety
    ///
    /// `slot` is below [`DirectoryLayout::slots`].
    unsafe fn range(self, slot: usize) -> Range<usize>;

    /// The range of a slot and whether its tag contains all bits of `tag`.
    ///
    /// # Safety
    ///
    /// As for [`Self::range`].
    unsafe fn lookup(self, slot: usize, tag: u16) -> (Range<usize>, bool);

    /// Asks for the slot's cache line. Any slot number is allowed.
    fn prefetch(self, slot: usize);
}

/// Exclusive access to consecutive slots of a directory while it is built. Slots are counted from the part's first.
pub trait DirectoryPart: Send {
    /// Counts a tuple into `slot` and ORs its tag in.
    fn count(&mut self, slot: usize, tag: u16);

    /// Turns counts into ENDs, the part's first slot starting at `start`; returns the last END (R6.2).
    fn prefix_sum(&mut self, start: usize) -> usize;

    /// Moves every entry from its END to the previous END, the part's first to `start`: the write pointers (R7.1).
    fn rewind(&mut self, start: usize);

    /// The place for the next tuple of `slot`; moves its write pointer on.
    fn advance(&mut self, slot: usize) -> usize;
}

const TAG_BITS: u32 = 16;

/// One `u64` a slot: a 48-bit END above a 16-bit tag. One load answers both questions.
pub struct Packed {
    /// Entry s + 1 is slot s; entry 0 is directory[-1].
    entries: Buffer<u64>,
}

impl DirectoryLayout for Packed {
    const NAME: &'static str = "packed";
    const SLOT_BYTES: usize = 8;

    type Part<'a> = PackedPart<'a>;
    type View<'a> = PackedView<'a>;

    fn new(slots: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            entries: memory.zeroed(slots + 1)?,
        })
    }

    fn slots(&self) -> usize {
        self.entries.len() - 1
    }

    fn parts(&mut self, slots: usize) -> Vec<PackedPart<'_>> {
        self.entries[1..]
            .chunks_mut(slots)
            .map(PackedPart)
            .collect()
    }

    fn range(&self, slot: usize) -> Range<usize> {
        (self.entries[slot] >> TAG_BITS) as usize..(self.entries[slot + 1] >> TAG_BITS) as usize
    }

    fn tag(&self, slot: usize) -> u16 {
        self.entries[slot + 1] as u16
    }

    #[inline(always)]
    fn view(&self) -> PackedView<'_> {
        PackedView(&self.entries)
    }

    fn bytes(&self) -> usize {
        self.entries.bytes()
    }
}

/// View of a [`Packed`] directory.
#[derive(Clone, Copy)]
pub struct PackedView<'a>(&'a [u64]);

impl DirectoryView for PackedView<'_> {
    #[inline(always)]
    unsafe fn range(self, slot: usize) -> Range<usize> {
        // SAFETY: as the caller promises; every tag contains the one of no bits.
        unsafe { self.lookup(slot, 0).0 }
    }

    #[inline(always)]
    unsafe fn lookup(self, slot: usize, tag: u16) -> (Range<usize>, bool) {
        debug_assert!(slot + 1 < self.0.len());
        // SAFETY: there is one entry more than slots, and the caller promises that `slot` is one of them.
        let (previous, entry) =
            unsafe { (*self.0.get_unchecked(slot), *self.0.get_unchecked(slot + 1)) };
        let range = (previous >> TAG_BITS) as usize..(entry >> TAG_BITS) as usize;
        (range, tag & !(entry as u16) == 0)
    }

    #[inline(always)]
    fn prefetch(self, slot: usize) {
        prefetch_read(self.0.as_ptr().wrapping_add(slot + 1));
    }
}

/// Part of a [`Packed`] directory.
pub struct PackedPart<'a>(&'a mut [u64]);

impl DirectoryPart for PackedPart<'_> {
    #[inline(always)]
    fn count(&mut self, slot: usize, tag: u16) {
        let entry = &mut self.0[slot];
        *entry = (*entry + (1 << TAG_BITS)) | u64::from(tag);
    }

    fn prefix_sum(&mut self, start: usize) -> usize {
        let mut end = (start as u64) << TAG_BITS;
        for entry in self.0.iter_mut() {
            end += *entry & !0xFFFF;
            *entry = end | (*entry & 0xFFFF);
        }
        (end >> TAG_BITS) as usize
    }

    fn rewind(&mut self, start: usize) {
        let mut previous = (start as u64) << TAG_BITS;
        for entry in self.0.iter_mut() {
            let end = *entry & !0xFFFF;
            *entry = previous | (*entry & 0xFFFF);
            previous = end;
        }
    }

    #[inline(always)]
    fn advance(&mut self, slot: usize) -> usize {
        let entry = &mut self.0[slot];
        let place = (*entry >> TAG_BITS) as usize;
        *entry += 1 << TAG_BITS;
        place
    }
}

/// Two arrays: `u32` ENDs and `u16` tags. 6 bytes a slot, and tags alone stay in the cache four times as long.
pub struct Split {
    /// Entry s + 1 is the END of slot s; entry 0 is directory[-1].
    ends: Buffer<u32>,
    tags: Buffer<u16>,
}

impl DirectoryLayout for Split {
    const NAME: &'static str = "split";
    const SLOT_BYTES: usize = 6;

    type Part<'a> = SplitPart<'a>;
    type View<'a> = SplitView<'a>;

    fn new(slots: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            ends: memory.zeroed(slots + 1)?,
            tags: memory.zeroed(slots)?,
        })
    }

    fn slots(&self) -> usize {
        self.tags.len()
    }

    fn parts(&mut self, slots: usize) -> Vec<SplitPart<'_>> {
        self.ends[1..]
            .chunks_mut(slots)
            .zip(self.tags.chunks_mut(slots))
            .map(|(ends, tags)| SplitPart { ends, tags })
            .collect()
    }

    fn range(&self, slot: usize) -> Range<usize> {
        self.ends[slot] as usize..self.ends[slot + 1] as usize
    }

    fn tag(&self, slot: usize) -> u16 {
        self.tags[slot]
    }

    #[inline(always)]
    fn view(&self) -> SplitView<'_> {
        SplitView {
            ends: &self.ends,
            tags: &self.tags,
        }
    }

    fn bytes(&self) -> usize {
        self.ends.bytes() + self.tags.bytes()
    }
}

/// View of a [`Split`] directory.
#[derive(Clone, Copy)]
pub struct SplitView<'a> {
    ends: &'a [u32],
    tags: &'a [u16],
}

impl DirectoryView for SplitView<'_> {
    #[inline(always)]
    unsafe fn range(self, slot: usize) -> Range<usize> {
        debug_assert!(slot < self.tags.len());
        // SAFETY: there is one END more than slots, and the caller promises a valid slot.
        unsafe {
            let start = *self.ends.get_unchecked(slot) as usize;
            start..*self.ends.get_unchecked(slot + 1) as usize
        }
    }

    #[inline(always)]
    unsafe fn lookup(self, slot: usize, tag: u16) -> (Range<usize>, bool) {
        debug_assert!(slot < self.tags.len());
        // SAFETY: there are as many tags as slots, and the caller promises a valid slot.
        unsafe {
            // A tag that says no spares the load of the ENDs; an empty range says the same.
            if tag & !*self.tags.get_unchecked(slot) != 0 {
                return (0..0, false);
            }
            (self.range(slot), true)
        }
    }

    #[inline(always)]
    fn prefetch(self, slot: usize) {
        prefetch_read(self.tags.as_ptr().wrapping_add(slot));
        prefetch_read(self.ends.as_ptr().wrapping_add(slot + 1));
    }
}

/// Part of a [`Split`] directory.
pub struct SplitPart<'a> {
    ends: &'a mut [u32],
    tags: &'a mut [u16],
}

impl DirectoryPart for SplitPart<'_> {
    #[inline(always)]
    fn count(&mut self, slot: usize, tag: u16) {
        self.ends[slot] += 1;
        self.tags[slot] |= tag;
    }

    fn prefix_sum(&mut self, start: usize) -> usize {
        let mut end = start as u32;
        for entry in self.ends.iter_mut() {
            end += *entry;
            *entry = end;
        }
        end as usize
    }

    fn rewind(&mut self, start: usize) {
        let mut previous = start as u32;
        for entry in self.ends.iter_mut() {
            previous = std::mem::replace(entry, previous);
        }
    }

    #[inline(always)]
    fn advance(&mut self, slot: usize) -> usize {
        let entry = &mut self.ends[slot];
        let place = *entry as usize;
        *entry += 1;
        place
    }
}

/// How many slots a directory gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// Slots wanted a tuple, before rounding up to a power of two.
    pub slots_per_tuple: f64,
    /// log2 of the fewest slots, at least 1.
    pub min_bits: u32,
    /// log2 of the most slots, at most 48.
    pub max_bits: u32,
}

impl Sizing {
    /// The source's: next power of two of rows / 8, between 2^10 and 2^18.
    pub const SOURCE: Self = Self {
        slots_per_tuple: 0.125,
        min_bits: 10,
        max_bits: 18,
    };

    /// So many slots a tuple, without a cap that a join could reach.
    pub const fn per_tuple(slots_per_tuple: f64) -> Self {
        Self {
            slots_per_tuple,
            min_bits: 6,
            max_bits: 33,
        }
    }

    /// log2 of the slots for `tuples` tuples.
    pub fn bits(&self, tuples: usize) -> u32 {
        let wanted = (tuples as f64 * self.slots_per_tuple).ceil().max(1.0) as usize;
        wanted
            .next_power_of_two()
            .ilog2()
            .clamp(self.min_bits, self.max_bits)
    }
}

impl Default for Sizing {
    fn default() -> Self {
        Self::per_tuple(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn built<D: DirectoryLayout>(slots_of_tuples: &[usize], part: usize) {
        let slots = 64;
        let mut directory = D::new(slots, &Memory::unlimited()).unwrap();
        let mut start = 0;
        let mut places = Vec::new();
        for (index, mut entries) in directory.parts(part).into_iter().enumerate() {
            let mine = || {
                slots_of_tuples
                    .iter()
                    .filter(|&&slot| slot / part == index)
                    .map(|&slot| slot % part)
            };
            mine().for_each(|slot| entries.count(slot, 1 << (slot % 16)));
            let end = entries.prefix_sum(start);
            entries.rewind(start);
            places.extend(mine().map(|slot| entries.advance(slot)));
            start = end;
        }
        places.sort_unstable();
        assert!(
            places.into_iter().eq(0..slots_of_tuples.len()),
            "every place once"
        );
        let mut previous = 0;
        for slot in 0..slots {
            let range = directory.range(slot);
            let count = slots_of_tuples
                .iter()
                .filter(|&&other| other == slot)
                .count();
            assert_eq!(
                (range.start, range.len()),
                (previous, count),
                "{} slot {slot}",
                D::NAME
            );
            previous = range.end;
            let (view, tag) = (directory.view(), directory.tag(slot));
            // SAFETY: a slot of this directory.
            unsafe {
                assert_eq!(view.range(slot), range);
                assert_eq!(view.lookup(slot, tag), (range, true));
                assert!(!view.lookup(slot, !tag).1);
            }
        }
    }

    proptest! {
        #[test]
        fn ranges_follow_from_counts(slots in proptest::collection::vec(0_usize..64, 0..300), part_log in 0_u32..=6) {
            built::<Packed>(&slots, 1 << part_log);
            built::<Split>(&slots, 1 << part_log);
        }
    }

    #[test]
    fn the_sources_sizes() {
        assert_eq!(Sizing::SOURCE.bits(0), 10);
        assert_eq!(Sizing::SOURCE.bits(1 << 20), 17);
        assert_eq!(Sizing::SOURCE.bits(100 << 20), 18);
        assert_eq!(Sizing::per_tuple(2.0).bits(1000), 11);
    }
}
