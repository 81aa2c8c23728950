//! The bundles that a command line names.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use plan_executor::{Bundle, PLAN_FILE};

use crate::verbs::Ending;

/// A bundle that can be opened.
#[derive(Debug, Clone)]
pub struct Named {
    /// What it is called in records: its name, or its folder where several have this name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl Named {
    /// Opens it.
    pub fn open(&self) -> Result<Bundle, Ending> {
        Bundle::open(&self.folder).map_err(Ending::usage)
    }
}

/// The bundles of `paths`, as [`find`] has them. Each has been opened once, so that none is found to be bad after hours.
pub fn bundles(paths: &[PathBuf]) -> Result<Vec<Named>, Ending> {
    let mut found = Vec::new();
    for folder in find(paths)? {
        let bundle = Bundle::open(&folder).map_err(Ending::usage)?;
        let name = bundle.name().to_owned();
        found.push(Named { name, folder });
    }
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    for Named { name, .. } in &found {
        if !seen.insert(name.clone()) {
            twice.insert(name.clone());
        }
    }
    for Named { name, folder } in &mut found {
        if twice.contains(name) {
            *name = folder.display().to_string();
        }
    }
    Ok(found)
}

/// The folders of the bundles of `paths`, each once: each path a bundle, or a folder of bundles, which are taken in the
/// order of their names, numbers by their value.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Ending> {
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
    let mut seen = HashSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
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
