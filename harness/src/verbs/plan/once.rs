//! `harness plan run --once`: each bundle once in a process, and warm beside it.

use std::sync::atomic::AtomicBool;

use super::folders::Named;
use super::run::{arm_line, bundle_line, failed, head};
use super::{Order, RunArgs};
use crate::console::tell;
use crate::experiment::folder::Asked;
use crate::experiment::once::{Case, Once};
use crate::experiment::plans::{Plans, case};
use crate::experiment::session::{self, Finished};
use crate::experiment::{Budget, Progress, Runner};
use crate::verbs::Ending;
use report::plans::{Kind, PlanRun, once_name};
use report::record::{ONCE, Run, WorkloadRecord};

/// Measures the bundles in fresh processes, and then in this one.
pub(super) fn measure(
    args: &RunArgs,
    asked: &Asked<'_>,
    bundles: &[Named],
    plans: &mut Plans<'_>,
    interrupted: &AtomicBool,
) -> Result<Finished, Ending> {
    let mut cases = Vec::new();
    for named in bundles {
        let bundle = named.open()?;
        let warm = case(&named.name, named.group.as_deref(), "", &bundle);
        cases.push(Case {
            record: WorkloadRecord {
                name: once_name(&named.name),
                experiment: ONCE.to_owned(),
                ..warm
            },
            folder: named.folder.clone(),
            bundle,
        });
    }
    let once = Once {
        cases,
        rounds: args.samples,
        is_seeded: args.order == Some(Order::Seeded),
        seed: asked.seed,
        interrupted,
    };
    let budget = Budget::Samples {
        variant: args.samples,
        peer: args.samples,
    };
    let passes = once.passes(plans);
    let progress = || Progress::new(passes as f64, passes + bundles.len());
    let work = |runner: &mut Runner<'_>| {
        for note in &asked.peers.notes {
            tell!("{note}");
        }
        session::variants(runner, plans.records())?;
        once.measure(runner, plans)?;
        for (named, Case { bundle, .. }) in bundles.iter().zip(&once.cases) {
            let case = case(&named.name, named.group.as_deref(), "", bundle);
            let mut bench = plans.bench(bundle);
            runner.case_unless_measured(&case, &mut bench, budget)?;
        }
        Ok(())
    };
    let finished = session::run(asked, budget, progress, interrupted, work);
    finished.map_err(Ending::Usage)
}

/// Tells what a run has measured, and whether everything of ours has answered.
pub(super) fn tell(run: &Run, bundles: &[Named]) -> Result<(), Ending> {
    let (once, warm) = (PlanRun::once(run), PlanRun::from_run(run));
    let Some(once) = once else {
        return Ok(());
    };
    let told = || once.arms.iter().filter(|arm| arm.kind != Kind::Control);
    let several = told().count() > 1;
    head("warm ms", "once ms")?;
    for named in bundles {
        for arm in told() {
            let Some(one) = arm.measured(&named.name) else {
                continue;
            };
            let warm = warm.as_ref().and_then(|warm| warm.arm(&arm.name));
            let warm = warm.and_then(|arm| arm.measured(&named.name));
            let warm = warm.map(|measured| measured.seconds.median);
            let name = if several { &arm.name } else { "" };
            bundle_line(&named.title, one, warm, name)?;
        }
    }
    for (run, how) in [(Some(&once), "each once"), (warm.as_ref(), "warm")] {
        let arms = run.into_iter().flat_map(|run| &run.arms);
        for arm in arms.filter(|arm| arm.summary.bundles > 0) {
            arm_line(run.unwrap_or(&once), arm, how)?;
        }
    }
    failed(run, &once)?;
    warm.map_or(Ok(()), |warm| failed(run, &warm))
}
