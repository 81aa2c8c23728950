//! From rows to pages.

/// The prefix sum of page row counts (R1.1): page p holds the rows `starts[p]..starts[p + 1]`.
///
/// Pages without rows, such as the following pages of a long string, are never the answer of a lookup.
#[derive(Clone, Debug)]
pub struct PageOffsets {
    starts: Box<[u32]>,
    lookup: Lookup,
}

/// How the page of a row is found.
#[derive(Clone, Debug)]
enum Lookup {
    /// By a multiplication, where all pages but the last hold the same number of rows d > 1, as those of a column without
    /// NULLs do: with 2^64 / d rounded up, which divides any `u32` exactly (Lemire, Kaser, Kurz 2019).
    Reciprocal(u64),
    /// Between two pages: of each run of 2^`shift` rows, about as many as a page has, the page of the first; and at last the
    /// page of the last row.
    Hints { shift: u32, pages: Box<[u32]> },
}

impl PageOffsets {
    /// The offsets of pages with these numbers of rows, `None` if these are more than `u32::MAX` in all.
    pub fn from_row_counts(counts: impl ExactSizeIterator<Item = usize>) -> Option<PageOffsets> {
        let mut starts = Vec::with_capacity(counts.len() + 1);
        let mut next = 0u32;
        starts.push(next);
        for rows in counts {
            next = next.checked_add(u32::try_from(rows).ok()?)?;
            starts.push(next);
        }
        Some(PageOffsets {
            lookup: reciprocal(&starts).map_or_else(|| hints(&starts), Lookup::Reciprocal),
            starts: starts.into(),
        })
    }

    /// The number of rows.
    #[inline]
    pub fn row_count(&self) -> u32 {
        self.starts[self.starts.len() - 1]
    }

    /// The first row of each page, and at last the number of rows.
    #[inline]
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The page that holds a row, and the row's slot in it.
    ///
    /// # Panics
    /// If `row` is not below [`PageOffsets::row_count`].
    #[inline(always)]
    pub fn locate(&self, row: u32) -> (usize, usize) {
        let rows = self.row_count();
        assert!(row < rows, "no row {row} of {rows}");
        let page = match &self.lookup {
            Lookup::Reciprocal(reciprocal) => {
                ((u128::from(*reciprocal) * u128::from(row)) >> 64) as usize
            }
            Lookup::Hints { shift, pages } => {
                let run = (row >> shift) as usize;
                let (first, last) = (pages[run] as usize, pages[run + 1] as usize);
                if last - first <= 1 {
                    // Without a branch on the row, which nothing can predict.
                    first + ((last - first) & usize::from(self.starts[last] <= row))
                } else {
                    first + self.starts[first + 1..=last].partition_point(|&start| start <= row)
                }
            }
        };
        (page, (row - self.starts[page]) as usize)
    }
}

fn reciprocal(starts: &[u32]) -> Option<u64> {
    let rows = starts.windows(2).map(|pair| pair[1] - pair[0]);
    let (first, last) = (rows.clone().next()?, rows.clone().next_back()?);
    let uniform = rows.take(starts.len() - 2).all(|rows| rows == first);
    (first > 1 && last <= first && uniform).then(|| u64::MAX / u64::from(first) + 1)
}

fn hints(starts: &[u32]) -> Lookup {
    let rows = starts[starts.len() - 1] as usize;
    let shift = (rows / starts.len()).max(1).ilog2();
    let mut page = 0;
    let firsts = (0..rows).step_by(1 << shift).chain(rows.checked_sub(1));
    let pages = firsts.map(|row| {
        while starts[page + 1] as usize <= row {
            page += 1;
        }
        page as u32
    });
    Lookup::Hints {
        shift,
        pages: pages.collect(),
    }
}
