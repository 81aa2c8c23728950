//! A run: workload after workload, round after round, every sample in the file before the next one starts.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::disturbed::{Given, USUAL_FROM, is_disturbed};
use super::rounds::{self, Budget, LOOKS, Looked};
use super::undecided::{Standing, far_behind, needs};
use super::{Bench, Contender, Failed, Measured, Progress, key};
use crate::console::counted;
use report::record::{
    Answer, FailureRecord, NoteRecord, Record, RecordError, RecordWriter, Run, SampleRecord,
    ScheduleRecord, ScheduledCell, Source, Toggles, WorkloadRecord,
};
use report::stats::median;
use report::summary::undisturbed;

/// How often a disturbed sample is measured again at the end of its round.
const REPEATS: usize = 2;

/// What a sample costs in all, over its own time: results are freed, memory is counted.
const AROUND: f64 = 1.1;

/// Why a run ends early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Someone pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The samples cannot be written.
    #[error("{0}; what was measured before is kept")]
    Records(#[from] RecordError),
    /// The key columns of a workload cannot be joined.
    #[error("workload {0}: {1}")]
    Workload(String, String),
    /// One of the two builds of a duel does not answer.
    #[error("{0}")]
    Build(String),
    /// The data of a workload are not those that the run has measured before.
    #[error(
        "workload {0}: its data are not those that this run began with ({1}); bring them back, or start a new run with \
         --out"
    )]
    Changed(String, String),
}

/// A run under way.
pub struct Runner<'a> {
    writer: RecordWriter,
    /// What a run that goes on has measured before.
    before: Option<Run>,
    budget: Budget,
    seed: u64,
    interrupted: &'a AtomicBool,
    progress: Progress,
    /// Seconds of the budget that workloads before have used.
    used: f64,
}

impl<'a> Runner<'a> {
    /// A run that writes to `writer`, going on from `before`.
    pub fn new(
        writer: RecordWriter,
        before: Option<Run>,
        budget: Budget,
        seed: u64,
        interrupted: &'a AtomicBool,
        progress: Progress,
    ) -> Self {
        Self {
            writer,
            before,
            budget,
            seed,
            interrupted,
            progress,
            used: 0.0,
        }
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.writer.folder()
    }

    /// What was measured before this run went on.
    pub fn before(&self) -> Option<&Run> {
        self.before.as_ref()
    }

