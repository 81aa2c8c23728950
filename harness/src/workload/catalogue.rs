//! The canonical workloads, and how workloads are named on the command line.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::definition::Definition;
use super::error::Error;
use super::instance::Instance;
use report::record::Size;

macro_rules! files {
    ($($name:literal)*) => {
        [$((
            concat!("harness/workloads/", $name, ".toml"),
            include_str!(concat!("../../workloads/", $name, ".toml")),
        )),*]
    };
}

/// The canonical workloads in the order of reports: name of the file, its text.
const CANONICAL: [(&str, &str); 24] = files! {
    "small-1k" "pk-fk-1m" "pk-fk-16m" "selective-16m" "zipf-16m" "n-m-4m" "heavy-hitter" "ladder" "nulls-1m"
    "kinds-1m" "kinds-1m-not-in" "kinds-1m-not-in-null" "condition-4m" "strings-1m" "payload-4m"
    "tpch-orders-lineitem" "tpch-part-lineitem" "tpch-orders-semi" "tpch-customer-anti" "tpch-partsupp-lineitem" "ssb-date" "ssb-customer" "ssb-supplier" "ssb-part"
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

/// The instances at a size that the patterns name, each once, the canonical ones first; all canonical ones if there is no pattern. A pattern is the path of a workload file, or matches names as
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
    let mut named = HashSet::new();
    for pattern in names {
        let found = find(pattern, &canonical);
        if found.is_empty() {
            let names = canonical.iter().flat_map(Instance::names);
            return Err(Error::unknown(pattern, names));
        }
        named.extend(found.into_iter().map(|instance| instance.name.clone()));
    }
    canonical.retain(|instance| named.contains(&instance.name));
    for path in paths.into_iter().collect::<BTreeSet<_>>() {
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

/// The instances that have the pattern for a name, of themselves or of their ladder; where none has, those with a name
/// that it [`matches`].
fn find<'a>(pattern: &str, instances: &'a [Instance]) -> Vec<&'a Instance> {
    let all = instances.iter();
    let exactly: Vec<_> = all
        .clone()
        .filter(|instance| instance.names().any(|name| name == pattern))
        .collect();
    match exactly.is_empty() {
        true => all.filter(|instance| instance.is_named(pattern)).collect(),
        false => exactly,
    }
}

impl Instance {
    /// Whether a pattern [`matches`] a name of this instance.
    pub fn is_named(&self, pattern: &str) -> bool {
        self.names().any(|name| matches(pattern, name))
    }

    /// Its own name and that of its ladder.
    pub fn names(&self) -> impl Iterator<Item = &str> {
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
    // Each text between stars is looked for once, behind the one before it: if it stands there at all, its first place
    // leaves the most for the others.
    fn whole(pattern: &str, name: &str) -> bool {
        let mut parts = pattern.split('*');
        let start = parts.next().unwrap_or("");
        let (Some(mut rest), Some(end)) = (name.strip_prefix(start), parts.next_back()) else {
            return false;
        };
        for part in parts {
            match rest.split_once(part) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(end)
    }
    if pattern.contains('*') {
        whole(pattern, name)
    } else {
        !pattern.is_empty() && name.contains(pattern)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workload::instance::Source;

    #[test]
    fn every_answer_is_recorded() {
        for size in [Size::Quick, Size::Default, Size::Full] {
            for instance in resolve(&[], size).unwrap() {
                let recorded = instance.expected.iter().any(|expected| {
                    let build = expected.build_rows == instance.build_rows()
                        && expected.kind.0 == instance.kind;
                    // How many rows `lineitem` has is only known when it has been made.
                    let is_tpch = matches!(instance.source, Source::Tpch(_));
                    build && (is_tpch || expected.probe_rows == instance.probe_rows())
                });
                assert!(recorded, "{} at size {size}", instance.name);
            }
        }
    }

    #[test]
    fn a_name_stands_for_itself_before_it_is_a_part_of_others() {
        let text = "name = \"l\"\nsentence = \"A test.\"\nbuild = { keys = \"unique\" }\n\
                    probe = { keys = \"even\" }\n[ladder]\nrungs = { from = 1, to = 10, step = 1 }\n\
                    probe_factor = 1\nprobe_cap = 9\n";
        let definition = Definition::parse("l.toml", Path::new(""), text).unwrap();
        let rungs = definition.instances(Size::Quick).unwrap();
        for (pattern, count) in [("l-2^1", 1), ("l-2^1*", 2), ("2^1", 2), ("l", 10), ("x", 0)] {
            assert_eq!(find(pattern, &rungs).len(), count, "{pattern}");
        }
    }

    /// By trying everything that a star may stand for.
    fn naive(pattern: &str, name: &str) -> bool {
        match (pattern.split_at_checked(1), name.split_at_checked(1)) {
            (None, _) => name.is_empty(),
            (Some(("*", rest)), None) => naive(rest, name),
            (Some(("*", rest)), Some((_, shorter))) => naive(rest, name) || naive(pattern, shorter),
            (Some((a, rest)), Some((b, shorter))) => a == b && naive(rest, shorter),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn stars_stand_for_any_text(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            let expected = match pattern.contains('*') {
                true => naive(&pattern, &name),
                false => !pattern.is_empty() && name.contains(&pattern),
            };
            prop_assert_eq!(matches(&pattern, &name), expected);
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let name = "a".repeat(100_000);
        let pattern = "*a".repeat(20_000);
        assert!(matches(&format!("{pattern}*"), &name));
        assert!(!matches(&format!("{pattern}*b"), &name));
        assert!(!matches(
            &format!("{}zz", "*".repeat(100_000)),
            "tpch-orders-lineitem"
        ));
    }

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
