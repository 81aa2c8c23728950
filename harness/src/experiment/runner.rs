//! A run: workload after workload, round after round, every sample in the file before the next one starts.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::rounds::{self, Budget};
use super::{Bench, Contender, Failed, Measured, Progress, key};
use crate::console::counted;
use report::record::{
    Answer, FailureRecord, NoteRecord, Record, RecordError, RecordWriter, Run, SampleRecord,
    ScheduleRecord, ScheduledCell, Source, Toggles, WorkloadRecord,
};

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
        let Some(schedule) = before
            .schedules
            .iter()
            .find(|schedule| schedule.workload == workload)
        else {
            return false;
        };
        let done = Done::of(before, workload);
        schedule.cells.iter().all(|cell| {
            done.failed.contains(&key(cell))
                || (1..=cell.rounds).all(|round| done.samples.contains(&(round, key(cell))))
        })
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
        let done = self.before.as_ref().map(|before| Done::of(before, name));
        let mut at_hand = AtHand {
            case,
            answer: case.expected.or(done.as_ref().and_then(|done| done.answer)),
            done: done.unwrap_or_default(),
            failed: Vec::new(),
        };
        let contenders = bench.contenders().to_vec();
        at_hand.failed = contenders
            .iter()
            .map(|contender| at_hand.done.failed.contains(&key(&contender.name)))
            .collect();
        let failed = (0..contenders.len()).filter(|&number| at_hand.failed[number]);
        bench.prepare(&failed.collect::<Vec<_>>());
        let schedule = match self.schedule_of_before(name) {
            Some(schedule) => {
                // Their processes are new. One that fails now fails its samples, too.
                for (number, contender) in contenders.iter().enumerate() {
                    if contender.is_peer && !at_hand.failed[number] {
                        let _ = bench.sample(number, 0);
                    }
                }
                schedule
            }
            None => self.warm_up(&mut at_hand, bench, budget, share, spent)?,
        };
        self.used += schedule.seconds;
        let rounds = |contender: &Contender| {
            let wanted = key(&contender.name);
            let scheduled = schedule.cells.iter().find(|cell| key(cell) == wanted);
            scheduled.map_or(0, |cell| cell.rounds)
        };
        let rounds: Vec<u32> = contenders.iter().map(rounds).collect();
        self.rounds(&mut at_hand, bench, &rounds)
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

    /// All rounds after the first.
    fn rounds(
        &mut self,
        at_hand: &mut AtHand<'_>,
        bench: &mut dyn Bench,
        rounds: &[u32],
    ) -> Result<(), Stop> {
        let name = &at_hand.case.name;
        let contenders = bench.contenders().to_vec();
        let is_left = |at_hand: &AtHand<'_>, number: usize| !at_hand.failed[number];
        let left = (0..rounds.len()).filter(|&number| is_left(at_hand, number));
        let left: Vec<u32> = left.map(|number| rounds[number]).collect();
        let most = left.iter().copied().max().unwrap_or(0);
        let total: u64 = left.iter().map(|&rounds| u64::from(rounds)).sum();
        let mut samples = 0_u64;
        for round in 1..=most {
            let order = rounds::order(contenders.len(), self.seed, name, round);
            for (place, &number) in order.iter().enumerate() {
                if rounds[number] < round || !is_left(at_hand, number) {
                    continue;
                }
                samples += 1;
                if at_hand.done.has(round, &contenders[number]) {
                    continue;
                }
                if self.interrupted() {
                    return Err(Stop::Interrupted);
                }
                let part = samples as f64 / total.max(1) as f64;
                self.progress
                    .step(part, &format!("round {round} of {most}"));
                let place = place as u32;
                self.sample(at_hand, bench, number, (round, place), true)?;
            }
        }
        self.progress.done(&format!(
            "{}, {samples} samples in {most} rounds",
            counted(contenders.len(), "cell")
        ));
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
        let contender = &bench.contenders()[number];
        match measured.and_then(|measured| at_hand.check(measured)) {
            Ok(measured) => {
                if kept && !at_hand.done.has(round, contender) {
                    let sample = record_of(&at_hand.case.name, contender, round, order, measured);
                    self.writer.write(&Record::Sample(sample))?;
                }
                Ok(true)
            }
            Err(Failed::Interrupted) => Err(Stop::Interrupted),
            Err(failure) => {
                at_hand.failed[number] = true;
                self.fail(&at_hand.case.name, contender, round, &failure)?;
                Ok(false)
            }
        }
    }

    /// Runs each contender once to learn what a sample costs, and decides how many there will be.
    fn warm_up(
        &mut self,
        at_hand: &mut AtHand<'_>,
        bench: &mut dyn Bench,
        budget: Budget,
        share: f64,
        spent: f64,
    ) -> Result<ScheduleRecord, Stop> {
        let start = Instant::now();
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
            if at_hand.failed[number] {
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
            if self.sample(at_hand, bench, number, place, keeps_first)? {
                // With what surrounds the sample, such as freeing its results.
                costs[number] = Some(start.elapsed().as_secs_f64());
            }
        }
        let spent = spent + start.elapsed().as_secs_f64();
        let bounds: Vec<(u32, u32)> = contenders
            .iter()
            .map(|contender| budget.samples(contender.is_peer))
            .collect();
        let seconds = (share - spent).max(budget.least_seconds());
        let rounds = rounds::divide(&costs, seconds, &bounds);
        let sampling = costs
            .iter()
            .zip(&rounds)
            .filter_map(|(cost, &rounds)| Some((*cost)? * f64::from(rounds)));
        let cells = contenders.into_iter().zip(&rounds);
        let schedule = ScheduleRecord {
            workload: at_hand.case.name.clone(),
            seconds: spent + sampling.sum::<f64>(),
            looks: 1,
            last: true,
            cells: cells
                .map(|(contender, &rounds)| ScheduledCell {
                    rounds,
                    ..contender.name
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
struct AtHand<'c> {
    case: &'c WorkloadRecord,
    /// The right answer, or the first one where nobody knew it beforehand.
    answer: Option<Answer>,
    done: Done,
    /// Which contenders are not measured any more.
    failed: Vec<bool>,
}

impl AtHand<'_> {
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
        system: None,
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

/// What of a case is in the file already.
#[derive(Default)]
struct Done {
    samples: HashSet<(u32, String)>,
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
        let samples = before.samples.iter().filter(|s| of_case(&s.workload));
        let failures = before.failures.iter().filter(|f| of_case(&f.workload));
        Self {
            answer: samples.clone().map(|sample| sample.answer).next(),
            samples: samples
                .map(|s| (s.round, cell(&s.variant, &s.toggles, &s.label, s.threads)))
                .collect(),
            failed: failures
                .map(|f| cell(&f.variant, &f.toggles, &f.label, f.threads))
                .collect(),
        }
    }

    fn has(&self, round: u32, contender: &Contender) -> bool {
        self.samples.contains(&(round, key(&contender.name)))
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
    use report::record::{JOIN, RunRecord, VariantRecord, WorkloadRecord, read_run};
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
                experiment: JOIN.to_owned(),
                expected: Some(answer(&oracle::sort_merge(&input))),
                keys: None,
            },
            build: &column,
            probe: &column,
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
}
