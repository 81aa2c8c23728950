//! `--sweep` and `--ablate`: measure, record, draw.

mod measure;
mod plans;
mod request;

use super::{ALLOCATOR, Ending, interrupt_flag};
use crate::cli::MeasureArgs;
use crate::experiment::Progress;
use crate::experiment::folder::Asked;
use crate::experiment::joins::Joins;
use crate::experiment::session;
use crate::machine;
use request::Request;

/// Measures and reports.
pub(super) fn run(args: &MeasureArgs) -> Result<(), Ending> {
    let environment = machine::environment(ALLOCATOR);
    let request = Request::new(args, &environment)?;
    let items = request.items();
    Request::check(&items)?;
    let interrupted = interrupt_flag();
    let mut plans = plans::Selected::new(&request, &environment, &interrupted)?;
    let budget = request.budget();
    let estimate = request.estimate(&items, budget)?;
    let modes = [(args.sweep, "sweep"), (args.ablate.is_some(), "ablate")];
    let modes = modes.into_iter().filter(|(on, _)| *on);
    let asked = Asked {
        out: args.out.as_deref(),
        resume: args.resume.as_deref(),
        seed: args.seed.unwrap_or(1),
        size: args.size(),
        modes: modes.map(|(_, mode)| mode.to_owned()).collect(),
        threads: request.threads.clone(),
        peers: &request.peers,
        environment: &environment,
    };
    let cases = items.len() + plans.len();
    let progress = || Progress::new(estimate.seconds, cases);
    let finished = session::run(&asked, budget, progress, &interrupted, |runner| {
        for note in &request.peers.notes {
            runner.progress().say(note);
        }
        let then = match plans.len() {
            0 => "",
            _ => "; then whole plans",
        };
        runner.progress().say(&format!("{}{then}", estimate.text));
        let mut joins = Joins::new(&environment, &interrupted);
        request.measure(runner, &mut joins, &items, estimate.seconds, &environment)?;
        drop(joins);
        request.ingest(runner)?;
        plans.measure(runner)
    })
    .map_err(Ending::Usage)?;
    finished.conclude()
}
