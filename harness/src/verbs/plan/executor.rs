//! Executors, threads and memory, as the command line wants them.

use join_core::memory::Memory;
use join_core::memory::process::{self, Origin as Source};
use join_core::page::PAGE_BYTES;
use join_core::parallel::{Team, ThreadStart};
use plan_executor::{Bundle, Context, ExecuteError, Execution, Executor, Options};
use registry::{BUILDS, default_build};

use super::Common;
use super::executors::{EXECUTORS, Settings};
use crate::machine;
use crate::verbs::Ending;

/// The technique that is the process' own: large blocks of an execution are kept for the next one.
pub(super) const POOL: &str = "pool";

/// More threads than this are a slip of the finger.
const MOST_THREADS: u32 = 1024;

/// Bytes that an execution may hold.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// As the command line says.
    Named(usize),
    /// What there is, less the tables that are made in memory.
    Usable(usize),
}

/// An executor and what it works with.
pub(super) struct Bench {
    pub name: String,
    pub threads: u32,
    executor: Box<dyn Executor>,
    team: Team,
    limit: Limit,
    source: Source,
}

impl Bench {
    /// The executor of that name.
    pub fn new(name: &str, common: &Common) -> Result<Bench, Ending> {
        let names = EXECUTORS.iter().map(|executor| executor.name);
        let variant = EXECUTORS.iter().find(|executor| executor.name == name);
        let variant = variant.ok_or_else(|| unknown("executor", name, names))?;
        let build = match &common.build {
            None => default_build(),
            Some(name) => {
                let names = BUILDS.iter().map(|build| build.name);
                let build = BUILDS.iter().find(|build| build.name == name);
                build.ok_or_else(|| unknown("build", name, names))?
            }
        };
        let mut options = Options::default();
        let mut source = Source::Pool;
        for (number, technique) in common.without.iter().enumerate() {
            if common.without[..number].contains(technique) {
                return Err(Ending::Usage(format!(
                    "{technique} is left out twice; name each technique once"
                )));
            }
            if technique == POOL {
                source = Source::System;
                continue;
            }
            let names = Options::NAMES.iter().map(|(name, _)| *name);
            let names = names.chain([POOL]);
            let without = options.without(technique);
            options = without.ok_or_else(|| unknown("technique", technique, names))?;
        }
        let threads = common.threads.unwrap_or_else(machine::cores);
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(Ending::Usage(format!(
                "--threads {threads}: give a count from 1 to {MOST_THREADS}, such as --threads 2"
            )));
        }
        Ok(Bench {
            source,
            name: common
                .without
                .iter()
                .fold(variant.name.to_owned(), |name, technique| {
                    format!("{name} without {technique}")
                }),
            threads,
            executor: variant.make(&Settings { build, options }),
            team: machine::team(threads, ThreadStart::Pool).map_err(Ending::usage)?,
            limit: match &common.memory {
                Some(text) => Limit::Named(bytes(text)?),
                None => {
                    Limit::Usable(usize::try_from(machine::usable_bytes()).unwrap_or(usize::MAX))
                }
            },
        })
    }

    /// What an execution of a bundle may hold.
    pub fn memory(&self, bundle: &Bundle) -> Memory {
        Memory::limited(match self.limit {
            Limit::Named(bytes) => bytes,
            Limit::Usable(bytes) => bytes.saturating_sub(bytes_in_memory(bundle)),
        })
    }

    /// Executes a bundle; returns the most bytes that the execution held at a time, too.
    pub fn execute(&self, bundle: &Bundle) -> Result<(Execution, usize), ExecuteError> {
        process::set(self.source, true);
        let memory = self.memory(bundle);
        let context = Context {
            team: &self.team,
            memory: &memory,
        };
        let execution = self.executor.execute(bundle, &context)?;
        Ok((execution, memory.peak()))
    }
}

/// Bytes of the tables of a bundle that are not mapped from files.
fn bytes_in_memory(bundle: &Bundle) -> usize {
    let columns = bundle.tables().iter().flat_map(|table| table.columns());
    let made = columns.filter(|column| !column.column.is_mapped());
    made.map(|column| column.column.pages().len() * PAGE_BYTES)
        .sum()
}

fn unknown(what: &str, name: &str, names: impl Iterator<Item = &'static str>) -> Ending {
    let names: Vec<&str> = names.collect();
    Ending::Usage(format!(
        "there is no {what} {name:?}; name one of {}",
        names.join(", ")
    ))
}

/// A number of bytes, with K, M, G or T behind it or nothing.
fn bytes(text: &str) -> Result<usize, Ending> {
    let (number, shift) = match text.chars().last().map(|c| c.to_ascii_uppercase()) {
        Some('K') => (&text[..text.len() - 1], 10),
        Some('M') => (&text[..text.len() - 1], 20),
        Some('G') => (&text[..text.len() - 1], 30),
        Some('T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let bytes = number.parse::<usize>().ok();
    bytes
        .and_then(|bytes| bytes.checked_mul(1 << shift))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| {
            Ending::Usage(format!(
                "--memory {text}: give a number of bytes, such as 512M or 8G"
            ))
        })
}
