//! ENDs and tags of the slots in an array each.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{DirectoryLayout, DirectoryPart, DirectoryView};
use crate::memory::{Buffer, Memory, OutOfMemory, UninitBuffer};
use crate::prefetch::prefetch_read;

/// Two arrays: `u32` ENDs and `u16` tags. 6 bytes per slot, and tags alone stay in the cache four times as long.
pub struct Split {
    /// Entry s + 1 is the END of slot s; entry 0 is directory[-1].
    ends: Buffer<u32>,
    tags: Buffer<u16>,
}

impl DirectoryLayout for Split {
    const NAME: &'static str = "split";
    const SLOT_BYTES: usize = 6;
    const TAGS_APART: bool = true;

    type Room = (UninitBuffer<u32>, UninitBuffer<u16>);
    type Part<'a> = SplitPart<'a>;
    type View<'a> = SplitView<'a>;

    fn room(slots: usize, memory: &Memory) -> Result<Self::Room, OutOfMemory> {
        let mut ends = memory.uninit(slots + 1)?;
        ends[0].write(0);
        Ok((ends, memory.uninit(slots)?))
    }

    fn parts((ends, tags): &mut Self::Room, slots: usize) -> Vec<SplitPart<'_>> {
        ends[1..]
            .chunks_mut(slots)
            .zip(tags.chunks_mut(slots))
            .map(|(ends, tags)| SplitPart { ends, tags })
            .collect()
    }

    unsafe fn finished((ends, tags): Self::Room) -> Self {
        // SAFETY: END 0 has been written, and the caller promises the others and the tags.
        unsafe {
            Self {
                ends: ends.assume_init(),
                tags: tags.assume_init(),
            }
        }
    }

    fn slots(&self) -> usize {
        self.tags.len()
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
    unsafe fn tag(self, slot: usize) -> u16 {
        debug_assert!(slot < self.tags.len());
        // SAFETY: there are as many tags as slots, and the caller promises a valid slot.
        unsafe { *self.tags.get_unchecked(slot) }
    }

    #[inline(always)]
    fn prefetch_range(self, slot: usize) {
        prefetch_read(self.ends.as_ptr().wrapping_add(slot + 1));
    }

    #[inline(always)]
    fn prefetch_tag(self, slot: usize) {
        prefetch_read(self.tags.as_ptr().wrapping_add(slot));
    }
}

/// Part of a [`Split`] directory.
pub struct SplitPart<'a> {
    ends: &'a mut [MaybeUninit<u32>],
    tags: &'a mut [MaybeUninit<u16>],
}

impl SplitPart<'_> {
    /// # Safety
    ///
    /// The slots have been cleared.
    #[inline(always)]
    unsafe fn ends(&mut self) -> &mut [u32] {
        // SAFETY: the caller promises that zeroes, at least, have been written to all of them.
        unsafe { self.ends.assume_init_mut() }
    }
}

impl DirectoryPart for SplitPart<'_> {
    fn clear(self) -> Self {
        self.ends.fill(MaybeUninit::new(0));
        self.tags.fill(MaybeUninit::new(0));
        self
    }

    #[inline(always)]
    unsafe fn count(&mut self, slot: usize, tag: u16) {
        // One value each: a slice of all made first would be loaded from memory again for every tuple.
        // SAFETY: the caller promises cleared slots, and so values in both arrays.
        unsafe {
            *self.ends[slot].assume_init_mut() += 1;
            *self.tags[slot].assume_init_mut() |= tag;
        }
    }

    unsafe fn prefix_sum(&mut self, start: usize) -> usize {
        let mut end = start as u32;
        // SAFETY: the caller promises cleared slots.
        for entry in unsafe { self.ends() } {
            end += *entry;
            *entry = end;
        }
        end as usize
    }

    unsafe fn rewind(&mut self, start: usize) {
        let mut previous = start as u32;
        // SAFETY: the caller promises cleared slots.
        for entry in unsafe { self.ends() } {
            previous = std::mem::replace(entry, previous);
        }
    }

    #[inline(always)]
    unsafe fn advance(&mut self, slot: usize) -> usize {
        // SAFETY: the caller promises cleared slots.
        let entry = unsafe { self.ends[slot].assume_init_mut() };
        let place = *entry as usize;
        *entry += 1;
        place
    }
}
