//! Random joins are what they should be, and find what is wrong.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::queue::SegQueue;

use super::*;
use crate::conformance::{SortedBuild, joined, small};
use crate::input::{InputMode, KeyColumn};
use crate::join::{Join, Kernel, Outcome};
use crate::key::Key;
use crate::memory::Reservation;
use crate::output::{PairPlacement, Results};
use crate::page::{PAGE_BYTES, Page};
use crate::table::Column;

/// As many as joins of all kinds are among, fewer where the suite is thinned.
fn seeds() -> std::ops::Range<u64> {
    0..if small() { 60 } else { 600 }
}

fn conditions(seed: u64) -> Conditions {
    let wanted = [
        Wanted::Aggregate,
        Wanted::Pairs(Some(PairPlacement::Parallel)),
        Wanted::Pairs(None),
    ];
    let mut random = Random::of(seed, "test");
    Conditions::drawn(*random.pick(&wanted), &mut random)
}

fn faults(join: &dyn DynJoin) -> Vec<String> {
    let check = |seed| {
        let random = RandomJoin::from_seed(seed);
        let team = random.team(ThreadStart::Fresh);
        random.check(join, &team, &conditions(seed)).err()
    };
    seeds().filter_map(check).collect()
}

#[test]
fn what_is_simple_is_right() {
    let join = joined(&SortedBuild, InputMode::ZeroCopy, Kernel::SCALAR);
    assert_eq!(faults(&join), Vec::<String>::new());
}

/// A join that is wrong in some way, where there is anything to be wrong about.
struct Wrong(fn(&mut Outcome, &Context<'_>));

impl Join for Wrong {
    fn join_keys<K: Key>(
        &self,
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        context: &Context<'_>,
    ) -> Result<Outcome, JoinError> {
        let join = joined(&SortedBuild, InputMode::ZeroCopy, Kernel::SCALAR);
        let mut outcome = join.join_keys(build, probe, context)?;
        (self.0)(&mut outcome, context);
        Ok(outcome)
    }
}

#[test]
fn what_is_wrong_is_said() {
    let sums: fn(&mut Outcome, &Context<'_>) = |outcome, _| {
        if let Results::Aggregate(sums) = &mut outcome.results {
            sums.sum_build ^= 1;
        }
    };
    let pairs: fn(&mut Outcome, &Context<'_>) = |outcome, _| {
        // The sums stay the same.
        if let Results::Pairs(pairs) = &mut outcome.results
            && let Some([first, second, ..]) = pairs.chunks.first_mut().map(|chunk| &mut **chunk)
        {
            std::mem::swap(&mut first.build, &mut second.build);
        }
    };
    let leaks: fn(&mut Outcome, &Context<'_>) = |_, context| {
        // Where LeakSanitizer finds it.
        static KEPT: SegQueue<Reservation> = SegQueue::new();
        context
            .memory
            .reserve(1)
            .into_iter()
            .for_each(|one| KEPT.push(one));
    };
    let panics: fn(&mut Outcome, &Context<'_>) = |_, _| {
        // Spares the panic hook and so the noise.
        std::panic::resume_unwind(Box::new("it broke"));
    };
    for (wrong, said) in [
        (sums, "wrong sums"),
        (pairs, "wrong pairs"),
        (leaks, "1 bytes still held"),
        (panics, "panicked: it broke"),
    ] {
        let faults = faults(&Wrong(wrong));
        assert!(!faults.is_empty(), "never {said}");
        let others = faults.iter().find(|fault| !fault.contains(said));
        assert_eq!(others, None);
    }
}

#[test]
fn memory_that_runs_out_is_right_only_where_it_is_scarce() {
    /// Counts the calls with memory enough: not every kind of join needs the pairs.
    #[derive(Default)]
    struct Refuses(AtomicUsize);
    impl DynJoin for Refuses {
        fn join(&self, _: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
            let error = context.memory.refused(1);
            let has_enough = error.limit == usize::MAX;
            self.0.fetch_add(usize::from(has_enough), Ordering::Relaxed);
            Err(error.into())
        }
    }
    let scarce = seeds().filter(|&seed| conditions(seed).budget.is_some());
    let most = seeds().count() - scarce.count();
    assert!(most < seeds().count());
    let refuses = Refuses::default();
    let wrong = faults(&refuses).len();
    assert_eq!(wrong, refuses.0.into_inner());
    assert!(
        (most - most / 20..=most).contains(&wrong),
        "{wrong} of {most}"
    );
}

#[test]
fn a_seed_means_the_same_join() {
    for seed in seeds().step_by(50) {
        let [one, two] = [seed; 2].map(RandomJoin::from_seed);
        assert_eq!(one.to_string(), two.to_string());
        assert!(one.case.build.pages() == two.case.build.pages());
        assert!(one.case.probe.pages() == two.case.probe.pages());
    }
}

#[test]
fn joins_are_of_all_kinds() {
    let joins: Vec<RandomJoin> = (0..600).map(RandomJoin::from_seed).collect();
    let any = |what: &str, holds: &dyn Fn(&Case) -> bool| {
        let found = joins.iter().filter(|join| holds(&join.case)).count();
        assert!(found > 0 && found < joins.len(), "{found} joins {what}");
    };
    let of_sides = |what: &str, holds: fn(&Column) -> bool| {
        any(&format!("{what} on the build side"), &|case| {
            holds(&case.build)
        });
        any(&format!("{what} on the probe side"), &|case| {
            holds(&case.probe)
        });
    };
    of_sides("without rows", |side| side.row_count() == 0);
    of_sides("of one row", |side| side.row_count() == 1);
    of_sides("of many rows", |side| side.row_count() > 10_000);
    of_sides("with NULLs", Column::has_nulls);
    of_sides("of NULLs alone", |side| {
        side.row_count() > 1 && side.pages().iter().all(|page| page.values() == 0)
    });
    of_sides("with pages with and without NULLs", |side| {
        let full = |page: &Page| page.rows() > 0 && !page.has_nulls();
        side.has_nulls() && side.pages().iter().any(full)
    });
    of_sides("with a page of NULLs among others", |side| {
        let null = |page: &Page| page.rows() > 0 && page.values() == 0;
        side.pages().iter().any(null) && side.pages().iter().any(|page| page.values() > 0)
    });
    of_sides("with an empty page first", |side| {
        side.row_count() > 0 && side.pages()[0].rows() == 0
    });
    of_sides("with an empty page last", |side| {
        side.row_count() > 0 && side.pages().last().is_some_and(|page| page.rows() == 0)
    });
    of_sides("with one row a page", |side| {
        side.row_count() > 10 && side.pages().iter().all(|page| page.rows() <= 1)
    });
    of_sides("with unused bits of a bitmap set", |side| {
        let set = |page: &Page| {
            let used = page.rows() % 8;
            used > 0 && page.bytes()[PAGE_BYTES - 1] >> used != 0
        };
        side.pages().iter().any(set)
    });
    any("without pairs", &|case| case.expected.pairs.is_empty());
    any("with more pairs than a chunk holds", &|case| {
        case.expected.pairs.len() > 1 << 16
    });
    any("with a smaller probe side", &|case| {
        case.probe.row_count() < case.build.row_count()
    });
    for threads in 1..=5 {
        assert!(joins.iter().any(|join| join.threads == threads));
    }
}
