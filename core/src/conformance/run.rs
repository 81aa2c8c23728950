//! One join of one case, and all the ways of running it.

use std::fmt::Display;

use crossbeam::queue::SegQueue;

use super::cases::{Bag, Case, few_cases, large_case, typical};
use super::sliced::with_slices;
use super::{only_fresh, small};
use crate::join::{Context, DynJoin, JoinError, JoinInput, Outcome};
use crate::memory::Memory;
use crate::output::{Consumer, Pair, PairConsumer, PairPlacement, Results};
use crate::parallel::{Team, ThreadStart};

/// Teams of one to eight threads, started either way, that use all their threads however few rows there are.
pub(super) struct Suite {
    teams: Vec<Team>,
    /// Whether there are large cases.
    pub large: bool,
}

/// What becomes of the matches, by a name that a message can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Counted and summed.
    Aggregate,
    /// Kept as pairs of row ids, or handed on as they are produced.
    Pairs(Option<PairPlacement>),
}

impl Wanted {
    fn begins_with_ranges(self) -> bool {
        matches!(self, Self::Pairs(Some(placement)) if placement.begins_with_ranges())
    }
}

pub(super) const WITH_PAIRS: [Wanted; 6] = [
    Wanted::Pairs(Some(PairPlacement::Serial)),
    Wanted::Pairs(Some(PairPlacement::Parallel)),
    Wanted::Pairs(Some(PairPlacement::Chunks)),
    Wanted::Pairs(Some(PairPlacement::Expanded)),
    Wanted::Pairs(Some(PairPlacement::Ranges)),
    Wanted::Pairs(None),
];

/// Keeps what it is handed, without a lock.
#[derive(Default)]
pub(super) struct Kept(SegQueue<(usize, Vec<Pair>)>);

impl PairConsumer for Kept {
    fn consume(&self, worker: usize, pairs: &[Pair]) {
        self.0.push((worker, pairs.to_vec()));
    }
}

impl Suite {
    pub fn new(large: bool) -> Self {
        let threads: &[usize] = if small() { &[2, 3] } else { &[2, 3, 8] };
        let starts: &[ThreadStart] = if only_fresh() {
            &[ThreadStart::Fresh]
        } else {
            &[ThreadStart::Fresh, ThreadStart::Pool]
        };
        let parallel = threads
            .iter()
            .flat_map(|&threads| starts.iter().map(move |&start| Team::new(threads, start)));
        Self {
            teams: std::iter::once(Team::single())
                .chain(parallel)
                .map(|team| team.parallel_from(0))
                .collect(),
            large: large && !small(),
        }
    }

    /// The teams, from one thread to the most.
    pub fn teams(&self) -> &[Team] {
        &self.teams
    }

    /// Every case: counted by one thread and by two teams in turn, by all teams where it is large; as pairs in every
    /// placement and as a stream, from slices, and with the sides swapped, by one team each.
    pub fn answers(&self, join: &dyn DynJoin, cases: &[Case]) {
        for (number, case) in cases.iter().enumerate() {
            let input = case.input();
            let team = |nth: usize| &self.teams[(number + nth) % self.teams.len()];
            let check_sums = |team| {
                check(
                    join,
                    &input,
                    &case.expected,
                    team,
                    Wanted::Aggregate,
                    &case.name,
                );
            };
            if case.large {
                self.teams.iter().for_each(check_sums);
            } else {
                [&self.teams[0], team(1), team(2)]
                    .into_iter()
                    .for_each(check_sums);
            }
            for (nth, wanted) in WITH_PAIRS.into_iter().enumerate() {
                // Of the two that begin with ranges, one in turn.
                if wanted.begins_with_ranges() && (number + nth) % 2 == 0 {
                    continue;
                }
                check(join, &input, &case.expected, team(nth), wanted, &case.name);
            }
            with_slices(&input, |slices| {
                let name = format_args!("from slices: {}", case.name);
                let wanted = Wanted::Aggregate;
                check(join, slices, &case.expected, team(2), wanted, &name);
            });
            let (input, expected) = case.swapped();
            let name = format_args!("sides swapped: {}", case.name);
            let wanted = WITH_PAIRS[number % WITH_PAIRS.len()];
            check(join, &input, &expected, team(1), Wanted::Aggregate, &name);
            check(join, &input, &expected, team(2), wanted, &name);
        }
    }

