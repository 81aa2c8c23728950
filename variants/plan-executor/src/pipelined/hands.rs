//! Work that the workers of a phase share.

use std::mem::MaybeUninit;

use bytemuck::Zeroable;
use join_core::memory::{Buffer, Memory, OutOfMemory};
use join_core::parallel::{Tasks, Team};

/// Entries that a worker takes at a time.
pub(super) const SHARE: usize = 1 << 13;

/// Bytes that an entry may cost each worker where each has an array of its own: one more worker clears and reads so many more,
/// and has its share of the entries less to note, each of which takes a nanosecond or two.
const BYTES_AN_ENTRY: usize = 8;

/// The workers of a phase and what they work with.
#[derive(Clone, Copy)]
pub(super) struct Hands<'a> {
    pub workers: usize,
    pub team: &'a Team,
    pub memory: &'a Memory,
}

impl Hands<'_> {
    /// Has each of these tasks done by one of the workers.
    pub fn each<T: Send>(&self, tasks: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
        let tasks = Tasks::new(tasks);
        let workers = self.workers.min(tasks.len());
        self.team.run(vec![(); workers], |_, ()| {
            while let Some((_, task)) = tasks.take() {
                work(task);
            }
        });
    }

    /// What `map` makes of each of some things, in order.
    pub fn mapped<T: Send, M: Send>(&self, things: Vec<T>, map: impl Fn(T) -> M + Sync) -> Vec<M> {
        let mut mapped: Vec<Option<M>> = things.iter().map(|_| None).collect();
        self.each(things.into_iter().zip(&mut mapped), |(thing, to)| {
            *to = Some(map(thing));
        });
        let mapped = mapped.into_iter();
        mapped
            .map(|made| made.expect("each task is done"))
            .collect()
    }

    /// The values that `values` makes of shares of `places`, in order: one of each place.
    ///
    /// # Panics
    ///
    /// If it makes fewer.
    pub fn made<'p, T: Send, V: Iterator<Item = T>>(
        &self,
        places: &'p [u32],
        values: impl Fn(&'p [u32]) -> V + Sync,
    ) -> Vec<T> {
        let mut made = Vec::with_capacity(places.len());
        let room: &mut [MaybeUninit<T>] = &mut made.spare_capacity_mut()[..places.len()];
        let shares = room.chunks_mut(SHARE).zip(places.chunks(SHARE));
        self.each(shares, |(room, places)| {
            let mut written = 0;
            for (to, value) in room.iter_mut().zip(values(places)) {
                to.write(value);
                written += 1;
            }
            assert_eq!(written, places.len(), "a value of each place");
        });
        // SAFETY: there is room for as many values as there are places, and each share of them was taken and written.
        unsafe { made.set_len(places.len()) };
        made
    }

    /// The values at these places of a list.
    pub fn pick<T: Copy + Send + Sync>(&self, list: &[T], places: &[u32]) -> Vec<T> {
        self.made(places, |places| {
            places.iter().map(move |&place| list[place as usize])
        })
    }

    /// An array of `len` values, zeroes at first, in which `note` notes the entries of each part; there are `count` of them. Each
    /// worker notes those of its parts in an array of its own, since one that all see takes longer than one that is not shared;
    /// `merge` then puts two values together.
    pub fn noted<P: Send, V: Zeroable + Copy + Send>(
        &self,
        parts: impl IntoIterator<Item = P>,
        (len, count): (usize, usize),
        note: impl Fn(&mut [V], P) + Sync,
        merge: impl Fn(V, V) -> V,
    ) -> Result<Buffer<V>, OutOfMemory> {
        let parts = Tasks::new(parts);
        let workers = match len * size_of::<V>() <= count * BYTES_AN_ENTRY {
            true => self.workers.min(parts.len()).max(1),
            false => 1,
        };
        let arrays = self.team.run(vec![(); workers], |worker, ()| {
            let mut next = parts.take();
            // Whoever comes too late to have a part makes no array.
            if next.is_none() && worker > 0 {
                return Ok::<_, OutOfMemory>(None);
            }
            let mut array: Buffer<V> = self.memory.zeroed(len)?;
            while let Some((_, part)) = next {
                note(&mut array, part);
                next = parts.take();
            }
            Ok(Some(array))
        });
        let mut all: Option<Buffer<V>> = None;
        for array in arrays {
            let Some(array) = array? else {
                continue;
            };
            match &mut all {
                None => all = Some(array),
                Some(all) => {
                    for (value, &more) in all.iter_mut().zip(&array[..]) {
                        *value = merge(*value, more);
                    }
                }
            }
        }
        Ok(all.expect("the first worker makes one"))
    }
}
