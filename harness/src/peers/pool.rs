//! The peers of a run: a process for each setup and thread count, which stays from workload to workload.

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use join_core::table::{Column, Table};
use plan_executor::Bundle;

use super::definition::Setup;
use super::keys::KeyFiles;
use super::plan::PlanFiles;
use super::process::{Executed, Fault, Joined, Process};
use crate::question::{Less, Question};

/// What any answer of a process may take, and what each tuple adds: ten times what the slowest of the peers took on a
/// machine that was busy with other things.
const LIMIT: Duration = Duration::from_secs(60);
const LIMIT_PER_TUPLE: Duration = Duration::from_nanos(5000);

/// What an answer may take for which so many tuples are read and made.
pub fn limit(tuples: u64) -> Duration {
    LIMIT + LIMIT_PER_TUPLE.mul_f64(tuples as f64)
}

/// A setup with a number of threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted<'a> {
    /// What is run.
    pub setup: &'a Setup,
    /// Its threads.
    pub threads: u32,
}

/// The processes.
#[derive(Debug)]
pub struct Pool<'a> {
    slots: Vec<Slot>,
    /// What a sample of the workload at hand may take, where the peer does not say.
    limit: Duration,
    interrupted: &'a AtomicBool,
}

#[derive(Debug)]
struct Slot {
    setup: Setup,
    threads: u32,
    /// A process that has loaded the workload at hand, or why there is none.
    state: Result<Process, Fault>,
}

impl Slot {
    fn is(&self, wanted: Wanted<'_>) -> bool {
        (&self.setup, self.threads) == (wanted.setup, wanted.threads)
    }
}

impl<'a> Pool<'a> {
    /// Without processes yet.
    pub fn new(interrupted: &'a AtomicBool) -> Self {
        Self {
            slots: Vec::new(),
            limit: LIMIT,
            interrupted,
        }
    }

    /// Has `wanted` load a workload with so many results, one after the other; processes are started where there are
    /// none. One that fails answers no [`Pool::join`] of the workload.
    pub fn load(
        &mut self,
        wanted: &[Wanted<'_>],
        columns: &[(Column, Column)],
        values: Option<&Less>,
        results: u64,
    ) {
        let rows = columns
            .iter()
            .map(|(build, probe)| build.row_count() + probe.row_count());
        let tuples = results.saturating_add(rows.sum());
        let write = || KeyFiles::write(columns, values);
        self.load_files(wanted, tuples, write, Process::load);
    }

    /// Has `wanted` load a plan with so many results and its tables, as [`Pool::load`] does a workload; they answer
    /// [`Pool::execute`] then.
    pub fn load_plan(&mut self, wanted: &[Wanted<'_>], bundle: &Bundle, results: u64) {
        let rows: usize = bundle.tables().iter().map(Table::num_rows).sum();
        let tuples = results.saturating_add(rows as u64);
        self.load_files(
            wanted,
            tuples,
            || PlanFiles::write(bundle),
            Process::load_plan,
        );
    }

    fn load_files<F>(
        &mut self,
        wanted: &[Wanted<'_>],
        tuples: u64,
        write: impl FnOnce() -> io::Result<F>,
        load: fn(&mut Process, u32, &F, Duration, &AtomicBool) -> Result<(), Fault>,
    ) {
        if wanted.is_empty() {
            return;
        }
        self.limit = limit(tuples);
        let files = write().map_err(|error| {
            Fault::Failed(format!(
                "the data cannot be written for peers to {}: {error}; TMPDIR names another folder",
                std::env::temp_dir().display()
            ))
        });
        for &wanted in wanted {
            let at = self.slots.iter().position(|slot| slot.is(wanted));
            let running = at.and_then(|at| self.slots.swap_remove(at).state.ok());
            let limit = wanted.setup.limit.unwrap_or(self.limit);
            let state = match &files {
                Err(fault) => Err(fault.clone()),
                Ok(files) => running
                    .map_or_else(|| Process::start(wanted.setup.command()), Ok)
                    .map_err(Fault::Failed)
                    .and_then(|mut process| {
                        load(&mut process, wanted.threads, files, limit, self.interrupted)?;
                        Ok(process)
                    }),
            };
            self.slots.push(Slot {
                setup: wanted.setup.clone(),
                threads: wanted.threads,
                state,
            });
        }
    }

    /// Has one join the workload at hand.
    ///
    /// # Errors
    /// It does not run, or fails now; then it answers no more until the next workload.
    pub fn join(&mut self, wanted: Wanted<'_>, question: Question<'_>) -> Result<Joined, Fault> {
        self.ask(wanted, |process, limit, interrupted| {
            process.join(question, limit, interrupted)
        })
    }

    /// Has one execute the plan at hand, and answer a checksum of the result where that is wanted.
    ///
    /// # Errors
    /// It does not run, or fails now; then it answers no more until the next plan.
    pub fn execute(&mut self, wanted: Wanted<'_>, checksum: bool) -> Result<Executed, Fault> {
        self.ask(wanted, |process, limit, interrupted| {
            process.execute(checksum, limit, interrupted)
        })
    }

    fn ask<A>(
        &mut self,
        wanted: Wanted<'_>,
        ask: impl FnOnce(&mut Process, Duration, &AtomicBool) -> Result<A, Fault>,
    ) -> Result<A, Fault> {
        let limit = wanted.setup.limit.unwrap_or(self.limit);
        let slot = self.slots.iter_mut().find(|slot| slot.is(wanted));
        let Some(slot) = slot else {
            return Err(Fault::Failed("was not started".to_owned()));
        };
        let process = slot.state.as_mut().map_err(|fault| fault.clone())?;
        let answer = ask(process, limit, self.interrupted);
        if let Err(fault) = &answer {
            slot.state = Err(fault.clone());
        }
        answer
    }
}
