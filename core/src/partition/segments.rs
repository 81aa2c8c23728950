//! All threads' entries of each partition, as slices.

/// For each partition the slices that hold its entries, in order of thread (R5.1).
pub struct Segments<'a, T> {
    slices: Vec<&'a [T]>,
    /// `slices[starts[p]..starts[p + 1]]` are partition p's.
    starts: Vec<usize>,
}

impl<'a, T> Segments<'a, T> {
    /// The slices that `all` yields with their partitions, the same each time. Those of a partition stay in their order.
    pub(super) fn new<I>(parts: usize, all: impl Fn() -> I) -> Self
    where
        I: Iterator<Item = (usize, &'a [T])>,
    {
        let all = || all().filter(|(_, slice)| !slice.is_empty());
        // Starts stand one entry further on, so that placing advances them to where they belong.
        let mut starts = vec![0; parts + 2];
        all().for_each(|(part, _)| starts[part + 2] += 1);
        for part in 2..starts.len() {
            starts[part] += starts[part - 1];
        }
        let mut slices: Vec<&[T]> = vec![&[]; starts[parts + 1]];
        for (part, slice) in all() {
            slices[starts[part + 1]] = slice;
            starts[part + 1] += 1;
        }
        starts.truncate(parts + 1);
        Self { slices, starts }
    }

    /// The slices of a partition.
    pub fn slices(&self, part: usize) -> &[&'a [T]] {
        &self.slices[self.starts[part]..self.starts[part + 1]]
    }

    /// Number of partitions.
    pub fn parts(&self) -> usize {
        self.starts.len() - 1
    }

    /// Entries of a partition.
    pub fn len(&self, part: usize) -> usize {
        self.slices(part).iter().map(|slice| slice.len()).sum()
    }

    /// Calls `each` with every entry of a partition, in the same order each time.
    #[inline(always)]
    pub fn for_each(&self, part: usize, mut each: impl FnMut(&T)) {
        for slice in self.slices(part) {
            slice.iter().for_each(&mut each);
        }
    }
}
