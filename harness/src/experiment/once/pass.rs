//! A pass over plans: one contender in a process of its own.

use std::process::Command;
use std::sync::atomic::AtomicBool;

use super::Case;
use super::protocol::{Open, Opened, Request};
use super::serve::VERB;
use crate::experiment::executor::Equipped;
use crate::experiment::plans::{Worker, of_peer};
use crate::experiment::{Failed, Measured};
use crate::peers::{Fault, Pool, Process, Wanted, limit};
use report::record::Checksum;

/// A contender in a process of its own, which is started again after it has failed.
pub(super) enum Pass<'p> {
    /// One of ours.
    Ours(Ours<'p>),
    /// A peer.
    Peer {
        /// What is run.
        wanted: Wanted<'p>,
        /// What it executes.
        cases: &'p [Case],
        /// Its process.
        pool: Pool<'p>,
    },
}

/// A process of ours.
pub(super) struct Ours<'p> {
    executor: &'p Equipped,
    cases: &'p [Case],
    /// None after it has failed; or why it cannot be had.
    process: Result<Option<Process>, Fault>,
    /// What the first process did before its first execution.
    opened: Option<Opened>,
    interrupted: &'p AtomicBool,
}

impl<'p> Pass<'p> {
    /// Starts the process. One of ours opens all bundles.
    pub(super) fn start(
        worker: Worker<'p>,
        threads: u32,
        cases: &'p [Case],
        interrupted: &'p AtomicBool,
    ) -> Self {
        match worker {
            Worker::Executor(executor) => {
                let mut ours = Ours {
                    executor,
                    cases,
                    process: Ok(None),
                    opened: None,
                    interrupted,
                };
                ours.be_ready();
                Self::Ours(ours)
            }
            Worker::Peer(setup) => Self::Peer {
                wanted: Wanted { setup, threads },
                cases,
                pool: Pool::new(interrupted),
            },
        }
    }

    /// What a process of ours has done before its first execution.
    pub(super) fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Ours(ours) => ours.opened.as_ref(),
            Self::Peer { .. } => None,
        }
    }

    /// Executes the case of this number, whose result has about `rows` rows. `sum` is a peer's checksum, once it is known.
    pub(super) fn execute(
        &mut self,
        number: usize,
        rows: u64,
        sum: &mut Option<Checksum>,
    ) -> Result<Measured, Failed> {
        match self {
            Self::Ours(ours) => ours.execute(number, rows),
            Self::Peer {
                wanted,
                cases,
                pool,
            } => {
                pool.load_plan(&[*wanted], &cases[number].bundle, rows);
                let executed = pool.execute(*wanted, sum.is_none())?;
                Ok(of_peer(executed, sum))
            }
        }
    }
}

impl Ours<'_> {
    fn execute(&mut self, number: usize, rows: u64) -> Result<Measured, Failed> {
        self.be_ready();
        let process = self.process.as_mut().map_err(|fault| fault.clone())?;
        let process = process.as_mut().expect("it is ready");
        let tuples = self.cases[number].record.tuples().saturating_add(rows);
        let measured = process.ask(&Request::Execute(number), limit(tuples), self.interrupted);
        if measured.is_err() {
            self.process = Ok(None);
        }
        Ok(measured?)
    }

    fn be_ready(&mut self) {
        if !matches!(self.process, Ok(None)) {
            return;
        }
        self.process = self.started().map(|(process, opened)| {
            self.opened.get_or_insert(opened);
            Some(process)
        });
    }

    fn started(&self) -> Result<(Process, Opened), Fault> {
        let program = std::env::current_exe().map_err(|error| Fault::Failed(error.to_string()))?;
        let mut command = Command::new(program);
        let variables = self.executor.variables().iter().copied();
        command.arg(VERB).envs(variables);
        let mut process = Process::start(command).map_err(Fault::Failed)?;
        let folders = self.cases.iter().map(|case| case.folder.clone());
        let open = Request::Open(Open {
            executor: self.executor.name.clone(),
            equipment: self.executor.equipment.clone(),
            bundles: folders.collect(),
        });
        let tuples = self.cases.iter().map(|case| case.record.tuples());
        let opened = process.ask(&open, limit(tuples.sum()), self.interrupted)?;
        Ok((process, opened))
    }
}
