//! Peak memory, each variant in a process of its own.
//!
//! The harness starts itself once a workload. That process makes the data on one thread and then forks for each variant, so
//! that a variant starts with the data and nothing else: no pool, no leftovers of an allocator. Large blocks come from
//! the system and go back to it, so that the peak is what the join holds at a time.

use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use join_core::join::JoinInput;
use serde::{Deserialize, Serialize};

use super::sample::Bench;
use super::{Cell, Data};
use crate::record::{Answer, Environment, Size};
use crate::workload::Instance;

/// The verb that starts the process.
pub const VERB: &str = "__memory";

/// What to measure.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The workload.
    pub instance: &'a Instance,
    /// What names the workload: its name or the path of its file.
    pub workload: &'a str,
    /// The size of the run.
    pub size: Size,
    /// The seed of the run.
    pub seed: Option<u64>,
    /// Threads of the joins.
    pub threads: u32,
    /// The variants.
    pub variants: Vec<&'a str>,
}

/// A line that the process prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The variant.
    pub variant: String,
    /// Peak of the process above what it held before the join.
    pub peak_bytes: u64,
}

/// Starts the process and returns what it measured; variants that failed are missing.
///
/// # Errors
/// The process cannot be started, in one line.
pub fn measure(wanted: &Wanted<'_>) -> Result<Vec<Line>, String> {
    if !cfg!(target_os = "linux") {
        return Err("peaks are read from /proc, which only Linux has".to_owned());
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command
        .arg(VERB)
        .args(["--workload", wanted.workload])
        .args(["--name", &wanted.instance.name])
        .args(["--size", &wanted.size.to_string()])
        .args(["--threads", &wanted.threads.to_string()])
        .args(["--variants", &wanted.variants.join(",")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(seed) = wanted.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let output = child.stdout.take().ok_or("no standard output")?;
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let found = lines.filter_map(|line| serde_json::from_str(&line).ok());
    let found = found.collect();
    child.wait().map_err(|error| error.to_string())?;
    Ok(found)
}

/// The work of the process: prints a [`Line`] for each of `cells`.
///
/// # Errors
/// The data cannot be made or joined, or the system forks no more.
#[cfg(target_os = "linux")]
pub fn print(
    instance: &Instance,
    seed: Option<u64>,
    cells: &[Cell],
    environment: &Environment,
) -> Result<(), String> {
    let workload = instance
        .generate(seed, NonZeroUsize::MIN)
        .map_err(|error| error.to_string())?;
    let data = Data {
        record: workload.record(),
        build: &workload.build,
        probe: &workload.probe,
        pairs: false,
    };
    let input = JoinInput::new(data.build, data.probe).map_err(|error| error.to_string())?;
    for cell in cells {
        // SAFETY: this process has one thread: the data was made on it, and every join runs in a child.
        match unsafe { libc::fork() } {
            -1 => return Err(std::io::Error::last_os_error().to_string()),
            0 => {
                let status =
                    i32::from(!print_one(cell, &input, &data.record.expected, environment));
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
fn print_one(
    cell: &Cell,
    input: &JoinInput<'_>,
    expected: &Answer,
    environment: &Environment,
) -> bool {
    use std::io::Write;
    static NEVER: AtomicBool = AtomicBool::new(false);
    let (Some(before), mut bench) = (status("VmRSS"), Bench::new(environment, &NEVER)) else {
        return false;
    };
    if bench.sample(cell, input, false, expected).is_err() {
        return false;
    }
    let Some(peak) = status("VmHWM") else {
        return false;
    };
    let line = Line {
        variant: cell.name.variant.clone(),
        peak_bytes: peak.saturating_sub(before),
    };
    let Ok(text) = serde_json::to_string(&line) else {
        return false;
    };
    let mut out = std::io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
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
