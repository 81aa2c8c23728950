//! `harness plan run`: executes bundles and says what it took.

use plan_executor::Telemetry;

use super::folders::{Named, bundles};
use super::line;
use super::{RunArgs, once};
use crate::console::{one_line, tell};
use crate::experiment::folder::Asked;
use crate::experiment::plans::{Plans, case};
use crate::experiment::session::{self, Finished};
use crate::experiment::{Budget, Progress, Runner, Stop};
use crate::files::NewFile;
use crate::machine::{self, limits};
use crate::peers::Found;
use crate::verbs::{ALLOCATOR, Ending, interrupt_flag};
use report::html::json;
use report::plans::{Arm, Failure, Kind, Measured, PlanRun};
use report::record::{FailureRecord, Run, Size, read_run};
use report::stats::Interval;

/// Executes the bundles that the command line names.
pub(super) fn run(args: &RunArgs) -> Result<(), Ending> {
    if !machine::optimised() && !args.allow_unoptimised {
        return Err(Ending::usage(limits::Error::Unoptimised));
    }
    if args.samples == 0 {
        return Err(Ending::usage("--samples 0: give at least 1"));
    }
    let bundles = bundles(&args.common.bundles)?;
    let environment = machine::environment(ALLOCATOR);
    let equipment = args.common.equipment()?;
    let interrupted = interrupt_flag();
    let peers = Found::of_plans(&args.peers, &environment, false).map_err(Ending::Usage)?;
    let ablate = args.ablate.as_deref();
    let plans = Plans::new(
        &args.executor,
        &equipment,
        ablate,
        &peers.setups,
        &interrupted,
    );
    let mut plans = plans.map_err(Ending::Usage)?;
    let json_file = args.json.as_deref().map(NewFile::create).transpose();
    let json_file = json_file.map_err(|error| Ending::Usage(format!("--json: {error}")))?;
    // Without a place for it the report is made all the same, and goes.
    let nowhere = tempfile::tempdir().map_err(Ending::usage)?;
    let passing = nowhere.path().join("run");
    let is_kept = args.out.is_some() || args.resume.is_some();
    let asked = Asked {
        out: args.out.as_deref().or((!is_kept).then_some(&passing)),
        resume: args.resume.as_deref(),
        seed: args.seed.unwrap_or(1),
        size: Size::Full,
        modes: vec![if args.once { "once" } else { "plans" }.to_owned()],
        threads: vec![plans.threads()],
        peers: &peers,
        environment: &environment,
    };
    let budget = Budget::Samples {
        variant: args.samples,
        peer: args.samples,
    };
    if args.once {
        let finished = once::measure(args, &asked, &bundles, &mut plans, &interrupted)?;
        let run = read_run(&finished.folder).map_err(Ending::usage)?;
        let outcome = once::tell(&run, &bundles);
        return ended(&finished, is_kept, outcome);
    }
    let mut said = Said::default();
    let work = |runner: &mut Runner<'_>| {
        for note in &peers.notes {
            tell!("{note}");
        }
        said.result = head("cold ms", "median ms");
        session::variants(runner, plans.records())?;
        for named in &bundles {
            measure(runner, &mut plans, named, budget, &mut said)?;
        }
        Ok(())
    };
    let finished = session::run(&asked, budget, Progress::silent, &interrupted, work);
    let finished = finished.map_err(Ending::Usage)?;
    std::mem::replace(&mut said.result, Ok(()))?;
    let run = read_run(&finished.folder).map_err(Ending::usage)?;
    let mut plans = PlanRun::from_run(&run).ok_or_else(|| {
        Ending::Interrupted("interrupted before anything was measured".to_owned())
    })?;
    for arm in plans.arms.iter().filter(|arm| arm.summary.bundles > 0) {
        let cold = arm.summary.cold_total_seconds * 1e3;
        arm_line(&plans, arm, &format!("cold first runs {cold:.1} ms"))?;
    }
    if let Some(file) = json_file {
        said.add_telemetry(&mut plans).map_err(Ending::usage)?;
        file.write(&json(&plans))
            .map_err(|error| Ending::Usage(format!("--json: {error}")))?;
    }
    ended(&finished, is_kept, failed(&run, &plans))
}

/// How a run ends whose executors have failed or not.
fn ended(finished: &Finished, is_kept: bool, failed: Result<(), Ending>) -> Result<(), Ending> {
    match finished.interrupted {
        _ if is_kept => finished.say_page().and(failed),
        true => Err(Ending::Interrupted(
            "interrupted; what was measured before is kept".to_owned(),
        )),
        false => failed,
    }
}

/// What was printed of the bundles, and what their executions did.
struct Said {
    /// Whether somebody reads it.
    result: Result<(), Ending>,
    /// By bundle, of each contender's last execution.
    telemetry: Vec<(String, Vec<Option<Telemetry>>)>,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            result: Ok(()),
            telemetry: Vec::new(),
        }
    }
}

