//! Several bundles into one new folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use join_core::table::write_folder;
use plan_executor::Bundle;

use crate::MakeError;

/// Makes the bundles of these names on all cores and writes each to a folder of its name in `out`, which appears whole or
/// not at all.
pub(crate) fn bundles(
    names: &[&str],
    out: &Path,
    make: impl Fn(&str) -> Result<Bundle, MakeError> + Sync,
) -> Result<Vec<PathBuf>, MakeError> {
    for (number, name) in names.iter().enumerate() {
        if names[..number].contains(name) {
            return Err(MakeError::Option(format!(
                "query {name} is named twice; leave out one of them"
            )));
        }
    }
    write_folder(out, |folder| {
        in_parallel(names.len(), |number| {
            let name = names[number];
            Ok(make(name)?.write(&folder.join(name))?)
        })
    })?;
    Ok(names.iter().map(|name| out.join(name)).collect())
}

/// Does `count` pieces of work on all cores; after an error, no more are begun.
pub(crate) fn in_parallel(
    count: usize,
    work: impl Fn(usize) -> Result<(), MakeError> + Sync,
) -> Result<(), MakeError> {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            work(number).inspect_err(|_| next.store(count, Ordering::Relaxed))?;
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(count)).map(|_| scope.spawn(worker)).collect();
        // The scope waits for those that are not asked after an error.
        workers.into_iter().try_for_each(|worker| {
            let ended = worker.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}
