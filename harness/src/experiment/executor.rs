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
use serde::{Deserialize, Serialize};

/// The technique that is the process' own: large blocks of an execution are kept for the next one.
pub const POOL: &str = "pool";

/// The technique that is a fresh process' own: memory for the pool is touched before the first execution.
pub const RESERVE: &str = "reserve";

/// Bytes that a fresh process touches for large blocks, and of what executions may hold, the share that it touches at most;
/// and of them, the share that it touches for small blocks as well.
const RESERVE_BYTES: usize = 1 << 30;
const RESERVE_SHARE: usize = 4;
const SMALL_SHARE: usize = 8;

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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// What it was given to work with.
    pub equipment: Equipment,
    executor: Box<dyn Executor>,
    team: Team,
    limit: Limit,
    source: Origin,
    has_reserve: bool,
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
        let (mut source, mut has_reserve) = (Origin::Pool, true);
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
            if technique == RESERVE {
                has_reserve = false;
                continue;
            }
            let names = Options::NAMES.iter().map(|(name, _)| *name);
            let names = names.chain([POOL, RESERVE]);
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
            has_reserve: has_reserve && source == Origin::Pool,
            name: variant.name.to_owned(),
            toggles: without.chain(named).collect(),
            threads,
            equipment: equipment.clone(),
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

    /// Touches memory for the executions of a process that has had none; returns how many bytes.
    pub fn reserve(&self) -> usize {
        let (Limit::Named(bytes) | Limit::Usable(bytes)) = self.limit;
        if !self.has_reserve {
            return 0;
        }
        let bytes = RESERVE_BYTES.min(bytes / RESERVE_SHARE);
        process::reserve_small(bytes / SMALL_SHARE);
        process::reserve(bytes) + bytes / SMALL_SHARE
    }

    /// What the environment of a fresh process must say for [`Equipped::reserve`].
    pub fn variables(&self) -> &'static [(&'static str, &'static str)] {
        match self.has_reserve {
            true => &process::KEEPS_SMALL_BLOCKS,
            false => &[],
        }
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
