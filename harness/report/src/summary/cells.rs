//! Samples sorted into cells. A cell is a workload, a variant, its toggles and a thread count.

use std::collections::BTreeMap;

use super::{CellFailure, undisturbed};
use crate::record::{
    Answer, CONTROL_A, MOST_SECONDS, Run, SampleRecord, Source, Toggles, WorkloadRecord, is_time,
};
use crate::stats::{self, Interval};

/// Names a cell. Workloads and variants stand in the order of their records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    workload: usize,
    variant: usize,
    toggles: Toggles,
    threads: u32,
}

/// A run's samples sorted into cells, those with a wrong answer left out.
#[derive(Debug)]
pub struct Cells<'a> {
    run: &'a Run,
    cells: BTreeMap<Key, Vec<&'a SampleRecord>>,
    pub(super) failures: BTreeMap<Key, CellFailure>,
    /// Whether disturbed samples stand beside others of their rounds.
    pub(super) has_disturbed: bool,
}

/// The samples of one cell.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'c, 'a> {
    key: &'c Key,
    run: &'a Run,
    samples: &'c [&'a SampleRecord],
}

impl<'a> Cells<'a> {
    /// Sorts the samples that count. A sample whose answer is not the workload's makes its cell a failure. One that was
    /// disturbed counts only where its round has no others of the cell.
    pub fn new(run: &'a Run) -> Self {
        let mut found = Self::with_disturbed(run);
        found.has_disturbed = false;
        for samples in found.cells.values_mut() {
            undisturbed(samples, |s| (s.round, s.label.as_deref()), |s| s.disturbed);
        }
        found
    }

    /// Sorts all samples, disturbed ones among them.
    pub(super) fn with_disturbed(run: &'a Run) -> Self {
        let mut found = Self {
            run,
            cells: BTreeMap::new(),
            failures: BTreeMap::new(),
            has_disturbed: true,
        };
        for failure in &run.failures {
            let Some(key) = found.key(
                &failure.workload,
                &failure.variant,
                &failure.toggles,
                failure.threads,
            ) else {
                continue;
            };
            found.fail(key, &failure.error, failure.wrong);
        }
        // Of workloads whose right answer nobody knew beforehand.
        let mut firsts: BTreeMap<usize, Answer> = BTreeMap::new();
        for sample in &run.samples {
            let Some(key) = found.key(
                &sample.workload,
                &sample.variant,
                &sample.toggles,
                sample.threads,
            ) else {
                continue;
            };
            let first = firsts.entry(key.workload).or_insert(sample.answer);
            let expected = run.workloads[key.workload].expected.unwrap_or(*first);
            if sample.answer != expected {
                let error = format!(
                    "wrong answer: {} rows with checksum {}, not {} with {}",
                    sample.answer.rows, sample.answer.checksum, expected.rows, expected.checksum
                );
                found.fail(key, &error, true);
            } else if !is_possible(sample) {
                // A clock that stood still: ratios with such a sample would not be numbers.
                found.fail(key, "took no time that can be measured", false);
            } else {
                found.cells.entry(key).or_default().push(sample);
            }
        }
        let wrong: Vec<Key> = found
            .failures
            .iter()
            .filter(|(_, failure)| failure.wrong)
            .map(|(key, _)| key.clone())
            .collect();
        for key in wrong {
            found.cells.remove(&key);
        }
        found
    }

    fn key(&self, workload: &str, variant: &str, toggles: &Toggles, threads: u32) -> Option<Key> {
        Some(Key {
            workload: self.run.workloads.iter().position(|w| w.name == workload)?,
            variant: self.run.variants.iter().position(|v| v.name == variant)?,
            toggles: toggles.clone(),
            threads,
        })
    }

    fn fail(&mut self, key: Key, error: &str, wrong: bool) {
        let workload = self.run.workloads[key.workload].name.clone();
        let variant = self.run.variants[key.variant].name.clone();
        let (toggles, threads) = (key.toggles.clone(), key.threads);
        let failure = self.failures.entry(key).or_insert_with(|| CellFailure {
            workload,
            variant,
            toggles,
            threads,
            times: 0,
            wrong: false,
            error: error.to_owned(),
        });
        failure.times += 1;
        if wrong && !failure.wrong {
            failure.wrong = true;
            failure.error = error.to_owned();
        }
    }

