//! `harness limits`: what this machine's memory can do.

use std::path::PathBuf;

use indicatif::ProgressBar;
use jiff::Timestamp;

use super::{Ending, print};
use crate::console::tell;
use crate::files::NewFile;
use crate::machine;
use crate::machine::limits::cache::{self, Cached, Measured};
use crate::machine::limits::{Error, MOST_THREADS, Plan, default_threads, measure, table};
use report::record::Environment;

/// Arguments of `harness limits`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Measure even if this machine was measured within the last day
    #[arg(long)]
    pub fresh: bool,
    /// Thread counts [default: 1, 2 and all]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub threads: Vec<u32>,
    /// Also write the limits to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure in an unoptimised build
    #[arg(long)]
    pub allow_unoptimised: bool,
}

/// Prints this machine's limits, measured now or within the last day. A cache that cannot be read or written is none: it is
/// mentioned.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    let environment = machine::environment("");
    let mut threads = args.threads.clone();
    threads.sort_unstable();
    threads.dedup();
    if threads.is_empty() {
        threads = default_threads(environment.cores);
    }
    if let Some(&wrong) = threads.iter().find(|&&n| n == 0 || n > MOST_THREADS) {
        return Err(Ending::usage(Error::Threads(wrong)));
    }
    if !environment.optimised && !args.allow_unoptimised {
        return Err(Ending::usage(Error::Unoptimised));
    }
    let json = args.json.as_deref().map(NewFile::create).transpose();
    let json = json.map_err(|error| Ending::Usage(format!("--json: {error}")))?;
    let mut measured = match cached(args, &environment, &threads) {
        Some(measured) => measured,
        None => measure_and_keep(&environment, &threads).map_err(Ending::usage)?,
    };
    measured
        .limits
        .retain(|limit| threads.contains(&limit.threads));
    if let Some(file) = json {
        file.write(&report::html::json(&measured))
            .map_err(|error| Ending::Usage(format!("--json: {error}")))?;
    }
    print(&table(&measured.limits))
}

fn cached(args: &Args, environment: &Environment, threads: &[u32]) -> Option<Measured> {
    let path = cache::path(environment).filter(|_| !args.fresh)?;
    match Measured::load(&path, environment, threads, Timestamp::now()) {
        Cached::Usable(measured) => {
            tell!(
                "measured at {}, kept in {} (--fresh measures again)",
                measured.measured,
                path.display()
            );
            Some(measured)
        }
        Cached::Missing => None,
        Cached::Unusable(why) => {
            tell!("not using {}: {why}", path.display());
            None
        }
    }
}

fn measure_and_keep(environment: &Environment, threads: &[u32]) -> Result<Measured, Error> {
    let plan = Plan::full(environment, threads);
    tell!(
        "measuring {} ways of touching memory with {} threads: about a minute on two cores that have nothing else to do",
        plan.items.len(),
        threads
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    );
    // Draws nothing where standard error is no terminal.
    let bar = ProgressBar::new(plan.items.len() as u64);
    let limits = measure(&plan, |_| bar.inc(1));
    bar.finish_and_clear();
    let measured = Measured::new(environment, Timestamp::now(), limits?);
    match cache::path(environment) {
        Some(path) => {
            if let Err(error) = measured.save(&path) {
                tell!("not kept for later: {}: {error}", path.display());
            }
        }
        None => tell!("not kept for later: neither XDG_CACHE_HOME nor HOME is set"),
    }
    Ok(measured)
}