    /// Whether someone pressed Ctrl-C.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// The progress.
    pub fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }

    /// Counts `seconds` that something else than samples took against the budget.
    pub fn spend(&mut self, seconds: f64) {
        self.used += seconds;
    }

    /// Seconds that workloads of `weight` out of `left` may use of what is left.
    pub fn share(&self, weight: f64, left: f64) -> f64 {
        match self.budget {
            Budget::Seconds(seconds) => {
                ((seconds - self.used) * weight / left.max(weight)).max(0.0)
            }
            Budget::Samples { .. } => f64::INFINITY,
        }
    }

    /// The budget of joins.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Writes a record, unless `known` finds it in what was recorded before.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn record(
        &mut self,
        record: &Record,
        known: impl FnOnce(&Run) -> bool,
    ) -> Result<(), Stop> {
        if !self.before.as_ref().is_some_and(known) {
            self.writer.write(record)?;
        }
        Ok(())
    }

    /// Writes a sentence for the report, once.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn note(&mut self, text: String) -> Result<(), Stop> {
        let note = Record::Note(NoteRecord { text: text.clone() });
        self.record(&note, |before| before.notes.contains(&text))
    }

    /// Whether every sample that was planned of a workload, if it was, is there.
    pub fn is_measured(&self, workload: &str) -> bool {
        let Some(before) = &self.before else {
            return false;
        };
        let Some(schedule) = self.schedule_of_before(workload) else {
            return false;
        };
        let done = Done::of(before, workload);
        let is_done = |cell: &ScheduledCell| {
            let key = key(cell);
            let has = |round| done.samples(&key).iter().any(|taken| taken.round == round);
            done.failed.contains(&key) || (1..=cell.rounds).all(has)
        };
        schedule.last && schedule.cells.iter().all(is_done)
    }

    /// Refuses data that are not those that the run has measured under this name before.
    ///
    /// # Errors
    /// They are not.
    pub fn same_data(&self, workload: &WorkloadRecord) -> Result<(), Stop> {
        let before = self.before.as_ref();
        let then = before.and_then(|before| before.workload(&workload.name));
        match then.and_then(|then| then.change(workload)) {
            None => Ok(()),
            Some(change) => Err(Stop::Changed(workload.name.clone(), change)),
        }
    }

    /// Counts a workload that was measured before against the budget.
    pub fn skip(&mut self, workload: &str) {
        if let Some(schedule) = self.schedule_of_before(workload) {
            self.used += schedule.seconds;
        }
    }

    fn schedule_of_before(&self, workload: &str) -> Option<ScheduleRecord> {
        let before = self.before.as_ref()?;
        let mut schedules = before.schedules.iter();
        schedules
            .find(|schedule| schedule.workload == workload)
            .cloned()
    }

    /// Measures a case within `share` seconds, of which `spent` are gone for making its data; `budget` bounds the samples.
    ///
    /// # Errors
    /// Ctrl-C, a full disk, or data that are not those of before. A contender that fails is recorded and left out.
    pub fn case(
        &mut self,
        case: &WorkloadRecord,
        bench: &mut dyn Bench,
        budget: Budget,
        share: f64,
        spent: f64,
    ) -> Result<(), Stop> {
        let name = &case.name;
        self.same_data(case)?;
        self.record(&Record::Workload(case.clone()), |before| {
            before.workload(name).is_some()
        })?;
        let mut at_hand = self.at_hand(case, bench.contenders(), spent);
        let failed = (0..at_hand.cells.len()).filter(|&number| at_hand.cells[number].failed);
        bench.prepare(&failed.collect::<Vec<_>>());
        let mut schedule = match self.schedule_of_before(name) {
            Some(schedule) => {
                // Their processes are new. One that fails now fails its samples, too.
                for number in 0..at_hand.cells.len() {
                    let cell = &at_hand.cells[number];
                    if cell.contender.is_peer && !cell.failed {
                        let _ = bench.sample(number, 0);
                    }
                }
                at_hand.clock = Clock::since(schedule.seconds);
                schedule
            }
            None => self.warm_up(&mut at_hand, bench, budget, share)?,
        };
        loop {
            self.rounds(&mut at_hand, bench, &schedule)?;
            if schedule.last {
                break;
            }
            schedule = self.look(&mut at_hand, budget, share)?;
        }
        self.used += at_hand.clock.seconds();
        let cells = at_hand.cells.iter();
        let samples: usize = cells.map(|cell| cell.samples.len()).sum();
        self.progress.done(&format!(
            "{}, {}",
            counted(at_hand.cells.len(), "cell"),
            counted(samples, "sample")
        ));
        Ok(())
    }

    /// A case with what has been measured of it before, of which `spent` seconds are gone.
    pub(super) fn at_hand<'c>(
        &self,
        case: &'c WorkloadRecord,
        contenders: &[Contender],
        spent: f64,
    ) -> AtHand<'c> {
        let before = self.before.as_ref();
        let done = before.map(|before| Done::of(before, &case.name));
        AtHand::new(case, contenders, &done.unwrap_or_default(), spent)
    }

    /// Measures a case that every sample of is not there already, with as many samples as `budget` has at least.
    ///
    /// # Errors
    /// As [`Runner::case`].
    pub fn case_unless_measured(
        &mut self,
        case: &WorkloadRecord,
        bench: &mut dyn Bench,
        budget: Budget,
    ) -> Result<(), Stop> {
        self.progress.workload(&case.name, 0.0);
        match self.is_measured(&case.name) {
            true => self.same_data(case),
            false => self.case(case, bench, budget, f64::INFINITY, 0.0),
        }
    }

    /// The rounds of a schedule that have not been measured.
    fn rounds(
        &mut self,
        at_hand: &mut AtHand<'_>,
        bench: &mut dyn Bench,
        schedule: &ScheduleRecord,
    ) -> Result<(), Stop> {
        let rounds: Vec<u32> = at_hand
            .cells
            .iter()
            .map(|cell| cell.planned(schedule))
            .collect();
        let most = rounds.iter().copied().max().unwrap_or(0);
        for round in 1..=most {
            let order = rounds::order(rounds.len(), self.seed, &schedule.workload, round);
            let mut again = Vec::new();
            for (place, &number) in order.iter().enumerate() {
                let cell = &at_hand.cells[number];
                if rounds[number] < round || cell.failed || cell.has(round) {
                    continue;
                }
                if self.interrupted() {
                    return Err(Stop::Interrupted);
                }
                let part = at_hand.clock.seconds() / schedule.seconds.max(1e-9);
                self.progress
                    .step(part.min(1.0), &format!("round {round} of {most}"));
                if self.sample(at_hand, bench, number, (round, place as u32), true)?
                    && at_hand.cells[number].is_disturbed()
                {
                    again.push(number);
                }
            }
            self.repeat(at_hand, bench, round, again)?;
        }
        Ok(())
    }

    /// Measures those again whose sample of a round was disturbed, and once more where that was, too.
    fn repeat(
        &mut self,
        at_hand: &mut AtHand<'_>,
        bench: &mut dyn Bench,
        round: u32,
        mut again: Vec<usize>,
    ) -> Result<(), Stop> {
        let mut place = at_hand.cells.len() as u32;
        for _ in 0..REPEATS {
            for number in std::mem::take(&mut again) {
                if self.interrupted() {
                    return Err(Stop::Interrupted);
                }
                if self.sample(at_hand, bench, number, (round, place), true)?
                    && at_hand.cells[number].is_disturbed()
                {
                    again.push(number);
                }
                place += 1;
            }
        }
        Ok(())
    }

    /// A sample, which is recorded if it is `kept`; or a failure, which always is. Whether it is a sample.
    fn sample(
        &mut self,
        at_hand: &mut AtHand<'_>,
        bench: &mut dyn Bench,
        number: usize,
        (round, order): (u32, u32),
        kept: bool,
    ) -> Result<bool, Stop> {
        let measured = bench.sample(number, round);
        self.take(at_hand, number, (round, order), measured, kept)
    }

    /// Takes what a contender has measured: a sample, which is recorded if it is `kept`, or a failure. Whether it is a sample.
    ///
    /// # Errors
    /// Ctrl-C, or a full disk.
    pub(super) fn take(
        &mut self,
        at_hand: &mut AtHand<'_>,
        number: usize,
        (round, order): (u32, u32),
        measured: Result<Measured, Failed>,
        kept: bool,
    ) -> Result<bool, Stop> {
        match measured.and_then(|measured| at_hand.check(measured)) {
            Ok(measured) => {
                if kept {
                    let disturbed = at_hand.disturbed(number, round, &measured);
                    let cell = &mut at_hand.cells[number];
                    let sample = SampleRecord {
                        disturbed,
                        ..record_of(&at_hand.case.name, &cell.contender, round, order, measured)
                    };
                    cell.samples.push(Taken::of(&sample));
                    self.writer.write(&Record::Sample(sample))?;
                }
                Ok(true)
            }
            Err(Failed::Interrupted) => Err(Stop::Interrupted),
            Err(failure) => {
                at_hand.cells[number].failed = true;
                let contender = at_hand.cells[number].contender.clone();
                self.fail(&at_hand.case.name, &contender, round, &failure)?;
                Ok(false)
            }
        }
    }

    /// Runs each contender once to learn what a sample costs, and decides on the first rounds.
    fn warm_up(
        &mut self,
        at_hand: &mut AtHand<'_>,
        bench: &mut dyn Bench,
        budget: Budget,
        share: f64,
    ) -> Result<ScheduleRecord, Stop> {
        let contenders = bench.contenders().to_vec();
        let keeps_first = bench.keeps_first();
        let mut costs: Vec<Option<f64>> = vec![None; contenders.len()];
        let stands_in = |number: usize| match keeps_first {
            true => number,
            false => stand_in(&contenders[number], &contenders),
        };
        let numbers = 0..contenders.len();
        let (first, others): (Vec<usize>, Vec<usize>) =
            numbers.partition(|&number| stands_in(number) == number);
        for number in first.into_iter().chain(others) {
            if self.interrupted() {
                return Err(Stop::Interrupted);
            }
            if at_hand.cells[number].failed {
                continue;
            }
            let of = stands_in(number);
            if let Some(cost) = costs[of] {
                let threads = |number: usize| f64::from(contenders[number].name.threads);
                costs[number] = Some(cost * threads(of) / threads(number));
                continue;
            }
            let start = Instant::now();
            let place = (0, number as u32);
            let kept = keeps_first && !at_hand.cells[number].has(0);
            if self.sample(at_hand, bench, number, place, kept)? {
                // With what surrounds the sample, such as freeing its results.
                costs[number] = Some(start.elapsed().as_secs_f64());
            }
        }
        let left = budget.left(share, at_hand.clock.seconds());
        let (rounds, looks) = match budget {
            Budget::Samples { variant, peer } => {
                let samples = |number: usize| match (costs[number], contenders[number].is_peer) {
                    (None, _) => 0,
                    (_, true) => peer,
                    (_, false) => variant,
                };
                ((0..contenders.len()).map(samples).collect(), 1)
            }
            Budget::Seconds(_) => {
                let behind = far_behind(&contenders, &costs);
                (rounds::first(&costs, &behind, left), LOOKS.len() as u32)
            }
        };
        for (cell, cost) in at_hand.cells.iter_mut().zip(costs) {
            cell.cost = cost;
        }
        self.schedule(at_hand, &rounds, looks, looks == 1)
    }

    /// Looks at the samples and decides on the next rounds.
    fn look(
        &mut self,
        at_hand: &mut AtHand<'_>,
        budget: Budget,
        share: f64,
    ) -> Result<ScheduleRecord, Stop> {
        at_hand.learn_costs();
        let seconds: Vec<Vec<(u32, f64)>> =
            at_hand.cells.iter().map(|cell| cell.seconds()).collect();
        let cells = at_hand.cells.iter().zip(&seconds);
        let standings: Vec<Standing<'_>> = cells
            .map(|(cell, samples)| Standing {
                contender: &cell.contender,
                samples,
            })
            .collect();
        let cells = at_hand.cells.iter().zip(needs(&standings));
        let looked: Vec<Looked> = cells
            .map(|(cell, need)| Looked {
                cost: cell.cost.filter(|_| !cell.failed),
                rounds: cell.rounds(),
                need,
            })
            .collect();
        let left = budget.left(share, at_hand.clock.seconds());
        let (rounds, is_last) = rounds::next(&looked, left, budget.grace(share));
        self.schedule(at_hand, &rounds, LOOKS.len() as u32, is_last)
    }

    /// Writes down how many rounds each contender has in all.
    fn schedule(
        &mut self,
        at_hand: &AtHand<'_>,
        rounds: &[u32],
        looks: u32,
        last: bool,
    ) -> Result<ScheduleRecord, Stop> {
        let cells = || at_hand.cells.iter().zip(rounds);
        let sampling = cells().map(|(cell, &rounds)| {
            let more = rounds.saturating_sub(cell.rounds());
            cell.cost.unwrap_or(0.0) * f64::from(more)
        });
        let schedule = ScheduleRecord {
            workload: at_hand.case.name.clone(),
            seconds: at_hand.clock.seconds() + sampling.sum::<f64>(),
            looks,
            last,
            cells: cells()
                .map(|(cell, &rounds)| ScheduledCell {
                    rounds,
                    ..cell.contender.name.clone()
                })
                .collect(),
        };
        self.writer.write(&Record::Schedule(schedule.clone()))?;
        Ok(schedule)
    }

    /// Records a failure; the contender is not measured again.
    fn fail(
        &mut self,
        case: &str,
        contender: &Contender,
        round: u32,
        failure: &Failed,
    ) -> Result<(), Stop> {
        let wrong = matches!(failure, Failed::Wrong(_));
        let name = &contender.name;
        let toggles: String = name
            .toggles
            .iter()
            .map(|(toggle, setting)| format!(" {toggle}={setting}"))
            .collect();
        self.progress.say(&format!(
            "{case}: {}{toggles} with {} threads: {failure}",
            name.variant, name.threads
        ));
        let failure = FailureRecord {
            round,
            workload: case.to_owned(),
            variant: name.variant.clone(),
            toggles: name.toggles.clone(),
            label: name.label.clone(),
            threads: name.threads,
            error: failure.to_string(),
            wrong,
        };
        // A warm-up that was killed is made again.
        self.record(&Record::Failure(failure.clone()), |before| {
            before.failures.contains(&failure)
        })
    }
}

