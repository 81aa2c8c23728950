//! The command line: what can be asked for.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::console::tell;
use crate::verbs::list::Listed;
use crate::verbs::sweep::MeasureArgs;
use crate::verbs::{self, Ending, compare, duel, limits, table, verify};

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
        /// What to list
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
    /// Whole queries in DataFusion, with and without Joinery's joins (the first time builds the engine)
    Sql(verbs::sql::Args),
    /// Compare two runs: what is faster, slower, within noise, or not comparable
    Compare(compare::Args),
    /// Measure this build against another one, in the same rounds
    Duel(duel::Args),
    /// PostgreSQL's rows in aligned chunks, and on into joins
    #[command(subcommand)]
    Ingest(verbs::ingest::Verb),
    /// Measure the peak memory of variants, one process each
    #[command(name = "__memory", hide = true)]
    Memory,
    /// Take part in a duel
    #[command(name = "__serve", hide = true)]
    Serve,
    /// Execute plans, each once
    #[command(name = "__once", hide = true)]
    Once,
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
        Some(Verb::Sql(args)) => verbs::sql::run(&args),
        Some(Verb::Plan(verb)) => verbs::plan::run(&verb),
        Some(Verb::Duel(args)) => verbs::duel::run(&args),
        Some(Verb::Memory) => verbs::memory::run(),
        Some(Verb::Serve) => verbs::duel::serve(),
        Some(Verb::Once) => verbs::plan::serve(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => {
            if !matches!(ending, Ending::Said(_)) {
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
    tell!("{}", in_one_line(&error.to_string()));
    ExitCode::from(2)
}

/// What clap says over several lines, with the help of the verb that was meant.
fn in_one_line(text: &str) -> String {
    let mut told = String::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
    {
        let glue = match told.chars().last() {
            None => "",
            Some(':') => " ",
            Some('?' | '.') => " ",
            Some(_) => "; ",
        };
        told.push_str(glue);
        told.push_str(line);
    }
    let usage = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Usage: "));
    let words = usage.unwrap_or("harness").split(' ');
    let verb: Vec<&str> = words
        .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    format!("{told}; `{} --help` shows the options", verb.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_command_line_are_one_line_that_names_the_right_help() {
        let said = |words: &[&str]| {
            let error = Cli::try_parse_from(words).unwrap_err();
            in_one_line(&error.to_string())
        };
        assert_eq!(
            said(&["harness", "plan", "run"]),
            "error: the following required arguments were not provided: <BUNDLE>...; `harness plan run --help` shows the options"
        );
        let error = said(&["harness", "--swep"]);
        assert!(
            error.starts_with("error: unexpected argument '--swep' found"),
            "{error}"
        );
        assert!(
            error.ends_with("`harness --help` shows the options"),
            "{error}"
        );
    }
}
