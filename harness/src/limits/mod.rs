//! What this machine's memory can do: the lines that joins are held against.
//!
//! `docs/limits.md` says what each number means and how it is measured.

use std::io::{self, Write};
use std::path::PathBuf;

use indicatif::ProgressBar;
use jiff::Timestamp;
use join_core::parallel::StartError;
use serde::{Deserialize, Serialize};

use crate::console::tell;
use crate::files::NewFile;
use crate::machine;
use report::record::{Environment, LimitRecord};

pub mod cache;
mod measure;
mod plan;
pub mod random;
pub mod region;
pub mod scatter;
pub mod sequential;
mod table;
pub mod team;

pub use measure::measure;
pub use plan::{Item, Kernel, Plan, default_threads};
pub use table::table;

use cache::{Cached, Measured};

/// More threads than this are a slip of the finger.
const MOST_THREADS: u32 = 1024;

/// One measured limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The access pattern and what is counted, such as `random_reads_per_second`.
    pub what: String,
    /// Threads that worked at once; the value is what all of them reached together.
    pub threads: u32,
    /// Bytes of the array that they shared or divided.
    pub array_bytes: u64,
    /// Whether the array lay in huge pages.
    pub huge_pages: bool,
    /// The fastest repetition, in `unit`: what else runs on the machine can only slow one down.
    pub value: f64,
    /// `B/s`, `reads/s`, `writes/s` or `tuples/s`.
    pub unit: String,
    /// The middle repetition.
    pub median: f64,
    /// The slowest repetition.
    pub low: f64,
}

impl Limit {
    /// Whether a machine may have reached these rates.
    fn is_possible(&self) -> bool {
        /// A second, in bytes or in anything smaller: a thousand times what the fastest machines do.
        const MOST: f64 = 1e15;
        let rates = [0.0, self.low, self.median, self.value, MOST];
        // What is no number is in no order.
        self.low > 0.0 && rates.is_sorted() && self.array_bytes > 0
    }
}

impl From<&Limit> for LimitRecord {
    fn from(limit: &Limit) -> Self {
        Self {
            what: limit.what.clone(),
            threads: limit.threads,
            array_bytes: limit.array_bytes,
            huge_pages: limit.huge_pages,
            value: limit.value,
        }
    }
}

/// Why the limits could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A thread count that makes no sense.
    #[error("--threads {0}: give counts from 1 to {MOST_THREADS}, such as --threads 1,2")]
    Threads(u32),
    /// A build that would measure itself.
    #[error(
        "this build is not optimised (opt-level {}): use the workspace's dev or release profile, or \
         say --allow-unoptimised",
        env!("JOINERY_OPT_LEVEL")
    )]
    Unoptimised,
    /// No memory for an array.
    #[error("cannot map {mib} MiB for the measurement: {source}; free some memory")]
    Memory {
        /// Size of the array.
        mib: u64,
        /// What the kernel said.
        source: io::Error,
    },
    /// Threads that the system does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The file of `--json`.
    #[error("--json: {0}")]
    Json(String),
    /// Standard output.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

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

/// `harness limits`: prints this machine's limits, measured now or within the last day.
///
/// # Errors
/// A thread count out of bounds, an unoptimised build, too little memory, an output that cannot
/// be written. A cache that cannot be read or written is none: it is mentioned.
pub fn command(args: &Args) -> Result<(), Error> {
    let environment = machine::environment("");
    let mut threads = args.threads.clone();
    threads.sort_unstable();
    threads.dedup();
    if threads.is_empty() {
        threads = default_threads(environment.cores);
    }
    if let Some(&wrong) = threads.iter().find(|&&n| n == 0 || n > MOST_THREADS) {
        return Err(Error::Threads(wrong));
    }
    if !environment.optimised && !args.allow_unoptimised {
        return Err(Error::Unoptimised);
    }
    let json = args.json.as_deref().map(NewFile::create).transpose();
    let json = json.map_err(Error::Json)?;
    let mut measured = match cached(args, &environment, &threads) {
        Some(measured) => measured,
        None => measure_and_keep(&environment, &threads)?,
    };
    measured
        .limits
        .retain(|limit| threads.contains(&limit.threads));
    if let Some(file) = json {
        file.write(&report::page::json(&measured))
            .map_err(Error::Json)?;
    }
    print(&measured.limits).map_err(Error::Output)
}

/// Writes the [`table`] to standard output. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(limits: &[Limit]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out
        .write_all(table(limits).as_bytes())
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
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
