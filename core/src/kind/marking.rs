//! Marks rows by their pairs.

use std::convert::Infallible;

use super::{Marks, Truth};
use crate::output::{Enough, Pair, PairFilter};

/// Marks the rows of the pairs that a filter keeps.
pub(super) struct Marking<'a> {
    pub(super) filter: Option<&'a dyn PairFilter>,
    pub(super) build: Option<&'a Marks>,
    pub(super) probe: Option<&'a Marks>,
    /// Whether the pairs are results, too.
    pub(super) keeps: bool,
}

impl Marking<'_> {
    /// Marks the rows of the pairs that the filter keeps. Returns how many these are.
    fn mark(&self, pairs: &mut [Pair]) -> usize {
        let kept = self
            .filter
            .map_or(pairs.len(), |filter| filter.keep(pairs).min(pairs.len()));
        let pairs = &pairs[..kept];
        if let Some(build) = self.build {
            pairs
                .iter()
                .for_each(|pair| build.set(pair.build, Truth::True));
        }
        if let Some(probe) = self.probe {
            pairs
                .iter()
                .for_each(|pair| probe.set(pair.probe, Truth::True));
        }
        kept
    }
}

impl PairFilter for Marking<'_> {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        if self.keeps {
            return self.mark(pairs);
        }
        let ask = |pairs: &mut [Pair]| {
            self.mark(pairs);
            Ok::<(), Infallible>(())
        };
        let Ok(()) = match (self.filter, self.build, self.probe) {
            (Some(_), Some(marks), None) => {
                settle(pairs, |pair| marks.has_partner(pair.build), ask)
            }
            (Some(_), None, Some(marks)) => {
                settle(pairs, |pair| marks.has_partner(pair.probe), ask)
            }
            _ => {
                self.mark(pairs);
                Ok(())
            }
        };
        0
    }

    fn take_rows(&self, rows: &[u32]) -> bool {
        let marks = match self.enough() {
            Enough::OnePerBuildRow => self.build,
            Enough::OnePerProbeRow => self.probe,
            Enough::All | Enough::None => None,
        };
        if let Some(marks) = marks {
            rows.iter().for_each(|&row| marks.set(row, Truth::True));
        }
        marks.is_some()
    }

    /// A row is marked by one pair as well as by all, unless pairs are results, or a filter may drop the one.
    fn enough(&self) -> Enough {
        match (self.keeps, self.filter, self.build, self.probe) {
            (_, Some(filter), ..) if filter.enough() == Enough::None => Enough::None,
            (false, None, Some(_), None) => Enough::OnePerBuildRow,
            (false, None, None, Some(_)) => Enough::OnePerProbeRow,
            _ => Enough::All,
        }
    }
}

/// Pairs that rounds are made of: what takes little of a cache.
const TOGETHER: usize = 1 << 13;

/// Asks about pairs until all of their rows are settled, in rounds of more and more of them: what one pair has settled nobody
/// need ask of the others of its row. They end up in any order.
///
/// # Errors
///
/// The first of `ask`.
pub fn settle<E>(
    pairs: &mut [Pair],
    is_settled: impl Fn(&Pair) -> bool,
    mut ask: impl FnMut(&mut [Pair]) -> Result<(), E>,
) -> Result<(), E> {
    for pairs in pairs.chunks_mut(TOGETHER) {
        let mut open = open(pairs, 0, &is_settled);
        for one_in in [7, 5, 3, 1] {
            if open == 0 {
                break;
            }
            // Pairs of a row are often neighbours, and alike at every other or fourth place, so those of a round are at neither.
            let asked = open.div_ceil(one_in);
            for pair in 0..asked {
                pairs.swap(pair, pair * one_in);
            }
            ask(&mut pairs[..asked])?;
            open = self::open(&mut pairs[..open], asked, &is_settled);
        }
    }
    Ok(())
}

/// Moves the pairs from the one at `first` on whose rows are not settled to the front, and returns how many they are.
#[inline(always)]
fn open(pairs: &mut [Pair], first: usize, is_settled: impl Fn(&Pair) -> bool) -> usize {
    let mut open = 0;
    for at in first..pairs.len() {
        let pair = pairs[at];
        pairs[open] = pair;
        open += usize::from(!is_settled(&pair));
    }
    open
}
