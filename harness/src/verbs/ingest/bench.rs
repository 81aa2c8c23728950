//! `harness ingest bench`: placements against copying.

use std::thread;

use super::super::{ALLOCATOR, Ending, interrupt_flag};
use super::Bench;
use crate::console::tell;
use crate::experiment::folder::Asked;
use crate::experiment::ingest::{Volume, measure};
use crate::experiment::{Budget, Progress, session};
use crate::machine::{self, limits};
use crate::peers::Found;
use report::charts::scale::{self, percent};
use report::record::{Size, read_run};
use report::summary::{IngestSummary, summarise};

/// Each flush is described in memory, too.
const LEAST_SLOT: u64 = 4 << 10;

pub(super) fn run(args: &Bench) -> Result<(), Ending> {
    let mut workers = args.workers.clone();
    if workers.is_empty() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        workers = limits::default_threads(cores as u32);
    }
    // Rows, what they are copied to, and chunks with as much address space again.
    let most = workers.iter().max().copied().unwrap_or(1);
    let needed = args.bytes.0.saturating_mul(4 * u64::from(most));
    let memory = machine::environment("").memory_bytes;
    if needed > memory {
        return Err(Ending::Usage(format!(
            "--bytes {} for {most} workers takes {} of memory, of which there is {}; lower one of them",
            scale::bytes(args.bytes.0 as f64),
            scale::bytes(needed as f64),
            scale::bytes(memory as f64)
        )));
    }
    if args.slot.0 < LEAST_SLOT {
        return Err(Ending::Usage(format!(
            "--slot {} holds too few rows; at least {}",
            scale::bytes(args.slot.0 as f64),
            scale::bytes(LEAST_SLOT as f64)
        )));
    }
    if args.slot.0 > args.bytes.0 {
        return Err(Ending::Usage(format!(
            "--slot {} is more than a worker writes; raise --bytes to it",
            scale::bytes(args.slot.0 as f64)
        )));
    }
    let volume = Volume {
        workers: workers.clone(),
        bytes: args.bytes.0,
        slot: args.slot.0,
    };
    let environment = machine::environment(ALLOCATOR);
    // Without a place for it the report is made all the same, and goes.
    let nowhere = tempfile::tempdir().map_err(Ending::usage)?;
    let passing = nowhere.path().join("run");
    let is_kept = args.out.is_some() || args.resume.is_some();
    let asked = Asked {
        out: args.out.as_deref().or((!is_kept).then_some(&passing)),
        resume: args.resume.as_deref(),
        seed: args.seed.unwrap_or(1),
        size: Size::Full,
        modes: vec!["ingest".to_owned()],
        threads: workers,
        peers: &Found::default(),
        environment: &environment,
    };
    let budget = Budget::Samples {
        variant: args.rounds,
        peer: args.rounds,
    };
    let interrupted = interrupt_flag();
    let finished = session::run(&asked, budget, Progress::silent, &interrupted, |runner| {
        measure(runner, &volume, args.rounds)
    });
    let finished = finished.map_err(Ending::Usage)?;
    let run = read_run(&finished.folder).map_err(Ending::usage)?;
    for note in &run.notes {
        tell!("{note}");
    }
    table(&summarise(&run).ingest)?;
    match (is_kept, finished.interrupted) {
        (true, _) => finished.conclude(),
        (false, true) => Err(Ending::Interrupted("interrupted".to_owned())),
        (false, false) => finished.failures(),
    }
}

fn table(all: &[IngestSummary]) -> Result<(), Ending> {
    say!(
        "{:<10} {:>7}  {:<15} {:>6}  {:>8}  {:>15}  {:>10}  {:>7}",
        "rows",
        "workers",
        "",
        "GB/s",
        "of copy",
        "",
        "rows split",
        "empty"
    );
    for one in all {
        say!(
            "{:<10} {:>7}  {:<15} {:>6.2}  {:>8}  {:>15}  {:>10}  {:>7}",
            one.rows,
            one.workers,
            one.way,
            one.bytes_per_second.median / 1e9,
            percent(one.of_copy.median),
            format!(
                "{} to {}",
                percent(one.of_copy.low),
                percent(one.of_copy.high)
            ),
            one.split_rows,
            percent(one.empty),
        );
    }
    Ok(())
}
