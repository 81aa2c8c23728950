//! Synthetic workloads: key columns drawn from a seed, written straight into pages, and the join's answer with them.

mod answer;
mod keys;

use std::num::NonZeroUsize;

use generated::{Permutation, Stream};
use join_core::output::Aggregate;
use join_core::page::{DataType, Fixed};
use join_core::table::Column;

use super::fields::{BuildKeys, ProbeKeys};
use answer::{BuildRows, SharedAnswer};
use keys::{BuildSide, ProbeSide, Series};

/// A synthetic join of known size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synthetic {
    /// Rows of the build side.
    pub build_rows: u32,
    /// Which keys they have.
    pub build_keys: BuildKeys,
    /// The share of them that are NULL.
    pub build_nulls: f64,
    /// Rows of the probe side.
    pub probe_rows: u32,
    /// Which keys they have.
    pub probe_keys: ProbeKeys,
    /// The share of them that are NULL.
    pub probe_nulls: f64,
}

impl Synthetic {
    /// Build column, probe column and the answer of their join.
    pub fn generate(
        &self,
        key_type: DataType,
        seed: u64,
        threads: NonZeroUsize,
    ) -> (Column, Column, Aggregate) {
        match key_type {
            DataType::Int64 => self.generate_keys::<i64>(seed, threads),
            _ => self.generate_keys::<i32>(seed, threads),
        }
    }

    /// About how many results the join has.
    pub fn estimated_results(&self) -> u64 {
        let distinct = self.build_keys.distinct(self.build_rows.into()) as f64;
        let build = f64::from(self.build_rows) * (1.0 - self.build_nulls);
        let probe = f64::from(self.probe_rows) * (1.0 - self.probe_nulls);
        let each = build / distinct.max(1.0);
        let results = match (self.probe_keys, self.build_keys) {
            (ProbeKeys::Match { share }, _) => probe * share * each,
            (ProbeKeys::HeavyOnce, BuildKeys::Heavy { .. }) => probe + build - distinct,
            _ => probe * each,
        };
        results.max(0.0) as u64
    }

    /// About how long a build row and a probe row take to make.
    pub fn seconds_per_row(&self) -> (f64, f64) {
        const PLAIN: f64 = 1e-8;
        const NULLS: f64 = 8e-8;
        const ZIPF: f64 = 4e-8;
        const SUMMED: f64 = 6e-8;
        let side = |nulls: f64| if nulls > 0.0 { NULLS } else { PLAIN };
        let build = match self.build_keys {
            BuildKeys::Unique => PLAIN,
            BuildKeys::Duplicated { .. } | BuildKeys::Heavy { .. } => SUMMED,
        };
        let probe = match self.probe_keys {
            ProbeKeys::Zipf { .. } => ZIPF,
            _ => PLAIN,
        };
        (
            build.max(side(self.build_nulls)),
            probe.max(side(self.probe_nulls)),
        )
    }

    /// Bytes that making the data takes beside its `pages`, in bytes too, at the most.
    pub fn extra_bytes(&self, pages: u64) -> u64 {
        let distinct = self.build_keys.distinct(self.build_rows.into());
        let counts = match self.is_in_turn() {
            true => 0,
            false => distinct * BuildRows::BYTES_PER_KEY,
        };
        // Pages with NULLs are written into a list that is copied as it grows, and hold a bitmap each.
        let has_nulls = self.build_nulls > 0.0 || self.probe_nulls > 0.0;
        let copied = if has_nulls { 2 * pages + pages / 16 } else { 0 };
        counts + copied
    }

    /// Whether build row r, and no other, has key number r.
    fn is_in_turn(&self) -> bool {
        self.build_keys == BuildKeys::Unique && self.build_nulls == 0.0
    }

    fn generate_keys<T: SyntheticKey>(
        &self,
        seed: u64,
        threads: NonZeroUsize,
    ) -> (Column, Column, Aggregate) {
        let values = Permutation::through(T::LAST, Series::Values.of(seed));
        let build = BuildSide::new(self.build_keys, self.build_rows.into(), seed);
        let build_rows = if self.is_in_turn() {
            BuildRows::InTurn(build.distinct)
        } else {
            BuildRows::summed(build.distinct)
        };
        let (build_column, _) = ColumnPlan {
            rows: self.build_rows,
            nulls: self.build_nulls,
            null_draws: Series::BuildNulls.of(seed),
            threads,
        }
        .fill(|row, _| {
            let key = build.key(row);
            build_rows.add(key, row);
            T::from_bits(values.of(key))
        });

        let probe = ProbeSide::new(
            self.probe_keys,
            self.probe_rows.into(),
            build.distinct,
            seed,
        );
        let (probe_column, answer) = ColumnPlan {
            rows: self.probe_rows,
            nulls: self.probe_nulls,
            null_draws: Series::ProbeNulls.of(seed),
            threads,
        }
        .fill(|row, answer| {
            let key = probe.key(row);
            build_rows.probe(key, row, answer);
            T::from_bits(values.of(key))
        });
        (build_column, probe_column, answer)
    }
}

/// A key that key numbers are spread over the whole range of.
trait SyntheticKey: Fixed {
    /// The largest key as unsigned bits.
    const LAST: u64;

    /// The key of these bits, at most [`SyntheticKey::LAST`].
    fn from_bits(bits: u64) -> Self;
}

impl SyntheticKey for i32 {
    const LAST: u64 = u32::MAX as u64;

    #[inline]
    fn from_bits(bits: u64) -> i32 {
        bits as i32
    }
}

impl SyntheticKey for i64 {
    const LAST: u64 = u64::MAX;

    #[inline]
    fn from_bits(bits: u64) -> i64 {
        bits as i64
    }
}

/// A column to be filled.
struct ColumnPlan {
    rows: u32,
    nulls: f64,
    null_draws: Stream,
    threads: NonZeroUsize,
}

impl ColumnPlan {
    /// Fills the column with what `key` gives for each row that is not NULL; `key` adds the row's share of the answer.
    fn fill<T: SyntheticKey>(
        &self,
        key: impl Fn(u64, &mut Aggregate) -> T + Sync,
    ) -> (Column, Aggregate) {
        if self.nulls > 0.0 {
            // Where a page ends depends on the NULLs before it, so these are written one after the other.
            let mut answer = Aggregate::default();
            let column = Column::from_options((0..u64::from(self.rows)).map(|row| {
                let null = self.null_draws.row(row).chance(self.nulls);
                (!null).then(|| key(row, &mut answer))
            }));
            return (column, answer);
        }
        let answer = SharedAnswer::default();
        let column = Column::filled(self.rows as usize, self.threads, |first, page: &mut [T]| {
            let mut share = Aggregate::default();
            for (value, row) in page.iter_mut().zip(first as u64..) {
                *value = key(row, &mut share);
            }
            answer.merge(&share);
        });
        (column, answer.into_aggregate())
    }
}
