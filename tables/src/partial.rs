//! What an import or export that is stopped leaves behind.

use std::fs;
use std::path::Path;

use join_core::table::partial_prefix;

/// Removes what this process has written for `out` and not finished. Called when it is told to stop: another thread may
/// still be writing, so what comes back is removed again.
pub fn remove_partial(out: &Path) {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        if !remove_once(out) {
            return;
        }
    }
}

/// Whether there was something.
fn remove_once(out: &Path) -> bool {
    let (Some(prefix), Some(folder)) = (partial_prefix(out), out.parent()) else {
        return false;
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let mut found = false;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes())
        {
            found = true;
            // What cannot be removed cannot be told to anybody, either: the process ends.
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
    found
}
