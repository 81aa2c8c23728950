//! `harness plan run`: executes bundles and says what it took.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use join_core::checksum::Checksum;
use plan_executor::{Bundle, Telemetry};
use registry::EXECUTORS;
use serde::Serialize;

use super::RunArgs;
use super::executor::Bench;
use super::folders::bundles;
use crate::stats::{Interval, interval};
use crate::verbs::Ending;
use crate::{limits, machine};

/// What was measured of one bundle.
#[derive(Debug, Serialize)]
struct Measured {
    bundle: String,
    rows: u64,
    checksum: Checksum,
    /// Of the first run: nothing of this bundle is in a cache, no memory has been touched for it.
    cold_seconds: f64,
    seconds: Interval,
    samples: Vec<f64>,
    peak_bytes: usize,
    telemetry: Telemetry,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    executor: &'a str,
    threads: u32,
    bundles: &'a [Measured],
    total_seconds: f64,
    geometric_mean_seconds: f64,
    cold_total_seconds: f64,
}

/// Executes the bundles that the command line names.
pub(super) fn run(args: &RunArgs) -> Result<(), Ending> {
    if !machine::optimised() && !args.allow_unoptimised {
        return Err(Ending::usage(limits::Error::Unoptimised));
    }
    if args.samples == 0 {
        return Err(Ending::usage("--samples 0: give at least 1"));
    }
    let name = args.executor.as_deref().unwrap_or(EXECUTORS[0].name);
    let bench = Bench::new(name, &args.common)?;
    let mut all = Vec::new();
    line(&format!(
        "{:<8} {:>10}  {:<16} {:>10} {:>10} {:>21} {:>10}",
        "bundle", "rows", "checksum", "cold ms", "median ms", "95 % interval", "peak MiB"
    ))?;
    for folder in bundles(&args.common.bundles)? {
        let measured = measure(&bench, &folder, args.samples)?;
        line(&format!(
            "{:<8} {:>10}  {} {:>10.3} {:>10.3} {:>10.3}…{:>10.3} {:>10.1}",
            measured.bundle,
            measured.rows,
            measured.checksum,
            measured.cold_seconds * 1e3,
            measured.seconds.median * 1e3,
            measured.seconds.low * 1e3,
            measured.seconds.high * 1e3,
            measured.peak_bytes as f64 / f64::from(1 << 20),
        ))?;
        all.push(measured);
    }
    let sum = |of: fn(&Measured) -> f64| all.iter().map(of).sum::<f64>();
    let report = Report {
        executor: bench.name,
        threads: bench.threads,
        total_seconds: sum(|measured| measured.seconds.median),
        geometric_mean_seconds: (sum(|measured| measured.seconds.median.ln()) / all.len() as f64)
            .exp(),
        cold_total_seconds: sum(|measured| measured.cold_seconds),
        bundles: &all,
    };
    line(&format!(
        "{} bundles, {} with {} threads: total {:.1} ms, geometric mean {:.3} ms, cold first runs {:.1} ms",
        all.len(),
        report.executor,
        report.threads,
        report.total_seconds * 1e3,
        report.geometric_mean_seconds * 1e3,
        report.cold_total_seconds * 1e3,
    ))?;
    if let Some(file) = &args.json {
        let text = serde_json::to_vec_pretty(&report).map_err(Ending::usage)?;
        fs::write(file, text).map_err(|error| {
            Ending::Usage(format!(
                "cannot write {}: {error}; choose another place",
                file.display()
            ))
        })?;
    }
    Ok(())
}

fn measure(bench: &Bench, folder: &Path, samples: u32) -> Result<Measured, Ending> {
    let bundle = Bundle::open(folder).map_err(Ending::usage)?;
    let execute = || {
        let start = Instant::now();
        let (execution, peak) = bench
            .execute(&bundle)
            .map_err(|error| Ending::Usage(format!("{}: {error}", folder.display())))?;
        Ok((start.elapsed().as_secs_f64(), execution, peak))
    };
    let (cold_seconds, first, mut peak_bytes) = execute()?;
    let answer = (first.result.rows(), first.result.checksum());
    drop(first);
    let mut times = Vec::new();
    let mut telemetry = Telemetry::default();
    for _ in 0..samples {
        let (seconds, execution, peak) = execute()?;
        let again = (execution.result.rows(), execution.result.checksum());
        if again != answer {
            return Err(Ending::Wrong(format!(
                "{}: {} rows with checksum {}, and before {} rows with {}",
                folder.display(),
                again.0,
                again.1,
                answer.0,
                answer.1
            )));
        }
        times.push(seconds);
        peak_bytes = peak_bytes.max(peak);
        telemetry = execution.telemetry;
    }
    let (rows, checksum) = answer;
    Ok(Measured {
        bundle: bundle.name().to_owned(),
        rows,
        checksum,
        cold_seconds,
        seconds: interval(&times, bundle.name()).ok_or_else(|| Ending::usage("no samples"))?,
        samples: times,
        peak_bytes,
        telemetry,
    })
}

/// Prints a line; a reader that has seen enough is no error.
fn line(text: &str) -> Result<(), Ending> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Ending::Usage(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}
