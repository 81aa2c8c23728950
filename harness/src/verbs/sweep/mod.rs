//! `--sweep` and `--ablate`: measure, record, draw.

mod folder;
mod measure;
mod peers;
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
    let items = request.items();
    let command: Vec<String> = std::env::args().skip(1).collect();
    let (folder, writer, before) = folder::open(args, &command, &request, &environment)?;
    let interrupted = interrupt_flag();
    let budget = request.budget();
    let estimate = request.estimate(&items, budget)?;
    for note in &request.peers.notes {
        eprintln!("{note}");
    }
    eprintln!("{}", estimate.text);
    let mut runner = Runner::new(
        writer,
        before,
        Bench::new(&environment, &interrupted),
        budget,
        args.seed.unwrap_or(1),
        &interrupted,
        Progress::new(estimate.seconds, items.len()),
    );
    let result = request.measure(&mut runner, &items, estimate.seconds, &environment);
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
    println!("{}", page.display());
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
    match runner.wrong() {
        0 => Ok(()),
        wrong => Err(Ending::Wrong(format!(
            "{wrong} wrong answers; they are listed in {} and not charted",
            page.display()
        ))),
    }
}
