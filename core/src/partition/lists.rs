//! Each thread has a list of chunks for each partition (level 3), carved from a bump arena (level 2) or allocated one by
//! one.

use std::mem::MaybeUninit;
use std::ops::DerefMut;

use crate::hash::KeyHash;
use crate::input::KeySource;
use crate::join::{Context, JoinError};
use crate::key::Key;
use crate::memory::{Memory, OutOfMemory, Reservation};
use crate::parallel::{Division, Team};
use crate::streaming_store::LINE;
use bumpalo::Bump;
use bytemuck::Pod;

use super::combine::Lines;
use super::segments::Segments;
use super::{ChunkSize, Entry, Partitioning, Target};

/// The first block of a thread's arena, as in the contest engine; bumpalo doubles from there.
const ARENA_BLOCK: usize = 4 << 20;

/// Bytes that a thread reserves beyond those that it needs at once.
const RESERVED_AHEAD: usize = 64 << 10;

/// Entries of a chunk, at most: half of what 32 bits count.
const MOST_ENTRIES: usize = 1 << 31;

/// Where chunks come from.
pub(super) trait Chunks<T>: Send {
    /// Room for entries.
    type Chunk: DerefMut<Target = [MaybeUninit<T>]> + Default + Send + Sync;

    /// Room for `len` entries, on a cache line boundary if `len` fills whole lines; `None` where memory has run out.
    fn chunk(&mut self, len: usize) -> Option<Self::Chunk>;
}

/// Level 2: a thread's bump arena, given back as a whole.
pub(super) struct Arena<'a>(pub(super) &'a mut Bump);

/// Empty arenas. They take their first block when they are first asked.
pub(super) fn arenas(workers: usize) -> Vec<Bump> {
    (0..workers).map(|_| Bump::new()).collect()
}

/// Level 2 off: an allocation per chunk.
pub(super) struct Boxes;

impl<'a, T: Pod + Send + Sync> Chunks<T> for Arena<'a> {
    type Chunk = &'a mut [MaybeUninit<T>];

    fn chunk(&mut self, len: usize) -> Option<Self::Chunk> {
        let layout = std::alloc::Layout::array::<T>(len)
            .ok()?
            .align_to(LINE)
            .ok()?;
        if self.0.allocated_bytes() == 0 {
            *self.0 = Bump::try_with_capacity(ARENA_BLOCK.min(layout.size() * 4096)).ok()?;
        }
        let start = self.0.try_alloc_layout(layout).ok()?;
        // SAFETY: the arena gave `len` entries' worth of fresh memory, aligned for them, which it lends nobody else and
        // keeps until it is dropped; it is borrowed for 'a.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr().cast(), len) })
    }
}

impl<T: Pod + Send + Sync> Chunks<T> for Boxes {
    type Chunk = Box<[MaybeUninit<T>]>;

    fn chunk(&mut self, len: usize) -> Option<Self::Chunk> {
        let mut room = Vec::new();
        room.try_reserve_exact(len).ok()?;
        // SAFETY: there is room for `len` entries, and an uninitialised one needs no value.
        unsafe { room.set_len(len) };
        Some(room.into_boxed_slice())
    }
}

/// One thread's list of one partition: full chunks and the one being filled.
struct List<C> {
    chunk: C,
    used: u32,
    /// Entries of the next chunk.
    next: u32,
}

/// One thread's lists.
pub(super) struct Lists<C> {
    lists: Vec<List<C>>,
    /// Full chunks and their partitions, in the order in which they filled.
    full: Vec<(u32, C)>,
    _reservation: Reservation,
}

struct Writer<T, S: Chunks<T>> {
    source: S,
    lists: Vec<List<S::Chunk>>,
    full: Vec<(u32, S::Chunk)>,
    /// Entries of a list's second chunk.
    second_chunk: u32,
    /// How many times as long as the one before it each later chunk is.
    growth: u32,
    reservation: Reservation,
    /// Bytes that are reserved and not yet taken.
    spare: usize,
    memory: Memory,
    error: Option<OutOfMemory>,
}

impl<T: Pod + Send + Sync, S: Chunks<T>> Target<T> for Writer<T, S> {
    #[inline(always)]
    fn push(&mut self, part: usize, entry: T) {
        let list = &mut self.lists[part];
        let used = list.used as usize;
        if used == list.chunk.len() {
            return self.push_to_next(part, entry);
        }
        list.chunk[used].write(entry);
        list.used += 1;
    }

    /// Chunks hold whole fillings of [`Lines`].
    #[inline(never)]
    fn push_lines(&mut self, part: usize, line: &[T]) {
        let list = &self.lists[part];
        if list.used as usize == list.chunk.len() && !self.next(part) {
            return;
        }
        let list = &mut self.lists[part];
        let place = &mut list.chunk[list.used as usize..][..line.len()];
        crate::streaming_store::stream_copy(place, line);
        list.used += line.len() as u32;
    }

