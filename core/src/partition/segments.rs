//! All threads' entries of each partition, as slices.

/// For each partition the slices that hold its entries, in order of thread (R5.1).
pub struct Segments<'a, T> {
    slices: Vec<&'a [T]>,
    /// `slices[starts[p]..starts[p + 1]]` are partition p's.
    starts: Vec<usize>,
}

impl<'a, T> Segments<'a, T> {
    /// The slices of partitions 0, 1, …, each from `of(partition)`.
    pub(super) fn new<I: IntoIterator<Item = &'a [T]>>(
        parts: usize,
        mut of: impl FnMut(usize) -> I,
    ) -> Self {
        let mut slices = Vec::new();
        let mut starts = Vec::with_capacity(parts + 1);
        starts.push(0);
        for part in 0..parts {
            slices.extend(of(part).into_iter().filter(|slice| !slice.is_empty()));
            starts.push(slices.len());
        }
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
