//! `harness plan make`: bundles of benchmarks.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plan_bundles::{Benchmark, Data};

use super::line;
use crate::verbs::Ending;

/// Which benchmark.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// The join graphs of TPC-H queries
    Tpch(BenchmarkArgs),
    /// The Star Schema Benchmark
    Ssb(BenchmarkArgs),
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
    /// Only these queries, such as q3,q5
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    queries: Vec<String>,
    /// The folder to write, with a folder a query
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Makes the bundles and prints their folder.
pub(super) fn run(source: &Source) -> Result<(), Ending> {
    match source {
        Source::Tpch(args) => benchmark(Benchmark::Tpch, args),
        Source::Ssb(args) => benchmark(Benchmark::Ssb, args),
    }
}

fn benchmark(benchmark: Benchmark, args: &BenchmarkArgs) -> Result<(), Ending> {
    let BenchmarkArgs { scale, seed, .. } = *args;
    let written = benchmark.write(&args.queries, &Data { scale, seed }, &args.out);
    let bundles = written.map_err(Ending::usage)?;
    eprintln!("{} bundles", bundles.len());
    line(&args.out.display().to_string())
}
