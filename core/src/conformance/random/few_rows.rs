//! Joins of few rows and of every kind, key and condition, drawn at random, for other engines to make as well.

use super::super::keys::{Random, column};
use super::super::kinds::OfRows;
use crate::compound::Keys;
use crate::join::{Context, DynJoin, JoinError, Side, Verify};
use crate::kind::{Kind, Semantics};
use crate::memory::Memory;
use crate::output::{Consumer, Pair, PairFilter, PairPlacement, Results};
use crate::page::DataType;
use crate::parallel::Team;
use crate::table::Column;

/// Rows of a side, less one.
const MOST_ROWS: u64 = 40;

/// A join of few rows.
#[derive(Debug)]
pub struct FewRows {
    /// Which rows are results.
    pub kind: Kind,
    /// Whether a NULL key equals another.
    pub nulls_equal: bool,
    /// What pairs must fulfil besides equal keys.
    pub condition: Option<OfRows>,
    /// The columns of the key, of the build and of the probe side each.
    pub columns: Vec<(Column, Column)>,
    /// Whether all hashes of keys are made to collide.
    collide: bool,
    /// What is compared of keys whose hashes are equal.
    verify: Verify,
    /// How its pairs are placed.
    placement: PairPlacement,
    /// The threads that it is made by.
    pub threads: usize,
}

impl FewRows {
    /// The join of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::of(seed, "few rows");
        let kind = *random.pick(&Kind::ALL);
        let nulls_equal = random.once_in(4);
        let condition = match random.below(4) {
            0 => Some(OfRows::TwoOfThree),
            1 => Some(OfRows::Earlier),
            _ => None,
        };
        let number = *random.pick(&[1, 1, 1, 2, 2, 3]);
        let rows = [rows(&mut random), rows(&mut random)];
        // What a key of several columns might equal, of which one is NULL, is not asked.
        let no_nulls = kind.is_null_aware() && !nulls_equal && number > 1;
        let nulls = rows.map(|_| match no_nulls {
            true => 0,
            false => *random.pick(&[0, 0, 0, 10, 30]),
        });
        let columns = (0..number).map(|_| {
            let types = [DataType::Int32, DataType::Int64, DataType::Varchar];
            let data_type = *random.pick(&types);
            let most = 1 + random.below(if number == 1 { MOST_ROWS } else { 6 });
            let different = 1 + random.below(most);
            let mut side =
                |nth: usize| values(data_type, rows[nth], nulls[nth], different, &mut random);
            (side(0), side(1))
        });
        Self {
            columns: columns.collect(),
            kind,
            nulls_equal,
            condition,
            collide: random.once_in(3),
            threads: *random.pick(&[1, 2, 3, 5]),
            verify: *random.pick(&[Verify::Sampled, Verify::Keys, Verify::HeadsFirst]),
            placement: *random.pick(&[
                PairPlacement::Parallel,
                PairPlacement::Chunks,
                PairPlacement::Expanded,
                PairPlacement::Ranges,
            ]),
        }
    }

    /// The columns of a side.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .map(move |(build, probe)| side.of(build, probe))
    }

    /// What `join` makes of it with these threads, in order.
    ///
    /// # Errors
    ///
    /// Those of the join.
    pub fn results(&self, join: &dyn DynJoin, team: &Team) -> Result<Vec<Pair>, JoinError> {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|(build, probe)| (build, probe))
            .collect();
        let keys = match Keys::new(&columns)? {
            Keys::Compound(input) if self.collide => Keys::Compound(input.masked(0)),
            keys => keys,
        };
        let condition = self.condition.as_ref();
        let semantics = Semantics {
            kind: self.kind,
            nulls_equal: self.nulls_equal,
            condition: condition.map(|condition| condition as &dyn PairFilter),
        };
        let memory = Memory::unlimited();
        let context = Context {
            verify: self.verify,
            ..Context::new(team, &memory).with_consumer(Consumer::Pairs(self.placement))
        };
        let outcome = semantics.join_keys(join, &keys, &context)?;
        let mut pairs = match outcome.results {
            Results::Pairs(pairs) => pairs.iter().collect(),
            _ => Vec::new(),
        };
        pairs.sort_unstable();
        Ok(pairs)
    }
}

