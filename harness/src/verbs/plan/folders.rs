//! The bundles that a command line names.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use plan_executor::{Bundle, PLAN_FILE};

use crate::verbs::Ending;

/// A bundle that can be opened.
#[derive(Debug, Clone)]
pub struct Named {
    /// What it is called in records: its name behind that of its group, or its folder where several have this name.
    pub name: String,
    /// What it is called on a terminal: without its group, unless another one has that name.
    pub title: String,
    /// The name of the folder that was named, of a bundle in a folder of them.
    pub group: Option<String>,
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
    for (folder, group) in grouped(paths)? {
        let bundle = Bundle::open(&folder).map_err(Ending::usage)?;
        let title = bundle.name().to_owned();
        let name = match &group {
            Some(group) => format!("{group}/{title}"),
            None => title.clone(),
        };
        found.push(Named {
            name,
            title,
            group,
            folder,
        });
    }
    let names = twice(found.iter().map(|named| &*named.name));
    for Named { name, folder, .. } in &mut found {
        if names.contains(name) {
            *name = folder.display().to_string();
        }
    }
    let titles = twice(found.iter().map(|named| &*named.title));
    for Named { name, title, .. } in &mut found {
        if titles.contains(title) {
            title.clone_from(name);
        }
    }
    Ok(found)
}

/// What stands in the list more than once.
fn twice<'n>(names: impl Iterator<Item = &'n str>) -> HashSet<String> {
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    for name in names {
        if !seen.insert(name) {
            twice.insert(name.to_owned());
        }
    }
    twice
}

/// The folders of the bundles of `paths`, each once: each path a bundle, or a folder of bundles, which are taken in the
/// order of their names, numbers by their value.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Ending> {
    let found = grouped(paths)?.into_iter();
    Ok(found.map(|(folder, _)| folder).collect())
}

/// The folders of bundles with the name of the folder that holds them, where it was named and not they.
fn grouped(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Option<String>)>, Ending> {
    let mut found = Vec::new();
    for path in paths {
        if path.join(PLAN_FILE).is_file() {
            found.push((path.clone(), None));
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
        let group = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        found.extend(inside.into_iter().map(|path| (path, group.clone())));
    }
    let mut seen = HashSet::new();
    found.retain(|(path, _)| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
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
