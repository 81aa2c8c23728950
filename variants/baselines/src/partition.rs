//! Radix partitioning: tuples in one array, ordered by a digit of their key, with exact sizes from a histogram.
//!
//! Two passes over the input. The first counts the tuples of each partition, a histogram a worker; prefix sums give
//! each worker its own place in every partition; the second writes the tuples there. Tuples do not go straight to
//! their place: each partition has one cache line in the worker's own memory (software write-combining, Balkesen et al.,
//! ICDE 2013), and a full line is streamed past the caches. So a scatter to thousands of places touches a page of
//! each only once a line.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use join_core::hash::KeyHash;
use join_core::input::{KeyCursor, KeySource};
use join_core::join::{Context, JoinError};
use join_core::key::{Key, Tuple};
use join_core::memory::{Buffer, Memory, OutOfMemory};
use join_core::parallel::{MorselSize, Sharing};
use join_core::stream::{LINE, fence, stream_copy};

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
    let cursors = || source.cursors(workers, Sharing::Static, MorselSize::default());
    let histograms = context.team.run(cursors(), |_, mut cursor| {
        let mut histogram = vec![0_usize; digit.parts()];
        for_each(&mut *cursor, |tuple| histogram[digit.part(tuple.key)] += 1);
        histogram
    });
    let total = histograms.iter().flatten().sum();
    let mut tuples = context.memory.uninit::<Tuple<K>>(total)?;
    let mut left: &mut [_] = &mut tuples;
    let mut end = 0;
    let mut ends = Vec::with_capacity(digit.parts());
    let mut places: Vec<Vec<_>> = histograms
        .iter()
        .map(|_| Vec::with_capacity(digit.parts()))
        .collect();
    for part in 0..digit.parts() {
        for (histogram, places) in histograms.iter().zip(&mut places) {
            places.push(
                left.split_off_mut(..histogram[part])
                    .expect("the histograms add up"),
            );
            end += histogram[part];
        }
        ends.push(end);
    }
    let states: Vec<_> = cursors().into_iter().zip(places).collect();
    let done = context.team.run(states, |_, (mut cursor, places)| {
        let mut scatter = Scatter::new(places, context.memory)?;
        for_each(&mut *cursor, |tuple| {
            scatter.push(digit.part(tuple.key), tuple);
        });
        scatter.finish();
        Ok(())
    });
    done.into_iter().collect::<Result<(), OutOfMemory>>()?;
    // SAFETY: the places divide the buffer, and each scatter has checked that all of its places were written.
    let tuples = unsafe { tuples.assume_init() };
    Ok(Partitioned { tuples, ends })
}

#[inline(always)]
fn for_each<K: Key>(cursor: &mut dyn KeyCursor<K>, mut each: impl FnMut(Tuple<K>)) {
    while let Some(block) = cursor.next_block() {
        block.for_each(|key, row| each(Tuple::new(key, row)));
    }
}

/// One worker's way of writing tuples to the places of many partitions.
struct Scatter<'a, K: Key> {
    /// What is left of each partition's place.
    places: Vec<&'a mut [MaybeUninit<Tuple<K>>]>,
    /// A cache line a partition.
    lines: Buffer<Tuple<K>>,
    /// Where in its line each partition's next tuple goes.
    fill: Vec<u8>,
    /// Where in its line each partition's first tuple is. A line stands for a cache line of the place, and a place may
    /// start anywhere in its first one; 0 from the second line on.
    first: Vec<u8>,
}

impl<'a, K: Key> Scatter<'a, K> {
    /// Tuples a line.
    const PER_LINE: usize = LINE / size_of::<Tuple<K>>();

    fn new(
        places: Vec<&'a mut [MaybeUninit<Tuple<K>>]>,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        let first: Vec<u8> = places
            .iter()
            .map(|place| (place.as_ptr().addr() % LINE / size_of::<Tuple<K>>()) as u8)
            .collect();
        Ok(Self {
            lines: memory.zeroed(places.len() * Self::PER_LINE)?,
            places,
            fill: first.clone(),
            first,
        })
    }

    #[inline(always)]
    fn push(&mut self, part: usize, tuple: Tuple<K>) {
        let fill = self.fill[part] as usize;
        self.lines[part * Self::PER_LINE + fill] = tuple;
        self.fill[part] = ((fill + 1) % Self::PER_LINE) as u8;
        if fill + 1 == Self::PER_LINE {
            self.flush(part);
        }
    }

    /// Writes the full line of a partition.
    #[inline(always)]
    fn flush(&mut self, part: usize) {
        let line = &self.lines[part * Self::PER_LINE..][..Self::PER_LINE];
        let first = std::mem::take(&mut self.first[part]) as usize;
        if first == 0 {
            let place = self.places[part].split_off_mut(..Self::PER_LINE);
            stream_copy(place.expect("as many tuples as counted"), line);
        } else {
            let place = self.places[part].split_off_mut(..Self::PER_LINE - first);
            let place = place.expect("as many tuples as counted");
            place.write_copy_of_slice(&line[first..]);
        }
    }

    /// Writes what is left in the lines.
    ///
    /// # Panics
    ///
    /// If a place has not been filled.
    fn finish(self) {
        let ranges = self.first.into_iter().zip(self.fill);
        let lines = self.lines.chunks(Self::PER_LINE);
        for ((place, line), (first, fill)) in self.places.into_iter().zip(lines).zip(ranges) {
            // A line that has just been flushed reads as an empty range, first = fill = 0.
            place.write_copy_of_slice(&line[first as usize..fill as usize]);
        }
        fence();
    }
}
