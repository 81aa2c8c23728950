//! `--sweep` and `--ablate`: measure, record, draw.

mod measure;
mod plans;
mod request;

use std::path::PathBuf;

use super::{ALLOCATOR, Ending, interrupt_flag};
use crate::experiment::Progress;
use crate::experiment::folder::Asked;
use crate::experiment::joins::Joins;
use crate::experiment::session;
use crate::machine;
use ::report::record::Size;
use request::Request;

/// `--sweep` and `--ablate`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MeasureArgs {
    /// Measure variants over workloads and draw a report
    #[arg(long)]
    pub sweep: bool,
    /// Change one toggle at a time against the default configuration; all toggles if none is named
    #[arg(long, value_name = "TOGGLE", num_args = 0..)]
    pub ablate: Option<Vec<String>>,
    /// Small workloads: within a minute on two cores
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Workloads of full size, for as long as it takes
    #[arg(long)]
    pub full: bool,
    /// Only workloads and variants whose names match: a part of the name, or all of it with `*`; `|` between
    /// alternatives; the path of a workload file of your own
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub only: Vec<String>,
    /// Thread counts [default: 1, 2 and all]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub threads: Vec<u32>,
    /// Samples of each cell, instead of as many as there is time for
    #[arg(long, value_name = "N")]
    pub samples: Option<u32>,
    /// Seed of the synthetic data and of the order of measurements
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Other engines to measure beside the variants: names from `list peers`, or paths of folders of peers
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    pub peers: Vec<String>,
    /// Plan bundles, or folders of them, to execute in place of the plans that a sweep makes itself
    #[arg(long, value_delimiter = ',', value_name = "FOLDER,FOLDER")]
    pub plans: Vec<PathBuf>,
    /// Folder of the report [default: reports/<time and a random part>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run of the same command line
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Leave out what this machine's memory can do, which takes some seconds; then no time is held against a limit
    #[arg(long)]
    pub no_limits: bool,
    /// Measure in an unoptimised build
    #[arg(long)]
    pub allow_unoptimised: bool,
}

impl MeasureArgs {
    /// The size asked for.
    pub fn size(&self) -> Size {
        match (self.quick, self.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Default,
        }
    }
}

/// Measures and reports.
pub(crate) fn run(args: &MeasureArgs) -> Result<(), Ending> {
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
    let cases = items.len() + request.ingest_cases() + plans.len();
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