/// A case that is being measured.
pub(super) struct AtHand<'c> {
    case: &'c WorkloadRecord,
    /// The right answer, or the first one where nobody knew it beforehand.
    answer: Option<Answer>,
    cells: Vec<CellAtHand>,
    clock: Clock,
}

/// A contender that is being measured.
struct CellAtHand {
    contender: Contender,
    samples: Vec<Taken>,
    /// Whether it is not measured any more.
    failed: bool,
    /// Seconds of a sample with what surrounds it, where that is known.
    cost: Option<f64>,
}

impl CellAtHand {
    /// Its rounds by a schedule, in all.
    fn planned(&self, schedule: &ScheduleRecord) -> u32 {
        let wanted = key(&self.contender.name);
        let scheduled = schedule.cells.iter().find(|cell| key(cell) == wanted);
        scheduled.map_or(0, |cell| cell.rounds)
    }

    /// Whether its last sample was disturbed.
    fn is_disturbed(&self) -> bool {
        self.samples.last().is_some_and(|taken| taken.disturbed)
    }

    /// What the system gave its samples.
    fn given(&self) -> impl Iterator<Item = Given> {
        let warm = self.samples.iter().filter(|taken| taken.round > 0);
        warm.filter_map(|taken| taken.given)
    }

    fn has(&self, round: u32) -> bool {
        self.samples.iter().any(|taken| taken.round == round)
    }

