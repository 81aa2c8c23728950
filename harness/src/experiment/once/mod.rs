//! Plans that are each executed once in a process, as a contest and many a database do it.
//!
//! A round has a process of each contender, one after the other, in an order of its own. Each executes all plans, in the same
//! order as the others of its round: nothing of a plan is warm but what the plans before it left, in an order that all share.
//! So a sample is that of a plan in a process, and a total is that of a process.
//!
//! Ours open all bundles before the first execution. A peer is given one plan at a time, as its protocol has it.

mod pass;
mod protocol;
mod serve;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use plan_executor::Bundle;

use super::plans::Plans;
use super::runner::AtHand;
use super::{Contender, Runner, Stop, rounds};
use crate::console::counted;
use pass::Pass;
use protocol::Opened;
use report::record::{CONTROL_B, Checksum, Record, ScheduleRecord, ScheduledCell, WorkloadRecord};

pub use serve::{VERB, serve};

/// A plan that is executed once in a process.
pub struct Case {
    /// What the run knows of it.
    pub record: WorkloadRecord,
    /// Where its bundle is.
    pub folder: PathBuf,
    /// The bundle, for peers.
    pub bundle: Bundle,
}

/// What is executed, and how often.
pub struct Once<'a> {
    /// The plans.
    pub cases: Vec<Case>,
    /// Rounds, each with a process of each contender.
    pub rounds: u32,
    /// Whether the plans are executed in an order that is drawn for each round, not as they stand.
    pub is_seeded: bool,
    /// Seed of orders.
    pub seed: u64,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

impl Once<'_> {
    /// Processes that it takes in all.
    pub fn passes(&self, plans: &Plans<'_>) -> usize {
        self.rounds as usize * plans.contenders().len()
    }

    /// Measures all rounds that have not been measured.
    ///
    /// # Errors
    /// Ctrl-C, a full disk, or data that are not those of before. A contender that fails is recorded, and not asked for that
    /// plan again.
    pub fn measure(&self, runner: &mut Runner<'_>, plans: &Plans<'_>) -> Result<(), Stop> {
        let contenders = plans.contenders();
        self.describe(runner, contenders)?;
        let cases = self.cases.iter();
        let mut at_hand: Vec<AtHand<'_>> = cases
            .map(|case| runner.at_hand(&case.record, contenders, 0.0))
            .collect();
        let mut sums = vec![vec![None; self.cases.len()]; contenders.len()];
        for round in 1..=self.rounds {
            // Those of ours stand first, and peers are held to what they answer.
            let turns = match round {
                1 => (0..contenders.len()).collect(),
                _ => rounds::order(contenders.len(), self.seed, "contenders", round),
            };
            for (turn, contender) in turns.into_iter().enumerate() {
                let title = title(&contenders[contender]);
                let what = format!("round {round} of {}, {title}", self.rounds);
                runner.progress().workload(&what, 1.0);
                let order = self.order(round).into_iter();
                let order: Vec<usize> = order
                    .filter(|&case| !at_hand[case].has_failed(contender))
                    .collect();
                if order
                    .iter()
                    .all(|&case| at_hand[case].is_measured(contender, round))
                {
                    continue;
                }
                let worker = plans.worker(contender);
                let pass = Pass::start(worker, plans.threads(), &self.cases, self.interrupted);
                if let Some(opened) = pass.opened().filter(|_| round == 1) {
                    self.note(runner, &contenders[contender], opened)?;
                }
                let place = (contender, round, turn);
                self.pass(
                    runner,
                    pass,
                    &mut at_hand,
                    &order,
                    &mut sums[contender],
                    place,
                )?;
            }
        }
        Ok(())
    }

    /// Writes what the samples are of.
    fn describe(&self, runner: &mut Runner<'_>, contenders: &[Contender]) -> Result<(), Stop> {
        let cells = contenders.iter().map(|contender| ScheduledCell {
            rounds: self.rounds,
            ..contender.name.clone()
        });
        let cells: Vec<ScheduledCell> = cells.collect();
        for Case { record, .. } in &self.cases {
            runner.same_data(record)?;
            runner.record(&Record::Workload(record.clone()), |before| {
                before.workload(&record.name).is_some()
            })?;
            let schedule = ScheduleRecord {
                workload: record.name.clone(),
                seconds: 0.0,
                looks: 1,
                last: true,
                cells: cells.clone(),
            };
            runner.record(&Record::Schedule(schedule), |before| {
                let mut schedules = before.schedules.iter();
                schedules.any(|schedule| schedule.workload == record.name)
            })?;
        }
        Ok(())
    }

    /// The cases in the order of a round.
    fn order(&self, round: u32) -> Vec<usize> {
        match self.is_seeded {
            true => rounds::order(self.cases.len(), self.seed, "plans", round),
            false => (0..self.cases.len()).collect(),
        }
    }

    /// Executes each plan once in the process of a contender. What a kill has left of a pass is filled up by another process,
    /// which executes all plans again.
    fn pass(
        &self,
        runner: &mut Runner<'_>,
        mut pass: Pass<'_>,
        at_hand: &mut [AtHand<'_>],
        order: &[usize],
        sums: &mut [Option<Checksum>],
        (contender, round, turn): (usize, u32, usize),
    ) -> Result<(), Stop> {
        let (mut seconds, mut executed) = (0.0, 0);
        for (place, &number) in order.iter().enumerate() {
            if runner.interrupted() {
                return Err(Stop::Interrupted);
            }
            let at_hand = &mut at_hand[number];
            let measured = pass.execute(number, at_hand.rows(), &mut sums[number]);
            seconds += measured.as_ref().map_or(0.0, |measured| measured.seconds);
            let place = (round, (turn * self.cases.len() + place) as u32);
            let kept = !at_hand.is_measured(contender, round);
            executed += usize::from(runner.take(at_hand, contender, place, measured, kept)?);
        }
        runner.progress().done(&format!(
            "{} in {:.1} ms",
            counted(executed, "plan"),
            seconds * 1e3
        ));
        Ok(())
    }

    /// Says what a contender's processes do before the clock, once.
    fn note(
        &self,
        runner: &mut Runner<'_>,
        contender: &Contender,
        opened: &Opened,
    ) -> Result<(), Stop> {
        let title = title(contender);
        let before = format!("Before its first execution, a process of {title} ");
        let is_said = runner.before().is_some_and(|run| {
            let mut notes = run.notes.iter();
            notes.any(|note| note.starts_with(&before))
        });
        if is_said || contender.name.label.as_deref() == Some(CONTROL_B) {
            return Ok(());
        }
        let touched = match opened.touched_bytes >> 20 {
            0 => "touches no memory for the executions".to_owned(),
            mib => format!("touches {mib} MiB of memory for the executions"),
        };
        runner.note(format!(
            "{before}opens {}, starts {} and {touched}; the first one took {:.2} s for it.",
            counted(self.cases.len(), "bundle"),
            counted(opened.threads as usize, "thread"),
            opened.seconds
        ))
    }
}

/// What a contender is called in sentences.
fn title(contender: &Contender) -> String {
    let name = &contender.name;
    report::plans::name_of(&name.variant, &name.toggles, name.label.as_deref())
}
