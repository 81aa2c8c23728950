//! Partitioning: the entries of a key source, divided by the top bits of their hash.
//!
//! Every worker collects entries of its own (R3.2), so that no push is synchronised; a partition is what all workers
//! hold of it (R5.1). Both builds and joins partition with this: they differ in what they do with the partitions.

mod combine;
mod entry;
mod exact;
mod lists;
mod segments;

pub use entry::{Entry, Plain, Tagged, TaggedTuple};
pub use segments::Segments;

use crate::hash::KeyHash;
use crate::input::{HashedKeys, KeyCursor, KeySource};
use crate::join::{Context, JoinError};
use crate::key::Key;
use crate::memory::{Memory, OutOfMemory};
use combine::Lines;

/// How entries are collected by partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Collect {
    /// Lists of chunks carved from a bump arena per thread: levels 2 and 3 of the slab allocator (R4.3).
    #[default]
    Arena,
    /// Lists of chunks allocated one by one: level 2 off.
    Boxes,
    /// Two passes: a histogram gives every thread its exact place in one array: level 3 off. A stream, which cannot be
    /// read twice, is collected as with [`Collect::Arena`].
    Exact,
}

/// Capacity of a list's chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChunkSize {
    /// First what a list is expected to hold and a sixteenth more, so that it is read from one place; where that does not
    /// do, a quarter of it, and then twice as much each time: a thread that got the processor while others waited for it
    /// has taken their share, too.
    #[default]
    Expected,
    /// So many entries; 256 in the contest engine.
    Entries(usize),
}

/// The bits of a hash that choose its partition. A value of its own, which an inner loop keeps in a register.
#[derive(Debug, Clone, Copy)]
struct Prefix {
    shift: u32,
}

impl Prefix {
    /// The partition of a hash, below their number.
    #[inline(always)]
    fn part(self, hash: u64) -> usize {
        // Two shifts, because a shift by 64 is none.
        ((hash >> 1) >> self.shift) as usize
    }
}

/// Where one worker's entries go.
trait Target<T> {
    /// Takes an entry of a partition.
    fn push(&mut self, part: usize, entry: T);

    /// Takes entries that fill [`Lines`], past the caches. Kept out of the loop over tuples, which then fits into registers.
    fn push_lines(&mut self, part: usize, entries: &[T]);

    /// Whether memory has run out, so that what is pushed is dropped.
    fn is_exhausted(&self) -> bool {
        false
    }
}

/// What to partition into, and how.
#[derive(Debug, Clone, Copy)]
pub struct Partitioning {
    /// log2 of the partitions.
    pub part_bits: u32,
    /// Hash bits that choose a slot of the table: what tags are taken below of.
    pub prefix_bits: u32,
    /// Threads that take part.
    pub workers: usize,
    /// Rows expected.
    pub rows: usize,
    /// How entries are collected.
    pub collect: Collect,
    /// Capacity of a chunk.
    pub chunk: ChunkSize,
    /// Whether entries are gathered to cache lines, which leave past the caches, before they are written to their
    /// partition.
    pub write_combining: bool,
}

impl Partitioning {
    /// Number of partitions.
    pub fn parts(&self) -> usize {
        1 << self.part_bits
    }

    /// What tells the partition of a hash.
    fn prefix(&self) -> Prefix {
        Prefix {
            shift: 63 - self.part_bits,
        }
    }

    /// Pushes the entries of all keys of a cursor onto their partitions, in lines if that is how.
    /// Inlined, so that the target's own fields stay in registers.
    #[inline(always)]
    fn scatter<K: Key, H: KeyHash, E: Entry>(
        &self,
        mut cursor: Box<dyn KeyCursor<K> + '_>,
        target: &mut impl Target<E::Of<K>>,
        memory: &Memory,
    ) -> Result<(), OutOfMemory> {
        let mut hashed = HashedKeys::default();
        let (prefix, prefix_bits) = (self.prefix(), self.prefix_bits);
        let mut lines = match self.write_combining {
            true => Some(Lines::new(self.parts(), memory)?),
            false => None,
        };
        while !target.is_exhausted()
            && let Some(block) = cursor.next_block()
        {
            match &mut lines {
                None => hashed.for_each::<H, K>(block, |hash, tuple| {
                    target.push(prefix.part(hash), E::new::<K>(hash, tuple, prefix_bits));
                }),
                Some(lines) => {
                    let mut pusher = lines.pusher();
                    hashed.for_each::<H, K>(block, |hash, tuple| {
                        let part = prefix.part(hash);
                        let entry = E::new::<K>(hash, tuple, prefix_bits);
                        // SAFETY: a hash has one of the partitions.
                        unsafe { pusher.push(part, entry, |full| target.push_lines(part, full)) };
                    });
                }
            }
        }
        if let Some(lines) = &lines {
            for (part, rest) in lines.rest() {
                rest.iter().for_each(|&entry| target.push(part, entry));
            }
            crate::streaming_store::fence();
        }
        Ok(())
    }

    /// Partitions the keys of `source` and calls `with` with the partitions, whose memory is given back afterwards.
    pub fn collect<K: Key, H: KeyHash, E: Entry, R>(
        &self,
        source: &dyn KeySource<K>,
        context: &Context<'_>,
        with: impl FnOnce(&Segments<'_, E::Of<K>>) -> Result<R, JoinError>,
    ) -> Result<R, JoinError> {
        match self.collect {
            Collect::Exact if source.rows().is_some() => {
                let entries = exact::partition::<K, H, E>(source, self, context)?;
                with(&entries.segments(self, context.team))
            }
            Collect::Boxes => {
                let chunks = (0..self.workers).map(|_| lists::Boxes).collect();
                let lists = lists::partition::<K, H, E, _>(source, chunks, self, context)?;
                with(&lists::segments(&lists, self, context.team))
            }
            Collect::Arena | Collect::Exact => {
                let mut arenas = lists::arenas(self.workers);
                let chunks = arenas.iter_mut().map(lists::Arena).collect();
                let lists = lists::partition::<K, H, E, _>(source, chunks, self, context)?;
                with(&lists::segments(&lists, self, context.team))
            }
        }
    }
}