    /// The rounds that it has had.
    fn rounds(&self) -> u32 {
        self.samples
            .iter()
            .map(|taken| taken.round)
            .max()
            .unwrap_or(0)
    }

    /// What is looked at: samples that were not disturbed, and others where a round has none.
    fn seconds(&self) -> Vec<(u32, f64)> {
        let warm = self.samples.iter().filter(|taken| taken.round > 0);
        let mut counting: Vec<&Taken> = warm.filter(|_| !self.failed).collect();
        undisturbed(&mut counting, |taken| taken.round, |taken| taken.disturbed);
        let seconds = counting.iter().map(|taken| (taken.round, taken.seconds));
        seconds.collect()
    }
}

/// The time that a case has taken.
struct Clock {
    before: f64,
    start: Instant,
}

impl Clock {
    fn since(before: f64) -> Self {
        let start = Instant::now();
        Self { before, start }
    }

    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }
}

impl<'c> AtHand<'c> {
    fn new(case: &'c WorkloadRecord, contenders: &[Contender], done: &Done, spent: f64) -> Self {
        let cells = contenders.iter().map(|contender| {
            let key = key(&contender.name);
            CellAtHand {
                contender: contender.clone(),
                samples: done.samples(&key).to_vec(),
                failed: done.failed.contains(&key),
                cost: None,
            }
        });
        Self {
            case,
            answer: case.expected.or(done.answer),
            cells: cells.collect(),
            clock: Clock::since(spent),
        }
    }

