//! `harness plan run`: executes bundles and says what it took.
//!
//! What is compared (executors, or techniques left out one at a time) is executed in turns on each bundle, so that drift
//! of the machine hits all alike.

use std::fs;
use std::path::Path;
use std::time::Instant;

use join_core::checksum::Checksum;
use plan_executor::{Bundle, Options, Telemetry};
use serde::Serialize;

use super::RunArgs;
use super::executor::{Bench, POOL};
use super::executors::EXECUTORS;
use super::folders::bundles;
use super::line;
use crate::stats::{Interval, geometric_mean, interval, paired_ratio};
use crate::verbs::Ending;
use crate::{limits, machine};

/// What was measured of one bundle with one executor.
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

/// What was measured of one executor.
#[derive(Debug, Serialize)]
struct Arm {
    name: String,
    threads: u32,
    bundles: Vec<Measured>,
    total_seconds: f64,
    geometric_mean_seconds: f64,
    cold_total_seconds: f64,
    /// Time over the first executor's, paired in rounds, geometric mean over the bundles.
    ratio: Option<Interval>,
}

/// Executes the bundles that the command line names.
pub(super) fn run(args: &RunArgs) -> Result<(), Ending> {
    if !machine::optimised() && !args.allow_unoptimised {
        return Err(Ending::usage(limits::Error::Unoptimised));
    }
    if args.samples == 0 {
        return Err(Ending::usage("--samples 0: give at least 1"));
    }
    let benches = benches(args)?;
    let mut measured: Vec<Vec<Measured>> = benches.iter().map(|_| Vec::new()).collect();
    line(&format!(
        "{:<8} {:>10}  {:<16} {:>10} {:>10} {:>21} {:>10}",
        "bundle", "rows", "checksum", "cold ms", "median ms", "95 % interval", "peak MiB"
    ))?;
    for folder in bundles(&args.common.bundles)? {
        let of_bundle = measure(&benches, &folder, args.samples)?;
        for ((bench, one), all) in benches.iter().zip(of_bundle).zip(&mut measured) {
            let name = if benches.len() > 1 {
                &bench.name[..]
            } else {
                ""
            };
            let text = format!(
                "{:<8} {:>10}  {} {:>10.3} {:>10.3} {:>10.3}…{:>10.3} {:>10.1}  {name}",
                one.bundle,
                one.rows,
                one.checksum,
                one.cold_seconds * 1e3,
                one.seconds.median * 1e3,
                one.seconds.low * 1e3,
                one.seconds.high * 1e3,
                one.peak_bytes as f64 / f64::from(1 << 20),
            );
            line(text.trim_end())?;
            all.push(one);
        }
    }
    let mut arms: Vec<Arm> = Vec::new();
    for (bench, bundles) in benches.iter().zip(measured) {
        let ratio = arms
            .first()
            .and_then(|first| ratio(&bundles, &first.bundles));
        arms.push(arm(bench, bundles, ratio));
    }
    for arm in &arms {
        let ratio = arm.ratio.map(|ratio| {
            let Interval { median, low, high } = ratio;
            format!(", {median:.2} ({low:.2}…{high:.2}) of the first one's time")
        });
        line(&format!(
            "{} bundles, {} with {} threads: total {:.1} ms, geometric mean {:.3} ms, cold first runs {:.1} ms{}",
            arm.bundles.len(),
            arm.name,
            arm.threads,
            arm.total_seconds * 1e3,
            arm.geometric_mean_seconds * 1e3,
            arm.cold_total_seconds * 1e3,
            ratio.unwrap_or_default(),
        ))?;
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_vec_pretty(&arms).map_err(Ending::usage)?;
        fs::write(file, text).map_err(|error| {
            Ending::Usage(format!(
                "cannot write {}: {error}; choose another place",
                file.display()
            ))
        })?;
    }
    Ok(())
}

