//! The table of cases.

use std::fmt;

use super::keys::{CaseKey, Keys, ODD_FILLS, Random, column};
use crate::join::JoinInput;
use crate::oracle;
use crate::output::{Aggregate, Pair, Sink};
use crate::page::rows_per_full_page;
use crate::table::Column;

/// Two key columns and what joins them.
pub(super) struct Case {
    /// What it is about, with sizes and seed.
    pub name: String,
    pub build: Column,
    pub probe: Column,
    /// Its pairs by the oracle.
    pub expected: Bag,
    /// Whether it is worth all teams.
    pub large: bool,
}

impl Case {
    pub fn input(&self) -> JoinInput<'_> {
        JoinInput::new(&self.build, &self.probe).expect("a case's columns can be joined")
    }

    /// The same, of which something else is asked.
    pub fn answered(&self, asked: &dyn fmt::Debug, expected: Bag) -> Self {
        Self {
            name: format!("{asked:?}: {}", self.name),
            build: self.build.clone(),
            probe: self.probe.clone(),
            expected,
            large: self.large,
        }
    }

    /// Pairs of rows, whatever their keys.
    pub fn meetings(&self) -> u64 {
        self.build.row_count() * self.probe.row_count()
    }

    /// The same with the sides exchanged.
    pub fn swapped(&self) -> (JoinInput<'_>, Bag) {
        let input = JoinInput::new(&self.probe, &self.build).expect("as the other way round");
        let swapped = |pair: &Pair| Pair {
            build: pair.probe,
            probe: pair.build,
        };
        (input, self.expected.pairs.iter().map(swapped).collect())
    }
}

/// A bag of pairs: the answer of the oracle, or of a join.
pub(super) struct Bag {
    pub pairs: Vec<Pair>,
    pub sums: Aggregate,
    /// Sum of the pairs' hashes: the same for the same bag of pairs, in any order.
    pub digest: u64,
}

impl FromIterator<Pair> for Bag {
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> Self {
        let pairs: Vec<Pair> = pairs.into_iter().collect();
        let mut sums = Aggregate::default();
        let mut digest = 0_u64;
        for pair in &pairs {
            sums.emit(pair.build, pair.probe);
            digest = digest.wrapping_add(Random(bytemuck::cast(*pair)).bits());
        }
        Self {
            pairs,
            sums,
            digest,
        }
    }
}

impl Bag {
    /// By nested loops where that is a matter of milliseconds, by sorting otherwise.
    pub fn of(input: &JoinInput<'_>) -> Self {
        if input.build_rows() * input.probe_rows() <= 1 << 22 {
            oracle::nested_loops(input).into_iter().collect()
        } else {
            oracle::sort_merge_pairs(input).into_iter().collect()
        }
    }

    /// Where this bag first differs from the right one, both in order.
    pub fn difference(&self, right: &Self) -> String {
        let [found, wanted] = [self, right].map(|bag| {
            let mut pairs = bag.pairs.clone();
            pairs.sort_unstable();
            pairs
        });
        let at = found
            .iter()
            .zip(&wanted)
            .position(|(found, wanted)| found != wanted)
            .unwrap_or(found.len().min(wanted.len()));
        format!(
            "{} instead of {}, in order of rows first at {at}: {:?} instead of {:?}",
            found.len(),
            wanted.len(),
            found.get(at),
            wanted.get(at),
        )
    }
}

/// Rows of a side from which on a case is large.
const LARGE: usize = 10_000;

/// One side of a case.
#[derive(Clone, Copy)]
struct Side<'a> {
    keys: Keys,
    rows: usize,
    nulls: u64,
    fills: &'a [usize],
}

impl Side<'_> {
    fn new(keys: Keys, rows: usize) -> Self {
        Self {
            keys,
            rows,
            nulls: 0,
            fills: &[],
        }
    }
}

struct Cases(Vec<Case>);

impl Cases {
    fn add<K: CaseKey>(&mut self, what: &str, build: Side<'_>, probe: Side<'_>) {
        let seed = self.0.len() as u64;
        let mut random = Random(seed);
        let [build_column, probe_column] = [build, probe].map(|side| {
            column::<K>(
                &side.keys.rows(side.rows, side.nulls, &mut random),
                side.fills,
            )
        });
        let side = |side: Side<'_>| {
            let Side {
                keys,
                rows,
                nulls,
                fills,
            } = side;
            format!("{rows} rows, keys {keys:?}, {nulls} % NULL, page fills {fills:?}")
        };
        let data_type = K::DATA_TYPE;
        let name = format!(
            "{what} ({data_type}, build {}, probe {}, seed {seed})",
            side(build),
            side(probe)
        );
        let input = JoinInput::new(&build_column, &probe_column).expect("columns of one key type");
        let expected = Bag::of(&input);
        self.0.push(Case {
            name,
            expected,
            large: build.rows.max(probe.rows) >= LARGE,
            build: build_column,
            probe: probe_column,
        });
    }
}

/// All cases, for both key types, the large ones only if wanted.
pub(super) fn cases(large: bool) -> Vec<Case> {
    fn of<K: CaseKey>(cases: &mut Cases, large: bool) {
        all_of::<K>(cases);
        if large {
            large_of::<K>(cases, 0);
            large_of::<K>(cases, 10);
        }
    }
    let mut cases = Cases(Vec::new());
    of::<i32>(&mut cases, large);
    of::<i64>(&mut cases, large);
    cases.0
}

