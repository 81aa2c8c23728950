//! The command line: what can be asked for.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::console::tell;
use crate::verbs::list::Listed;
use crate::verbs::sweep::MeasureArgs;
use crate::verbs::{self, Ending, compare, limits, table, verify};

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
    Verify(verify::Args),
    /// Measure what this machine's memory can do
    Limits(limits::Args),
    /// Your own data: Parquet and CSV files to table folders and back
    Table {
        /// What to do
        #[command(subcommand)]
        what: table::Args,
    },
    /// Draw a run's charts and pages again from its samples
    Report(verbs::report::Args),
    /// Whole join plans: execute, check or draw bundles
    #[command(subcommand)]
    Plan(verbs::plan::Verb),
    /// Compare two runs: what is faster, slower, within noise, or not comparable
    Compare(compare::Args),
    /// PostgreSQL's rows in aligned chunks, and on into joins
    #[command(subcommand)]
    Ingest(verbs::ingest::Verb),
    /// Measure the peak memory of variants, one process each
    #[command(name = "__memory", hide = true)]
    Memory,
}

/// Does what the command line asks and says how it ended.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.verb {
        None => verbs::sweep::run(&cli.measure),
        Some(Verb::List { what }) => verbs::list::run(what),
        Some(Verb::Ingest(verb)) => verbs::ingest::run(&verb),
        Some(Verb::Limits(args)) => verbs::limits::run(&args),
        Some(Verb::Report(args)) => verbs::report::run(&args),
        Some(Verb::Table { what }) => verbs::table::run(&what),
        Some(Verb::Compare(args)) => verbs::compare::run(&args),
        Some(Verb::Verify(args)) => verify::run(&args),
        Some(Verb::Plan(verb)) => verbs::plan::run(&verb),
        Some(Verb::Memory) => verbs::memory::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => {
            if !matches!(ending, Ending::Said) {
                tell!("error: {ending}");
            }
            ending.status()
        }
    }
}

/// Answers a command line that clap did not take: help and version as they are, an error in one line.
pub fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // A reader that has seen enough is no error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let told: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .collect();
    tell!("{}; `harness --help` shows the options", told.join("; "));
    ExitCode::from(2)
}
