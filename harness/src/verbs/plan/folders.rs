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

/// A sort key by which `9a` comes before `10a`, and `q2` before `q10`: text and the number that follows it, in turns.
fn natural(path: &Path) -> Vec<(String, u64)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut rest = &*name;
    let mut key = Vec::new();
    while !rest.is_empty() {
        let (text, numbered) = rest.split_at(rest.find(is_digit).unwrap_or(rest.len()));
        let end = numbered.find(|c| !is_digit(c)).unwrap_or(numbered.len());
        key.push((text.to_owned(), numbered[..end].parse().unwrap_or(u64::MAX)));
        rest = &numbered[end..];
    }
    key
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_in_their_order() {
        let mut names = ["q10", "10a", "q2", "q", "9b", "q1.10", "9a", "q1.2"].map(Path::new);
        names.sort_by_key(|name| natural(name));
        let expected = ["9a", "9b", "10a", "q1.2", "q1.10", "q2", "q10", "q"].map(Path::new);
        assert_eq!(names, expected);
    }
}
