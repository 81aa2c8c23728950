//! Which key each row of a synthetic workload has, as a number: the build side has the keys 0..distinct, every number
//! from there on is a key that it does not have.

use crate::workload::fields::{BuildKeys, ProbeKeys};
use generated::{Permutation, Stream, Zipf};

/// The series of draws of a seed. Their numbers are part of what a seed means.
#[derive(Clone, Copy)]
pub enum Series {
    /// Which value a key number stands for.
    Values = 1,
    /// The order of the build rows.
    BuildOrder = 2,
    /// Which build rows are NULL.
    BuildNulls = 3,
    /// Which key a probe row has.
    ProbeKeys = 4,
    /// The order of the keys that a probe draws by rank or in turn.
    ProbeOrder = 5,
    /// Which probe rows are NULL.
    ProbeNulls = 6,
    /// The values of build rows that a condition compares.
    BuildValues = 7,
    /// The values of probe rows that a condition compares.
    ProbeValues = 8,
}

impl Series {
    /// The draws of this series under a seed.
    pub fn of(self, seed: u64) -> Stream {
        Stream::new(seed, self as u64)
    }
}

/// The numbers that are keys: all values of INT32. INT64 has the same number of them, spread over its wider range.
const NUMBERS: u64 = 1 << 32;

/// The key number of each build row.
#[derive(Clone, Copy)]
pub struct BuildSide {
    /// The number of keys.
    pub distinct: u64,
    layout: Layout,
}

#[derive(Clone, Copy)]
enum Layout {
    /// Row r has key r; which value a key stands for is random anyway.
    InTurn,
    Repeated(Permutation, u64),
    Heavy(Permutation, u64),
}

impl BuildSide {
    /// The build side of `rows` rows. The definition has been checked against the number of rows.
    pub fn new(keys: BuildKeys, rows: u64, seed: u64) -> BuildSide {
        let distinct = keys.distinct(rows);
        let order = Permutation::through(rows.saturating_sub(1), Series::BuildOrder.of(seed));
        let layout = match keys {
            BuildKeys::Unique => Layout::InTurn,
            BuildKeys::Duplicated { each } => Layout::Repeated(order, each.max(1).into()),
            BuildKeys::Heavy { .. } => Layout::Heavy(order, rows.saturating_sub(distinct)),
        };
        BuildSide { distinct, layout }
    }

    /// The key number of a row.
    #[inline]
    pub fn key(&self, row: u64) -> u64 {
        match &self.layout {
            Layout::InTurn => row,
            Layout::Repeated(order, each) => order.of(row) / each,
            // Key 0 has the first `repeats` + 1 places, each other key one.
            Layout::Heavy(order, repeats) => order.of(row).saturating_sub(*repeats),
        }
    }
}

/// The key number of each probe row.
#[derive(Clone, Copy)]
pub struct ProbeSide {
    distinct: u64,
    draws: Stream,
    pattern: Pattern,
}

#[derive(Clone, Copy)]
enum Pattern {
    Miss,
    /// In this share of the rows, one of so many keys.
    Match(f64, u64),
    Even(Permutation),
    Zipf(Zipf, Permutation),
    /// The row that hits key 0.
    HeavyOnce(u64),
}

impl ProbeSide {
    /// The probe side of `rows` rows over the build keys 0..distinct. Without build keys, no row matches.
    pub fn new(keys: ProbeKeys, rows: u64, distinct: u64, seed: u64) -> ProbeSide {
        let draws = Series::ProbeKeys.of(seed);
        let order = |count: u64| Permutation::through(count - 1, Series::ProbeOrder.of(seed));
        let pattern = match keys {
            _ if distinct == 0 || rows == 0 => Pattern::Miss,
            ProbeKeys::Uniform => Pattern::Match(1.0, distinct),
            ProbeKeys::Match { share, of } => match (distinct as f64 * of).round() as u64 {
                0 => Pattern::Miss,
                found => Pattern::Match(share, found),
            },
            ProbeKeys::Even => Pattern::Even(order(rows)),
            ProbeKeys::Zipf { exponent } => {
                Pattern::Zipf(Zipf::new(distinct, exponent), order(distinct))
            }
            ProbeKeys::HeavyOnce => {
                Pattern::HeavyOnce(Series::ProbeOrder.of(seed).row(0).below(rows))
            }
        };
        ProbeSide {
            distinct,
            draws,
            pattern,
        }
    }

    /// The key number of a row; at least `distinct` where it matches nothing.
    #[inline]
    pub fn key(&self, row: u64) -> u64 {
        let mut draws = self.draws.row(row);
        let matching = match &self.pattern {
            Pattern::Miss => None,
            Pattern::Match(share, found) => draws.chance(*share).then(|| draws.below(*found)),
            Pattern::Even(order) => Some(order.of(row) % self.distinct),
            Pattern::Zipf(zipf, order) => Some(order.of(zipf.rank(&mut draws) - 1)),
            Pattern::HeavyOnce(hit) if row == *hit => Some(0),
            Pattern::HeavyOnce(_) => {
                (self.distinct > 1).then(|| 1 + draws.below(self.distinct - 1))
            }
        };
        matching.unwrap_or_else(|| self.distinct + draws.below(NUMBERS - self.distinct))
    }
}
