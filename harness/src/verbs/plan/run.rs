//! `harness plan run`: executes bundles and says what it took.

use std::fs;

use plan_executor::Bundle;

use super::RunArgs;
use super::folders::bundles;
use super::line;
use super::measure::{Request, Rounds};
use crate::plans::{Arm, Kind, Measured, PlanRun};
use crate::report::json;
use crate::stats::Interval;
use crate::verbs::{ALLOCATOR, Ending, interrupt_flag};
use crate::{limits, machine, report};

/// Executes the bundles that the command line names.
pub(super) fn run(args: &RunArgs) -> Result<(), Ending> {
    if !machine::optimised() && !args.allow_unoptimised {
        return Err(Ending::usage(limits::Error::Unoptimised));
    }
    let request = Request {
        common: &args.common,
        executors: &args.executor,
        ablate: args.ablate.as_deref(),
        peers: &args.peers,
        samples: args.samples,
        telemetry: args.json.is_some(),
    };
    let folders = bundles(&args.common.bundles)?;
    let interrupted = interrupt_flag();
    let mut rounds = Rounds::new(&request, machine::environment(ALLOCATOR), &interrupted)?;
    for note in &rounds.run().notes {
        eprintln!("{note}");
    }
    line(&format!(
        "{:<8} {:>10}  {:<16} {:>10} {:>10} {:>21} {:>10}",
        "bundle", "rows", "checksum", "cold ms", "median ms", "95 % interval", "peak MiB"
    ))?;
    for folder in &folders {
        let bundle = Bundle::open(folder).map_err(Ending::usage)?;
        rounds.measure(&bundle, bundle.name())?;
        bundle_lines(rounds.run())?;
    }
    let run = rounds.finish();
    run.arms.iter().try_for_each(|arm| arm_line(&run, arm))?;
    if let Some(file) = &args.json {
        fs::write(file, json(&run)).map_err(|error| {
            Ending::Usage(format!(
                "cannot write {}: {error}; choose another place",
                file.display()
            ))
        })?;
    }
    if let Some(dir) = &args.out {
        report::write_plans(dir, &run).map_err(Ending::usage)?;
        let page = report::draw(dir).map_err(Ending::usage)?;
        line(&page.display().to_string())?;
    }
    Ok(())
}

/// A line for each arm, of the bundle that was measured last.
fn bundle_lines(run: &PlanRun) -> Result<(), Ending> {
    let several = run.arms.len() > 1;
    for arm in &run.arms {
        let Some(one) = arm.bundles.last().and_then(Option::as_ref) else {
            continue;
        };
        let peak = one.peak_bytes.map_or_else(
            || "-".to_owned(),
            |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
        );
        let name = if several { &arm.name } else { "" };
        let Measured { seconds, .. } = one;
        let text = format!(
            "{:<8} {:>10}  {} {:>10.3} {:>10.3} {:>10.3}…{:>10.3} {peak:>10}  {name}",
            one.bundle,
            one.rows,
            one.checksum,
            one.cold_seconds * 1e3,
            seconds.median * 1e3,
            seconds.low * 1e3,
            seconds.high * 1e3,
        );
        line(text.trim_end())?;
    }
    let bundles = run.arms[0].bundles.len();
    for failure in &run.failures {
        let last = run.arms[0].bundles[bundles - 1].as_ref();
        if last.is_some_and(|last| last.bundle == failure.bundle) {
            eprintln!("{}: {}: {}", failure.bundle, failure.arm, failure.error);
        }
    }
    Ok(())
}

/// An arm over all bundles, and against the first one.
fn arm_line(run: &PlanRun, arm: &Arm) -> Result<(), Ending> {
    let summary = &arm.summary;
    let text = |ratio: Interval| {
        let Interval { median, low, high } = ratio;
        format!("{median:.2} ({low:.2}…{high:.2})")
    };
    let ratio = summary.over_first.map_or_else(String::new, |over| {
        let kind = match arm.kind {
            Kind::Executor | Kind::Ablation | Kind::Control => "time over",
            Kind::Peer => "time on the same bundles over",
        };
        format!(
            "; {kind} that of {}: total {}, geometric mean {}",
            run.arms[0].name,
            text(over.total),
            text(over.geometric_mean)
        )
    });
    line(&format!(
        "{} bundles, {} with {} threads: total {:.1} ms, geometric mean {:.3} ms, cold first runs {:.1} ms{ratio}",
        summary.bundles,
        arm.name,
        run.threads,
        summary.total_seconds * 1e3,
        summary.geometric_mean_seconds * 1e3,
        summary.cold_total_seconds * 1e3,
    ))
}
