//! A run: workload after workload, round after round, every sample in the file before the next one starts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use join_core::join::JoinInput;
use join_core::memory::process;

use super::rounds::{self, Budget};
use super::sample::{Bench, Failed, Measured};
use super::{Cell, Data, Progress, key, tags};
use crate::record::{
    FailureRecord, NoteRecord, PlanRecord, Record, RecordError, RecordWriter, Run, SampleRecord,
    Source, WorkloadRecord,
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
    bench: Bench<'a>,
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
        bench: Bench<'a>,
        budget: Budget,
        seed: u64,
        interrupted: &'a AtomicBool,
        progress: Progress,
    ) -> Self {
        Self {
            writer,
            before,
            bench,
            budget,
            seed,
            interrupted,
            progress,
            used: 0.0,
        }
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
        let Some(plan) = before.plans.iter().find(|plan| plan.workload == workload) else {
            return false;
        };
        let done = Done::of(before, workload);
        plan.cells.iter().all(|cell| {
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
        if let Some(plan) = self.plan_of_before(workload) {
            self.used += plan.seconds;
        }
    }

    fn plan_of_before(&self, workload: &str) -> Option<PlanRecord> {
        let before = self.before.as_ref()?;
        let mut plans = before.plans.iter();
        plans.find(|plan| plan.workload == workload).cloned()
    }

    /// Measures a workload's cells within `share` seconds, of which `spent` are gone for making its data and `extra`
    /// will be for what comes after.
    ///
    /// # Errors
    /// Ctrl-C, a full disk, columns that cannot be joined or are not those of before. A cell that fails is recorded and left
    /// out.
    pub fn workload(
        &mut self,
        data: &Data<'_>,
        mut cells: Vec<Cell>,
        share: f64,
        spent: f64,
    ) -> Result<(), Stop> {
        let workload = &data.record;
        let name = &workload.name;
        let input = JoinInput::new(data.build, data.probe)
            .map_err(|error| Stop::Workload(name.clone(), error.to_string()))?;
        self.same_data(workload)?;
        self.record(&Record::Workload(workload.clone()), |before| {
            before.workload(name).is_some()
        })?;
        let done = self.before.as_ref().map(|before| Done::of(before, name));
        let done = done.unwrap_or_default();
        let fit = |cell: &&Cell| !done.failed.contains(&key(&cell.name));
        self.bench
            .load(cells.iter().filter(fit), &input, &workload.expected);
        let plan = match self.plan_of_before(name) {
            Some(plan) => {
                // Their processes are new. One that fails now fails its samples, too.
                for cell in cells.iter().filter(fit).filter(|cell| cell.is_peer()) {
                    let _ = self
                        .bench
                        .sample(cell, &input, data.pairs, &workload.expected);
                }
                plan
            }
            None => self.warm_up(data, &input, &mut cells, share, spent)?,
        };
        self.used += plan.seconds;
        for cell in &mut cells {
            let wanted = key(&cell.name);
            let planned = plan.cells.iter().find(|other| key(other) == wanted);
            cell.name.rounds = planned.map_or(0, |planned| planned.rounds);
            if done.failed.contains(&wanted) {
                cell.name.rounds = 0;
            }
        }
        let rounds = cells.iter().map(|cell| cell.name.rounds).max().unwrap_or(0);
        let total: u64 = cells.iter().map(|cell| u64::from(cell.name.rounds)).sum();
        let mut samples = 0_u64;
        for round in 1..=rounds {
            let order = rounds::order(cells.len(), self.seed, name, round);
            for (place, &index) in order.iter().enumerate() {
                let cell = &mut cells[index];
                if cell.name.rounds < round {
                    continue;
                }
                samples += 1;
                if done.samples.contains(&(round, key(&cell.name))) {
                    continue;
                }
                if self.interrupted() {
                    return Err(Stop::Interrupted);
                }
                let part = samples as f64 / total.max(1) as f64;
                self.progress
                    .step(part, &format!("round {round} of {rounds}"));
                match self
                    .bench
                    .sample(cell, &input, data.pairs, &workload.expected)
                {
                    Ok(measured) => {
                        let sample = sample(name, cell, round, place as u32, measured);
                        self.writer.write(&Record::Sample(sample))?;
                    }
                    Err(Failed::Interrupted) => return Err(Stop::Interrupted),
                    Err(failure) => self.fail(name, cell, round, &failure)?,
                }
            }
        }
        process::trim();
        self.progress.done(&format!(
            "{} cells, {samples} samples in {rounds} rounds",
            cells.len()
        ));
        Ok(())
    }

    /// Counts what each tag scheme lets through.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn tags(&mut self, data: &Data<'_>) -> Result<(), Stop> {
        let name = &data.record.name;
        let input = JoinInput::new(data.build, data.probe)
            .map_err(|error| Stop::Workload(name.clone(), error.to_string()))?;
        for record in tags::count(data, &input) {
            self.record(&Record::Tags(record.clone()), |before| {
                before.tags.contains(&record)
            })?;
        }
        Ok(())
    }

    /// Round 0: checks answers, and decides from the times how often each cell is measured. A variant is run at the
    /// most threads alone, the control once: the other cells' times follow well enough. A peer has a process for each
    /// number of threads, and each of them is to be warm.
    fn warm_up(
        &mut self,
        data: &Data<'_>,
        input: &JoinInput<'_>,
        cells: &mut [Cell],
        share: f64,
        spent: f64,
    ) -> Result<PlanRecord, Stop> {
        let name = &data.record.name;
        let start = Instant::now();
        let mut costs: Vec<Option<f64>> = vec![None; cells.len()];
        let order = rounds::order(cells.len(), self.seed, name, 0);
        let (first, others): (Vec<usize>, Vec<usize>) = order
            .into_iter()
            .partition(|&index| stand_in(&cells[index], cells) == index);
        for index in first.into_iter().chain(others) {
            if self.interrupted() {
                return Err(Stop::Interrupted);
            }
            let of = stand_in(&cells[index], cells);
            if let Some(cost) = costs[of] {
                let threads = |cell: &Cell| f64::from(cell.name.threads);
                costs[index] = Some(cost * threads(&cells[of]) / threads(&cells[index]));
                continue;
            }
            let cell = &mut cells[index];
            let start = Instant::now();
            match self
                .bench
                .sample(cell, input, data.pairs, &data.record.expected)
            {
                // With what surrounds the sample, such as freeing its results.
                Ok(_) => costs[index] = Some(start.elapsed().as_secs_f64()),
                Err(Failed::Interrupted) => return Err(Stop::Interrupted),
                Err(failure) => self.fail(name, cell, 0, &failure)?,
            }
        }
        let spent = spent + start.elapsed().as_secs_f64();
        let bounds: Vec<(u32, u32)> = cells
            .iter()
            .map(|cell| self.budget.samples(cell.is_peer()))
            .collect();
        let seconds = (share - spent).max(self.budget.least_seconds());
        let rounds = rounds::divide(&costs, seconds, &bounds);
        for (cell, &rounds) in cells.iter_mut().zip(&rounds) {
            cell.name.rounds = rounds;
        }
        let sampling = costs
            .iter()
            .zip(&rounds)
            .filter_map(|(cost, &rounds)| Some((*cost)? * f64::from(rounds)));
        let plan = PlanRecord {
            workload: name.clone(),
            seconds: spent + sampling.sum::<f64>(),
            cells: cells.iter().map(|cell| cell.name.clone()).collect(),
        };
        self.writer.write(&Record::Plan(plan.clone()))?;
        Ok(plan)
    }

    /// Records a failure; the cell is not measured again.
    fn fail(
        &mut self,
        workload: &str,
        cell: &mut Cell,
        round: u32,
        failure: &Failed,
    ) -> Result<(), Stop> {
        let wrong = matches!(failure, Failed::Wrong(_));
        cell.name.rounds = 0;
        let name = &cell.name;
        let toggles: String = name
            .toggles
            .iter()
            .map(|(toggle, setting)| format!(" {toggle}={setting}"))
            .collect();
        self.progress.say(&format!(
            "{workload}: {}{toggles} with {} threads: {failure}",
            name.variant, name.threads
        ));
        let failure = FailureRecord {
            round,
            workload: workload.to_owned(),
            variant: name.variant.clone(),
            toggles: name.toggles.clone(),
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

fn sample(workload: &str, cell: &Cell, round: u32, order: u32, measured: Measured) -> SampleRecord {
    SampleRecord {
        round,
        order,
        workload: workload.to_owned(),
        variant: cell.name.variant.clone(),
        toggles: cell.name.toggles.clone(),
        label: cell.name.label.clone(),
        threads: cell.name.threads,
        seconds: measured.seconds,
        phases: measured.phases,
        answer: measured.answer,
        bytes: measured.bytes,
        counters: measured.counters,
        notes: measured.notes,
        source: match cell.is_peer() {
            true => Source::Peer,
            false => Source::Variant,
        },
    }
}

/// The cell whose warm-up stands for that of `cell`: the same variant and toggles at the most threads, under the
/// control's first name; of a peer the cell itself.
fn stand_in(cell: &Cell, cells: &[Cell]) -> usize {
    let same = |other: &&Cell| {
        (&other.name.variant, &other.name.toggles) == (&cell.name.variant, &cell.name.toggles)
            && (!cell.is_peer() || other.name.threads == cell.name.threads)
    };
    let threads = cells.iter().filter(same).map(|cell| cell.name.threads);
    let most = threads.max().unwrap_or(cell.name.threads);
    let mut found = cells.iter();
    found
        .position(|other| same(&other) && other.name.threads == most)
        .unwrap_or(0)
}

/// What of a workload is in the file already.
#[derive(Default)]
struct Done {
    samples: HashSet<(u32, String)>,
    failed: HashSet<String>,
}

impl Done {
    fn of(before: &Run, workload: &str) -> Self {
        let samples = before
            .samples
            .iter()
            .filter(|sample| sample.workload == workload);
        let failures = before
            .failures
            .iter()
            .filter(|failure| failure.workload == workload);
        let cell = |variant: &str, toggles, label: Option<&String>, threads| {
            key(&crate::record::PlannedCell {
                variant: variant.to_owned(),
                toggles,
                label: label.cloned(),
                threads,
                rounds: 0,
            })
        };
        Self {
            samples: samples
                .map(|s| {
                    (
                        s.round,
                        cell(&s.variant, s.toggles.clone(), s.label.as_ref(), s.threads),
                    )
                })
                .collect(),
            failed: failures
                .map(|f| cell(&f.variant, f.toggles.clone(), None, f.threads))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use join_core::join::{Context, DynJoin as Join, JoinError, Outcome};
    use join_core::memory::Memory;
    use join_core::oracle;
    use join_core::output::Results;
    use join_core::table::Column;

    use super::*;
    use crate::machine;
    use crate::measure::Cells;
    use crate::measure::sample::answer;
    use crate::record::{RunRecord, VariantRecord, WorkloadRecord, read_run};
    use crate::summary::summarise;
    use registry::{Variant, default_variant};

    /// A join that spoils the outcome of the default variant, or has none.
    struct Spoilt(fn(Outcome) -> Result<Outcome, JoinError>);

    impl Join for Spoilt {
        fn join(&self, input: &JoinInput<'_>, context: &Context<'_>) -> Result<Outcome, JoinError> {
            let right = default_variant();
            (self.0)(right.join(&right.base).unwrap().join(input, context)?)
        }
    }

    fn lying() -> Box<dyn Join> {
        Box::new(Spoilt(|mut outcome| {
            if let Results::Aggregate(sums) = &mut outcome.results {
                sums.sum_probe ^= 1;
            }
            Ok(outcome)
        }))
    }

    fn starving() -> Box<dyn Join> {
        Box::new(Spoilt(|_| Err(Memory::limited(0).refused(9).into())))
    }

    fn panicking() -> Box<dyn Join> {
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
                expected: answer(&oracle::sort_merge(&input)),
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
            Bench::new(&environment, &interrupted),
            Budget::Samples {
                variant: 3,
                peer: 3,
            },
            1,
            &interrupted,
            Progress::new(1.0, 1),
        );
        let cells = cells.into_vec();
        runner.workload(&data, cells, f64::INFINITY, 0.0).unwrap();
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
