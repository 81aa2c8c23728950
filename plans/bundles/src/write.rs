//! Several bundles into one new folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use join_core::parallel::assisted;
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
    let first_error = OnceLock::new();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    assisted(cores.min(count), || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            if let Err(error) = work(number) {
                next.store(count, Ordering::Relaxed);
                // Of several errors, one is told.
                let _ = first_error.set(error);
            }
        }
    });
    match first_error.into_inner() {
        None => Ok(()),
        Some(error) => Err(error),
    }
}
