//! One of the two builds of a duel, and a process of it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::Case;
use super::protocol::{Hello, Loaded, PROTOCOL, Request, Wanted};
use crate::experiment::Stop;
use crate::peers::{Fault, Joined, Process, limit, possible};

/// The verb that starts a build's process.
pub const VERB: &str = "__serve";

/// What a build may take to say who it is.
const HELLO: Duration = Duration::from_secs(20);

/// One of the two builds.
#[derive(Debug, Clone)]
pub struct Side {
    /// [`report::record::THIS`] or [`report::record::OTHER`].
    pub label: &'static str,
    /// As the command line has it.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// The revision, where the program was built for this duel.
    pub commit: Option<String>,
}

/// A process of a build.
pub(super) struct Player<'a> {
    side: &'a Side,
    process: Process,
    limit: Duration,
    interrupted: &'a AtomicBool,
}

impl Side {
    /// Starts a process.
    pub(super) fn start<'a>(&'a self, interrupted: &'a AtomicBool) -> Result<Player<'a>, Stop> {
        let mut command = Command::new(&self.program);
        command.arg(VERB);
        let process = Process::start(command).map_err(|error| self.refuse(&error))?;
        Ok(Player {
            side: self,
            process,
            limit: limit(0),
            interrupted,
        })
    }

    /// Why a build cannot take part, with what to do.
    fn refuse(&self, why: &str) -> Stop {
        Stop::Build(format!(
            "{}: {why}; name a `harness` binary or a revision that has `harness duel`, built with optimisation",
            self.name
        ))
    }

    fn stop(&self, fault: Fault) -> Stop {
        match fault {
            Fault::Interrupted => Stop::Interrupted,
            Fault::Failed(why) => self.refuse(&why),
        }
    }
}

impl Player<'_> {
    /// Asks who it is.
    pub(super) fn hello(&mut self) -> Result<Hello, Stop> {
        let side = self.side;
        let asked = Request::Hello(PROTOCOL);
        let hello: Hello = self
            .process
            .ask(&asked, HELLO, self.interrupted)
            .map_err(|fault| match fault {
                Fault::Failed(why) => side.refuse(&format!("it takes no part in duels: {why}")),
                Fault::Interrupted => Stop::Interrupted,
            })?;
        if hello.protocol != PROTOCOL {
            return Err(side.refuse(&format!(
                "it speaks version {} of the duels' protocol, and this build version {PROTOCOL}",
                hello.protocol
            )));
        }
        match hello.optimised {
            true => Ok(hello),
            false => Err(side.refuse("it was built without optimisation")),
        }
    }

    /// Has it load a case.
    pub(super) fn load(&mut self, case: &Case, threads: u32) -> Result<(), Stop> {
        let request = Request::Load {
            threads,
            build: Box::new(case.files.build.clone()),
            probe: Box::new(case.files.probe.clone()),
        };
        let results = case.record.expected.map_or(0, |answer| answer.rows);
        let tuples = case.record.tuples().saturating_add(results);
        self.limit = limit(tuples);
        let loaded = self.process.ask(&request, self.limit, self.interrupted);
        match loaded.map_err(|fault| self.side.stop(fault))? {
            Loaded { loaded: true } => Ok(()),
            Loaded { loaded: false } => Err(self.side.refuse("it did not load the data")),
        }
    }

    /// Has it join them.
    pub(super) fn join(&mut self, wanted: Wanted) -> Result<Joined, Stop> {
        let start = Instant::now();
        let joined = self
            .process
            .ask(&Request::Join(wanted), self.limit, self.interrupted)
            .and_then(|joined: Joined| {
                possible(joined.seconds, start.elapsed())?;
                Ok(joined)
            });
        joined.map_err(|fault| self.side.stop(fault))
    }

    /// Refuses what it answered, which is wrong.
    pub(super) fn answered_wrongly(&self, workload: &str, variant: &str) -> Stop {
        self.side.refuse(&format!(
            "its {variant} answers wrongly on {workload} (`harness verify` of that build says more)"
        ))
    }
}
