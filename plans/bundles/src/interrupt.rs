//! Ctrl-C while bundles are written.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use join_core::table::discard_unfinished;

/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// Does `work`, which writes the new folder `out`. Ctrl-C ends the process with status 130 and leaves nothing of it.
pub fn all_or_nothing<T>(out: &Path, work: impl FnOnce() -> T) -> T {
    static STOPPED: AtomicBool = AtomicBool::new(false);
    let folder = out.to_owned();
    // A second handler in one process is an error; then there is one already.
    let _ = ctrlc::set_handler(move || {
        STOPPED.store(true, Ordering::SeqCst);
        discard_unfinished(&folder);
        process::exit(INTERRUPTED);
    });
    let done = work();
    // An error of work whose folder was taken away is nobody's; the handler ends the process.
    while STOPPED.load(Ordering::SeqCst) {
        thread::park();
    }
    done
}