    /// Whether a contender is not measured any more.
    pub(super) fn has_failed(&self, contender: usize) -> bool {
        self.cells[contender].failed
    }

    /// Whether a contender has been measured in a round.
    pub(super) fn is_measured(&self, contender: usize, round: u32) -> bool {
        self.cells[contender].has(round)
    }

    /// Rows of the answer; none where nobody has answered yet.
    pub(super) fn rows(&self) -> u64 {
        self.answer.map_or(0, |answer| answer.rows)
    }

    /// Refuses an answer that is not the case's.
    fn check(&mut self, measured: Measured) -> Result<Measured, Failed> {
        let (answer, expected) = (measured.answer, self.answer.unwrap_or(measured.answer));
        self.answer = Some(expected);
        match answer == expected {
            true => Ok(measured),
            false => Err(Failed::Wrong(format!(
                "{} rows with checksum {}, not {} with {}",
                answer.rows, answer.checksum, expected.rows, expected.checksum
            ))),
        }
    }

    /// Whether a sample of a contender was disturbed, by its own samples before. While it has too few of them, those of all
    /// of ours with as many threads say what is usual.
    fn disturbed(&self, number: usize, round: u32, measured: &Measured) -> bool {
        let Some(system) = measured.system.filter(|_| round > 0) else {
            return false;
        };
        let seconds = measured.seconds;
        let cell = &self.cells[number];
        let mut usual: Vec<Given> = cell.given().collect();
        if usual.len() < USUAL_FROM && !cell.contender.is_peer {
            let threads = cell.contender.name.threads;
            let alike = |other: &&CellAtHand| {
                !other.contender.is_peer && other.contender.name.threads == threads
            };
            let others = self.cells.iter().filter(alike);
            usual = others.flat_map(CellAtHand::given).collect();
        }
        is_disturbed(&Given { system, seconds }, &usual)
    }