    /// The same join a hundred times over: whatever depends on who comes first must not show.
    pub fn repeats(&self, join: &dyn DynJoin) {
        let repeat = |case: &Case, times: usize| {
            for nth in 0..times {
                let team = &self.teams[nth % self.teams.len()];
                let wanted = WITH_PAIRS[nth % WITH_PAIRS.len()];
                let name = format_args!("time {nth}: {}", case.name);
                check(join, &case.input(), &case.expected, team, wanted, &name);
            }
        };
        repeat(typical(&few_cases()), if small() { 10 } else { 100 });
        if self.large {
            repeat(&large_case(), 4);
        }
    }
}

/// Runs a join once and compares its answer with the oracle's.
pub(super) fn check(
    join: &dyn DynJoin,
    input: &JoinInput<'_>,
    expected: &Bag,
    team: &Team,
    wanted: Wanted,
    name: &dyn Display,
) {
    let memory = Memory::unlimited();
    let place = || format!("{name}; {wanted:?}; {team:?}");
    match attempt(join, input, &Context::new(team, &memory), wanted) {
        Ok(answer) => answer.check(expected, &place),
        Err(error) => panic!("{error}: {}", place()),
    }
    assert_eq!(memory.used(), 0, "bytes still held after: {}", place());
}

/// Runs a join once, whatever the context's own consumer.
pub(super) fn attempt(
    join: &dyn DynJoin,
    input: &JoinInput<'_>,
    context: &Context<'_>,
    wanted: Wanted,
) -> Result<Answer, JoinError> {
    let kept = Kept::default();
    let consumer = match wanted {
        Wanted::Aggregate => Consumer::Aggregate,
        Wanted::Pairs(placement) => Consumer::of_pairs(placement, &kept),
    };
    let outcome = join.join(input, &context.with_consumer(consumer))?;
    Ok(Answer {
        outcome,
        kept,
        wanted,
    })
}

/// What a join returned or handed on.
pub(super) struct Answer {
    outcome: Outcome,
    kept: Kept,
    wanted: Wanted,
}

impl Answer {
    /// Panics unless it is the oracle's.
    pub fn check(self, expected: &Bag, place: &dyn Fn() -> String) {
        if let Err(fault) = self.compare(expected) {
            panic!("{fault}: {}", place());
        }
    }

    /// How it differs from the oracle's.
    pub fn compare(self, expected: &Bag) -> Result<(), String> {
        if self.outcome.phases.list().is_empty() {
            return Err("no phase is named".to_owned());
        }
        let results = self.outcome.results;
        let sums = results.aggregate();
        if let Some(sums) = sums.filter(|sums| *sums != expected.sums) {
            return Err(format!(
                "wrong sums: {sums:?} instead of {:?}",
                expected.sums
            ));
        }
        let pairs: Vec<Pair> = match (self.wanted, results) {
            (Wanted::Aggregate, Results::Aggregate(_)) => return Ok(()),
            (Wanted::Pairs(Some(placement)), Results::Pairs(pairs)) => {
                let blocks = pairs.chunks.len() + pairs.ranges.len();
                let is_placed = !matches!(placement, PairPlacement::Chunks | PairPlacement::Ranges);
                if is_placed && blocks > 1 {
                    return Err(format!("placed pairs in {blocks} blocks"));
                }
                let starts_in_ranges = placement == PairPlacement::Ranges;
                if !starts_in_ranges && !pairs.ranges.is_empty() {
                    return Err("ranges where pairs were wanted".to_owned());
                }
                pairs.iter().collect()
            }
            (Wanted::Pairs(None), Results::Streamed) => self
                .kept
                .0
                .into_iter()
                .flat_map(|(_, pairs)| pairs)
                .collect(),
            (_, results) => return Err(format!("not what the consumer wanted, but {results:?}")),
        };
        let found: Bag = pairs.into_iter().collect();
        if (found.pairs.len(), found.digest) != (expected.pairs.len(), expected.digest) {
            return Err(format!("wrong pairs: {}", found.difference(expected)));
        }
        Ok(())
    }
}
