//! All threads' entries of each partition, as slices.

use std::ops::Range;

use crate::parallel::Team;

/// For each partition the slices that hold its entries, in order of thread (R5.1).
pub struct Segments<'a, T> {
    /// Of equal ranges of partitions.
    ranges: Vec<Placed<'a, T>>,
    /// log2 of the partitions of a range.
    range_bits: u32,
}

/// The slices of a range of partitions.
struct Placed<'a, T> {
    slices: Vec<&'a [T]>,
    /// `slices[starts[p]..starts[p + 1]]` are those of the range's p-th partition.
    starts: Vec<usize>,
    /// Entries of each partition.
    lens: Vec<usize>,
}

impl<'a, T: Sync> Segments<'a, T> {
    /// The slices that `all` yields of a range of partitions, the same each time, with their partitions. Those of a
    /// partition stay in their order. There are 2^`part_bits` partitions, and about `slices` slices: where these are many,
    /// each thread of the team places those of a range.
    pub(super) fn new<I>(
        part_bits: u32,
        slices: usize,
        team: &Team,
        all: impl Fn(Range<usize>) -> I + Sync,
    ) -> Self
    where
        I: Iterator<Item = (usize, &'a [T])>,
    {
        let range_bits = part_bits - team.workers_for(slices).ilog2().min(part_bits);
        let firsts = (0..1 << part_bits).step_by(1 << range_bits).collect();
        let ranges = team.run(firsts, |_, first| {
            Placed::new(first..first + (1 << range_bits), &all)
        });
        Self { ranges, range_bits }
    }
}

impl<'a, T> Placed<'a, T> {
    fn new<I>(parts: Range<usize>, all: impl Fn(Range<usize>) -> I) -> Self
    where
        I: Iterator<Item = (usize, &'a [T])>,
    {
        let all = || {
            let slices = all(parts.clone()).filter(|(_, slice)| !slice.is_empty());
            slices.map(|(part, slice)| (part - parts.start, slice))
        };
        // Starts stand one entry further on, so that placing advances them to where they belong.
        let (mut starts, mut lens) = (vec![0; parts.len() + 2], vec![0; parts.len()]);
        for (part, slice) in all() {
            starts[part + 2] += 1;
            lens[part] += slice.len();
        }
        for part in 2..starts.len() {
            starts[part] += starts[part - 1];
        }
        let mut slices: Vec<&[T]> = vec![&[]; starts[parts.len() + 1]];
        for (part, slice) in all() {
            slices[starts[part + 1]] = slice;
            starts[part + 1] += 1;
        }
        starts.truncate(parts.len() + 1);
        Self {
            slices,
            starts,
            lens,
        }
    }
}

impl<'a, T> Segments<'a, T> {
    /// The range of a partition, and its place there.
    #[inline(always)]
    fn placed(&self, part: usize) -> (&Placed<'a, T>, usize) {
        let range = &self.ranges[part >> self.range_bits];
        (range, part & ((1 << self.range_bits) - 1))
    }

    /// The slices of a partition.
    pub fn slices(&self, part: usize) -> &[&'a [T]] {
        let (range, part) = self.placed(part);
        &range.slices[range.starts[part]..range.starts[part + 1]]
    }

    /// Number of partitions.
    pub fn parts(&self) -> usize {
        self.ranges.len() << self.range_bits
    }

    /// Entries of a partition.
    pub fn len(&self, part: usize) -> usize {
        let (range, part) = self.placed(part);
        range.lens[part]
    }

    /// Calls `each` with every entry of a partition, in the same order each time.
    #[inline(always)]
    pub fn for_each(&self, part: usize, mut each: impl FnMut(&T)) {
        for slice in self.slices(part) {
            slice.iter().for_each(&mut each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::ThreadStart;

    #[test]
    fn slices_are_by_partition_in_their_order() {
        let all: [(usize, &[i32]); 5] =
            [(2, &[1]), (0, &[2, 3]), (2, &[]), (0, &[4]), (2, &[5, 6])];
        let wanted: [&[&[i32]]; 4] = [&[&[2, 3], &[4]], &[], &[&[1], &[5, 6]], &[]];
        for threads in [1, 2, 3, 9] {
            let team = Team::new(threads, ThreadStart::Pool).parallel_from(0);
            let of = |parts: Range<usize>| {
                let all = all.into_iter();
                all.filter(move |(part, _)| parts.contains(part))
            };
            let segments = Segments::new(2, all.len(), &team, of);
            assert_eq!(segments.parts(), 4);
            for (part, wanted) in wanted.iter().enumerate() {
                assert_eq!(segments.slices(part), *wanted);
                let len: usize = wanted.iter().map(|slice| slice.len()).sum();
                assert_eq!(segments.len(part), len);
            }
        }
    }
}
