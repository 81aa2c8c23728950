//! The canonical workloads, and how workloads are named on the command line.

use std::collections::HashSet;
use std::path::Path;

use super::definition::Definition;
use super::error::Error;
use super::instance::Instance;
use crate::record::Size;

macro_rules! files {
    ($($name:literal)*) => {
        [$((
            concat!("harness/workloads/", $name, ".toml"),
            include_str!(concat!("../../workloads/", $name, ".toml")),
        )),*]
    };
}

/// The canonical workloads in the order of reports: name of the file, its text.
const CANONICAL: [(&str, &str); 11] = files! {
    "small-1k" "pk-fk-1m" "pk-fk-16m" "selective-16m" "zipf-16m" "n-m-4m" "heavy-hitter" "ladder" "nulls-1m"
    "tpch-orders-lineitem" "tpch-part-lineitem"
};

/// The canonical workloads.
///
/// # Errors
/// If one of the built-in files makes no sense, which a test rules out.
pub fn all() -> Result<Vec<Definition>, Error> {
    CANONICAL
        .iter()
        .map(|(file, text)| Definition::parse(file, Path::new(""), text))
        .collect()
}

/// The instances at a size that the patterns name, each once, in the order of the canonical workloads and then of the
/// patterns; all canonical ones if there is no pattern. A pattern is the path of a workload file, or matches names as
/// [`matches`] says; that of a ladder stands for all its rungs.
///
/// # Errors
/// If a pattern names nothing, a file is bad, or two workloads have the same name.
pub fn resolve(patterns: &[String], size: Size) -> Result<Vec<Instance>, Error> {
    let mut canonical = Vec::new();
    for definition in all()? {
        canonical.extend(definition.instances(size)?);
    }
    if patterns.is_empty() {
        return Ok(canonical);
    }
    let (paths, names): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|pattern| is_path(pattern));
    for pattern in &names {
        if !canonical.iter().any(|instance| instance.is_named(pattern)) {
            let names = canonical.iter().flat_map(Instance::names);
            return Err(Error::unknown(pattern, names));
        }
    }
    canonical.retain(|instance| names.iter().any(|pattern| instance.is_named(pattern)));
    for path in paths.iter().collect::<std::collections::BTreeSet<_>>() {
        canonical.extend(Definition::open(Path::new(path))?.instances(size)?);
    }
    let mut seen = HashSet::new();
    match canonical
        .iter()
        .find(|instance| !seen.insert(instance.name.as_str()))
    {
        Some(twice) => Err(Error::SameName {
            name: twice.name.clone(),
        }),
        None => Ok(canonical),
    }
}

impl Instance {
    /// Whether a pattern matches this instance or the ladder that it is a rung of.
    pub fn is_named(&self, pattern: &str) -> bool {
        self.names().any(|name| matches(pattern, name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [Some(self.name.as_str()), self.group.as_deref()]
            .into_iter()
            .flatten()
    }
}

/// Whether a pattern of the command line is the path of a workload file rather than a name.
pub fn is_path(pattern: &str) -> bool {
    pattern.ends_with(".toml") || pattern.contains(std::path::MAIN_SEPARATOR)
}

/// Whether a pattern matches a name: the name contains it, or, where `*` stands in it for any text, is all of it
/// (`pk-*`, `*-16m`).
pub fn matches(pattern: &str, name: &str) -> bool {
    fn whole(pattern: &str, name: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == name,
            Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
                let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
                ends.any(|at| whole(rest, &name[at..]))
            }),
        }
    }
    if pattern.contains('*') {
        whole(pattern, name)
    } else {
        !pattern.is_empty() && name.contains(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_has_stars() {
        for (pattern, name) in [
            ("ladder", "ladder"),
            ("pk", "pk-fk-1m"),
            ("pk-*", "pk-fk-16m"),
            ("*16m", "zipf-16m"),
            ("*-*-*", "pk-fk-1m"),
            ("*", ""),
            ("zipf-16m*", "zipf-16m"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("kp", "pk-fk-1m"),
            ("pk-*m", "pk-fk-1"),
            ("", "x"),
            ("*x", "xy"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