    /// Has the samples say what one costs.
    fn learn_costs(&mut self) {
        for cell in &mut self.cells {
            let seconds: Vec<f64> = cell.seconds().iter().map(|sample| sample.1).collect();
            if let Some(median) = median(&seconds) {
                cell.cost = Some(median * AROUND);
            }
        }
    }
}

fn record_of(
    case: &str,
    contender: &Contender,
    round: u32,
    order: u32,
    measured: Measured,
) -> SampleRecord {
    let name = &contender.name;
    SampleRecord {
        round,
        order,
        workload: case.to_owned(),
        variant: name.variant.clone(),
        toggles: name.toggles.clone(),
        label: name.label.clone(),
        threads: name.threads,
        seconds: measured.seconds,
        phases: measured.phases,
        answer: measured.answer,
        bytes: measured.bytes,
        counters: measured.counters,
        notes: measured.notes,
        source: match contender.is_peer {
            true => Source::Peer,
            false => Source::Variant,
        },
        system: measured.system,
        disturbed: false,
        pair: 0,
    }
}

/// The contender whose warm-up stands for that of `contender`: the same variant and toggles at the most threads, under the
/// control's first name; of a peer itself.
fn stand_in(contender: &Contender, contenders: &[Contender]) -> usize {
    let name = &contender.name;
    let same = |other: &&Contender| {
        (&other.name.variant, &other.name.toggles) == (&name.variant, &name.toggles)
            && (!contender.is_peer || other.name.threads == name.threads)
    };
    let threads = contenders
        .iter()
        .filter(same)
        .map(|other| other.name.threads);
    let most = threads.max().unwrap_or(name.threads);
    let mut found = contenders.iter();
    found
        .position(|other| same(&other) && other.name.threads == most)
        .unwrap_or(0)
}

/// A sample of a case.
#[derive(Debug, Clone, Copy)]
struct Taken {
    round: u32,
    seconds: f64,
    given: Option<Given>,
    disturbed: bool,
}

impl Taken {
    fn of(sample: &SampleRecord) -> Self {
        Self {
            round: sample.round,
            seconds: sample.seconds,
            given: sample.system.map(|system| Given {
                system,
                seconds: sample.seconds,
            }),
            disturbed: sample.disturbed,
        }
    }
}

/// What of a case is in the file already.
#[derive(Default)]
struct Done {
    samples: HashMap<String, Vec<Taken>>,
    failed: HashSet<String>,
    /// The first answer.
    answer: Option<Answer>,
}

impl Done {
    fn of(before: &Run, workload: &str) -> Self {
        let of_case = |name: &str| name == workload;
        let cell = |variant: &str, toggles: &Toggles, label: &Option<String>, threads| {
            key(&ScheduledCell {
                variant: variant.to_owned(),
                toggles: toggles.clone(),
                label: label.clone(),
                threads,
                rounds: 0,
            })
        };
        let of_before = before.samples.iter().filter(|s| of_case(&s.workload));
        let mut samples: HashMap<String, Vec<Taken>> = HashMap::new();
        for sample in of_before.clone() {
            let s = sample;
            let key = cell(&s.variant, &s.toggles, &s.label, s.threads);
            samples.entry(key).or_default().push(Taken::of(sample));
        }
        let failures = before.failures.iter().filter(|f| of_case(&f.workload));
        Self {
            answer: of_before.map(|sample| sample.answer).next(),
            samples,
            failed: failures
                .map(|f| cell(&f.variant, &f.toggles, &f.label, f.threads))
                .collect(),
        }
    }

