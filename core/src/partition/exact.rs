//! Level 3 off: two passes, a histogram and then a scatter to exact places in one array.

use std::mem::MaybeUninit;

use crate::input::KeySource;
use crate::join::{Context, JoinError};
use crate::key::Key;
use crate::memory::{Buffer, OutOfMemory};
use crate::parallel::{MorselSize, Sharing};
use crate::unchained::{HashedKeys, Scheme};

use super::combine::Lines;
use super::segments::Segments;
use super::{Entry, Partitioning};

/// Entries ordered by partition.
pub(super) struct Partitioned<T> {
    entries: Buffer<T>,
    /// Where each partition ends.
    ends: Vec<usize>,
}

impl<T> Partitioned<T> {
    /// The entries of each partition.
    pub(super) fn segments(&self) -> Segments<'_, T> {
        Segments::new(self.ends.len(), |part| {
            let start = part.checked_sub(1).map_or(0, |before| self.ends[before]);
            [&self.entries[start..self.ends[part]]]
        })
    }
}

/// One worker's place in each partition.
type Places<'a, T> = Vec<&'a mut [MaybeUninit<T>]>;

/// Phase 1 in two passes over the input; each worker sees the same rows in both.
pub(super) fn partition<K: Key, S: Scheme, E: Entry>(
    source: &dyn KeySource<K>,
    plan: &Partitioning,
    context: &Context<'_>,
) -> Result<Partitioned<E::Of<K>>, JoinError> {
    let cursors = || source.cursors(plan.workers, Sharing::Static, MorselSize::default());
    let histograms = context.team.run(cursors(), |_, mut cursor| {
        let mut histogram = vec![0_usize; plan.parts()];
        let mut hashed = HashedKeys::default();
        while let Some(block) = cursor.next_block() {
            hashed.for_each::<S::Hash, K>(block, |hash, _| histogram[plan.part(hash)] += 1);
        }
        histogram
    });
    let total = histograms.iter().flatten().sum();
    let mut entries = context.memory.uninit::<E::Of<K>>(total)?;
    let mut left: &mut [_] = &mut entries;
    let mut end = 0;
    let mut ends = Vec::with_capacity(plan.parts());
    let mut places: Vec<Places<'_, E::Of<K>>> = (0..plan.workers)
        .map(|_| Vec::with_capacity(plan.parts()))
        .collect();
    for part in 0..plan.parts() {
        for (histogram, places) in histograms.iter().zip(&mut places) {
            let len = histogram[part];
            places.push(left.split_off_mut(..len).expect("the histograms add up"));
            end += len;
        }
        ends.push(end);
    }
    let states: Vec<_> = cursors().into_iter().zip(places).collect();
    let done = context.team.run(states, |_, (mut cursor, mut places)| {
        let mut hashed = HashedKeys::default();
        let mut lines = plan
            .write_combining
            .then(|| Lines::new(plan.parts(), context.memory))
            .transpose()?;
        let mut used = vec![0_usize; plan.parts()];
        while let Some(block) = cursor.next_block() {
            match &mut lines {
                None => hashed.for_each::<S::Hash, K>(block, |hash, tuple| {
                    let part = plan.part(hash);
                    places[part][used[part]].write(E::new::<K, S>(hash, tuple, plan.prefix_bits));
                    used[part] += 1;
                }),
                Some(lines) => {
                    let mut pusher = lines.pusher();
                    let mut full = |part: usize, entries: &[_]| {
                        let place = &mut places[part][used[part]..][..entries.len()];
                        crate::stream::stream_copy(place, entries);
                        used[part] += entries.len();
                    };
                    hashed.for_each::<S::Hash, K>(block, |hash, tuple| {
                        let part = plan.part(hash);
                        let entry = E::new::<K, S>(hash, tuple, plan.prefix_bits);
                        // SAFETY: a hash has one of the plan's partitions.
                        unsafe { pusher.push(part, entry, |entries| full(part, entries)) };
                    });
                }
            }
        }
        if let Some(lines) = &lines {
            for (part, rest) in lines.rest() {
                places[part][used[part]..].write_copy_of_slice(rest);
            }
            crate::stream::fence();
        }
        Ok(())
    });
    done.into_iter().collect::<Result<(), OutOfMemory>>()?;
    // SAFETY: the histograms counted exactly the entries that each worker then wrote, since a source yields the same
    // keys each time and static shares are the same both times.
    let entries = unsafe { entries.assume_init() };
    Ok(Partitioned { entries, ends })
}
