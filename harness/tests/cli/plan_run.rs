//! `harness plan run`: what it refuses before it measures, what it keeps where something fails, and names.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::common::{folder, harness, interrupt, run, text};
use crate::plan::{bundle, refused};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The names of what each arm measured.
fn measured(run: &Value) -> Vec<Vec<&str>> {
    let arms = run["arms"].as_array().unwrap().iter();
    arms.map(|arm| {
        let bundles = arm["bundles"].as_array().unwrap().iter();
        bundles
            .map(|bundle| bundle["bundle"].as_str().unwrap_or("none"))
            .collect()
    })
    .collect()
}

#[test]
fn what_is_there_is_not_written_over() {
    let folder = folder();
    let here = folder.path();
    bundle(&here.join("b"), 10, |row| row);
    let run_into = ["plan", "run", "b", "--samples", "1", "--out", "reports/a"];
    let output = run(here, &run_into);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = || -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let entries = std::fs::read_dir(here.join("reports/a")).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    assert!(refused(here, &run_into).contains("is there already; name another folder with --out"));
    assert_eq!(files(), before);

    std::fs::write(here.join("notes"), "mine").unwrap();
    for arguments in [
        &["plan", "run", "b", "--json", "notes"][..],
        &["plan", "explain", "b", "--svg", "notes"],
        &["limits", "--threads", "1", "--json", "notes"],
    ] {
        assert!(refused(here, arguments).contains("notes is there already"));
        assert_eq!(std::fs::read(here.join("notes")).unwrap(), b"mine");
    }
}

#[test]
fn what_cannot_be_written_or_read_is_found_before_anything_is_measured() {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    for name in ["1a", "2a"] {
        bundle(&here.join("plans").join(name), 10, |row| row);
    }
    let nothing_measured = |arguments: &[&str], part: &str| {
        let output = run(here, arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(part), "{error}");
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    };
    let run_plans = ["plan", "run", "plans", "--samples", "1"];
    nothing_measured(
        &[&run_plans[..], &["--json", "no/where"]].concat(),
        "no/where",
    );
    nothing_measured(
        &[&run_plans[..], &["--out", "tiny.toml/out"]].concat(),
        "tiny.toml/out",
    );
    std::fs::write(here.join("plans/2a/plan.json"), "{}").unwrap();
    let with_files = ["--json", "out.json", "--out", "out"];
    nothing_measured(&[&run_plans[..], &with_files].concat(), "2a/plan.json");
    nothing_measured(&["plan", "check", "plans"], "2a/plan.json");
    let sweep = [
        "--sweep",
        "--quick",
        "--plans",
        "plans",
        "--only",
        "tiny.toml",
    ];
    nothing_measured(&[&sweep[..], &["--out", "out"]].concat(), "2a/plan.json");
    for name in ["out", "out.json", "no"] {
        assert!(!here.join(name).exists(), "{name} is left");
    }
}

#[test]
fn a_failure_is_kept_and_the_others_are_measured() {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    bundle(&here.join("plans/1a"), 100, |row| row);
    bundle(&here.join("plans/2a"), 4000, |row| row / 2000);
    bundle(&here.join("plans/3a"), 100, |row| row);
    let command = ["plan", "run", "plans", "--samples", "1", "--memory", "1M"];
    let more = ["--executor", "pipelined,operator-at-a-time", "--out", "out"];
    let output = run(
        here,
        &[&command[..], &more, &["--json", "out.json"]].concat(),
    );
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{out}{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.starts_with("error: plans/2a: pipelined: ")
            && error.contains("raise the memory limit"),
        "{error}"
    );
    assert!(
        error
            .trim_end()
            .ends_with("1 more failed, which are listed above"),
        "{error}"
    );
    let told = out
        .lines()
        .filter(|line| line.contains("raise the memory limit"));
    assert_eq!(told.count(), 2, "{out}");
    let json = json(&here.join("out.json"));
    assert_eq!(measured(&json), [["plans/1a", "none", "plans/3a"]; 3]);
    assert_eq!(json["failures"].as_array().unwrap().len(), 2);
    let page = std::fs::read_to_string(here.join("out/index.html")).unwrap();
    assert!(page.contains("Failures") && page.contains("raise the memory limit"));
}

#[test]
fn a_run_that_is_interrupted_keeps_what_it_has_measured() {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    for name in ["1a", "2a", "3a", "4a"] {
        bundle(&here.join("plans").join(name), 100, |row| row);
    }
    let command = [
        "plan",
        "run",
        "plans",
        "--samples",
        "150",
        "--json",
        "out.json",
    ];
    let mut child = harness(here, &command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("1a ")));
    interrupt(&child);
    assert!(lines.all(|line| line.is_ok()));
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert_eq!(
        error,
        "error: interrupted; what was measured before is kept\n"
    );
    let json = json(&here.join("out.json"));
    let measured = measured(&json);
    assert!(
        measured[0][0] == "plans/1a" && measured[0].len() < 4,
        "{measured:?}"
    );
}

#[test]
fn each_bundle_and_each_arm_has_a_name_of_its_own() {
    let folder = folder();
    let here = folder.path();
    for parent in ["own", "other"] {
        std::fs::create_dir(here.join(parent)).unwrap();
        for name in ["1a", parent] {
            bundle(&here.join(parent).join(name), 10, |row| row);
        }
    }
    let names = ["own", "other", "./own/1a", "--json", "out.json"];
    let output = run(
        here,
        &[&["plan", "run", "--samples", "1"][..], &names].concat(),
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json = json(&here.join("out.json"));
    assert_eq!(
        measured(&json),
        [["own/1a", "own/own", "other/1a", "other/other"]; 2]
    );
    let output = run(here, &["plan", "check", "own", "other"]);
    let out = text(&output.stdout);
    assert!(
        out.contains(" own/1a ") && out.contains(" other/1a "),
        "{out}"
    );

    for (arguments, name) in [
        (["--executor", "pipelined,pipelined"], "pipelined is"),
        (
            ["--ablate", "filters,filters"],
            "pipelined without filters is",
        ),
        (["--without", "filters,filters"], "filters is"),
    ] {
        let error = refused(here, &[&["plan", "run", "own"][..], &arguments].concat());
        assert!(error.contains(name) && error.contains("twice"), "{error}");
    }
    let both = ["--without", "filters", "--ablate", "filters"];
    assert!(refused(here, &[&["plan", "run", "own"][..], &both].concat()).contains("twice"));
}

#[test]
fn a_single_sample_has_no_interval() {
    let folder = folder();
    let here = folder.path();
    bundle(&here.join("b"), 10, |row| row);
    let command = [
        "plan",
        "run",
        "b",
        "--executor",
        "pipelined,operator-at-a-time",
    ];
    for (samples, has_interval) in [("1", false), ("2", true)] {
        let more = ["--samples", samples, "--out", samples];
        let output = run(here, &[&command[..], &more].concat());
        let out = text(&output.stdout);
        assert!(output.status.success(), "{out}{}", text(&output.stderr));
        assert_eq!(out.contains('…'), has_interval, "{out}");
        let page = std::fs::read_to_string(here.join(samples).join("index.html")).unwrap();
        let mut rows = page.lines().filter(|line| line.starts_with("<tr>"));
        assert_eq!(rows.any(|row| row.contains('–')), has_interval, "{page}");
    }
}