fn rows(random: &mut Random) -> usize {
    let rows = match random.below(8) {
        0 => random.below(2),
        _ => random.below(MOST_ROWS),
    };
    rows as usize
}

/// A column of so many rows, `nulls` per cent of them NULL, the others one of so many different values.
fn values(
    data_type: DataType,
    rows: usize,
    nulls: u64,
    different: u64,
    random: &mut Random,
) -> Column {
    const FILLS: [&[usize]; 3] = [&[], &[1], &[7, 2]];
    let fills = *random.pick(&FILLS);
    let mut numbers: Vec<Option<u64>> = Vec::new();
    for _ in 0..rows {
        let number = random.below(different);
        numbers.push((random.below(100) >= nulls).then_some(number));
    }
    let numbers = numbers.into_iter();
    match data_type {
        DataType::Int32 => {
            let values: Vec<_> = numbers
                .map(|number| number.map(|n| number_of(n) as i32))
                .collect();
            column(&values, fills)
        }
        DataType::Int64 => {
            let values: Vec<_> = numbers.map(|number| number.map(number_of)).collect();
            column(&values, fills)
        }
        _ => Column::from_strings(numbers.map(|number| number.map(string_of))),
    }
}

/// Numbers around 0, the ends of both types, and some that differ in their upper halves alone.
fn number_of(number: u64) -> i64 {
    const ENDS: [i64; 6] = [
        i32::MIN as i64,
        i32::MAX as i64,
        i64::MIN + 1,
        i64::MAX - 1,
        -1,
        0,
    ];
    match number {
        0..6 => ENDS[number as usize],
        6..12 => (number as i64) << 32 | 7,
        _ => number as i64 - 20,
    }
}

/// The empty string, short ones, some that begin alike, and one in forty that takes pages of its own.
fn string_of(number: u64) -> String {
    match number {
        0 => String::new(),
        1 => "it's".to_owned(),
        2 => "ü".to_owned(),
        39 => "long ".repeat(2000),
        _ if number.is_multiple_of(2) => format!("{number}"),
        _ => format!("what they all begin with: {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Kernel, SortedBuild, joined};
    use crate::input::InputMode;
    use crate::oracle;
    use crate::parallel::ThreadStart;

    #[test]
    fn what_is_simple_is_right_and_every_kind_is_drawn() {
        let join = joined(&SortedBuild, InputMode::ZeroCopy, Kernel::SCALAR);
        let teams =
            [1, 2, 3, 5].map(|threads| Team::new(threads, ThreadStart::Pool).parallel_from(0));
        let mut kinds = Vec::new();
        for seed in 0..600 {
            let few = FewRows::from_seed(seed);
            let columns: Vec<_> = few
                .columns
                .iter()
                .map(|(build, probe)| (build, probe))
                .collect();
            let results = few
                .results(
                    &join,
                    teams
                        .iter()
                        .find(|team| team.threads() == few.threads)
                        .expect("a team of each size"),
                )
                .expect("they can be joined");
            kinds.push((
                few.kind,
                few.columns.len(),
                few.nulls_equal,
                few.condition,
                results.is_empty(),
            ));
            // NULL is a number of its own where keys are numbered, which is not what several columns with a NULL in one are.
            if few.nulls_equal && few.columns.len() > 1 {
                continue;
            }
            let (build, probe) = oracle::numbered(&columns);
            let input = crate::join::JoinInput::new(&build, &probe).expect("two INT64 columns");
            let condition = few
                .condition
                .as_ref()
                .map(|condition| condition as &dyn PairFilter);
            let semantics = Semantics {
                kind: few.kind,
                nulls_equal: few.nulls_equal,
                condition,
            };
            assert_eq!(
                results,
                oracle::of_kind(&input, &semantics),
                "seed {seed}: {few:?}"
            );
        }
        for kind in Kind::ALL {
            for columns in 1..=3 {
                let of = |found: &&(Kind, usize, bool, Option<OfRows>, bool)| {
                    (found.0, found.1) == (kind, columns)
                };
                assert!(
                    kinds.iter().filter(of).any(|found| !found.4),
                    "{kind} of {columns} columns"
                );
            }
        }
        assert!(
            kinds
                .iter()
                .any(|found| found.2 && found.3 == Some(OfRows::Earlier))
        );
    }
}
