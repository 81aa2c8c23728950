//! Allocations that fail, and consumers that panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::cases::{Case, few_cases, typical};
use super::compound::{OfShape, Shape};
use super::kinds::{Asked, OfKind};
use super::run::{Suite, Wanted, attempt};
use super::{only_fresh, small};
use crate::join::{Context, DynJoin, JoinError, Verify};
use crate::memory::Memory;
use crate::output::{Consumer, Pair, PairConsumer, PairPlacement};
use crate::parallel::{Cancel, Cancelled, Team};

impl Suite {
    /// Every allocation fails once, consumers panic, and joins are cancelled.
    pub fn failures(&self, join: &dyn DynJoin) {
        let cases = few_cases();
        // Small cases: what fails is the same, and each limit is a join.
        let some = |case: &&Case| (500..5000).contains(&case.expected.pairs.len());
        for case in cases.iter().filter(some) {
            for team in self.teams().iter().take(if small() { 2 } else { 3 }) {
                for wanted in [
                    Wanted::Aggregate,
                    Wanted::Pairs(Some(PairPlacement::Parallel)),
                    Wanted::Pairs(Some(PairPlacement::Expanded)),
                    Wanted::Pairs(None),
                ] {
                    allocations_fail(join, case, team, wanted);
                }
            }
        }
        self.failures_of_kinds(join, typical(&cases));
        if only_fresh() {
            return;
        }
        let full = cases.iter().filter(|case| !case.expected.pairs.is_empty());
        for case in full {
            self.teams()
                .iter()
                .for_each(|team| consumer_panics(join, case, team));
        }
        for case in &cases {
            self.teams()
                .iter()
                .for_each(|team| cancelled(join, case, team));
        }
    }

    /// The same of kinds that hold what an inner join does not, of keys as they are and hashed.
    fn failures_of_kinds(&self, own: &dyn DynJoin, case: &Case) {
        let team = &self.teams()[1];
        for asked in Asked::few() {
            let case = case.answered(&asked, asked.results(&case.input()));
            let semantics = asked.semantics();
            let of_kind = OfKind(own, semantics);
            let hashed = OfShape {
                join: own,
                semantics,
                shape: Shape::Digits,
                mask: u64::MAX,
                verify: Verify::HeadsFirst,
            };
            for join in [&of_kind as &dyn DynJoin, &hashed] {
                for placement in [None, Some(PairPlacement::Parallel)] {
                    let wanted = placement.map_or(Wanted::Aggregate, |_| Wanted::Pairs(placement));
                    allocations_fail(join, &case, team, wanted);
                }
                if !only_fresh() {
                    consumer_panics(join, &case, team);
                    cancelled(join, &case, team);
                }
            }
        }
    }
}

/// Raises the limit from 0 to what the allocation that failed had asked for, until the join succeeds.
pub(super) fn allocations_fail(join: &dyn DynJoin, case: &Case, team: &Team, wanted: Wanted) {
    // Workers that allocate at the same time fail in other places each time, so they need not end in few steps.
    let steps = if small() { 8 } else { 40 };
    let mut limit = 0;
    for step in 0.. {
        if step == steps {
            limit = usize::MAX;
        }
        let memory = Memory::limited(limit);
        let place = || {
            format!(
                "under a limit of {limit} bytes: {}; {wanted:?}; {team:?}",
                case.name
            )
        };
        let next = match attempt(join, &case.input(), &Context::new(team, &memory), wanted) {
            Ok(answer) => {
                answer.check(&case.expected, &place);
                None
            }
            Err(JoinError::OutOfMemory(error)) => {
                assert_eq!(error.limit, limit, "another limit, {}", place());
                Some(limit - error.available + error.requested)
            }
            Err(error) => panic!("{error}: {}", place()),
        };
        assert_eq!(memory.used(), 0, "bytes still held {}", place());
        match next {
            // Past the first few, every list's chunk is one more allocation of the same kind: not each of them is tried.
            Some(next) => limit = next.max(limit + limit / 16 + 1),
            None => return,
        }
    }
}

/// Panics at its first pairs.
struct Broken;

impl PairConsumer for Broken {
    fn consume(&self, _: usize, _: &[Pair]) {
        // Spares the panic hook and so the noise.
        resume_unwind(Box::new("the consumer broke"));
    }
}

fn consumer_panics(join: &dyn DynJoin, case: &Case, team: &Team) {
    let memory = Memory::unlimited();
    let context = Context::new(team, &memory).with_consumer(Consumer::Stream(&Broken));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        join.join(&case.input(), &context).map(drop)
    }));
    let place = || format!("with a consumer that panics: {}; {team:?}", case.name);
    assert!(caught.is_err(), "the panic was swallowed {}", place());
    assert_eq!(memory.used(), 0, "bytes still held {}", place());
}

/// Cancels at its first pairs.
struct Unwanted<'a>(&'a Cancel);

impl PairConsumer for Unwanted<'_> {
    fn consume(&self, _: usize, _: &[Pair]) {
        self.0.cancel();
    }
}

/// Cancels the join before it begins, and half way.
fn cancelled(join: &dyn DynJoin, case: &Case, team: &Team) {
    let (memory, cancel) = (Memory::unlimited(), Cancel::default());
    let place = || format!("cancelled: {}; {team:?}", case.name);
    let half_way = Unwanted(&cancel);
    let context = Context::new(team, &memory).with_consumer(Consumer::Stream(&half_way));
    let run = || cancel.run(|| join.join(&case.input(), &context).map(drop));
    // The first pairs may have been the last ones.
    let ended = run();
    assert!(
        matches!(ended, Ok(Ok(())) | Err(Cancelled)),
        "{ended:?} {}",
        place()
    );
    assert_eq!(memory.used(), 0, "bytes still held half way {}", place());
    cancel.cancel();
    assert_eq!(run(), Err(Cancelled), "it began {}", place());
    assert_eq!(memory.used(), 0, "bytes still held {}", place());
}
