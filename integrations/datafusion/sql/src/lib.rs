//! Queries with and without Joinery's joins: one of them, or a suite of them in rounds.

mod answer;
mod bench;
mod orders;
mod profile;
mod query;
mod run;
mod server;
mod session;
pub mod suite;
mod worker;
mod workers;

use clap::{Parser, Subcommand};
use harness::verbs::Ending;

/// DataFusion's SQL with Joinery's joins.
#[derive(Debug, Parser)]
#[command(name = "harness sql", bin_name = "harness sql", max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Measure the queries of a suite, DataFusion alone and with Joinery in turns
    Run(run::Args),
    /// What `run` starts
    #[command(name = run::SERVE, hide = true)]
    Serve(run::Args),
    /// Answer one query over Parquet and CSV files
    Query(query::Args),
    /// Do a part of the work of `run` and `query`, for whoever names this process in --workers
    Worker(worker::Args),
}

/// Does what the command line asks.
///
/// # Errors
///
/// What is wrong with the call, its files or an answer.
pub fn run(cli: &Cli) -> Result<(), Ending> {
    match &cli.verb {
        Verb::Run(args) => run::run(args),
        Verb::Serve(args) => server::run(args),
        Verb::Query(args) => query::run(args),
        Verb::Worker(args) => worker::run(args),
    }
}
