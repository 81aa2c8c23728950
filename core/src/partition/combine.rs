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
    /// Where each partition's next entry goes.
    next: Buffer<u32>,
}

impl<T: Pod> Lines<T> {
    /// Entries that leave together: a power of two, and whole cache lines of them.
    pub(super) const ENTRIES: usize = BYTES / size_of::<T>().next_power_of_two();

    /// Empty lines for `parts` partitions.
    pub(super) fn new(parts: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        let mut next = memory.zeroed(parts)?;
        for (next, first) in next.iter_mut().zip((0..).step_by(Self::ENTRIES)) {
            *next = first;
        }
        Ok(Self {
            entries: memory.uninit(parts * Self::ENTRIES)?,
            next,
        })
    }

    /// The lines as an inner loop wants them.
    #[inline(always)]
    pub(super) fn pusher(&mut self) -> Pusher<'_, T> {
        Pusher {
            entries: &mut self.entries,
            next: &mut self.next,
        }
    }

    /// What is left in lines that are not full, and its partition.
    pub(super) fn rest(&self) -> impl Iterator<Item = (usize, &[T])> + '_ {
        let lines = self.entries.chunks_exact(Self::ENTRIES);
        lines
            .zip(self.next.iter())
            .enumerate()
            .map(|(part, (lines, &next))| {
                let left: &[MaybeUninit<T>] = &lines[..next as usize % Self::ENTRIES];
                // SAFETY: so many places have been written since the lines were last full.
                (part, unsafe { left.assume_init_ref() })
            })
    }
}

/// [`Lines`] being filled.
pub(super) struct Pusher<'a, T> {
    entries: &'a mut [MaybeUninit<T>],
    next: &'a mut [u32],
}

impl<T: Pod> Pusher<'_, T> {
    /// Adds an entry; calls `full` with all entries of the lines, if that filled them.
    ///
    /// # Safety
    ///
    /// `part` is below the number of partitions.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, part: usize, entry: T, full: impl FnOnce(&[T])) {
        debug_assert!(part < self.next.len());
        // SAFETY: the partition has a next place, which is in its lines.
        unsafe {
            let next = self.next.get_unchecked_mut(part);
            let at = *next as usize;
            *next = at as u32 + 1;
            self.entries.get_unchecked_mut(at).write(entry);
            if (at + 1).is_multiple_of(Lines::<T>::ENTRIES) {
                let first = at + 1 - Lines::<T>::ENTRIES;
                *next = first as u32;
                // Entries fill the lines from the first place to the last.
                let lines = self.entries.get_unchecked(first..=at);
                full(lines.assume_init_ref());
            }
        }
    }
}
