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
        let next = AtomicUsize::new(0);
        let work = || -> Result<(), MakeError> {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                let written = make(name).and_then(|bundle| Ok(bundle.write(&folder.join(name))?));
                if written.is_err() {
                    // The others need not begin another.
                    next.store(names.len(), Ordering::Relaxed);
                }
                written?;
            }
            Ok(())
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores.min(names.len()))
                .map(|_| scope.spawn(work))
                .collect();
            // The scope waits for those that are not asked after an error.
            workers.into_iter().try_for_each(|worker| {
                let ended = worker.join();
                ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    })?;
    Ok(names.iter().map(|name| out.join(name)).collect())
}