impl Said {
    /// Fills in what each arm's last execution did.
    fn add_telemetry(&self, plans: &mut PlanRun) -> serde_json::Result<()> {
        for (number, arm) in plans.arms.iter_mut().enumerate() {
            for measured in arm.bundles.iter_mut().flatten() {
                let found = self.telemetry.iter().find(|of| of.0 == measured.bundle);
                if let Some(telemetry) = found.and_then(|of| of.1.get(number)?.as_ref()) {
                    measured.telemetry = Some(serde_json::to_value(telemetry)?);
                }
            }
        }
        Ok(())
    }
}

/// Measures a bundle and tells what was measured.
fn measure(
    runner: &mut Runner<'_>,
    plans: &mut Plans<'_>,
    named: &Named,
    budget: Budget,
    said: &mut Said,
) -> Result<(), Stop> {
    let bundle = named
        .open()
        .map_err(|ending| Stop::Workload(named.name.clone(), ending.to_string()))?;
    let case = case(&named.name, named.group.as_deref(), "", &bundle);
    let mut bench = plans.bench(&bundle);
    runner.case_unless_measured(&case, &mut bench, budget)?;
    said.telemetry
        .push((named.name.clone(), bench.telemetry().to_vec()));
    let run = only(read_run(runner.folder())?, &named.name);
    if let (Ok(()), Some(plans)) = (&said.result, PlanRun::from_run(&run)) {
        said.result = bundle_lines(&plans, named);
    }
    Ok(())
}

/// What a run has of one workload.
fn only(mut run: Run, workload: &str) -> Run {
    run.workloads.retain(|w| w.name == workload);
    run.schedules.retain(|s| s.workload == workload);
    run.samples.retain(|s| s.workload == workload);
    run.failures.retain(|f| f.workload == workload);
    run
}

/// The heads of the columns of [`bundle_line`].
pub(super) fn head(beside: &str, median: &str) -> Result<(), Ending> {
    line(&format!(
        "{:<8} {:>10}  {:<16} {:>10} {:>10} {:>21} {:>10}",
        "bundle", "rows", "checksum", beside, median, "95 % interval", "peak MiB"
    ))
}

/// What an arm, which is named where there are several, has measured of a bundle, and what it took `beside`.
pub(super) fn bundle_line(
    title: &str,
    one: &Measured,
    beside: Option<f64>,
    arm: &str,
) -> Result<(), Ending> {
    let peak = one.peak_bytes.map_or_else(
        || "-".to_owned(),
        |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
    );
    let Measured { seconds, .. } = one;
    let interval = match one.samples.len() {
        1 => "-".to_owned(),
        _ => format!("{:>10.3}…{:>10.3}", seconds.low * 1e3, seconds.high * 1e3),
    };
    let beside = beside.map_or_else(|| "-".to_owned(), |seconds| format!("{:.3}", seconds * 1e3));
    let text = format!(
        "{:<8} {:>10}  {} {beside:>10} {:>10.3} {interval:>21} {peak:>10}  {arm}",
        one_line(title),
        one.rows,
        one.checksum,
        seconds.median * 1e3,
    );
    line(text.trim_end())
}

/// A line for each arm on the one bundle of a run.
fn bundle_lines(run: &PlanRun, named: &Named) -> Result<(), Ending> {
    let told = || run.arms.iter().filter(|arm| arm.kind != Kind::Control);
    let several = told().count() > 1;
    for arm in told() {
        let Some(one) = arm.bundles.first().and_then(Option::as_ref) else {
            continue;
        };
        let name = if several { &arm.name } else { "" };
        bundle_line(&named.title, one, Some(one.cold_seconds), name)?;
    }
    for failure in &run.failures {
        let text = format!("{}: {}: {}", named.title, failure.arm, failure.error);
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
pub(super) fn failed(run: &Run, plans: &PlanRun) -> Result<(), Ending> {
    let mut failures = plans
        .failures
        .iter()
        .filter(|failure| is_ours(plans, failure));
    let wrong = run.failures.iter().filter(|failure| failure.wrong);
    let mut wrong =
        wrong.filter(|failure| run.variant(&failure.variant).is_some_and(|v| !v.is_peer()));
    if let Some(failure) = wrong.next() {
        let FailureRecord {
            workload,
            variant,
            error,
            ..
        } = failure;
        return Err(Ending::Wrong(format!("{workload}: {variant}: {error}")));
    }
    let Some(Failure { arm, bundle, error }) = failures.next() else {
        return Ok(());
    };
    let others = match failures.count() {
        0 => String::new(),
        others => format!("; {others} more failed, which are listed above"),
    };
    Err(Ending::Usage(format!("{bundle}: {arm}: {error}{others}")))
}

/// An arm over all bundles, and against the first one, with what else there is to say of its times.
pub(super) fn arm_line(run: &PlanRun, arm: &Arm, more: &str) -> Result<(), Ending> {
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
        "{} bundles, {} with {} threads: total {:.1} ms, geometric mean {:.3} ms, {more}{ratio}",
        summary.bundles,
        arm.name,
        run.threads,
        summary.total_seconds * 1e3,
        summary.geometric_mean_seconds * 1e3,
    ))
}