    /// All cells, by workload, variant, toggles, threads.
    pub fn iter(&self) -> impl Iterator<Item = Cell<'_, 'a>> {
        self.cells.iter().map(|(key, samples)| Cell {
            key,
            run: self.run,
            samples,
        })
    }

    /// The cells that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CellFailure> {
        self.failures.values()
    }

    /// The cell of a variant in the default configuration.
    pub fn default_of(&self, workload: &str, variant: &str, threads: u32) -> Option<Cell<'_, 'a>> {
        self.find(workload, variant, &Toggles::new(), threads)
    }

    /// A cell.
    pub fn find(
        &self,
        workload: &str,
        variant: &str,
        toggles: &Toggles,
        threads: u32,
    ) -> Option<Cell<'_, 'a>> {
        let key = self.key(workload, variant, toggles, threads)?;
        let (key, samples) = self.cells.get_key_value(&key)?;
        Some(Cell {
            key,
            run: self.run,
            samples,
        })
    }
}

/// Whether the times of a sample can be reckoned with.
fn is_possible(sample: &SampleRecord) -> bool {
    let mut phases = sample.phases.iter();
    is_time(sample.seconds) && phases.all(|phase| phase.seconds <= MOST_SECONDS)
}

impl<'c, 'a> Cell<'c, 'a> {
    /// The workload.
    pub fn workload(&self) -> &'a WorkloadRecord {
        &self.run.workloads[self.key.workload]
    }

    /// The place of the workload among the run's.
    pub(super) fn workload_number(&self) -> usize {
        self.key.workload
    }

    /// The variant's name.
    pub fn variant(&self) -> &'a str {
        &self.run.variants[self.key.variant].name
    }

    /// What differs from the default configuration.
    pub fn toggles(&self) -> &'c Toggles {
        &self.key.toggles
    }

    /// How often its times may have been looked at before measuring stopped.
    pub fn looks(&self) -> u32 {
        self.run.looks(&self.workload().name)
    }

    /// Threads of the join.
    pub fn threads(&self) -> u32 {
        self.key.threads
    }

    /// The samples that count: those without a label, or under the control's first name where
    /// there are no others.
    pub fn samples(&self) -> impl Iterator<Item = &'a SampleRecord> + use<'c, 'a> {
        let plain = self.samples.iter().any(|s| s.label.is_none());
        let wanted = if plain { None } else { Some(CONTROL_A) };
        self.samples
            .iter()
            .copied()
            .filter(move |s| s.round > 0 && s.label.as_deref() == wanted)
    }

    /// All samples, cold ones and both names of a control among them.
    pub fn every_sample(&self) -> &'c [&'a SampleRecord] {
        self.samples
    }

    /// Seconds of a sample by round.
    pub fn rounds(&self) -> impl Iterator<Item = (u32, f64)> + use<'c, 'a> {
        self.samples().map(|s| (s.round, s.seconds))
    }

    /// Time of this cell over time of `under`, paired within rounds.
    pub fn over(&self, under: &Cell<'_, '_>) -> Option<Interval> {
        stats::paired_ratio(self.rounds(), under.rounds(), self.looks())
    }

    /// Seconds of the build alone, by round: the phases before the first whose name has `probe`.
    pub fn build_rounds(&self) -> impl Iterator<Item = (u32, f64)> + use<'c, 'a> {
        self.samples().map(|s| {
            let build = s.phases.iter().take_while(|p| !p.name.contains("probe"));
            (s.round, build.map(|p| p.seconds).sum())
        })
    }

    pub(super) fn labelled(
        &self,
        label: &'static str,
    ) -> impl Iterator<Item = (u32, f64)> + use<'c, 'a> {
        self.samples
            .iter()
            .filter(move |s| s.round > 0 && s.label.as_deref() == Some(label))
            .map(|s| (s.round, s.seconds))
    }

    pub(super) fn is_peer(&self) -> bool {
        self.samples.iter().any(|s| s.source == Source::Peer)
    }
}
