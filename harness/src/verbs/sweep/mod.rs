//! `--sweep` and `--ablate`: measure, record, draw.

mod folder;
mod measure;
mod peers;
mod plans;
mod request;

use jiff::Timestamp;

use super::{ALLOCATOR, Ending, interrupt_flag};
use crate::cli::MeasureArgs;
use crate::measure::{Bench, Progress, Runner, Stop};
use crate::record::{EndRecord, Record};
use crate::{machine, report};
use request::Request;

/// Measures and reports.
pub(super) fn run(args: &MeasureArgs) -> Result<(), Ending> {
    let environment = machine::environment(ALLOCATOR);
    let request = Request::new(args, &environment)?;
    let plans = plans::Plans::new(&request)?;
    let items = request.items();
    let command: Vec<String> = std::env::args().skip(1).collect();
    let (folder, writer, before) = folder::open(args, &command, &request, &environment)?;
    let interrupted = interrupt_flag();
    let budget = request.budget();
    let estimate = request.estimate(&items, budget)?;
    for note in &request.peers.notes {
        eprintln!("{note}");
    }
    let then = if plans.is_empty() {
        ""
    } else {
        "; then whole plans"
    };
    eprintln!("{}{then}", estimate.text);
    let mut runner = Runner::new(
        writer,
        before,
        Bench::new(&environment, &interrupted),
        budget,
        args.seed.unwrap_or(1),
        &interrupted,
        Progress::new(
            estimate.seconds,
            items.len() + usize::from(!plans.is_empty()),
        ),
    );
    let result = request.measure(&mut runner, &items, estimate.seconds, &environment);
    let of_plans = match result {
        Ok(()) if !plans.is_empty() => {
            let progress = runner.progress();
            progress.workload("plans", 0.0);
            let tell = |plan: &str| progress.step(1.0, plan);
            let measured = plans.measure(&request, &environment, &folder, &interrupted, tell);
            progress.done("executors");
            measured
        }
        _ => Ok(()),
    };
    let result = match &of_plans {
        Err(Ending::Interrupted(_)) => Err(Stop::Interrupted),
        _ => result,
    };
    let complete = match &result {
        Ok(()) => true,
        Err(Stop::Interrupted) => false,
        Err(_) => {
            runner.progress().finish();
            return result.map_err(Ending::usage);
        }
    };
    let end = Record::End(EndRecord {
        complete,
        finished: Timestamp::now().to_string(),
    });
    runner.record(&end, |_| false).map_err(Ending::usage)?;
    runner.progress().finish();
    let page = report::draw(&folder).map_err(Ending::usage)?;
    say!("{}", page.display());
    if !complete {
        return Err(Ending::Interrupted(format!(
            "interrupted; what was measured is in {}, and --resume {} with the same options goes on",
            page.display(),
            folder.display()
        )));
    }
    if runner.failed() > 0 {
        eprintln!(
            "{} measurements failed; the report lists them",
            runner.failed()
        );
    }
    of_plans?;
    match runner.wrong() {
        0 => Ok(()),
        wrong => Err(Ending::Wrong(format!(
            "{wrong} wrong answers; they are listed in {} and not charted",
            page.display()
        ))),
    }
}
