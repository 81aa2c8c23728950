//! Radix partitioning: tuples in one array, ordered by a digit of their key, with exact sizes from a histogram.
//!
//! Two passes over the input. The first counts the tuples of each partition, a histogram per worker; prefix sums give
//! each worker its own place in every partition; the second writes the tuples there. Tuples do not go straight to
//! their place: each partition has a few cache lines in the worker's own memory (software write-combining, Balkesen et al.,
//! ICDE 2013), which are streamed past the caches together once they are full. So a scatter to thousands of places touches
//! a page of each, and mispredicts the branch on a full line, only once in so many tuples.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use join_core::hash::KeyHash;
use join_core::input::{KeyCursor, KeySource};
use join_core::join::{Context, JoinError};
use join_core::key::{Key, Tuple};
use join_core::memory::{Buffer, Memory, OutOfMemory};
use join_core::parallel::{Division, Tasks};
use join_core::streaming_store::{LINE, fence, stream_copy};

/// What decides the partition of a key.
pub(crate) trait Digit<K: Key>: Copy + Sync {
    /// Partitions.
    fn parts(self) -> usize;

    /// The partition of a key, below [`Self::parts`].
    fn part(self, key: K) -> usize;
}

/// The bits of a hash below its top `skip` bits.
pub(crate) struct HashBits<H> {
    skip: u32,
    bits: u32,
    hash: PhantomData<fn() -> H>,
}

impl<H> HashBits<H> {
    /// `bits` bits, below the top `skip`; fewer than 64 together.
    pub(crate) fn new(skip: u32, bits: u32) -> Self {
        debug_assert!(skip + bits < 64);
        Self {
            skip,
            bits,
            hash: PhantomData,
        }
    }
}

impl<H> Clone for HashBits<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for HashBits<H> {}

impl<K: Key, H: KeyHash> Digit<K> for HashBits<H> {
    #[inline(always)]
    fn parts(self) -> usize {
        1 << self.bits
    }

    #[inline(always)]
    fn part(self, key: K) -> usize {
        // In two shifts, since no bits at all is a shift by 64.
        ((H::hash(key) << self.skip) >> 1 >> (63 - self.bits)) as usize
    }
}

/// log2 of the most partitions of one pass.
const MAX_PART_BITS: u32 = 12;

/// log2 of the partitions that a table of `bytes` is built in: so many that a share of the table takes half of an L2
/// cache, since what is read streams through the rest, and several for each of `workers` where they are several.
pub(crate) fn part_bits(bytes: usize, workers: usize, context: &Context<'_>) -> u32 {
    bytes
        .div_ceil(context.caches.l2 / 2)
        .max(if workers > 1 { 4 * workers } else { 1 })
        .next_power_of_two()
        .ilog2()
        .min(MAX_PART_BITS)
}

/// Tuples ordered by partition.
pub(crate) struct Partitioned<K: Key> {
    tuples: Buffer<Tuple<K>>,
    /// Partition p ends at `ends[p]`, where the next one starts.
    ends: Vec<usize>,
}

impl<K: Key> Partitioned<K> {
    /// Tuples.
    pub(crate) fn len(&self) -> usize {
        self.tuples.len()
    }

    /// The lengths of the partitions.
    pub(crate) fn lens(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.ends.len()).map(|part| self.ends[part] - self.start(part))
    }

    /// The partitions, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[Tuple<K>]> + '_ {
        (0..self.ends.len()).map(|part| &self.tuples[self.start(part)..self.ends[part]])
    }

    /// The partitions, in order, to be changed.
    pub(crate) fn parts_mut(&mut self) -> impl Iterator<Item = &mut [Tuple<K>]> + '_ {
        let mut start = 0;
        let mut left: &mut [_] = &mut self.tuples;
        self.ends.iter().map(move |&end| {
            let part = left.split_off_mut(..end - start);
            start = end;
            part.expect("the partitions divide the tuples")
        })
    }

    /// The tuples alone.
    pub(crate) fn into_tuples(self) -> Buffer<Tuple<K>> {
        self.tuples
    }

    fn start(&self, part: usize) -> usize {
        part.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// Size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.tuples.bytes() + self.ends.len() * size_of::<usize>()
    }
}

/// Partitions the keys of a source that can be read twice.
pub(crate) fn partition<K: Key, D: Digit<K>>(
    source: &dyn KeySource<K>,
    workers: usize,
    digit: D,
    context: &Context<'_>,
) -> Result<Partitioned<K>, JoinError> {
    let cursors = || source.cursors(Division::fixed(workers));
    divide(&[workers], cursors, workers, digit, context)
}

impl<K: Key> Partitioned<K> {
    /// Divides each partition by another digit: a second pass, for more partitions than one pass bears.
    pub(crate) fn divided<D: Digit<K>>(
        &self,
        workers: usize,
        digit: D,
        context: &Context<'_>,
    ) -> Result<Self, JoinError> {
        // Long partitions are cut, so that one of them does not keep one worker busy and all others waiting.
        let longest = (self.len() / self.ends.len() * 2).max(1 << 16);
        let groups: Vec<usize> = self.lens().map(|len| len.div_ceil(longest)).collect();
        let pieces = || self.parts().flat_map(|part| part.chunks(longest)).collect();
        divide(&groups, pieces, workers, digit, context)
    }
}

/// What is counted and then written in one go, by one worker each time.
trait Share<K: Key>: Send {
    /// Calls `each` with every tuple, the same each time.
    fn for_each(self, each: impl FnMut(Tuple<K>));
}

