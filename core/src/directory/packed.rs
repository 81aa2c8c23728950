//! END and tag of a slot in one word.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{DirectoryLayout, DirectoryPart, DirectoryView};
use crate::memory::{Buffer, Memory, OutOfMemory, UninitBuffer};
use crate::prefetch::prefetch_read;

const TAG_BITS: u32 = 16;

/// One `u64` per slot: a 48-bit END above a 16-bit tag. One load answers both questions.
pub struct Packed {
    /// Entry s + 1 is slot s; entry 0 is directory[-1].
    entries: Buffer<u64>,
}

impl DirectoryLayout for Packed {
    const NAME: &'static str = "packed";
    const SLOT_BYTES: usize = 8;
    const TAGS_APART: bool = false;

    type Room = UninitBuffer<u64>;
    type Part<'a> = PackedPart<'a>;
    type View<'a> = PackedView<'a>;

    fn room(slots: usize, memory: &Memory) -> Result<UninitBuffer<u64>, OutOfMemory> {
        let mut entries = memory.uninit(slots + 1)?;
        entries[0].write(0);
        Ok(entries)
    }

    fn parts(room: &mut UninitBuffer<u64>, slots: usize) -> Vec<PackedPart<'_>> {
        room[1..].chunks_mut(slots).map(PackedPart).collect()
    }

    unsafe fn finished(room: UninitBuffer<u64>) -> Self {
        Self {
            // SAFETY: entry 0 has been written, and the caller promises the others.
            entries: unsafe { room.assume_init() },
        }
    }

    fn slots(&self) -> usize {
        self.entries.len() - 1
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
        // SAFETY: the caller promises that `slot` is one of the slots; every tag contains the one of no bits.
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
    unsafe fn tag(self, slot: usize) -> u16 {
        debug_assert!(slot + 1 < self.0.len());
        // SAFETY: there is one entry more than slots, and the caller promises that `slot` is one of them.
        unsafe { *self.0.get_unchecked(slot + 1) as u16 }
    }

    #[inline(always)]
    fn prefetch_range(self, slot: usize) {
        prefetch_read(self.0.as_ptr().wrapping_add(slot + 1));
    }

    #[inline(always)]
    fn prefetch_tag(self, slot: usize) {
        self.prefetch_range(slot);
    }
}

/// Part of a [`Packed`] directory.
pub struct PackedPart<'a>(&'a mut [MaybeUninit<u64>]);

impl PackedPart<'_> {
    /// # Safety
    ///
    /// The slots have been cleared.
    #[inline(always)]
    unsafe fn entries(&mut self) -> &mut [u64] {
        // SAFETY: the caller promises that zeroes, at least, have been written to all of them.
        unsafe { self.0.assume_init_mut() }
    }
}

impl DirectoryPart for PackedPart<'_> {
    fn clear(self) -> Self {
        self.0.fill(MaybeUninit::new(0));
        self
    }

    #[inline(always)]
    unsafe fn count(&mut self, slot: usize, tag: u16) {
        // One value: a slice of all made first would be loaded from memory again for every tuple.
        // SAFETY: the caller promises cleared slots.
        let entry = unsafe { self.0[slot].assume_init_mut() };
        *entry = (*entry + (1 << TAG_BITS)) | u64::from(tag);
    }

    unsafe fn prefix_sum(&mut self, start: usize) -> usize {
        let mut end = (start as u64) << TAG_BITS;
        // SAFETY: the caller promises cleared slots.
        for entry in unsafe { self.entries() } {
            end += *entry & !0xFFFF;
            *entry = end | (*entry & 0xFFFF);
        }
        (end >> TAG_BITS) as usize
    }

    unsafe fn rewind(&mut self, start: usize) {
        let mut previous = (start as u64) << TAG_BITS;
        // SAFETY: the caller promises cleared slots.
        for entry in unsafe { self.entries() } {
            let end = *entry & !0xFFFF;
            *entry = previous | (*entry & 0xFFFF);
            previous = end;
        }
    }

    #[inline(always)]
    unsafe fn advance(&mut self, slot: usize) -> usize {
        // SAFETY: the caller promises cleared slots.
        let entry = unsafe { self.0[slot].assume_init_mut() };
        let place = (*entry >> TAG_BITS) as usize;
        *entry += 1 << TAG_BITS;
        place
    }
}