    /// Those of a cell, by its [`key`].
    fn samples(&self, key: &str) -> &[Taken] {
        self.samples.get(key).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use join_core::join::{Context, DynJoin, JoinError, JoinInput, Outcome};
    use join_core::memory::Memory;
    use join_core::oracle;
    use join_core::output::Results;
    use join_core::table::Column;

    use super::*;
    use crate::experiment::joins::Joins;
    use crate::experiment::{Cells, Data};
    use crate::machine;
    use crate::workload::answer;
    use registry::{Variant, default_variant};
    use report::record::{JOIN, RunRecord, VariantRecord, read_run};
    use report::summary::summarise;

    /// A join that spoils the outcome of the default variant, or has none.
    struct Spoilt(fn(Outcome) -> Result<Outcome, JoinError>);

    impl DynJoin for Spoilt {
        fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
            let right = default_variant();
            (self.0)(right.join(&right.base).unwrap().join(input, context)?)
        }
    }

    fn lying() -> Box<dyn DynJoin> {
        Box::new(Spoilt(|mut outcome| {
            if let Results::Aggregate(sums) = &mut outcome.results {
                sums.sum_probe ^= 1;
            }
            Ok(outcome)
        }))
    }

    fn starving() -> Box<dyn DynJoin> {
        Box::new(Spoilt(|_| Err(Memory::limited(0).refused(9).into())))
    }

    fn panicking() -> Box<dyn DynJoin> {
        Box::new(Spoilt(|_| panic!("a slip")))
    }

    #[test]
    fn wrong_and_missing_answers_are_recorded_and_never_charted() {
        let keys: Vec<i32> = (0..5000).map(|row| row * 77).collect();
        let column = Column::from_i32(&keys);
        let columns = [(column.clone(), column.clone())];
        let input = JoinInput::new(&column, &column).unwrap();
        let data = Data {
            record: WorkloadRecord {
                name: "self".to_owned(),
                group: None,
                sentence: String::new(),
                build_rows: 5000,
                probe_rows: 5000,
                key_type: "INT32".to_owned(),
                build_bytes: 8192,
                probe_bytes: 8192,
                join_kind: None,
                condition: None,
                payload_bytes: None,
                experiment: JOIN.to_owned(),
                expected: Some(answer(&oracle::sort_merge(&input))),
                keys: None,
            },
            columns: &columns,
            condition: None,
            payload: None,
            pairs: false,
        };
        let variants = [
            default_variant(),
            Variant::unregistered("lying", |_| Ok(lying())),
            Variant::unregistered("starving", |_| Ok(starving())),
            Variant::unregistered("panicking", |_| Ok(panicking())),
        ];
        let environment = machine::environment("test");
        let folder = tempfile::tempdir().unwrap();
        let mut writer = RecordWriter::create(folder.path()).unwrap();
        writer
            .write(&Record::Run(RunRecord::of_a_test(environment.clone())))
            .unwrap();
        let mut cells = Cells::default();
        for variant in &variants {
            cells.variant(variant, &[1]).unwrap();
            let record = VariantRecord {
                name: variant.name.clone(),
                family: variant.family.to_owned(),
                build: None,
                probe: None,
                description: String::new(),
                definition: None,
            };
            writer.write(&Record::Variant(record)).unwrap();
        }
        let interrupted = AtomicBool::new(false);
        let mut runner = Runner::new(
            writer,
            None,
            Budget::Samples {
                variant: 3,
                peer: 3,
            },
            1,
            &interrupted,
            Progress::new(1.0, 1),
        );
        let budget = runner.budget();
        let mut joins = Joins::new(&environment, &interrupted);
        let mut bench = joins.bench(&data, cells.into_vec()).unwrap();
        runner
            .case(&data.record, &mut bench, budget, f64::INFINITY, 0.0)
            .unwrap();
        let run = read_run(folder.path()).unwrap();
        assert_eq!(run.samples.len(), 3);
        let failure = |variant: &str| run.failures.iter().find(|f| f.variant == variant).unwrap();
        assert!(failure("lying").wrong && failure("lying").error.starts_with("wrong answer"));
        assert!(!failure("starving").wrong && failure("starving").error.contains("out of memory"));
        assert!(!failure("panicking").wrong && failure("panicking").error.contains("a slip"));
        let summary = summarise(&run);
        assert_eq!(summary.results.len(), 1);
        assert_eq!(summary.results[0].variant, default_variant().name);
    }