impl<K: Key> Share<K> for Box<dyn KeyCursor<K> + '_> {
    #[inline(always)]
    fn for_each(mut self, mut each: impl FnMut(Tuple<K>)) {
        while let Some(block) = self.next_block() {
            block.for_each(|key, row| each(Tuple::new(key, row)));
        }
    }
}

impl<K: Key> Share<K> for &[Tuple<K>] {
    #[inline(always)]
    fn for_each(self, each: impl FnMut(Tuple<K>)) {
        self.iter().copied().for_each(each);
    }
}

/// Divides each group of shares into partitions, one group behind the other; `groups` are their numbers of shares.
fn divide<K: Key, D: Digit<K>, S: Share<K>>(
    groups: &[usize],
    shares: impl Fn() -> Vec<S>,
    workers: usize,
    digit: D,
    context: &Context<'_>,
) -> Result<Partitioned<K>, JoinError> {
    let parts = digit.parts();
    let tasks = Tasks::new(shares());
    let mut histograms = vec![Vec::new(); tasks.len()];
    let counted = context.team.run(vec![(); workers], |_, ()| {
        let mut counted = Vec::new();
        while let Some((index, share)) = tasks.take() {
            let mut histogram = vec![0_usize; parts];
            share.for_each(|tuple| histogram[digit.part(tuple.key)] += 1);
            counted.push((index, histogram));
        }
        counted
    });
    for (index, histogram) in counted.into_iter().flatten() {
        histograms[index] = histogram;
    }

    let total = histograms.iter().flatten().sum();
    let mut tuples = context.memory.uninit::<Tuple<K>>(total)?;
    let mut left: &mut [_] = &mut tuples;
    let mut places: Vec<Vec<_>> = histograms
        .iter()
        .map(|_| Vec::with_capacity(parts))
        .collect();
    let mut ends = Vec::with_capacity(groups.len() * parts);
    let (mut first, mut end) = (0, 0);
    for shares in groups {
        let group = first..first + shares;
        first = group.end;
        for part in 0..parts {
            for (histogram, places) in histograms[group.clone()]
                .iter()
                .zip(&mut places[group.clone()])
            {
                let place = left.split_off_mut(..histogram[part]);
                places.push(place.expect("the histograms add up"));
                end += histogram[part];
            }
            ends.push(end);
        }
    }

    let tasks = Tasks::new(shares().into_iter().zip(places));
    let done = context.team.run(vec![(); workers], |_, ()| {
        while let Some((_, (share, places))) = tasks.take() {
            let mut scatter = Scatter::new(places, context.memory)?;
            share.for_each(|tuple| scatter.push(digit.part(tuple.key), tuple));
            scatter.finish();
        }
        Ok(())
    });
    drop(tasks);
    done.into_iter().collect::<Result<(), OutOfMemory>>()?;
    // SAFETY: the places divide the buffer, and each scatter has checked that all of its places were written.
    let tuples = unsafe { tuples.assume_init() };
    Ok(Partitioned { tuples, ends })
}

/// Bytes that gather for a partition.
const ROOM: usize = 4 * LINE;

/// One worker's way of writing tuples to the places of many partitions.
struct Scatter<'a, K: Key> {
    /// What is left of each partition's place.
    places: Vec<&'a mut [MaybeUninit<Tuple<K>>]>,
    /// Cache lines of each partition.
    lines: Buffer<Tuple<K>>,
    /// Where in its lines each partition's next tuple goes.
    fill: Vec<u8>,
    /// Where in its lines each partition's first tuple is. The lines stand for lines of the place, and a place may start
    /// anywhere in its first ones; 0 once they have been full.
    first: Vec<u8>,
}

impl<'a, K: Key> Scatter<'a, K> {
    /// Tuples that gather for a partition.
    const LEN: usize = ROOM / size_of::<Tuple<K>>();

    fn new(
        places: Vec<&'a mut [MaybeUninit<Tuple<K>>]>,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        let first: Vec<u8> = places
            .iter()
            .map(|place| (place.as_ptr().addr() % ROOM / size_of::<Tuple<K>>()) as u8)
            .collect();
        Ok(Self {
            lines: memory.zeroed(places.len() * Self::LEN)?,
            places,
            fill: first.clone(),
            first,
        })
    }

    #[inline(always)]
    fn push(&mut self, part: usize, tuple: Tuple<K>) {
        let fill = self.fill[part] as usize;
        self.lines[part * Self::LEN + fill] = tuple;
        self.fill[part] = (fill + 1) as u8;
        if fill + 1 == Self::LEN {
            self.flush(part);
        }
    }

    /// Writes the full lines of a partition. Kept out of the loop over tuples, which then fits into registers.
    #[inline(never)]
    fn flush(&mut self, part: usize) {
        self.fill[part] = 0;
        let first = std::mem::take(&mut self.first[part]) as usize;
        let lines = &self.lines[part * Self::LEN..][first..Self::LEN];
        let place = self.places[part].split_off_mut(..lines.len());
        stream_copy(place.expect("as many tuples as counted"), lines);
    }

    /// Writes what is left in the lines.
    ///
    /// # Panics
    ///
    /// If a place has not been filled.
    fn finish(self) {
        let ranges = self.first.into_iter().zip(self.fill);
        let lines = self.lines.chunks(Self::LEN);
        for ((place, line), (first, fill)) in self.places.into_iter().zip(lines).zip(ranges) {
            // Lines that have just been written read as an empty range, first = fill = 0.
            place.write_copy_of_slice(&line[first as usize..fill as usize]);
        }
        fence();
    }
}
