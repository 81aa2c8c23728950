//! `harness plan make`: bundles of benchmarks.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use join_core::table::all_or_nothing;
use plan_bundles::job::{self, plans};
use plan_bundles::{Benchmark, Data};

use super::line;
use crate::console::tell;
use crate::verbs::Ending;

/// Which benchmark.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// The join graphs of TPC-H queries
    Tpch(BenchmarkArgs),
    /// The Star Schema Benchmark
    Ssb(BenchmarkArgs),
    /// The Join Order Benchmark's plans over generated data of IMDB's shape
    Job(JobArgs),
}

/// Arguments of `plan make tpch` and `plan make ssb`.
#[derive(Debug, Args)]
pub struct BenchmarkArgs {
    /// The scale factor: 1 has 6 million line items
    #[arg(long, default_value_t = 0.1, value_name = "F")]
    scale: f64,
    /// Draws the constants that filters compare with [default: those of the benchmark's text]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only these queries, such as q3,q5 of tpch or q1.1,q3.2 of ssb
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    queries: Vec<String>,
    /// The folder to write, with a folder for each query
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Arguments of `plan make job`.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The plans, as EXPLAIN (FORMAT JSON) prints them, with their names
    #[arg(value_name = "PLANS.json")]
    plans: PathBuf,
    /// The folder of the queries, 1a.sql and so on [default: the one that the plans name]
    #[arg(long, value_name = "FOLDER")]
    sql: Option<PathBuf>,
    /// Rows as a share of the real data's; tables of at most 200 rows have them always
    #[arg(long, default_value_t = 0.1, value_name = "F")]
    scale: f64,
    /// Draws everything
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Only these queries, such as 1a,8c
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    queries: Vec<String>,
    /// How much more popular some movies, people and so on are than others: Zipf's exponent
    #[arg(long, default_value_t = 0.8, value_name = "F")]
    skew: f64,
    /// The share of keys equally popular in all tables, and of kept rows on which the filters of a query agree
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    correlation: f64,
    /// A factor on the shares of NULLs
    #[arg(long, default_value_t = 1.0, value_name = "F")]
    nulls: f64,
    /// A factor on the lengths of text
    #[arg(long, default_value_t = 1.0, value_name = "F")]
    text_length: f64,
    /// The share of texts at and above the limit of a page
    #[arg(long, default_value_t = 1e-5, value_name = "SHARE")]
    long_texts: f64,
    /// The folder to write, with a folder for each query
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Makes the bundles and prints their folder. Whoever stops this finds nothing left behind.
pub(super) fn run(source: &Source) -> Result<(), Ending> {
    let out = match source {
        Source::Tpch(args) | Source::Ssb(args) => &args.out,
        Source::Job(args) => &args.out,
    };
    all_or_nothing(out, || match source {
        Source::Tpch(args) => benchmark(Benchmark::Tpch, args),
        Source::Ssb(args) => benchmark(Benchmark::Ssb, args),
        Source::Job(args) => join_order_benchmark(args),
    })
}

fn benchmark(benchmark: Benchmark, args: &BenchmarkArgs) -> Result<(), Ending> {
    let BenchmarkArgs { scale, seed, .. } = *args;
    let written = benchmark.write(&args.queries, &Data { scale, seed }, &args.out);
    let bundles = written.map_err(Ending::usage)?;
    tell!("{} bundles", bundles.len());
    line(&args.out.display().to_string())
}

fn join_order_benchmark(args: &JobArgs) -> Result<(), Ending> {
    let options = job::Options {
        scale: args.scale,
        seed: args.seed,
        skew: args.skew,
        correlation: args.correlation,
        nulls: args.nulls,
        text_length: args.text_length,
        long_texts: args.long_texts,
    };
    let queries =
        plans::read(&args.plans, args.sql.as_deref(), &args.queries).map_err(Ending::usage)?;
    let made = job::make(&queries, &options, &args.out).map_err(Ending::usage)?;
    let (bundles, results) = (made.bundles.len(), made.with_results);
    tell!("{bundles} bundles, {results} of which have results for sure");
    line(&args.out.display().to_string())
}
