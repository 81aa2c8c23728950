//! `harness ingest bench`: placements against copying.

use std::thread;

use super::super::Ending;
use super::Bench;
use crate::charts::scale::percent;
use crate::limits;
use crate::measure::ingest::{Error, Plan, measure};
use crate::summary::summarise_ingest;

pub(super) fn run(args: &Bench) -> Result<(), Ending> {
    let mut workers = args.workers.clone();
    if workers.is_empty() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        workers = limits::default_threads(cores as u32);
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
    println!(
        "{:<10} {:>7}  {:<15} {:>6}  {:>8}  {:>15}  {:>10}  {:>7}",
        "rows", "workers", "", "GB/s", "of copy", "", "rows split", "empty"
    );
    for one in summarise_ingest(&records) {
        println!(
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
