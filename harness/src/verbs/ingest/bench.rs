//! `harness ingest bench`: placements against copying.

use std::thread;

use super::super::Ending;
use super::{Bench, size};
use crate::measure::ingest::{Error, Plan, measure};
use crate::{limits, machine};
use report::charts::scale::percent;
use report::summary::summarise_ingest;

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
            size::text(args.bytes.0 as f64),
            size::text(needed as f64),
            size::text(memory as f64)
        )));
    }
    if args.slot.0 < LEAST_SLOT {
        return Err(Ending::Usage(format!(
            "--slot {} holds too few rows; at least {}",
            size::text(args.slot.0 as f64),
            size::text(LEAST_SLOT as f64)
        )));
    }
    if args.slot.0 > args.bytes.0 {
        return Err(Ending::Usage(format!(
            "--slot {} is more than a worker writes; raise --bytes to it",
            size::text(args.slot.0 as f64)
        )));
    }
    let plan = Plan {
        workers,
        bytes: args.bytes.0,
        slot: args.slot.0,
        rounds: args.rounds,
    };
    let mut records = Vec::new();
    measure(&plan, |record| {
        records.push(record);
        Ok::<_, Error>(())
    })
    .map_err(Ending::usage)?;
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
    for one in summarise_ingest(&records) {
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
