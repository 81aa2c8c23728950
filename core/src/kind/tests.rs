use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::conformance::{SimpleProbe, SortedBuild};
use crate::input::InputMode;
use crate::join::{BuildProbe, Kernel};
use crate::memory::Memory;
use crate::output::{Pair, PairFilter, PairPlacement};
use crate::page::{FixedWriter, Page};
use crate::parallel::Team;
use crate::table::Column;

fn column(keys: &[Option<i32>]) -> Column {
    let mut pages: Vec<Page> = Vec::new();
    for keys in keys.chunks(3) {
        let mut writer = FixedWriter::<i32>::new();
        keys.iter().for_each(|&key| writer.push(key));
        pages.extend(writer.finish());
    }
    Column::from_trusted_pages(crate::page::DataType::Int32, pages)
}

/// The results in order, as pairs, and as sums.
fn results(
    build: &[Option<i32>],
    probe: &[Option<i32>],
    semantics: Semantics<'_>,
) -> Vec<(u32, u32)> {
    let (build, probe) = (column(build), column(probe));
    let input = JoinInput::new(&build, &probe).unwrap();
    let variant = BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SortedBuild,
        probe: SimpleProbe {
            kernel: Kernel::SCALAR,
        },
    };
    let (team, memory) = (Team::single(), Memory::unlimited());
    let context = Context::new(&team, &memory);
    let in_order = context.with_consumer(Consumer::Pairs(PairPlacement::Serial));
    let outcome = semantics.join(&variant, &input, &in_order).unwrap();
    let Results::Pairs(pairs) = outcome.results else {
        panic!("pairs were wanted");
    };
    let summed = semantics.join(&variant, &input, &context).unwrap();
    assert_eq!(summed.results.aggregate(), Some(pairs.aggregate()));
    let mut pairs: Vec<_> = pairs.iter().map(|pair| (pair.build, pair.probe)).collect();
    pairs.sort_unstable();
    pairs
}

const INNER: [Option<i32>; 4] = [Some(1), Some(1), Some(2), None];
const OUTER: [Option<i32>; 4] = [Some(1), Some(3), None, Some(2)];
const NO: u32 = NO_ROW;

#[test]
fn kinds_are_those_of_sql() {
    let of = |kind: Kind| results(&INNER, &OUTER, kind.into());
    assert_eq!(of(Kind::Inner), [(0, 0), (1, 0), (2, 3)]);
    assert_eq!(
        of(Kind::Outer(Side::Probe)),
        [(0, 0), (1, 0), (2, 3), (NO, 1), (NO, 2)]
    );
    assert_eq!(
        of(Kind::Outer(Side::Build)),
        [(0, 0), (1, 0), (2, 3), (3, NO)]
    );
    assert_eq!(
        of(Kind::FullOuter),
        [(0, 0), (1, 0), (2, 3), (3, NO), (NO, 1), (NO, 2)]
    );
    assert_eq!(of(Kind::Semi(Side::Probe)), [(NO, 0), (NO, 3)]);
    assert_eq!(of(Kind::Semi(Side::Build)), [(0, NO), (1, NO), (2, NO)]);
    assert_eq!(of(Kind::Anti(Side::Probe)), [(NO, 1), (NO, 2)]);
    assert_eq!(of(Kind::Anti(Side::Build)), [(3, NO)]);
    let mark = |truth: Truth| truth as u32;
    assert_eq!(
        of(Kind::Mark(Side::Probe)),
        [
            (mark(Truth::True), 0),
            (mark(Truth::True), 3),
            (mark(Truth::Unknown), 1),
            (mark(Truth::Unknown), 2),
        ]
    );
}

#[test]
fn a_null_decides_what_is_not_in_a_list() {
    let not_in =
        |list: &[Option<i32>]| results(list, &OUTER, Kind::NullAwareAnti(Side::Probe).into());
    assert_eq!(not_in(&INNER), []);
    assert_eq!(not_in(&INNER[..3]), [(NO, 1)]);
    assert_eq!(not_in(&[]), [(NO, 0), (NO, 1), (NO, 2), (NO, 3)]);
    assert_eq!(not_in(&[None]), []);
}

#[test]
fn nulls_may_equal_each_other() {
    let of = |kind| {
        let semantics = Semantics {
            nulls_equal: true,
            ..Semantics::from(kind)
        };
        results(&INNER, &OUTER, semantics)
    };
    assert_eq!(of(Kind::Inner), [(0, 0), (1, 0), (2, 3), (3, 2)]);
    assert_eq!(of(Kind::Anti(Side::Probe)), [(NO, 1)]);
    assert_eq!(of(Kind::NullAwareAnti(Side::Probe)), [(NO, 1)]);
    assert_eq!(of(Kind::Anti(Side::Build)), []);
}