    fn is_exhausted(&self) -> bool {
        self.error.is_some()
    }
}

impl<T: Pod + Send + Sync, S: Chunks<T>> Writer<T, S> {
    #[cold]
    fn push_to_next(&mut self, part: usize, entry: T) {
        if self.next(part) {
            self.push(part, entry);
        }
    }

    /// Takes `bytes` out of the budget. Many chunks are reserved at once, because all threads share the budget's counter
    /// and begin their lists at the same time.
    fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        if self.spare < bytes {
            let more = match self.reservation.grow(bytes + RESERVED_AHEAD) {
                Ok(()) => bytes + RESERVED_AHEAD,
                // The budget is nearly spent.
                Err(_) => self.reservation.grow(bytes).map(|()| bytes)?,
            };
            self.spare += more;
        }
        self.spare -= bytes;
        Ok(())
    }

    /// Begins the next chunk of a list; `false` once memory has run out.
    fn next(&mut self, part: usize) -> bool {
        let entries = self.lists[part].next as usize;
        let bytes = entries * size_of::<T>();
        let chunk = self.reserve(bytes).and_then(|()| {
            let chunk = self.source.chunk(entries);
            chunk.ok_or_else(|| self.memory.refused(bytes))
        });
        match chunk {
            Ok(chunk) => {
                let list = &mut self.lists[part];
                let full = std::mem::replace(&mut list.chunk, chunk);
                list.next = match list.used {
                    0 => self.second_chunk,
                    _ => {
                        self.full.push((part as u32, full));
                        list.next.saturating_mul(self.growth)
                    }
                };
                list.used = 0;
                true
            }
            Err(error) => {
                self.error = Some(error);
                false
            }
        }
    }
}

/// Phase 1: every worker pushes the entries of its blocks onto its own lists (R3.2).
pub(super) fn partition<K: Key, H: KeyHash, E: Entry, C: Chunks<E::Of<K>>>(
    source: &dyn KeySource<K>,
    chunks: Vec<C>,
    plan: &Partitioning,
    context: &Context<'_>,
) -> Result<Vec<Lists<C::Chunk>>, JoinError> {
    let (first_chunk, second_chunk, growth) = match plan.chunk {
        ChunkSize::Expected => {
            let expected = plan.rows / (plan.parts() * plan.workers);
            (expected + expected / 16, expected / 4, 2)
        }
        ChunkSize::Entries(entries) => (entries, entries, 1),
    };
    // Whole lines, so that lines need not be divided.
    let lines = |entries: usize| {
        let entries = entries.clamp(1, MOST_ENTRIES);
        entries.next_multiple_of(Lines::<E::Of<K>>::ENTRIES) as u32
    };
    let cursors = source.cursors(Division::counter(plan.workers));
    let states: Vec<_> = cursors.into_iter().zip(chunks).collect();
    let lists = context.team.run(states, |_, (cursor, chunks)| {
        let mut writer = Writer {
            source: chunks,
            lists: (0..plan.parts())
                .map(|_| List {
                    chunk: C::Chunk::default(),
                    used: 0,
                    next: lines(first_chunk),
                })
                .collect(),
            full: Vec::new(),
            second_chunk: lines(second_chunk),
            growth,
            reservation: context
                .memory
                .reserve(plan.parts() * size_of::<List<C::Chunk>>())?,
            spare: 0,
            memory: context.memory.clone(),
            error: None,
        };
        plan.scatter::<K, H, E>(cursor, &mut writer, context.memory)?;
        match writer.error {
            Some(error) => Err(error),
            None => Ok(Lists {
                lists: writer.lists,
                full: writer.full,
                _reservation: writer.reservation,
            }),
        }
    });
    Ok(lists.into_iter().collect::<Result<_, OutOfMemory>>()?)
}

/// All threads' lists, by partition (R5.1).
pub(super) fn segments<'l, T: Sync, C: DerefMut<Target = [MaybeUninit<T>]> + Sync>(
    lists: &'l [Lists<C>],
    plan: &Partitioning,
    team: &Team,
) -> Segments<'l, T> {
    let slices = plan.parts() * lists.len();
    Segments::new(plan.part_bits, slices, team, |parts| {
        lists.iter().flat_map(move |lists| {
            let (parts, first) = (parts.clone(), parts.start);
            let last = lists.lists[parts.clone()].iter().zip(first..);
            let last = last.map(|(list, part)| {
                // SAFETY: `used` entries of the chunk have been written.
                let entries = unsafe { list.chunk[..list.used as usize].assume_init_ref() };
                (part, entries)
            });
            let full = lists.full.iter();
            let full = full.map(|(part, chunk)| (*part as usize, chunk));
            let full = full.filter(move |(part, _)| parts.contains(part));
            let full = full.map(|(part, chunk)| {
                // SAFETY: a chunk is kept as full only once all of it has been written.
                (part, unsafe { chunk.assume_init_ref() })
            });
            full.chain(last)
        })
    })
}
