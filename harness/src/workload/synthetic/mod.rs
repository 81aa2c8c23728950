//! Synthetic workloads: key columns drawn from a seed, written straight into pages, and the join's answer with them.

mod answer;
mod keys;

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use generated::{Permutation, Stream};
use join_core::join::Side;
use join_core::kind::Kind;
use join_core::output::Aggregate;
use join_core::page::{DataType, Fixed};
use join_core::table::{Column, Value};

use super::fields::{BuildKeys, Condition, ProbeKeys};
use crate::question::Less;
use answer::{BuildRows, SharedAnswer};
use keys::{BuildSide, ProbeSide, Series};

/// A synthetic join of known size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synthetic {
    /// Rows of the build side.
    pub build_rows: u32,
    /// Which keys they have.
    pub build_keys: BuildKeys,
    /// Those of them that are NULL.
    pub build_nulls: Nulls,
    /// Rows of the probe side.
    pub probe_rows: u32,
    /// Which keys they have.
    pub probe_keys: ProbeKeys,
    /// Those of them that are NULL.
    pub probe_nulls: Nulls,
    /// What pairs must fulfil besides equal keys.
    pub condition: Option<Condition>,
    /// Bytes of the longest key, where keys are strings: among [`STRING_BYTES`].
    pub longest_key: u32,
    /// Columns of the key: one, or two of integers.
    pub key_columns: u32,
}

/// Bytes that the longest string may have; the shortest has the fewest of these.
pub const STRING_BYTES: RangeInclusive<u32> = 8..=8 + COMMON.len() as u32;

/// Which rows of a side are NULL.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nulls {
    /// Each with this probability.
    Share(f64),
    /// A single one.
    One,
}

impl Nulls {
    /// None.
    pub const NONE: Self = Self::Share(0.0);

    /// How many of so many rows, about.
    fn of(self, rows: u32) -> f64 {
        match self {
            Self::Share(share) => share * f64::from(rows),
            Self::One => f64::from(rows.min(1)),
        }
    }
}

impl Synthetic {
    /// The columns of the key, of the build and of the probe side, and the answer of their join.
    pub fn generate(
        &self,
        key_type: DataType,
        seed: u64,
        threads: NonZeroUsize,
    ) -> (Vec<(Column, Column)>, Aggregate) {
        let (last, fill) = match key_type {
            DataType::Int64 => (u64::MAX, ColumnPlan::fill_int64 as Fill),
            DataType::Varchar => (u32::MAX.into(), ColumnPlan::fill_strings as Fill),
            _ => (u32::MAX.into(), ColumnPlan::fill_int32 as Fill),
        };
        let (build, probe, answer) = self.generate_keys(seed, threads, last, fill);
        let second = (self.key_columns > 1).then(|| (second(&build), second(&probe)));
        let columns = std::iter::once((build, probe)).chain(second);
        (columns.collect(), answer)
    }

    /// About how many results the join of this kind has.
    pub fn estimated_results(&self, kind: Kind) -> u64 {
        let pairs = match kind.has_pairs() {
            true => self.estimated_pairs(),
            false => 0.0,
        };
        let sides = [Side::Build, Side::Probe].into_iter();
        let rest = sides.filter(|&side| kind.has_rest(side));
        let rest = rest.map(|side| self.estimated_rest(kind, side));
        (pairs + rest.sum::<f64>()) as u64
    }

    fn estimated_pairs(&self) -> f64 {
        let distinct = self.build_keys.distinct(self.build_rows.into()) as f64;
        let (build, probe) = (self.keys(Side::Build), self.keys(Side::Probe));
        let each = build / distinct.max(1.0);
        let results = match (self.probe_keys, self.build_keys) {
            (ProbeKeys::Match { share, .. }, _) => probe * share * each,
            (ProbeKeys::HeavyOnce, BuildKeys::Heavy { .. }) => probe + build - distinct,
            _ => probe * each,
        };
        results.max(0.0) * self.condition.map_or(1.0, Condition::share)
    }