    /// Times by contender and round, of which one is far behind and one fails.
    struct Scripted(Vec<Contender>);

    impl Bench for Scripted {
        fn contenders(&self) -> &[Contender] {
            &self.0
        }

        fn sample(&mut self, contender: usize, round: u32) -> Result<Measured, Failed> {
            if self.0[contender].name.variant == "failing" && round == 2 {
                return Err(Failed::Error("why".to_owned()));
            }
            let usual = [0.01, 0.01, 0.0101, 0.05, 0.02][contender];
            let noise = f64::from((round * 7 + contender as u32 * 3) % 5) / 100.0;
            Ok(Measured {
                seconds: usual * (1.0 + noise),
                ..Measured::default()
            })
        }
    }

    fn scripted() -> Scripted {
        let variant = |name: &str| Contender::new(name, Toggles::new(), None, 1);
        let mut all = Contender::control("ours", &Toggles::new(), 1).to_vec();
        all.extend(["close", "behind", "failing"].map(variant));
        Scripted(all)
    }

    fn case() -> WorkloadRecord {
        serde_json::from_value(serde_json::json!({
            "name": "case", "sentence": "", "probe_rows": 1, "experiment": "test"
        }))
        .unwrap()
    }

    /// Measures in `folder`, going on where that has begun.
    fn measure(folder: &Path) -> Run {
        let before = read_run(folder).ok();
        let writer = match &before {
            Some(_) => RecordWriter::append(folder).unwrap(),
            None => {
                let mut writer = RecordWriter::create(folder).unwrap();
                let environment = machine::environment("test");
                writer
                    .write(&Record::Run(RunRecord::of_a_test(environment)))
                    .unwrap();
                writer
            }
        };
        let interrupted = AtomicBool::new(false);
        let budget = Budget::Seconds(1e6);
        let progress = Progress::silent();
        let mut runner = Runner::new(writer, before, budget, 1, &interrupted, progress);
        if !runner.is_measured("case") {
            runner
                .case(&case(), &mut scripted(), budget, 1e6, 0.0)
                .unwrap();
        }
        read_run(folder).unwrap()
    }

    #[test]
    fn samples_go_to_what_is_undecided_and_a_run_that_was_killed_goes_on_alike() {
        let folder = tempfile::tempdir().unwrap();
        let whole = measure(folder.path());
        let count = |run: &Run, variant: &str| {
            let samples = run.samples.iter().filter(|s| s.variant == variant);
            samples.count() as u32
        };
        assert_eq!(count(&whole, "behind"), LOOKS[0]);
        assert_eq!(count(&whole, "failing"), 1);
        assert!(count(&whole, "close") >= 10 && count(&whole, "ours") >= 20);
        assert!(whole.schedules[0].last && whole.schedules[0].looks == 4);
        let file = folder.path().join(report::record::SAMPLES_FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        let of_schedules = |run: &Run| {
            let mut schedules = run.schedules.clone();
            schedules.iter_mut().for_each(|s| s.seconds = 0.0);
            schedules
        };
        for (line, _) in text.match_indices('\n').skip(1).step_by(5) {
            std::fs::write(&file, &text[..line + 1]).unwrap();
            let found = measure(folder.path());
            assert_eq!(found.samples, whole.samples);
            assert_eq!(of_schedules(&found), of_schedules(&whole));
        }
    }
}
