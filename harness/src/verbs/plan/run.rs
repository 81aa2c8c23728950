//! `harness plan run`: executes bundles and says what it took.

use super::RunArgs;
use super::folders::{Named, bundles};
use super::line;
use super::measure::{Request, Rounds};
use crate::console::{one_line, tell};
use crate::files::{NewFile, NewFolder};
use crate::verbs::{ALLOCATOR, Ending, interrupt_flag};
use crate::{limits, machine};
use report::page::json;
use report::plans::{Arm, Failure, Kind, Measured, PlanRun};
use report::stats::Interval;

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
    let bundles = bundles(&args.common.bundles)?;
    let interrupted = interrupt_flag();
    let mut rounds = Rounds::new(&request, machine::environment(ALLOCATOR), &interrupted)?;
    let json_file = args.json.as_deref().map(NewFile::create).transpose();
    let json_file = json_file.map_err(|error| Ending::Usage(format!("--json: {error}")))?;
    let report_folder = args.out.as_deref().map(NewFolder::create).transpose();
    let report_folder = report_folder.map_err(|error| Ending::Usage(format!("--out: {error}")))?;
    for note in &rounds.run().notes {
        tell!("{note}");
    }
    line(&format!(
        "{:<8} {:>10}  {:<16} {:>10} {:>10} {:>21} {:>10}",
        "bundle", "rows", "checksum", "cold ms", "median ms", "95 % interval", "peak MiB"
    ))?;
    let ended = bundles
        .iter()
        .try_for_each(|named| measure(&mut rounds, named));
    let run = rounds.finish();
    if run.arms[0].bundles.is_empty() {
        return ended;
    }
    // What was measured before a wrong answer or Ctrl-C is kept.
    for arm in run.arms.iter().filter(|arm| arm.summary.bundles > 0) {
        arm_line(&run, arm)?;
    }
    if let Some(file) = json_file {
        file.write(&json(&run))
            .map_err(|error| Ending::Usage(format!("--json: {error}")))?;
    }
    if let Some(folder) = report_folder {
        report::page::write_plans(folder.path(), &run).map_err(Ending::usage)?;
        let page = report::page::draw(folder.path()).map_err(Ending::usage)?;
        line(&page.display().to_string())?;
    }
    match ended {
        Err(Ending::Interrupted(_)) => Err(Ending::Interrupted(
            "interrupted; what was measured before is kept".to_owned(),
        )),
        ended => ended.and_then(|()| failed(&run)),
    }
}

/// Measures a bundle and tells what was measured.
fn measure(rounds: &mut Rounds<'_>, named: &Named) -> Result<(), Ending> {
    let failures = rounds.run().failures.len();
    rounds.measure(&named.open()?, &named.name)?;
    bundle_lines(rounds.run(), failures)
}

/// A line for each arm, of the bundle that was measured last; its failures are those from number `failures` on.
fn bundle_lines(run: &PlanRun, failures: usize) -> Result<(), Ending> {
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
        let interval = match one.samples.len() {
            1 => "-".to_owned(),
            _ => format!("{:>10.3}…{:>10.3}", seconds.low * 1e3, seconds.high * 1e3),
        };
        let text = format!(
            "{:<8} {:>10}  {} {:>10.3} {:>10.3} {interval:>21} {peak:>10}  {name}",
            one_line(&one.bundle),
            one.rows,
            one.checksum,
            one.cold_seconds * 1e3,
            seconds.median * 1e3,
        );
        line(text.trim_end())?;
    }
    for failure in &run.failures[failures..] {
        let text = format!("{}: {}: {}", failure.bundle, failure.arm, failure.error);
        match is_ours(run, failure) {
            true => line(&one_line(&text))?,
            false => tell!("{text}"),
        }
    }
    Ok(())
}

/// Whether an executor of ours failed, not a peer.
fn is_ours(run: &PlanRun, failure: &Failure) -> bool {
    !run.of(Kind::Peer).any(|arm| arm.name == failure.arm)
}

/// The ending of a run in which an executor of ours failed.
fn failed(run: &PlanRun) -> Result<(), Ending> {
    let mut failures = run.failures.iter().filter(|failure| is_ours(run, failure));
    let Some(Failure { arm, bundle, error }) = failures.next() else {
        return Ok(());
    };
    let others = match failures.count() {
        0 => String::new(),
        others => format!("; {others} more failed, which are listed above"),
    };
    Err(Ending::Usage(format!("{bundle}: {arm}: {error}{others}")))
}

/// An arm over all bundles, and against the first one.
fn arm_line(run: &PlanRun, arm: &Arm) -> Result<(), Ending> {
    let summary = &arm.summary;
    let samples = arm.bundles.iter().flatten().map(|one| one.samples.len());
    let has_interval = samples.max() > Some(1);
    let text = |ratio: Interval| {
        let Interval { median, low, high } = ratio;
        match has_interval {
            true => format!("{median:.2} ({low:.2}…{high:.2})"),
            false => format!("{median:.2}"),
        }
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
