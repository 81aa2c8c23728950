//! Executors of plans with what they work with: threads, memory, techniques.

use join_core::memory::Memory;
use join_core::memory::process::{self, Origin};
use join_core::page::PAGE_BYTES;
use join_core::parallel::{Team, ThreadStart};
use plan_executor::{Bundle, Context, ExecuteError, Execution, Executor, Options};

use super::Contender;
use crate::machine;
use registry::{BUILDS, EXECUTORS, ExecutorSettings, default_build};
use report::record::{OFF, Toggles};

/// The technique that is the process' own: large blocks of an execution are kept for the next one.
pub const POOL: &str = "pool";

/// What the toggle that names a build variant is called.
const BUILD: &str = "build";

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

/// What executors work with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Equipment {
    /// Threads; all processors if none are named.
    pub threads: Option<u32>,
    /// Bytes that an execution may hold; what is available if none are named.
    pub memory: Option<usize>,
    /// The build variant, for executors that take one.
    pub build: Option<String>,
    /// Techniques that an executor does without.
    pub without: Vec<String>,
}

/// An executor and what it works with.
pub struct Equipped {
    /// The executor's name.
    pub name: String,
    /// The techniques that it does without, each set to [`OFF`], and the build variant that was named.
    pub toggles: Toggles,
    /// Its threads.
    pub threads: u32,
    executor: Box<dyn Executor>,
    team: Team,
    limit: Limit,
    source: Origin,
}

impl Equipped {
    /// The executor of that name.
    ///
    /// # Errors
    /// There is no such executor, build or technique, a technique is left out twice, or the system has no such threads; in one
    /// line.
    pub fn new(name: &str, equipment: &Equipment) -> Result<Self, String> {
        let names = EXECUTORS.iter().map(|executor| executor.name);
        let variant = EXECUTORS.iter().find(|executor| executor.name == name);
        let variant = variant.ok_or_else(|| unknown("executor", name, names))?;
        let build = match &equipment.build {
            None => default_build(),
            Some(name) => {
                let names = BUILDS.iter().map(|build| build.name);
                let build = BUILDS.iter().find(|build| build.name == name);
                build.ok_or_else(|| unknown("build", name, names))?
            }
        };
        let mut options = Options::default();
        let mut source = Origin::Pool;
        for (number, technique) in equipment.without.iter().enumerate() {
            if equipment.without[..number].contains(technique) {
                return Err(format!(
                    "{technique} is left out twice; name each technique once"
                ));
            }
            if technique == POOL {
                source = Origin::System;
                continue;
            }
            let names = Options::NAMES.iter().map(|(name, _)| *name);
            let names = names.chain([POOL]);
            let without = options.without(technique);
            options = without.ok_or_else(|| unknown("technique", technique, names))?;
        }
        let threads = equipment.threads.unwrap_or_else(machine::cores);
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(format!(
                "--threads {threads}: give a count from 1 to {MOST_THREADS}, such as --threads 2"
            ));
        }
        let without = equipment.without.iter();
        let without = without.map(|technique| (technique.clone(), OFF.to_owned()));
        let named = equipment.build.clone().filter(|_| variant.takes_build);
        let named = named.map(|name| (BUILD.to_owned(), name));
        Ok(Self {
            source,
            name: variant.name.to_owned(),
            toggles: without.chain(named).collect(),
            threads,
            executor: variant.make(&ExecutorSettings { build, options }),
            team: machine::team(threads, ThreadStart::Pool).map_err(|error| error.to_string())?,
            limit: match equipment.memory {
                Some(bytes) => Limit::Named(bytes),
                None => {
                    Limit::Usable(usize::try_from(machine::usable_bytes()).unwrap_or(usize::MAX))
                }
            },
        })
    }

    /// What records call it.
    pub fn contender(&self, label: Option<&str>) -> Contender {
        Contender::new(&self.name, self.toggles.clone(), label, self.threads)
    }

    /// What it is called in sentences.
    pub fn title(&self) -> String {
        report::plans::name_of(&self.name, &self.toggles, None)
    }

    /// What an execution of a bundle may hold.
    pub fn memory(&self, bundle: &Bundle) -> Memory {
        Memory::limited(match self.limit {
            Limit::Named(bytes) => bytes,
            Limit::Usable(bytes) => bytes.saturating_sub(bytes_in_memory(bundle)),
        })
    }

    /// Executes a bundle; returns the most bytes that the execution held at a time, too.
    ///
    /// # Errors
    /// As the executor.
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

fn unknown(what: &str, name: &str, names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.collect();
    format!(
        "there is no {what} {name:?}; name one of {}",
        names.join(", ")
    )
}
