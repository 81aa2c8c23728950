//! `harness ingest`: PostgreSQL's rows in aligned chunks.

mod chart;
mod simulate;
mod size;

use std::path::PathBuf;

use super::Ending;
use size::{Lengths, Size};

/// What to do with chunks.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// What a load of any size writes, splits and wastes, by formula and by simulation
    Simulate(Simulate),
}

/// Arguments of `ingest simulate`. The defaults are the document's.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// Bytes of all rows, as 40GiB or 100TB
    #[arg(long, default_value = "40GiB")]
    pub bytes: Size,
    /// Workers that write
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub workers: u32,
    /// Chunks, which the rows fill
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub chunks: u32,
    /// The most that one flush writes
    #[arg(long, value_name = "BYTES", default_value = "64MiB")]
    pub slot: Size,
    /// Bytes of a row with its framing: 150, 100..200 (each as often), or ~150 (exponential)
    #[arg(long, value_name = "BYTES", default_value = "150")]
    pub row: Lengths,
    /// By how much the workers' shares differ, as a share of the mean from 0 to 0.99
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub uneven: f64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Draw the charts into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Does it.
pub(super) fn run(verb: &Verb) -> Result<(), Ending> {
    match verb {
        Verb::Simulate(args) => simulate::run(args),
    }
}
