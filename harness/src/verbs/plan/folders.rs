//! The bundles that a command line names.

use std::fs;
use std::path::{Path, PathBuf};

use plan_executor::PLAN_FILE;

use crate::verbs::Ending;

/// The bundles of `paths`: each a bundle, or a folder of bundles, which are taken in the order of their names, numbers
/// by their value.
pub fn bundles(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Ending> {
    let mut found = Vec::new();
    for path in paths {
        if path.join(PLAN_FILE).is_file() {
            found.push(path.clone());
            continue;
        }
        let mut inside = bundles_inside(path)?;
        inside.sort_by_cached_key(|path| natural(path));
        if inside.is_empty() {
            return Err(Ending::Usage(format!(
                "{}: neither it nor the folders in it hold a {PLAN_FILE}; name a plan bundle or a folder of them",
                path.display()
            )));
        }
        found.extend(inside);
    }
    Ok(found)
}

fn bundles_inside(folder: &Path) -> Result<Vec<PathBuf>, Ending> {
    let read = |error| {
        Ending::Usage(format!(
            "cannot read {}: {error}; name a plan bundle or a folder of them",
            folder.display()
        ))
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.join(PLAN_FILE).is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// A sort key by which `9a` comes before `10a`.
fn natural(path: &Path) -> (u64, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number = name[..digits].parse().unwrap_or(u64::MAX);
    (number, name.into_owned())
}
