//! The peers of a run: a process for each setup and thread count, which stays from workload to workload.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use join_core::join::JoinInput;

use super::definition::Setup;
use super::keys::KeyFiles;
use super::process::{Fault, Joined, Process};

/// What any sample of a peer may take, and what each tuple adds: ten times what the slowest of them took on a machine
/// that was busy with other things.
const LIMIT: Duration = Duration::from_secs(60);
const LIMIT_PER_TUPLE: Duration = Duration::from_nanos(5000);

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
    pub fn load(&mut self, wanted: &[Wanted<'_>], input: &JoinInput<'_>, results: u64) {
        if wanted.is_empty() {
            return;
        }
        let rows = match input {
            JoinInput::Int32(build, probe) => build.len() + probe.len(),
            JoinInput::Int64(build, probe) => build.len() + probe.len(),
        };
        let tuples = results.saturating_add(rows as u64) as f64;
        self.limit = LIMIT + LIMIT_PER_TUPLE.mul_f64(tuples);
        let files = KeyFiles::write(input).map_err(|error| {
            Fault::Failed(format!(
                "the keys cannot be written for peers to {}: {error}; TMPDIR names another folder",
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
                        process.load(wanted.threads, files, limit, self.interrupted)?;
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
    pub fn join(&mut self, wanted: Wanted<'_>, pairs: bool) -> Result<Joined, Fault> {
        let limit = wanted.setup.limit.unwrap_or(self.limit);
        let slot = self.slots.iter_mut().find(|slot| slot.is(wanted));
        let Some(slot) = slot else {
            return Err(Fault::Failed("was not started".to_owned()));
        };
        let process = slot.state.as_mut().map_err(|fault| fault.clone())?;
        let joined = process.join(pairs, limit, self.interrupted);
        if let Err(fault) = &joined {
            slot.state = Err(fault.clone());
        }
        joined
    }
}
