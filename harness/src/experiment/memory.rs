//! Peak memory, each variant in a process of its own.
//!
//! The harness starts itself once a workload. That process makes the data on one thread and then forks for each variant, so
//! that a variant starts with the data and nothing else: no pool, no leftovers of an allocator. Large blocks come from
//! the system and go back to it, so that the peak is what the join holds at a time.

use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::joins::Joins;
use super::{Bench, Cell, Data};
use crate::workload::{Instance, Origin};
use report::record::{Environment, Size, WorkloadRecord};

/// The verb that starts the process.
pub const VERB: &str = "__memory";

/// What to measure: what the process reads from its standard input. It has the workload's file itself, as no name tells a
/// file of one's own from another of that name, and what is at a path may have become another file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The workload's file.
    pub origin: Origin,
    /// What the run knows of its data.
    pub record: WorkloadRecord,
    /// The size of the run.
    pub size: Size,
    /// The seed of the run.
    pub seed: Option<u64>,
    /// Threads of the joins.
    pub threads: u32,
    /// The variants.
    pub variants: Vec<String>,
}

/// A line that the process prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Peak(Peak),
    /// The data are not those of the run any more, and in what.
    Changed(String),
    /// Why there are no more peaks.
    Failed(String),
}

/// What was measured of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// The variant.
    pub variant: String,
    /// Peak of the process above what it held before the join.
    pub peak_bytes: u64,
}

/// Why there are no peaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data are not those of the run any more, and in what.
    #[error("its data are others now: {0}")]
    Changed(String),
    /// The process did not start, or did not do its work: one line.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Starts the process and returns what it measured; variants that failed are missing.
///
/// # Errors
/// The process does not do its work, or finds other data.
pub fn measure(wanted: &Wanted) -> Result<Vec<Peak>, Error> {
    if !cfg!(target_os = "linux") {
        return Err(Error::failed(
            "peaks are read from /proc, which only Linux has",
        ));
    }
    let wanted = serde_json::to_vec(wanted).map_err(Error::failed)?;
    let program = std::env::current_exe().map_err(Error::failed)?;
    let mut child = Command::new(program)
        .arg(VERB)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::failed)?;
    // It reads all before it prints anything; that it has ended shows in its status.
    let _ = child.stdin.take().expect("piped above").write_all(&wanted);
    let output = child.stdout.take().expect("piped above");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let found: Result<Vec<Peak>, Error> = lines
        .by_ref()
        .filter_map(|line| serde_json::from_str(&line).ok())
        .map(|line| match line {
            Line::Peak(peak) => Ok(peak),
            Line::Changed(what) => Err(Error::Changed(what)),
            Line::Failed(error) => Err(Error::Failed(error)),
        })
        .collect();
    let status = child.wait().map_err(Error::failed)?;
    match status.success() {
        true => found,
        false => found.and(Err(Error::Failed(format!(
            "its process ended with {status}"
        )))),
    }
}

/// Says why there are no more peaks.
///
/// # Errors
/// Nobody reads it.
pub fn fail(error: &str) -> Result<(), String> {
    print_line(&Line::Failed(error.to_owned()))
}

/// The work of the process: prints a line for each of `cells`, or that the data are not those of `wanted`.
///
/// # Errors
/// The data cannot be made or joined, or the system forks no more.
#[cfg(target_os = "linux")]
pub fn print(
    instance: &Instance,
    wanted: &Wanted,
    cells: Vec<Cell>,
    environment: &Environment,
) -> Result<(), String> {
    let workload = instance
        .generate(wanted.seed, NonZeroUsize::MIN)
        .map_err(|error| error.to_string())?;
    let data = Data {
        record: workload.record(),
        columns: &workload.columns,
        condition: workload.condition.as_ref(),
        payload: workload.payload.as_ref(),
        pairs: false,
    };
    if let Some(change) = wanted.record.change(&data.record) {
        return print_line(&Line::Changed(change));
    }
    for cell in cells {
        // SAFETY: this process has one thread: the data was made on it, and every join runs in a child.
        match unsafe { libc::fork() } {
            -1 => return Err(std::io::Error::last_os_error().to_string()),
            0 => {
                let status = i32::from(print_one(cell, &data, environment).is_none());
                // SAFETY: ends the child at once, without the handlers of its parent.
                unsafe { libc::_exit(status) }
            }
            child => {
                let mut status = 0;
                // SAFETY: `child` is a child of this process, and `status` is written before it is left.
                unsafe { libc::waitpid(child, &raw mut status, 0) };
            }
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn print_one(cell: Cell, data: &Data<'_>, environment: &Environment) -> Option<()> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let variant = cell.contender.name.variant.clone();
    let before = status("VmRSS")?;
    let mut joins = Joins::new(environment, &NEVER);
    let measured = joins.bench(data, vec![cell]).ok()?.sample(0, 1).ok()?;
    if Some(measured.answer) != data.record.expected {
        return None;
    }
    let peak = Peak {
        variant,
        peak_bytes: status("VmHWM")?.saturating_sub(before),
    };
    print_line(&Line::Peak(peak)).ok()
}

fn print_line(line: &Line) -> Result<(), String> {
    let text = serde_json::to_string(line).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())
}

/// A field of this process' status, in bytes.
#[cfg(target_os = "linux")]
fn status(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line
        .strip_prefix(':')?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some(kib << 10)
}
