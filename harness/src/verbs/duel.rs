//! `harness duel`: this build and another one in the same rounds.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::compare::is_percentage;
use super::select::select;
use super::{ALLOCATOR, Ending, interrupt_flag};
use crate::experiment::duel::revision::{self, other};
use crate::experiment::duel::{self, Case, Duel, Side};
use crate::experiment::folder::{self, Asked};
use crate::experiment::{Budget, Progress, Stop, session};
use crate::machine::{self, limits};
use crate::peers::{Found, KeyFiles};
use ::report::duel::{Outcome, findings};
use ::report::record::{SAMPLES_FILE, Size, THIS, read_run};
use ::report::stats::Verdict;
use join_core::parallel::ThreadStart;
use registry::Variant;

/// The workloads of a duel that names none: tables in the cache, many results, tables far out of it.
const WORKLOADS: [&str; 3] = ["pk-fk-1m", "n-m-4m", "pk-fk-16m"];

/// The variants of a duel that names none: the fastest family of those with a table, and of those without.
const VARIANTS: [&str; 2] = ["partitioned+batched", "partitioned-join"];

/// Arguments of `duel`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The other build: a revision, which is built, or the path of a `harness` binary
    #[arg(value_name = "OTHER")]
    pub other: String,
    /// Only workloads and variants whose names match, as of `--sweep` [default: partitioned+batched and
    /// partitioned-join on pk-fk-1m, n-m-4m and pk-fk-16m]
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub only: Vec<String>,
    /// Thread counts [default: all processors]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub threads: Vec<u32>,
    /// What the duel may take, without building the other side
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    pub seconds: f64,
    /// Exit with status 1 only if this build is slower by more than this
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub fail_over: f64,
    /// Folder of the report [default: reports/duel-<time and a random part>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seed of the synthetic data and of the order of measurements
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Small workloads
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Workloads of full size
    #[arg(long)]
    pub full: bool,
}

impl Args {
    fn size(&self) -> Size {
        match (self.quick, self.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Default,
        }
    }

    /// Thread counts that this machine can start.
    fn counts(&self, cores: u32) -> Result<Vec<u32>, Ending> {
        let mut threads = match self.threads.is_empty() {
            true => vec![cores],
            false => self.threads.clone(),
        };
        threads.sort_unstable();
        threads.dedup();
        if let Some(&wrong) = threads
            .iter()
            .find(|&&n| n == 0 || n > limits::MOST_THREADS)
        {
            return Err(Ending::usage(limits::Error::Threads(wrong)));
        }
        let most = threads.iter().copied().max().unwrap_or(1);
        machine::team(most, ThreadStart::Fresh).map_err(Ending::usage)?;
        Ok(threads)
    }
}

/// Answers a duel's lines.
pub(crate) fn serve() -> Result<(), Ending> {
    duel::serve(&machine::environment(ALLOCATOR)).map_err(Ending::usage)
}

