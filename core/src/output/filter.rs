//! What drops pairs before they count.

use super::NO_ROW;
use super::sink::Pair;

/// How many matches are as good as all. Who finds them may go on all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enough {
    /// No fewer.
    All,
    /// One of each build row that has any, or the row with [`NO_ROW`].
    OnePerBuildRow,
    /// One of each probe row that has any, or the row with [`NO_ROW`].
    OnePerProbeRow,
    /// None: what is still to come is dropped.
    None,
}

impl Enough {
    /// The pair of a row of which one is enough and of no row of the other side.
    pub(super) fn pair_of(self, row: u32) -> Option<Pair> {
        match self {
            Self::OnePerBuildRow => Some(Pair {
                build: row,
                probe: NO_ROW,
            }),
            Self::OnePerProbeRow => Some(Pair {
                build: NO_ROW,
                probe: row,
            }),
            Self::All | Self::None => None,
        }
    }

    /// The same with the sides exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::All | Self::None => self,
            Self::OnePerBuildRow => Self::OnePerProbeRow,
            Self::OnePerProbeRow => Self::OnePerBuildRow,
        }
    }
}

/// Drops pairs before they count: those whose keys only seem equal, or that a condition of the join rules out.
pub trait PairFilter: Sync {
    /// Moves the pairs that stay to the front, in order, and returns how many they are.
    fn keep(&self, pairs: &mut [Pair]) -> usize;

    /// How many pairs it is to be shown.
    fn enough(&self) -> Enough {
        Enough::All
    }

    /// Takes rows in place of a pair of each, where one of each row of a side [is enough](Self::enough) and it would keep none.
    /// Returns whether it has.
    fn take_rows(&self, rows: &[u32]) -> bool {
        let _ = rows;
        false
    }
}

/// Two filters, one after the other, where there are any.
#[derive(Clone, Copy)]
pub struct FilterBoth<'a>(Option<&'a dyn PairFilter>, Option<&'a dyn PairFilter>);

impl<'a> FilterBoth<'a> {
    /// The first and then the second.
    pub fn of(first: Option<&'a dyn PairFilter>, second: Option<&'a dyn PairFilter>) -> Self {
        Self(first, second)
    }

    /// As little of it as does the same.
    pub fn filter(&self) -> Option<&dyn PairFilter> {
        match self {
            Self(None, one) | Self(one, None) => *one,
            both => Some(both),
        }
    }
}

impl PairFilter for FilterBoth<'_> {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        let filters = [self.0, self.1].into_iter().flatten();
        filters.fold(pairs.len(), |kept, filter| {
            filter.keep(&mut pairs[..kept]).min(kept)
        })
    }

    fn enough(&self) -> Enough {
        let mut filters = [self.0, self.1].into_iter().flatten();
        match filters.any(|filter| filter.enough() == Enough::None) {
            true => Enough::None,
            false => Enough::All,
        }
    }
}