/// The cases that differ most, for what is checked again and again in slightly other ways.
pub(super) fn few_cases() -> Vec<Case> {
    fn few_of<K: CaseKey>(cases: &mut Cases) {
        for (build, probe) in [(0, 3), (1, 1), (357, 500)] {
            let [build, probe] = [build, probe].map(|rows| Side {
                nulls: 10,
                ..Side::new(Keys::Drawn(200), rows)
            });
            cases.add::<K>("few", build, probe);
        }
        spread_of::<K>(
            cases,
            311,
            200,
            &[Keys::Equal, Keys::Sparse, Keys::Extremes],
        );
    }
    let mut cases = Cases(Vec::new());
    few_of::<i32>(&mut cases);
    few_of::<i64>(&mut cases);
    cases.0
}

/// The first of some hundred pairs.
pub(super) fn typical(cases: &[Case]) -> &Case {
    cases
        .iter()
        .find(|case| (500..5000).contains(&case.expected.pairs.len()))
        .expect("a case of some hundred pairs")
}

/// One case of many rows.
pub(super) fn large_case() -> Case {
    let mut cases = Cases(Vec::new());
    large_of::<i32>(&mut cases, 10);
    cases.0.remove(0)
}

fn all_of<K: CaseKey>(cases: &mut Cases) {
    let page = rows_per_full_page::<K>();
    for build in [0, 1, 2] {
        for probe in [0, 1, 2, page] {
            let keys = Keys::Drawn(2);
            cases.add::<K>("sizes", Side::new(keys, build), Side::new(keys, probe));
            if probe > 2 {
                cases.add::<K>("sizes", Side::new(keys, probe), Side::new(keys, build));
            }
        }
    }
    for (build, probe) in [
        (page - 1, page + 1),
        (page, page),
        (page + 1, page - 1),
        (2 * page + 3, 3 * page + 5),
    ] {
        let keys = Keys::Drawn(page as u64);
        cases.add::<K>("sizes", Side::new(keys, build), Side::new(keys, probe));
    }
    spread_of::<K>(
        cases,
        300,
        500,
        &[
            Keys::Equal,
            Keys::Dense,
            Keys::Sparse,
            Keys::SharedLow,
            Keys::SharedHigh,
            Keys::Heavy,
            Keys::Extremes,
            Keys::Drawn(40),
        ],
    );
    cases.add::<K>(
        "nothing matches",
        Side::new(Keys::Dense, 500),
        Side::new(Keys::DenseFrom(500), 700),
    );
    cases.add::<K>(
        "a dense build, sparse probe",
        Side::new(Keys::Dense, 700),
        Side::new(Keys::Heavy, 900),
    );
    for build_nulls in [0, 1, 10, 100] {
        for probe_nulls in [0, 1, 10, 100] {
            let [build, probe] =
                [(290, build_nulls), (470, probe_nulls)].map(|(rows, nulls)| Side {
                    nulls,
                    ..Side::new(Keys::Drawn(150), rows)
                });
            cases.add::<K>("NULLs", build, probe);
        }
    }
    let mixed: Vec<usize> = ODD_FILLS.into_iter().chain([0]).collect();
    for fills in ODD_FILLS.chunks(1).chain([&mixed[..]]) {
        for nulls in [0, 10] {
            let [build, probe] = [330, 550].map(|rows| Side {
                nulls,
                fills,
                ..Side::new(Keys::Drawn(200), rows)
            });
            cases.add::<K>("odd pages", build, probe);
        }
    }
}

fn spread_of<K: CaseKey>(cases: &mut Cases, build: usize, probe: usize, all: &[Keys]) {
    for &keys in all {
        cases.add::<K>("keys", Side::new(keys, build), Side::new(keys, probe));
    }
}

fn large_of<K: CaseKey>(cases: &mut Cases, nulls: u64) {
    let [build, probe] = [50_000, 80_000].map(|rows| Side {
        nulls,
        ..Side::new(Keys::Drawn(40_000), rows)
    });
    cases.add::<K>("many", build, probe);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn both_oracles_agree() {
        for case in cases(true).iter().chain(&few_cases()) {
            let input = case.input();
            let merged: Bag = oracle::sort_merge_pairs(&input).into_iter().collect();
            assert_eq!(merged.digest, case.expected.digest, "{}", case.name);
            for kind in Kind::ALL.into_iter().filter(|_| !case.large) {
                let results: Bag = oracle::of_kind(&input, &kind.into()).into_iter().collect();
                let sums = oracle::sums_of_kind(&input, kind, None);
                assert_eq!(sums, results.sums, "{kind}: {}", case.name);
            }
            assert_eq!(
                oracle::sort_merge(&input),
                case.expected.sums,
                "{}",
                case.name
            );
            if !case.large {
                assert_eq!(oracle::nested_loops(&input), merged.pairs, "{}", case.name);
            }
        }
    }

    #[test]
    fn cases_are_what_they_say() {
        let cases = cases(true);
        let any = |what: &str, holds: &dyn Fn(&Case) -> bool| {
            assert!(cases.iter().any(holds), "no case {what}");
        };
        any("without pairs", &|case| case.expected.pairs.is_empty());
        any("with more pairs than fit a chunk", &|case| {
            case.expected.pairs.len() > 1 << 16
        });
        any("with an empty page", &|case| {
            case.build.pages().iter().any(|page| page.rows() == 0)
        });
        any("with one row a page", &|case| {
            case.probe.row_count() > 100 && case.probe.pages().iter().all(|page| page.rows() == 1)
        });
        any("of NULLs alone", &|case| {
            case.build.row_count() > 100 && case.build.pages().iter().all(|page| page.values() == 0)
        });
        any("that is large", &|case| case.large);
    }
}