/// Keeps pairs whose build row is this one.
struct BuildRow(u32);

impl PairFilter for BuildRow {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        let mut kept = 0;
        for at in 0..pairs.len() {
            pairs[kept] = pairs[at];
            kept += usize::from(pairs[at].build == self.0);
        }
        kept
    }
}

#[test]
fn a_condition_is_asked_before_a_row_counts_as_matched() {
    let of = |kind, row| {
        let condition = BuildRow(row);
        let semantics = Semantics {
            condition: Some(&condition),
            ..Semantics::from(kind)
        };
        results(&INNER, &OUTER, semantics)
    };
    assert_eq!(of(Kind::Inner, 1), [(1, 0)]);
    assert_eq!(
        of(Kind::Outer(Side::Probe), 1),
        [(1, 0), (NO, 1), (NO, 2), (NO, 3)]
    );
    assert_eq!(of(Kind::Semi(Side::Build), 2), [(2, NO)]);
    // Row 2 of the list is not NULL, so only the NULL of the probe side might be in it.
    assert_eq!(of(Kind::NullAwareAnti(Side::Probe), 2), [(NO, 0), (NO, 1)]);
    assert_eq!(of(Kind::NullAwareAnti(Side::Probe), 3), []);
}

/// Counts the pairs that it is asked about, and keeps those of an odd build row.
#[derive(Default)]
struct Odd(AtomicUsize);

impl PairFilter for Odd {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        self.0.fetch_add(pairs.len(), Ordering::Relaxed);
        let mut kept = 0;
        for at in 0..pairs.len() {
            pairs[kept] = pairs[at];
            kept += usize::from(pairs[at].build % 2 == 1);
        }
        kept
    }
}

#[test]
fn of_a_row_that_has_a_partner_not_all_pairs_are_asked_about() {
    // Each row has 60 pairs with rows of the other side, and each other one of these is odd.
    let (many, keys) = (vec![Some(1); 60], vec![Some(1); 60]);
    for (kind, rows) in [
        (Kind::Semi(Side::Probe), 60),
        (Kind::Semi(Side::Build), 30),
        (Kind::Anti(Side::Probe), 0),
        (Kind::Anti(Side::Build), 30),
    ] {
        let condition = Odd::default();
        let semantics = Semantics {
            condition: Some(&condition),
            ..Semantics::from(kind)
        };
        assert_eq!(results(&many, &keys, semantics).len(), rows, "{kind}");
        // Asked twice: for the pairs, and for their sums.
        let asked = condition.0.into_inner() / 2;
        let most = match kind {
            Kind::Semi(Side::Probe) | Kind::Anti(Side::Probe) => 3_600 / 4,
            // Rows of no partner cannot be known before all of their pairs are.
            _ => 3_600 * 3 / 4,
        };
        assert!(asked < most, "{kind}: {asked} of 3600 pairs");
    }
}

#[test]
fn rounds_ask_about_each_pair_of_a_row_that_nothing_settles() {
    for count in [0, 1, 2, 7, 8, 9, 100, 2_048, 20_000] {
        let mut pairs: Vec<Pair> = (0..count)
            .map(|row| Pair {
                build: row,
                probe: 1,
            })
            .collect();
        let mut asked = Vec::new();
        let ask = |pairs: &mut [Pair]| {
            asked.extend(pairs.iter().map(|pair| pair.build));
            Ok::<(), Infallible>(())
        };
        let Ok(()) = settle(&mut pairs, |_| false, ask);
        asked.sort_unstable();
        assert_eq!(asked, (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_marked_is_paid_from_the_budget() {
    let (build, probe) = (column(&INNER), column(&OUTER));
    let input = JoinInput::new(&build, &probe).unwrap();
    let variant = BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SortedBuild,
        probe: SimpleProbe {
            kernel: Kernel::SCALAR,
        },
    };
    let (team, memory) = (Team::single(), Memory::limited(3));
    let semantics = Semantics::from(Kind::Semi(Side::Probe));
    let joined = semantics.join(&variant, &input, &Context::new(&team, &memory));
    assert!(
        matches!(joined, Err(JoinError::OutOfMemory(_))),
        "{joined:?}"
    );
    assert_eq!(memory.used(), 0);
}