/// The executors of the command line; for an ablation the first one again for each technique, without it.
fn benches(args: &RunArgs) -> Result<Vec<Bench>, Ending> {
    let default = [EXECUTORS[0].name.to_owned()];
    let names = match &args.executor[..] {
        [] => &default[..],
        names => names,
    };
    let mut benches = names
        .iter()
        .map(|name| Bench::new(name, &args.common))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(techniques) = &args.ablate {
        let all = Options::NAMES.iter().map(|(name, _)| (*name).to_owned());
        let techniques = match &techniques[..] {
            [] => all.chain([POOL.to_owned()]).collect(),
            techniques => techniques.to_vec(),
        };
        for technique in techniques {
            let mut common = args.common.clone();
            common.without.push(technique);
            benches.push(Bench::new(&names[0], &common)?);
        }
    }
    Ok(benches)
}

fn arm(bench: &Bench, bundles: Vec<Measured>, ratio: Option<Interval>) -> Arm {
    let sum = |of: fn(&Measured) -> f64| bundles.iter().map(of).sum::<f64>();
    let logarithms = sum(|measured| measured.seconds.median.ln());
    Arm {
        name: bench.name.clone(),
        threads: bench.threads,
        total_seconds: sum(|measured| measured.seconds.median),
        geometric_mean_seconds: (logarithms / bundles.len() as f64).exp(),
        cold_total_seconds: sum(|measured| measured.cold_seconds),
        ratio,
        bundles,
    }
}

/// The geometric mean over the bundles of the ratios of times, paired in rounds.
fn ratio(over: &[Measured], under: &[Measured]) -> Option<Interval> {
    let rounds = |measured: &Measured| -> Vec<(u32, f64)> {
        (0..).zip(measured.samples.iter().copied()).collect()
    };
    let pairs = over.iter().zip(under);
    let ratios = pairs.filter_map(|(a, b)| paired_ratio(rounds(a), rounds(b), &a.bundle));
    geometric_mean(&ratios.collect::<Vec<_>>())
}

/// Executes a bundle with each executor in turn, in rounds, of which the first is cold.
fn measure(benches: &[Bench], folder: &Path, samples: u32) -> Result<Vec<Measured>, Ending> {
    let bundle = Bundle::open(folder).map_err(Ending::usage)?;
    let mut all: Vec<Measured> = Vec::new();
    for round in 0..=samples {
        for (nth, bench) in benches.iter().enumerate() {
            let start = Instant::now();
            let executed = bench.execute(&bundle);
            let seconds = start.elapsed().as_secs_f64();
            let (execution, peak) = executed
                .map_err(|error| Ending::Usage(format!("{}: {error}", folder.display())))?;
            let answer = (execution.result.rows(), execution.result.checksum());
            if let Some(first) = all.first()
                && (first.rows, first.checksum) != answer
            {
                return Err(Ending::Wrong(format!(
                    "{}: {} yields {} rows with checksum {}, and {} rows with {} before",
                    folder.display(),
                    bench.name,
                    answer.0,
                    answer.1,
                    first.rows,
                    first.checksum
                )));
            }
            if round == 0 {
                all.push(Measured {
                    bundle: bundle.name().to_owned(),
                    rows: answer.0,
                    checksum: answer.1,
                    cold_seconds: seconds,
                    seconds: Interval {
                        median: seconds,
                        low: seconds,
                        high: seconds,
                    },
                    samples: Vec::new(),
                    peak_bytes: peak,
                    telemetry: execution.telemetry,
                });
            } else {
                let measured = &mut all[nth];
                measured.samples.push(seconds);
                measured.peak_bytes = measured.peak_bytes.max(peak);
                measured.telemetry = execution.telemetry;
            }
        }
    }
    for measured in &mut all {
        if let Some(seconds) = interval(&measured.samples, &measured.bundle) {
            measured.seconds = seconds;
        }
    }
    Ok(all)
}
