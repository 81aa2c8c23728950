//! Software write-combining (Balkesen et al., ICDE 2013): entries of a partition gather in a few cache lines of their own
//! and leave them together.
//!
//! How many lines is decided by the branch that asks whether they are full. Which entry fills them is random, so the
//! branch is mispredicted once a fill: with one line of eight tuples that costs more than the scatter itself, with four
//! a fraction of it.

use std::mem::MaybeUninit;

use bytemuck::Pod;

use crate::memory::{Buffer, Memory, OutOfMemory, UninitBuffer};

/// Bytes that gather for a partition, at most.
const BYTES: usize = 256;

/// Room for entries of each partition.
pub(super) struct Lines<T: Pod> {
    entries: UninitBuffer<T>,
    /// Entries that have gone through each partition's lines.
    pushed: Buffer<u32>,
}

impl<T: Pod> Lines<T> {
    /// Entries that leave together: a power of two, and whole cache lines of them.
    pub(super) const ENTRIES: usize = BYTES / size_of::<T>().next_power_of_two();

    /// Empty lines for `parts` partitions.
    pub(super) fn new(parts: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            entries: memory.uninit(parts * Self::ENTRIES)?,
            pushed: memory.zeroed(parts)?,
        })
    }

    /// The lines as an inner loop wants them.
    #[inline(always)]
    pub(super) fn pusher(&mut self) -> Pusher<'_, T> {
        Pusher {
            entries: &mut self.entries,
            pushed: &mut self.pushed,
        }
    }

    /// What is left in lines that are not full, and its partition.
    pub(super) fn rest(&self) -> impl Iterator<Item = (usize, &[T])> + '_ {
        let lines = self.entries.chunks_exact(Self::ENTRIES);
        lines
            .zip(self.pushed.iter())
            .enumerate()
            .map(|(part, (lines, &pushed))| {
                let left: &[MaybeUninit<T>] = &lines[..pushed as usize % Self::ENTRIES];
                // SAFETY: so many places have been written since the lines were last full.
                (part, unsafe { left.assume_init_ref() })
            })
    }
}

/// [`Lines`] being filled.
pub(super) struct Pusher<'a, T> {
    entries: &'a mut [MaybeUninit<T>],
    pushed: &'a mut [u32],
}

impl<T: Pod> Pusher<'_, T> {
    /// Adds an entry; calls `full` with all entries of the lines, if that filled them.
    ///
    /// # Safety
    ///
    /// `part` is below the number of partitions.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, part: usize, entry: T, full: impl FnOnce(&[T])) {
        debug_assert!(part < self.pushed.len());
        let first = part * Lines::<T>::ENTRIES;
        // SAFETY: the partition has a count, and so many places from `first` on.
        unsafe {
            let pushed = self.pushed.get_unchecked_mut(part);
            let at = *pushed as usize % Lines::<T>::ENTRIES;
            *pushed = pushed.wrapping_add(1);
            self.entries.get_unchecked_mut(first + at).write(entry);
            if at == Lines::<T>::ENTRIES - 1 {
                // Entries fill the lines from the first place to the last.
                let lines = self.entries.get_unchecked(first..=first + at);
                full(lines.assume_init_ref());
            }
        }
    }
}
