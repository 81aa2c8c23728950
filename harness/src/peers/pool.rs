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
use crate::question::{Payload, Question};

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
    /// The workload at hand, where peers hold it one after the other.
    in_turn: Option<KeyFiles>,
    interrupted: &'a AtomicBool,
}

#[derive(Debug)]
struct Slot {
    setup: Setup,
    threads: u32,
    /// A process that has loaded the workload at hand, none where that waits for its turn, or why there is none.
    state: Result<Option<Process>, Fault>,
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
            in_turn: None,
            interrupted,
        }
    }

    /// Has `wanted` load a workload with so many results, one after the other; processes are started where there are
    /// none. One that fails answers no [`Pool::join`] of the workload. `in_turn`, one process at a time holds it, which ends
    /// when another is asked.
    pub fn load(
        &mut self,
        wanted: &[Wanted<'_>],
        columns: &[(Column, Column)],
        question: Question<'_>,
        results: u64,
        in_turn: bool,
    ) {
        let rows = columns
            .iter()
            .map(|(build, probe)| build.row_count() + probe.row_count());
        let tuples = results.saturating_add(rows.sum());
        let write = || -> io::Result<KeyFiles> {
            let mut files = KeyFiles::write(columns, question.condition)?;
            files.payload = question.payload.map(Payload::columns);
            Ok(files)
        };
        self.in_turn = None;
        if !in_turn || wanted.is_empty() {
            return self.load_files(wanted, tuples, write, Process::load);
        }
        self.limit = limit(tuples);
        let files = write().map_err(|error| unwritten(&error));
        let waits = files.as_ref().map(|_| ()).map_err(Fault::clone);
        self.slots = wanted
            .iter()
            .map(|wanted| Slot {
                setup: wanted.setup.clone(),
                threads: wanted.threads,
                state: waits.clone().map(|()| None),
            })
            .collect();
        self.in_turn = files.ok();
    }

    /// Has one load the workload at hand, and join it once to be warm, while no other holds it.
    fn take_turn(&mut self, wanted: Wanted<'_>, question: Question<'_>) {
        let Some(files) = &self.in_turn else {
            return;
        };
        let at = self.slots.iter().position(|slot| slot.is(wanted));
        let Some(at) = at.filter(|&at| matches!(self.slots[at].state, Ok(None))) else {
            return;
        };
        for slot in &mut self.slots {
            if let Ok(process) = &mut slot.state {
                *process = None;
            }
        }
        let limit = wanted.setup.limit.unwrap_or(self.limit);
        let started = Process::start(wanted.setup.command()).map_err(Fault::Failed);
        self.slots[at].state = started.and_then(|mut process| {
            process.load(wanted.threads, files, limit, self.interrupted)?;
            process.join(question, limit, self.interrupted)?;
            Ok(Some(process))
        });
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
        let files = write().map_err(|error| unwritten(&error));
        for &wanted in wanted {
            let at = self.slots.iter().position(|slot| slot.is(wanted));
            let running = at.and_then(|at| self.slots.swap_remove(at).state.ok()?);
            let limit = wanted.setup.limit.unwrap_or(self.limit);
            let state = match &files {
                Err(fault) => Err(fault.clone()),
                Ok(files) => running
                    .map_or_else(|| Process::start(wanted.setup.command()), Ok)
                    .map_err(Fault::Failed)
                    .and_then(|mut process| {
                        load(&mut process, wanted.threads, files, limit, self.interrupted)?;
                        Ok(Some(process))
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
        self.take_turn(wanted, question);
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
        let Some(process) = process else {
            return Err(Fault::Failed("has not loaded the data".to_owned()));
        };
        let answer = ask(process, limit, self.interrupted);
        if let Err(fault) = &answer {
            slot.state = Err(fault.clone());
        }
        answer
    }
}

fn unwritten(error: &io::Error) -> Fault {
    Fault::Failed(format!(
        "the data cannot be written for peers to {}: {error}; TMPDIR names another folder",
        std::env::temp_dir().display()
    ))
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use join_core::kind::Kind;

    use super::*;
    use crate::machine;
    use crate::peers::Peer;

    /// A peer that writes into `log` when it loads and when it ends.
    fn setup(folder: &Path, name: &str) -> Setup {
        let own = folder.join(name);
        std::fs::create_dir(&own).unwrap();
        let definition = "description = \"\"\nversion = [\"true\"]\nrun = [\"sh\", \"main.sh\"]\ninstall = \"\"\n";
        std::fs::write(own.join("peer.toml"), definition).unwrap();
        let script = format!(
            "while read -r line; do\n  case \"$line\" in\n    *load*) echo load {name} >>../log; echo '{{\"loaded\": true}}' ;;\n    \
             *) echo join {name} >>../log; echo '{{\"seconds\": 0.000001, \"rows\": 1, \"sum_build\": 0, \"sum_probe\": 0}}' ;;\n  \
             esac\ndone\n"
        );
        std::fs::write(own.join("main.sh"), script).unwrap();
        let peer = Peer::read(&own).unwrap();
        peer.setups("1", &machine::environment("test")).0.remove(0)
    }

    #[test]
    fn in_turn_one_process_at_a_time_holds_the_workload() {
        let folder = tempfile::tempdir().unwrap();
        let setups = ["one", "two"].map(|name| setup(folder.path(), name));
        let wanted = [0, 1].map(|nth: usize| Wanted {
            setup: &setups[nth],
            threads: 1,
        });
        let column = Column::from_i32(&[7]);
        let question = Question {
            kind: Kind::Inner,
            condition: None,
            pairs: false,
            payload: None,
        };
        let never = AtomicBool::new(false);
        let logged = |in_turn: bool| {
            let mut pool = Pool::new(&never);
            let columns = [(column.clone(), column.clone())];
            pool.load(&wanted, &columns, question, 1, in_turn);
            for of in [wanted[0], wanted[0], wanted[1], wanted[0]] {
                assert_eq!(pool.join(of, question).unwrap().rows, 1);
                let running = pool
                    .slots
                    .iter()
                    .filter(|slot| matches!(slot.state, Ok(Some(_))));
                assert_eq!(running.count(), if in_turn { 1 } else { 2 });
            }
            drop(pool);
            let log = folder.path().join("log");
            let text = std::fs::read_to_string(&log).unwrap();
            std::fs::remove_file(&log).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            logged(false),
            [
                "load one", "load two", "join one", "join one", "join two", "join one"
            ]
        );
        // Whose turn it is loads, joins once to be warm, and is asked then.
        assert_eq!(
            logged(true),
            [
                "load one", "join one", "join one", "join one", "load two", "join two", "join two",
                "load one", "join one", "join one"
            ]
        );
    }
}
