//! Software write-combining (Balkesen et al., ICDE 2013): tuples gather in a line a partition that stays in the cache, and
//! leave it a full line at a time.

use std::mem::MaybeUninit;

use crate::memory::{Buffer, Memory, OutOfMemory};
use bytemuck::{Pod, Zeroable};

/// Eight entries: a cache line of 8-byte tuples.
const ENTRIES: usize = 8;

#[repr(C, align(64))]
struct Line<T>([MaybeUninit<T>; ENTRIES]);

// SAFETY: entries that are yet to be written may hold any bytes, zeroes too.
unsafe impl<T: Pod> Zeroable for Line<T> {}

/// A line of entries for each partition.
pub(super) struct Lines<T: Pod> {
    lines: Buffer<Line<T>>,
    /// Entries that have gone through each line.
    pushed: Buffer<u32>,
}

impl<T: Pod> Lines<T> {
    /// Entries a line.
    pub(super) const ENTRIES: usize = ENTRIES;

    /// Empty lines for `parts` partitions.
    pub(super) fn new(parts: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            lines: memory.zeroed(parts)?,
            pushed: memory.zeroed(parts)?,
        })
    }

    /// Adds an entry; the line, if that filled it.
    #[inline(always)]
    pub(super) fn push(&mut self, part: usize, entry: T) -> Option<&[T]> {
        let line = &mut self.lines[part];
        let at = self.pushed[part] as usize % ENTRIES;
        line.0[at].write(entry);
        self.pushed[part] += 1;
        // SAFETY: entries fill a line from its first place to its last.
        (at == ENTRIES - 1).then(|| unsafe { line.0.assume_init_ref() })
    }

    /// What is left in lines that are not full.
    pub(super) fn rest(&self) -> impl Iterator<Item = (usize, T)> + '_ {
        self.lines
            .iter()
            .zip(self.pushed.iter())
            .enumerate()
            .flat_map(|(part, (line, &pushed))| {
                let left = &line.0[..pushed as usize % ENTRIES];
                // SAFETY: the first `pushed % ENTRIES` places have been written since the line was last full.
                left.iter()
                    .map(move |entry| (part, unsafe { entry.assume_init() }))
            })
    }
}
