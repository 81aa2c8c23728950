//! Level 3 off: two passes, a histogram and then a scatter to exact places in one array.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::hash::KeyHash;
use crate::input::{HashedKeys, KeySource};
use crate::join::{Context, JoinError};
use crate::key::Key;
use crate::memory::{OutOfMemory, UninitBuffer};
use crate::parallel::{Division, Team};
use bytemuck::Pod;

use super::combine::Lines;
use super::segments::Segments;
use super::{Entry, Partitioning, Target};

/// Entries ordered by partition and worker.
pub(super) struct Partitioned<T> {
    entries: UninitBuffer<T>,
    /// Where each worker's entries of each partition are, worker by worker.
    places: Vec<Vec<Range<usize>>>,
}

impl<T: Copy + Sync> Partitioned<T> {
    /// The entries of each partition.
    pub(super) fn segments(&self, plan: &Partitioning, team: &Team) -> Segments<'_, T> {
        let slices = plan.parts() * self.places.len();
        Segments::new(plan.part_bits, slices, team, |parts| {
            self.places.iter().flat_map(move |places| {
                let places = places[parts.clone()].iter().zip(parts.start..);
                places.map(|(place, part)| {
                    // SAFETY: a partitioning is made once all places have been filled.
                    let entries = unsafe { self.entries[place.clone()].assume_init_ref() };
                    (part, entries)
                })
            })
        })
    }
}

/// What is left of one worker's place in each partition.
struct Places<'a, T>(Vec<&'a mut [MaybeUninit<T>]>);

impl<T: Pod> Target<T> for Places<'_, T> {
    #[inline(always)]
    fn push(&mut self, part: usize, entry: T) {
        let place = self.0[part].split_off_first_mut();
        place.expect("the histograms add up").write(entry);
    }

    #[inline(never)]
    fn push_lines(&mut self, part: usize, entries: &[T]) {
        let place = self.0[part].split_off_mut(..entries.len());
        crate::streaming_store::stream_copy(place.expect("the histograms add up"), entries);
    }
}

/// Phase 1 in two passes over the input; each worker sees the same rows in both.
pub(super) fn partition<K: Key, H: KeyHash, E: Entry>(
    source: &dyn KeySource<K>,
    plan: &Partitioning,
    context: &Context<'_>,
) -> Result<Partitioned<E::Of<K>>, JoinError> {
    let cursors = || source.cursors(Division::fixed(plan.workers));
    let histograms = context.team.run(cursors(), |_, mut cursor| {
        let mut histogram = vec![0_usize; plan.parts()];
        let mut hashed = HashedKeys::default();
        let prefix = plan.prefix();
        while let Some(block) = cursor.next_block() {
            let counts = &mut histogram[..];
            hashed.for_each::<H, K>(block, |hash, _| {
                // SAFETY: a hash has one of the plan's partitions.
                unsafe { *counts.get_unchecked_mut(prefix.part(hash)) += 1 };
            });
        }
        histogram
    });
    // Places begin at a line, so that full lines can go past the caches.
    let lines = |len: usize| len.next_multiple_of(Lines::<E::Of<K>>::ENTRIES);
    let total = histograms.iter().flatten().map(|&len| lines(len)).sum();
    let mut entries = context.memory.uninit::<E::Of<K>>(total)?;
    let mut left: &mut [_] = &mut entries;
    let mut start = 0;
    let mut ranges = vec![Vec::with_capacity(plan.parts()); plan.workers];
    let mut places: Vec<Places<'_, E::Of<K>>> = (0..plan.workers)
        .map(|_| Places(Vec::with_capacity(plan.parts())))
        .collect();
    for part in 0..plan.parts() {
        for (worker, histogram) in histograms.iter().enumerate() {
            let len = histogram[part];
            let place = left.split_off_mut(..lines(len));
            let place = place.expect("the histograms add up");
            places[worker].0.push(&mut place[..len]);
            ranges[worker].push(start..start + len);
            start += lines(len);
        }
    }
    let states: Vec<_> = cursors().into_iter().zip(places).collect();
    let done = context.team.run(states, |_, (cursor, mut places)| {
        plan.scatter::<K, H, E>(cursor, &mut places, context.memory)?;
        assert!(
            places.0.iter().all(|place| place.is_empty()),
            "a source yields the same keys each time"
        );
        Ok(())
    });
    done.into_iter().collect::<Result<(), OutOfMemory>>()?;
    Ok(Partitioned {
        entries,
        places: ranges,
    })
}
