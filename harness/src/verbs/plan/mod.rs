//! `harness plan`: whole join plans.

mod check;
mod explain;
pub(super) mod folders;
mod make;
mod run;
pub(super) mod sets;
pub(super) mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::program::{self, Program};
use super::{Ending, line};
use crate::experiment::executor::Equipment;
use crate::size::Size;

/// What can be done with plan bundles.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make bundles of a benchmark's queries
    #[command(subcommand)]
    Make(make::Source),
    /// CSV files, queries and plans of the Join Order Benchmark to bundles (the first time builds the importer)
    #[command(disable_help_flag = true)]
    Import {
        /// See `plan import --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Execute bundles and say what it took
    Run(RunArgs),
    /// Check executors: against the oracle on small bundles, against each other on large ones
    Check(CheckArgs),
    /// Show how a plan was executed, step by step
    Explain(ExplainArgs),
}

/// Which bundles, and what they are executed with.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// Folders of bundles, or folders full of them
    #[arg(required = true, value_name = "BUNDLE")]
    pub bundles: Vec<PathBuf>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Memory that an execution may hold, such as 512M or 8G [default: what is available]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Size>,
    /// The build variant, for executors that take one: any build of `list variants`, such as partitioned
    #[arg(long, value_name = "NAME")]
    pub build: Option<String>,
    /// Techniques that the pipelined executor is to do without, such as filters, tags or pool; a wrong name lists all
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    pub without: Vec<String>,
}

/// Arguments of `plan run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Bundles, threads, memory
    #[command(flatten)]
    pub common: Common,
    /// The executors, in turns on each bundle: pipelined, operator-at-a-time [default: pipelined]
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    pub executor: Vec<String>,
    /// Execute with each of these techniques left out as well, in turns; all techniques if none is named
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME", num_args = 0..)]
    pub ablate: Option<Vec<String>>,
    /// Samples a bundle, after a first cold run
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub samples: u32,
    /// Other engines on the same joins in the same rounds: names from `list peers`, or paths of folders of peers
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    pub peers: Vec<String>,
    /// Write times, answers and telemetry there as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Folder of a report: charts, a page, and what they are made of
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run of the same command line
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Seed of the order of measurements
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Measure in an unoptimised build
    #[arg(long)]
    pub allow_unoptimised: bool,
}

/// Arguments of `plan check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Bundles, threads, memory
    #[command(flatten)]
    pub common: Common,
    /// Rows of all tables together, and of any join, up to which the oracle is asked
    #[arg(long, default_value_t = 1_000_000, value_name = "ROWS")]
    pub oracle_up_to: u64,
}

/// Arguments of `plan explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The bundle, threads, memory
    #[command(flatten)]
    pub common: Common,
    /// The executor
    #[arg(long, value_name = "NAME")]
    pub executor: Option<String>,
    /// Draw the steps there as SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Does what the command line asks.
pub(crate) fn run(verb: &Verb) -> Result<(), Ending> {
    match verb {
        Verb::Make(source) => make::run(source),
        Verb::Import { arguments } => {
            program::run(&Program::of("plan-import"), "plan import", arguments)
        }
        Verb::Run(args) => run::run(args),
        Verb::Check(args) => check::run(args),
        Verb::Explain(args) => explain::run(args),
    }
}

impl Common {
    /// What executors work with.
    fn equipment(&self) -> Result<Equipment, Ending> {
        Ok(Equipment {
            threads: self.threads,
            memory: self.memory.map(memory).transpose()?,
            build: self.build.clone(),
            without: self.without.clone(),
        })
    }
}

fn memory(Size(bytes): Size) -> Result<usize, Ending> {
    let bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| {
        Ending::usage(
            "--memory: no execution can hold as much; give a number of bytes, such as 512M or 8G",
        )
    })
}