    /// Rows of a side that are results besides the pairs.
    fn estimated_rest(&self, kind: Kind, side: Side) -> f64 {
        let (rows, found) = (f64::from(self.rows(side)), self.found(side));
        let others = side.other();
        match kind {
            Kind::Mark(_) => rows,
            Kind::Semi(_) => found,
            Kind::NullAwareAnti(_) if self.rows(others) == 0 => rows,
            Kind::NullAwareAnti(_) if self.nulls(others).of(self.rows(others)) > 0.0 => 0.0,
            Kind::NullAwareAnti(_) => self.keys(side) - found,
            _ => rows - found,
        }
    }

    /// Rows of a side with a partner, about; keys of skewed probes count as if they were drawn alike.
    fn found(&self, side: Side) -> f64 {
        let distinct = self.build_keys.distinct(self.build_rows.into()) as f64;
        let (share, of) = match self.probe_keys {
            ProbeKeys::Match { share, of } => (share, of),
            _ => (1.0, 1.0),
        };
        let draws_per_key = self.keys(Side::Probe) * share / (distinct * of).max(1.0);
        match side {
            Side::Build => self.keys(side) * of * (1.0 - (-draws_per_key).exp()),
            Side::Probe => self.keys(side) * share,
        }
    }

    /// Rows of a side that are not NULL.
    fn keys(&self, side: Side) -> f64 {
        let rows = self.rows(side);
        f64::from(rows) - self.nulls(side).of(rows)
    }

    fn rows(&self, side: Side) -> u32 {
        match side {
            Side::Build => self.build_rows,
            Side::Probe => self.probe_rows,
        }
    }

    fn nulls(&self, side: Side) -> Nulls {
        match side {
            Side::Build => self.build_nulls,
            Side::Probe => self.probe_nulls,
        }
    }

    /// About how long a build row and a probe row take to make.
    pub fn seconds_per_row(&self) -> (f64, f64) {
        const PLAIN: f64 = 1e-8;
        const NULLS: f64 = 8e-8;
        const ZIPF: f64 = 4e-8;
        const SUMMED: f64 = 6e-8;
        let side = |nulls: Nulls| match nulls {
            Nulls::NONE => PLAIN,
            _ => NULLS,
        };
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
        let has_nulls = [self.build_nulls, self.probe_nulls] != [Nulls::NONE; 2];
        let copied = if has_nulls { 2 * pages + pages / 16 } else { 0 };
        counts + copied
    }

    /// Whether build row r, and no other, has key number r.
    fn is_in_turn(&self) -> bool {
        self.build_keys == BuildKeys::Unique && self.build_nulls == Nulls::NONE
    }

    /// The values that the condition compares, if there is one: both sides' are drawn from 0 on, those of the side that is to
    /// be less often the smaller one from a longer range.
    pub fn values(&self, seed: u64) -> Option<Less> {
        const MOST: f64 = (1 << 30) as f64;
        let share = self.condition?.share();
        let draw = |series: Series, rows: u32, of_most: f64| {
            let (draws, most) = (series.of(seed), (MOST * of_most) as u64);
            let values = (0..u64::from(rows)).map(|row| draws.row(row).below(most.max(1)) as i32);
            values.collect()
        };
        Some(Less {
            build: draw(
                Series::BuildValues,
                self.build_rows,
                2.0 - 2.0 * share.max(0.5),
            ),
            probe: draw(Series::ProbeValues, self.probe_rows, 2.0 * share.min(0.5)),
        })
    }