/// Measures and reports.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    is_percentage(args.fail_over)?;
    if !(args.seconds > 0.0 && args.seconds.is_finite()) {
        return Err(Ending::Usage(format!(
            "--seconds {}: no time to measure in; 20 or more, such as --seconds 60",
            args.seconds
        )));
    }
    args.out.as_deref().map_or(Ok(()), is_free)?;
    let environment = machine::environment(ALLOCATOR);
    if !environment.optimised {
        return Err(Ending::usage(limits::Error::Unoptimised));
    }
    let threads = args.counts(environment.cores)?;
    let (instances, variants) = selected(args)?;
    let interrupted = interrupt_flag();
    let this = Side {
        label: THIS,
        name: "this build".to_owned(),
        program: std::env::current_exe().map_err(Ending::usage)?,
        commit: None,
    };
    let other = other(&args.other, &interrupted).map_err(|error| match error {
        revision::Error::Interrupted => Ending::Interrupted(error.to_string()),
        revision::Error::Refused(why) => Ending::Usage(why),
    })?;
    let began = Instant::now();
    let mut cases = Vec::new();
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for instance in instances {
        let workload = instance.generate(args.seed, cores).map_err(Ending::usage)?;
        let files = KeyFiles::write(&workload.columns, workload.condition.as_ref());
        let files = files.map_err(|error| {
            Ending::Usage(format!(
                "the data cannot be written to {}: {error}; TMPDIR names another folder",
                std::env::temp_dir().display()
            ))
        })?;
        cases.push(Case {
            record: workload.record(),
            files,
            cost: 0.0,
        });
    }
    cases.sort_by_key(|case| case.record.tuples());
    let mut duel = Duel {
        sides: [this, other],
        cases,
        variants,
        threads,
        seed: args.seed.unwrap_or(1),
        seconds: args.seconds,
        began,
        interrupted: &interrupted,
    };
    let checked = duel.check().map_err(ending)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new("reports").join(format!("duel-{}", folder::new_id().0)));
    let asked = Asked {
        out: Some(&out),
        resume: None,
        seed: duel.seed,
        size: args.size(),
        modes: vec!["duel".to_owned()],
        threads: duel.threads.clone(),
        peers: &Found::default(),
        environment: &environment,
    };
    let progress = || Progress::new(args.seconds, 1);
    let budget = Budget::Seconds(args.seconds);
    let mut refused = false;
    let finished = session::run(&asked, budget, progress, &interrupted, |runner| {
        runner.progress().workload("duel", args.seconds);
        let measured = duel.measure(runner, &checked);
        refused = matches!(measured, Err(Stop::Build(_)));
        measured
    })
    .map_err(|error| {
        if refused {
            // Half a duel against a build that fails is none.
            let _ = std::fs::remove_file(out.join(SAMPLES_FILE));
            let _ = std::fs::remove_dir(&out);
        }
        Ending::Usage(error)
    })?;
    let judged = ::report::duel::Duel::of(&read_run(&finished.folder).map_err(Ending::usage)?);
    for line in findings(&judged) {
        say!("{line}");
    }
    say!("{}", finished.page.display());
    if finished.interrupted {
        return Err(Ending::Interrupted(format!(
            "interrupted; what was measured is in {}",
            finished.page.display()
        )));
    }
    let regressed = |outcome: &Outcome| {
        outcome.verdict == Verdict::Slower && outcome.ratio.median > 1.0 + args.fail_over / 100.0
    };
    match judged
        .outcomes()
        .filter(|outcome| regressed(outcome))
        .count()
    {
        0 => Ok(()),
        _ => Err(Ending::Wrong(format!(
            "this build is slower than {} by more than {} %",
            args.other, args.fail_over
        ))),
    }
}

/// Refuses a folder that holds anything: a duel is measured in one go.
fn is_free(folder: &Path) -> Result<(), Ending> {
    let holds = std::fs::read_dir(folder).map(|mut entries| entries.next().is_some());
    match holds.unwrap_or_else(|_| folder.exists()) {
        false => Ok(()),
        true => Err(Ending::Usage(format!(
            "--out {}: it is there already; name a new folder or an empty one",
            folder.display()
        ))),
    }
}

/// How a duel ends that cannot be measured.
fn ending(stop: Stop) -> Ending {
    match stop {
        Stop::Interrupted => Ending::Interrupted("interrupted; nothing was measured".to_owned()),
        stop => Ending::usage(stop),
    }
}

/// The workloads and variants that `--only` names.
fn selected(args: &Args) -> Result<(Vec<crate::workload::Instance>, Vec<Variant>), Ending> {
    let mut only = args.only.clone();
    let named = select(&only, args.size())?;
    if !named.workloads_named {
        only.extend(WORKLOADS.map(str::to_owned));
    }
    if !named.variants_named {
        only.extend(VARIANTS.map(str::to_owned));
    }
    let selection = select(&only, args.size())?;
    if !selection.plans.is_empty() {
        return Err(Ending::usage(
            "--only: whole plans take no part in duels; name workloads of `harness list workloads`",
        ));
    }
    Ok((selection.workloads, selection.variants))
}
