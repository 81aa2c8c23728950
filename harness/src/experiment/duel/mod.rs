//! A duel: two builds of the harness in the same rounds.
//!
//! Where memory lies is fixed for the life of a process, and moves its times by more than what is looked for. So a duel has
//! pairs of processes, one of each build, that start, load the same files and end together; within a pair each cell is
//! sampled by both back to back, in rounds. `report::duel` says what the samples mean.

mod protocol;
pub mod revision;
mod serve;
mod side;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::{Runner, Stop, rounds, session};
use crate::peers::{Joined, KeyFiles};
use crate::workload::answer;
use join_core::output::Aggregate;
use protocol::{Consumer, Hello, Wanted};
use registry::Variant;
use report::record::{
    Answer, NoteRecord, Record, SampleRecord, ScheduleRecord, ScheduledCell, Source, Toggles,
    WorkloadRecord,
};
use side::Player;

pub use serve::serve;
pub use side::{Side, VERB};

/// The fewest pairs of processes: what memory does to one of them is chance, and so are the few.
const LEAST_PAIRS: u32 = 10;

/// Pairs after which more teach little.
const MOST_PAIRS: u32 = 60;

/// Seconds of a pair at least.
const SECONDS_PER_PAIR: f64 = 3.0;

/// As often as its start, its loading and its first joins take, a pair may take in all: most of it is to be rounds.
const WORTH: f64 = 3.0;

/// Joins of a cell that are checked and not counted: the first two in fresh memory take up to seven times as long.
const WARM_UP: usize = 2;

/// Rounds of a cell in a pair: an even number, so that each build goes first as often as the other.
const ROUNDS: (u32, u32) = (2, 64);

/// A workload that both builds join.
pub struct Case {
    /// What it is and what it must answer.
    pub record: WorkloadRecord,
    /// Its keys.
    pub files: KeyFiles,
    /// Seconds of a round, by the first joins; known once the builds were checked.
    pub cost: f64,
}

/// What two builds do.
pub struct Duel<'a> {
    /// This build and the other one.
    pub sides: [Side; 2],
    /// The workloads, the shortest first: what time one leaves goes to the next.
    pub cases: Vec<Case>,
    /// The variants.
    pub variants: Vec<Variant>,
    /// Thread counts.
    pub threads: Vec<u32>,
    /// Seed of the order of cells.
    pub seed: u64,
    /// What all of it may take, from `began` on.
    pub seconds: f64,
    /// When the time began to run.
    pub began: Instant,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

/// Two builds that can meet.
pub struct Checked {
    hello: [Hello; 2],
    /// Seconds that a pair takes until its first round.
    start: f64,
    /// Sentences for the report.
    notes: Vec<String>,
}