    /// Draws keys whose bits are at most `last`, and fills columns with them.
    fn generate_keys(
        &self,
        seed: u64,
        threads: NonZeroUsize,
        last: u64,
        fill: Fill,
    ) -> (Column, Column, Aggregate) {
        let values = Permutation::through(last, Series::Values.of(seed));
        let build = BuildSide::new(self.build_keys, self.build_rows.into(), seed);
        let build_rows = if self.is_in_turn() {
            BuildRows::InTurn(build.distinct)
        } else {
            BuildRows::summed(build.distinct)
        };
        let plan = ColumnPlan {
            rows: self.build_rows,
            nulls: self.build_nulls,
            null_draws: Series::BuildNulls.of(seed),
            threads,
            longest: self.longest_key,
        };
        let (build_column, _) = fill(&plan, &|row, _| {
            let key = build.key(row);
            build_rows.add(key, row);
            values.of(key)
        });

        let probe = ProbeSide::new(
            self.probe_keys,
            self.probe_rows.into(),
            build.distinct,
            seed,
        );
        let plan = ColumnPlan {
            rows: self.probe_rows,
            nulls: self.probe_nulls,
            null_draws: Series::ProbeNulls.of(seed),
            threads,
            longest: self.longest_key,
        };
        let (probe_column, answer) = fill(&plan, &|row, answer| {
            let key = probe.key(row);
            build_rows.probe(key, row, answer);
            values.of(key)
        });
        (build_column, probe_column, answer)
    }
}

/// The bits of the key of a row, which adds the row's share of the answer.
type Bits<'a> = dyn Fn(u64, &mut Aggregate) -> u64 + Sync + 'a;

/// How a column is filled with keys.
type Fill = fn(&ColumnPlan, &Bits<'_>) -> (Column, Aggregate);

/// A column to be filled.
struct ColumnPlan {
    rows: u32,
    nulls: Nulls,
    null_draws: Stream,
    threads: NonZeroUsize,
    /// Bytes of the longest string.
    longest: u32,
}

impl ColumnPlan {
    /// Fills the column with what `key` gives for each row that is not NULL; `key` adds the row's share of the answer.
    fn fill<T: Fixed>(&self, key: impl Fn(u64, &mut Aggregate) -> T + Sync) -> (Column, Aggregate) {
        if self.nulls != Nulls::NONE {
            // Where a page ends depends on the NULLs before it, so these are written one after the other.
            let mut answer = Aggregate::default();
            let column = Column::from_options(self.in_order(|row| key(row, &mut answer)));
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

    fn fill_int32(&self, key: &Bits<'_>) -> (Column, Aggregate) {
        self.fill(|row, answer| key(row, answer) as i32)
    }

    fn fill_int64(&self, key: &Bits<'_>) -> (Column, Aggregate) {
        self.fill(|row, answer| key(row, answer) as i64)
    }

    /// Fills the column with strings as [`ColumnPlan::fill`] does with numbers.
    fn fill_strings(&self, key: &Bits<'_>) -> (Column, Aggregate) {
        let mut answer = Aggregate::default();
        let string = |bits: u64| string_of(bits as u32, self.longest);
        let strings = self.in_order(|row| string(key(row, &mut answer)));
        (Column::from_strings(strings), answer)
    }

    /// What `key` gives for each row, but for NULLs.
    fn in_order<T>(&self, mut key: impl FnMut(u64) -> T) -> impl Iterator<Item = Option<T>> {
        let rows = u64::from(self.rows);
        // Behind all rows, so that no row draws it again.
        let one = (rows > 0).then(|| self.null_draws.row(rows).below(rows));
        let is_null = move |row: u64| match self.nulls {
            Nulls::Share(share) => self.null_draws.row(row).chance(share),
            Nulls::One => Some(row) == one,
        };
        (0..rows).map(move |row| (!is_null(row)).then(|| key(row)))
    }
}

/// A second column of a key, which follows from the first.
fn second(first: &Column) -> Column {
    match first.data_type() {
        DataType::Int32 => Column::from_options(first.values().map(|value| match value {
            Value::Int32(value) => Some(value.rotate_left(7)),
            _ => None,
        })),
        _ => Column::from_options(first.values().map(|value| match value {
            Value::Int64(value) => Some(value.rotate_left(7)),
            _ => None,
        })),
    }
}

/// What strings begin with, each with a part of it.
const COMMON: &str = "https://www.example.org/archive/";

/// The string of a number: 8 bytes, which say which, behind others up to `longest` in all.
fn string_of(number: u32, longest: u32) -> String {
    let scattered = number.wrapping_mul(0x9E37_79B9) >> 16;
    let common = scattered % (longest - STRING_BYTES.start() + 1);
    format!("{}{number:08x}", &COMMON[..common as usize])
}
