//! Dependencies run one way: between the modules of this crate, and between the packages of the workspace.
#![cfg(not(loom))]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of a crate, from the bottom up. A module may know those of the rows above its own and no others, so there is
/// no cycle.
type Modules = &'static [&'static str];

/// The crates that are more than a few modules, by folder.
const CRATES: &[(&str, Modules)] = &[
    (
        "core",
        &[
            "validity",
            "cpu sync prefetch page memory tag",
            "streaming_store parallel key",
            "hash table directory",
            "checksum input",
            "output",
            "simd",
            "join",
            "kind",
            "compound",
            "unchained partition oracle early late",
            "conformance",
        ],
    ),
    (
        "harness/report",
        &[
            "assumed plain stats",
            "record",
            "limit_model html",
            "summary table",
            "plans",
            "charts",
            "compare duel threads_model",
            "cluster_model page",
            "findings",
        ],
    ),
    (
        "harness",
        &[
            "console files nearest question size",
            "machine",
            "peers workload",
            "experiment",
            "verbs",
            "cli",
            "main",
        ],
    ),
];

/// The folders of packages, from the bottom up; `*` stands for all names that no row spells out. A package may depend on
/// those of the rows above its own in this list and no others; what its tests depend on is free.
const PACKAGES: &[&str] = &[
    "core data/generated data/csv",
    "variants/*",
    "variants/registry plans/bundles data/tables",
    "plans/import",
    "harness/*",
    "harness",
];

#[test]
fn modules_know_what_is_below_them_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut faults = Vec::new();
    for (folder, modules) in CRATES {
        let root = root.join(folder).join("src");
        for file in files(&root) {
            let below = file.strip_prefix(&root).expect("a file of this folder");
            let module = first_name(below);
            if module == "lib" {
                continue;
            }
            let at = format!("{folder}/src/{}", below.display());
            let Some(own) = row(modules, &module) else {
                faults.push(format!("{at}: name {module} in CRATES"));
                continue;
            };
            for (line, known) in imports(&file, below) {
                if known != module && row(modules, &known).is_none_or(|known| known >= own) {
                    faults.push(format!(
                        "{at}:{line}: {module} knows {known}, which no row above it in CRATES names"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// All Rust files below a folder, but those of tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a folder of sources").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The module of the crate that a file belongs to: its folder's or its own name.
fn first_name(below: &Path) -> String {
    let first = below.iter().next().expect("a file has a name");
    let first = first.to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The line and the module of each path from the crate's root, in tests as little as in comments.
fn imports(file: &Path, below: &Path) -> Vec<(usize, String)> {
    // In these files `super` is the crate's root.
    let at_root = below.components().count() == 1
        || below.ends_with("mod.rs") && below.components().count() == 2;
    let text = fs::read_to_string(file).expect("a source");
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        let attribute = ["#[cfg(test)]", "#[cfg(all(test"];
        attribute
            .iter()
            .any(|of_tests| pair[0].starts_with(of_tests))
            && pair[1].ends_with('{')
    });
    let mut found = Vec::new();
    for (number, line) in (1..).zip(&lines[..tests.unwrap_or(lines.len())]) {
        let code = line.split("//").next().unwrap_or_default();
        let roots = if at_root {
            &["crate::", "super::"][..]
        } else {
            &["crate::"]
        };
        for root in roots {
            for path in code.split(root).skip(1) {
                let end = path.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                found.push((number, path[..end.unwrap_or(path.len())].to_owned()));
            }
        }
    }
    found
}

/// The row of a list that has a name.
fn row(rows: &[&str], name: &str) -> Option<usize> {
    rows.iter()
        .position(|row| row.split(' ').any(|one| one == name))
}

#[test]
fn packages_depend_on_what_is_below_them_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut packages = BTreeMap::new();
    for folder in PACKAGES.iter().flat_map(|row| row.split(' ')) {
        let Some(parent) = folder.strip_suffix("/*") else {
            packages.extend(manifest(&root, folder));
            continue;
        };
        for entry in fs::read_dir(root.join(parent)).expect("a folder of packages") {
            let name = entry.expect("a folder of packages").file_name();
            packages.extend(manifest(
                &root,
                &format!("{parent}/{}", name.to_string_lossy()),
            ));
        }
    }
    let row = |folder: &str| {
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        row(PACKAGES, folder).or_else(|| row(PACKAGES, &format!("{parent}/*")))
    };
    let mut faults = Vec::new();
    for (name, (folder, text)) in &packages {
        let mut section = "";
        for (line, text) in (1..).zip(text.lines()) {
            section = if text.starts_with('[') { text } else { section };
            let known = text.split(['.', ' ', '=']).next().unwrap_or_default();
            let counts = section == "[dependencies]" || section == "[build-dependencies]";
            if counts
                && let Some((below, _)) = packages.get(known)
                && row(below) >= row(folder)
            {
                faults.push(format!(
                    "{folder}/Cargo.toml:{line}: {name} depends on {known}, which no row above it in PACKAGES names"
                ));
            }
        }
    }
    assert!(
        packages.len() > 10,
        "only {} packages were found",
        packages.len()
    );
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The name, folder and manifest of the package in a folder, if there is one.
fn manifest(root: &Path, folder: &str) -> Option<(String, (String, String))> {
    let text = fs::read_to_string(root.join(folder).join("Cargo.toml")).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = "))?;
    Some((name.trim_matches('"').to_owned(), (folder.to_owned(), text)))
}