impl Duel<'_> {
    /// Has both builds say who they are and answer everything once, so that what cannot be measured is refused before
    /// anything is written. Variants that one of them does not have are left out.
    ///
    /// # Errors
    /// A build takes no part, or answers wrongly; or there is no variant that both have.
    pub fn check(&mut self) -> Result<Checked, Stop> {
        let start = Instant::now();
        let sides = self.sides.clone();
        let mut players = [
            sides[0].start(self.interrupted)?,
            sides[1].start(self.interrupted)?,
        ];
        let hello = [players[0].hello()?, players[1].hello()?];
        let mut notes = Vec::new();
        self.variants.retain(|variant| {
            let lacks = (0..2).find(|&side| !hello[side].variants.contains(&variant.name));
            notes.extend(lacks.map(|side| {
                format!(
                    "{} has no variant {}, which was left out.",
                    sides[side].name, variant.name
                )
            }));
            lacks.is_none()
        });
        if self.variants.is_empty() {
            return Err(Stop::Build(format!(
                "{}: the two builds have no variant in common; name one that both have with --only",
                sides[1].name
            )));
        }
        for case in &self.cases {
            let record = &case.record;
            let is_integer = ["INT32", "INT64"].contains(&&*record.key_type);
            let is_plain = (&record.join_kind, &record.condition) == (&None, &None);
            if is_plain && is_integer && record.payload_bytes.is_none() {
                continue;
            }
            let kind = case.record.join_kind.as_deref().unwrap_or("inner");
            if record.payload_bytes.is_some() {
                return Err(Stop::Build(format!(
                    "{}: builds count results, they make no rows; with --only, name workloads without a payload",
                    record.name
                )));
            }
            let lacks = |side: &usize| !hello[*side].kinds.iter().any(|known| known == kind);
            if let Some(side) = (0..2).find(lacks) {
                return Err(Stop::Build(format!(
                    "{}: it cannot answer what {} asks; with --only, name inner joins of integers without a condition",
                    sides[side].name, case.record.name
                )));
            }
        }
        for number in 0..self.cases.len() {
            let cost = self.meet(&mut players, &self.cases[number])?;
            self.cases[number].cost = cost;
        }
        Ok(Checked {
            hello,
            start: start.elapsed().as_secs_f64(),
            notes,
        })
    }

    /// Measures pair after pair until the time is up.
    ///
    /// # Errors
    /// Ctrl-C, a full disk, or a build that fails.
    pub fn measure(&self, runner: &mut Runner<'_>, checked: &Checked) -> Result<(), Stop> {
        self.describe(runner, checked)?;
        let seconds = SECONDS_PER_PAIR.max(checked.start * WORTH);
        let pairs = ((self.seconds / seconds) as u32).clamp(LEAST_PAIRS, MOST_PAIRS);
        let round: f64 = self.cases.iter().map(|case| case.cost).sum();
        let least = f64::from(pairs) * round * (WARM_UP as f64 + f64::from(ROUNDS.0));
        if least > self.seconds {
            runner.progress().say(&format!(
                "{pairs} pairs take {least:.0} s at least, longer than --seconds; fewer or smaller workloads take less"
            ));
        }
        let mut done = vec![0; self.cases.len()];
        let left = || self.seconds - self.began.elapsed().as_secs_f64();
        let mut pair = 0;
        loop {
            pair += 1;
            let (start, before) = (Instant::now(), left());
            let until = after(before / f64::from((pairs + 1).saturating_sub(pair).max(1)));
            runner.progress().step(
                1.0 - before / self.seconds,
                &format!("pair {pair} of {}", pairs.max(pair)),
            );
            self.pair(runner, pair, until, &mut done)?;
            // Where all rounds of a pair take less than its time, there is time for more pairs.
            let is_room = left() >= start.elapsed().as_secs_f64();
            if pair >= pairs && !(is_room && pair < MOST_PAIRS) {
                break;
            }
        }
        let pairs = pair;
        for (case, rounds) in self.cases.iter().zip(done) {
            let cells = self.cells();
            let labels = [report::record::THIS, report::record::OTHER];
            let cells = cells.iter().flat_map(|cell| {
                labels.map(|label| ScheduledCell {
                    variant: cell.variant.clone(),
                    toggles: Toggles::new(),
                    label: Some(label.to_owned()),
                    threads: cell.threads,
                    rounds,
                })
            });
            let schedule = ScheduleRecord {
                workload: case.record.name.clone(),
                seconds: self.seconds / self.cases.len() as f64,
                looks: 1,
                last: true,
                cells: cells.collect(),
            };
            runner.record(&Record::Schedule(schedule), |_| false)?;
        }
        runner
            .progress()
            .done(&format!("{pairs} pairs of processes"));
        Ok(())
    }

    /// One pair of processes, which ends about at `until`. A case gets time by the root of its cost: then the sum of the
    /// cases' errors is the least.
    fn pair(
        &self,
        runner: &mut Runner<'_>,
        pair: u32,
        until: Instant,
        done: &mut [u32],
    ) -> Result<(), Stop> {
        let [this, other] = &self.sides;
        let mut players = if pair % 2 == 1 {
            let first = this.start(self.interrupted)?;
            [first, other.start(self.interrupted)?]
        } else {
            let first = other.start(self.interrupted)?;
            [this.start(self.interrupted)?, first]
        };
        let cells = self.cells();
        for (number, case) in self.cases.iter().enumerate() {
            let weight = |case: &Case| case.cost.sqrt();
            let weights: f64 = self.cases[number..].iter().map(weight).sum();
            let left = until
                .saturating_duration_since(Instant::now())
                .as_secs_f64();
            let share = after(left * weight(case) / weights);
            self.meet(&mut players, case)?;
            let name = &case.record.name;
            for round in 1..=ROUNDS.1 {
                if round > ROUNDS.0 && round % 2 == 1 && Instant::now() >= share {
                    break;
                }
                done[number] += 1;
                let order = rounds::order(cells.len(), self.seed ^ u64::from(pair), name, round);
                for (place, &cell) in order.iter().enumerate() {
                    let first = (pair + round) as usize % 2;
                    for side in [first, 1 - first] {
                        if runner.interrupted() {
                            return Err(Stop::Interrupted);
                        }
                        let joined = self.join(&mut players[side], case, &cells[cell])?;
                        let sample = SampleRecord {
                            round,
                            order: 2 * place as u32 + u32::from(side != first),
                            workload: name.clone(),
                            variant: cells[cell].variant.clone(),
                            toggles: Toggles::new(),
                            label: Some(self.sides[side].label.to_owned()),
                            pair,
                            threads: cells[cell].threads,
                            seconds: joined.seconds,
                            phases: Vec::new(),
                            answer: answer_of(&joined),
                            bytes: None,
                            counters: Default::default(),
                            notes: Vec::new(),
                            source: Source::Variant,
                            system: None,
                            disturbed: false,
                        };
                        runner.record(&Record::Sample(sample), |_| false)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Has both load a case and warms each cell up; returns the seconds of a round.
    fn meet(&self, players: &mut [Player<'_>; 2], case: &Case) -> Result<f64, Stop> {
        let threads = self.threads.iter().copied().max().unwrap_or(1);
        for player in players.iter_mut() {
            player.load(case, threads)?;
        }
        let mut seconds = 0.0;
        for _ in 0..WARM_UP {
            seconds = 0.0;
            for cell in self.cells() {
                for player in players.iter_mut() {
                    seconds += self.join(player, case, &cell)?.seconds;
                }
            }
        }
        Ok(seconds)
    }

    /// A join with a right answer.
    fn join(&self, player: &mut Player<'_>, case: &Case, cell: &Wanted) -> Result<Joined, Stop> {
        let wanted = Wanted {
            kind: case.record.join_kind.clone(),
            less: case.record.condition.is_some(),
            ..cell.clone()
        };
        let joined = player.join(wanted)?;
        match case.record.expected {
            Some(expected) if expected != answer_of(&joined) => {
                Err(player.answered_wrongly(&case.record.name, &cell.variant))
            }
            _ => Ok(joined),
        }
    }

    /// What is joined with, of each case.
    fn cells(&self) -> Vec<Wanted> {
        let cells = self.variants.iter().flat_map(|variant| {
            self.threads.iter().map(|&threads| Wanted {
                variant: variant.name.clone(),
                threads,
                consumer: Consumer::Aggregate,
                kind: None,
                less: false,
            })
        });
        cells.collect()
    }

    /// Writes what the samples are of.
    fn describe(&self, runner: &mut Runner<'_>, checked: &Checked) -> Result<(), Stop> {
        for (side, hello) in self.sides.iter().zip(&checked.hello) {
            let record = hello.record(side.label, &side.name, side.commit.as_deref());
            runner.record(&Record::Build(record), |_| false)?;
        }
        session::variants(runner, self.variants.iter().map(session::record_of))?;
        for case in &self.cases {
            runner.record(&Record::Workload(case.record.clone()), |_| false)?;
        }
        for text in &checked.notes {
            runner.progress().say(text);
            let text = text.clone();
            runner.record(&Record::Note(NoteRecord { text }), |_| false)?;
        }
        Ok(())
    }
}

/// The moment in so many seconds.
fn after(seconds: f64) -> Instant {
    Instant::now() + Duration::from_secs_f64(seconds.max(0.0))
}

fn answer_of(joined: &Joined) -> Answer {
    answer(&Aggregate {
        rows: joined.rows,
        sum_build: joined.sum_build,
        sum_probe: joined.sum_probe,
    })
}
