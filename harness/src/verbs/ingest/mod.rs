//! `harness ingest`: PostgreSQL's rows in aligned chunks.

mod bench;
mod chart;
mod check;
mod compact;
mod index;
mod lengths;
#[cfg(feature = "ingest")]
mod load;
mod pages;
mod simulate;
#[cfg(feature = "ingest")]
mod ssb;

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::thread;

use aligned_ingest::{Chunks, PlacementKind};
use join_core::parallel::{Team, ThreadStart};

use super::{Ending, program};
use crate::machine;
use crate::size::Size;
use lengths::Lengths;

/// What to do with chunks.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// What a load of any size writes, splits and wastes, by formula and by simulation
    Simulate(Simulate),
    /// Rows of a PostgreSQL server into a new folder of chunks
    Load(Load),
    /// Check chunks against their manifest, and against the server that they came from
    Check(Check),
    /// Chunks into one valid COPY BINARY file
    Compact {
        /// The folder of chunks
        folder: PathBuf,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Chunks into a table folder, which joins take
    Pages(Pages),
    /// Note where rows start in chunks of which that is not known, in place of what is
    Index(Index),
    /// Write rows in memory with each placement, against copying them
    Bench(Bench),
    /// Create the tables of the Star Schema Benchmark on a server
    Ssb(Ssb),
    /// Read chunks on a GPU: check, pages, bench (the first time builds the program)
    #[command(disable_help_flag = true)]
    Gpu {
        /// See `ingest gpu --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Arguments of `ingest simulate`. The defaults are the chunk loader's (`docs/background.md`).
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

/// Arguments of `ingest load`.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The server, as "host=… user=… dbname=…" or postgresql://user@host/db; the password may come from PGPASSWORD
    #[arg(long)]
    pub dsn: String,
    /// Certificates in PEM form: connect only to a server that proves by one of them that it is the host
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The table to load, divided among the workers by its pages
    #[arg(long, conflicts_with = "query", required_unless_present = "query")]
    pub table: Option<String>,
    /// The query to load; one worker reads it
    #[arg(long)]
    pub query: Option<String>,
    /// Workers, a connection each
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub workers: u32,
    /// Chunks, a file each
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub chunks: u32,
    /// Bytes of a chunk, a multiple of the slot [default: room for several times the table]
    #[arg(long, value_name = "BYTES")]
    pub chunk_size: Option<Size>,
    /// The most that one flush writes; no row may be longer
    #[arg(long, value_name = "BYTES", default_value = "64MiB")]
    pub slot: Size,
    /// How flushes are placed
    #[arg(long, value_enum, default_value_t = Placed::Aligned)]
    pub placement: Placed,
    /// Bytes of a section for which the index has a row start
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = stride)]
    pub stride: Size,
    /// Write to mapped files instead of by system calls
    #[arg(long)]
    pub mapped: bool,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Arguments of `ingest check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The folder of chunks
    pub folder: PathBuf,
    /// Compare row count and a sum or checksum a column with this server, too
    #[arg(long)]
    pub dsn: Option<String>,
    /// Certificates in PEM form: connect only to a server that proves by one of them that it is the host
    #[arg(long, value_name = "FILE", requires = "dsn")]
    pub tls_ca: Option<PathBuf>,
    /// Also try to read the bytes without the manifest, in sections of this size, and say how often that fails
    #[arg(long, value_name = "BYTES")]
    pub overlap: Option<Size>,
}

/// Arguments of `ingest pages`.
#[derive(Debug, clap::Args)]
pub struct Pages {
    /// The folder of chunks
    pub folder: PathBuf,
    /// The table folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The table's name [default: that of the folder]
    #[arg(long)]
    pub name: Option<String>,
    /// Write numeric as INT64 in units of 10^-N instead of FP64
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=18))]
    pub numeric_decimals: Option<u8>,
}

/// Arguments of `ingest index`.
#[derive(Debug, clap::Args)]
pub struct Index {
    /// The folder of chunks
    pub folder: PathBuf,
    /// Bytes of a section for which the index has a row start
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = stride)]
    pub stride: Size,
}

/// Less would make the index large beside the rows.
const LEAST_STRIDE: u64 = 1 << 10;

fn stride(text: &str) -> Result<Size, String> {
    let stride: Size = text.parse()?;
    match stride.0 >= LEAST_STRIDE {
        true => Ok(stride),
        false => Err("a stride has at least 1 KiB".into()),
    }
}

/// Arguments of `ingest bench`.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Numbers of workers [default: 1, 2 and all]
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub workers: Vec<u32>,
    /// Bytes of rows a worker; more than the caches hold
    #[arg(long, value_name = "BYTES", default_value = "256MiB")]
    pub bytes: Size,
    /// The most that one flush writes
    #[arg(long, value_name = "BYTES", default_value = "1MiB")]
    pub slot: Size,
    /// Measurements of each
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,
    /// Seed of the order of measurements
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Folder of a report: a chart, a page, and what they are made of
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run of the same command line
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
}

/// Arguments of `ingest ssb`.
#[derive(Debug, clap::Args)]
pub struct Ssb {
    /// The server, as for `ingest load`
    #[arg(long)]
    pub dsn: String,
    /// Certificates in PEM form: connect only to a server that proves by one of them that it is the host
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// 1 has 6 million rows of lineorder
    #[arg(long, value_name = "SF", default_value_t = 0.1)]
    pub scale_factor: f64,
}

/// A placement on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Placed {
    /// Cut anywhere: splits rows, for comparison
    Packed,
    /// A fixed slot a flush, cut at a row boundary
    Aligned,
    /// Cut at a row boundary, back to back
    PackedRows,
}

impl From<Placed> for PlacementKind {
    fn from(placed: Placed) -> PlacementKind {
        match placed {
            Placed::Packed => PlacementKind::Packed,
            Placed::Aligned => PlacementKind::Aligned,
            Placed::PackedRows => PlacementKind::PackedRows,
        }
    }
}

/// Does it.
pub(crate) fn run(verb: &Verb) -> Result<(), Ending> {
    match verb {
        Verb::Simulate(args) => simulate::run(args),
        #[cfg(feature = "ingest")]
        Verb::Load(args) => load::run(args),
        #[cfg(not(feature = "ingest"))]
        Verb::Load(_) | Verb::Ssb(_) => Err(without_client()),
        #[cfg(feature = "ingest")]
        Verb::Ssb(args) => ssb::run(args),
        Verb::Index(args) => index::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Check(args) => check::run(args),
        Verb::Compact { folder, out } => compact::run(folder, out),
        Verb::Pages(args) => pages::run(args),
        Verb::Gpu { arguments } => program::run(program::GPU, "ingest gpu", arguments),
    }
}

/// What a build without the client library says.
#[cfg(not(feature = "ingest"))]
fn without_client() -> Ending {
    Ending::Usage(
        "this build has no PostgreSQL client; run cargo run -p harness --features ingest -- ingest …".into(),
    )
}

fn open(folder: &Path) -> Result<Chunks, Ending> {
    Chunks::open(folder).map_err(Ending::usage)
}

/// Opens chunks whose sections are what their manifest says. Also returns their whole rows.
fn open_verified(folder: &Path) -> Result<(Chunks, u64), Ending> {
    let chunks = open(folder)?;
    let rows = chunks.verify(&team()?).map_err(|error| of(folder, error))?;
    Ok((chunks, rows))
}

/// An error about a folder of chunks that does not name it.
fn of(folder: &Path, error: impl Display) -> Ending {
    Ending::Usage(format!("{}: {error}", folder.display()))
}

/// All processors.
fn team() -> Result<Team, Ending> {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u32);
    machine::team(threads, ThreadStart::Fresh).map_err(Ending::usage)
}
