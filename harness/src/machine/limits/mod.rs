//! What this machine's memory can do: the lines that joins are held against.
//!
//! `docs/limits.md` says what each number means and how it is measured.

use std::io;

use join_core::parallel::StartError;
use serde::{Deserialize, Serialize};

use report::record::LimitRecord;

pub mod cache;
pub mod lookup;
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

/// More threads than this are a slip of the finger.
pub const MOST_THREADS: u32 = 1024;

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
    /// `B/s`, `reads/s`, `lookups/s`, `writes/s`, `tuples/s`, `additions/s` or `phases/s`.
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
}
