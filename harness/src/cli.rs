//! The command line: what can be asked for.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::limits;
use crate::verbs::table;
use report::record::Size;

/// A workbench for in-memory hash joins.
#[derive(Debug, Parser)]
#[command(name = "harness", version, about, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to measure
    #[command(flatten)]
    pub measure: MeasureArgs,
    /// Something else to do
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// `--sweep` and `--ablate`.
#[derive(Debug, Clone, Default, Args)]
pub struct MeasureArgs {
    /// Measure variants over workloads and draw a report
    #[arg(long)]
    pub sweep: bool,
    /// Change one toggle at a time against the default configuration; all toggles if none is named
    #[arg(long, value_name = "TOGGLE", num_args = 0..)]
    pub ablate: Option<Vec<String>>,
    /// Small workloads: within a minute on two cores
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Workloads of full size, for as long as it takes
    #[arg(long)]
    pub full: bool,
    /// Only workloads and variants whose names match: a part of the name, or all of it with `*`; `|` between
    /// alternatives; the path of a workload file of your own
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub only: Vec<String>,
    /// Thread counts [default: 1, 2 and all]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub threads: Vec<u32>,
    /// Samples of each cell, instead of as many as there is time for
    #[arg(long, value_name = "N")]
    pub samples: Option<u32>,
    /// Seed of the synthetic data and of the order of measurements
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Other engines to measure beside the variants: names from `list peers`, or paths of folders of peers
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    pub peers: Vec<String>,
    /// Plan bundles, or folders of them, to execute in place of the plans that a sweep makes itself
    #[arg(long, value_delimiter = ',', value_name = "FOLDER,FOLDER")]
    pub plans: Vec<PathBuf>,
    /// Folder of the report [default: reports/<time and a random part>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run of the same command line
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Measure in an unoptimised build
    #[arg(long)]
    pub allow_unoptimised: bool,
}

impl MeasureArgs {
    /// The size asked for.
    pub fn size(&self) -> Size {
        match (self.quick, self.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Default,
        }
    }
}

/// What else can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List what there is
    List {
        /// Of what
        #[arg(value_enum)]
        what: Listed,
    },
    /// Check every variant, toggle and workload once, without timing
    Verify {
        /// Only workloads and variants whose names match, as for `--sweep`
        #[arg(long, value_name = "PATTERN", num_args = 1..)]
        only: Vec<String>,
        /// Joins drawn at random, in place of the workloads: each through every variant, toggles drawn at random too
        #[arg(long, value_name = "N")]
        random: Option<NonZeroU64>,
        /// Seed of the first random join; each next one has the next seed [default: 0]
        #[arg(long, value_name = "S", requires = "random")]
        seed: Option<u64>,
    },
    /// Measure what this machine's memory can do
    Limits(limits::Args),
    /// Your own data: Parquet and CSV files to table folders and back
    Table {
        /// What to do
        #[command(subcommand)]
        what: table::Args,
    },
    /// Draw a run's charts and pages again from its samples
    Report {
        /// The run's folder
        run: PathBuf,
    },
    /// Whole join plans: execute, check or draw bundles
    #[command(subcommand)]
    Plan(crate::verbs::plan::Verb),
    /// Compare two runs: what is faster, slower, within noise, or not comparable
    Compare(CompareArgs),
    /// PostgreSQL's rows in aligned chunks, and on into joins
    #[command(subcommand)]
    Ingest(crate::verbs::ingest::Verb),
    /// Measure the peak memory of variants, one process each
    #[command(name = "__memory", hide = true)]
    Memory,
}

/// Of what to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Listed {
    /// Joins
    Variants,
    /// Toggles of the ablation and their settings
    Toggles,
    /// Workloads
    Workloads,
    /// Other engines
    Peers,
}

/// Arguments of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The folder of the first run
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The folder of the second run
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Exit with status 1 if anything is slower beyond noise and by more than this
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    pub fail_over: Option<f64>,
    /// Folder of the comparison [default: reports/compare-<before>-<after>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
