//! Inputs of a sweep that are looked at before anything is measured, and folders that are not written to.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use join_core::table::{Column, NamedColumn, Table};
use report::record::{PLAN, SAMPLES_FILE, read_run};

use crate::common::{TINY, folder, harness, run, text};
use crate::plan::bundle;

const SWEEP: [&str; 7] = [
    "--sweep",
    "--only",
    "tiny.toml|serial+zero-copy",
    "--threads",
    "1",
    "--samples",
    "3",
];

fn sweep(folder: &Path, more: &[&str]) -> Output {
    run(folder, &[&SWEEP[..], more].concat())
}

/// The one line of a call that was refused.
fn refused(output: &Output) -> String {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: "), "{error}");
    error
}

#[test]
fn a_broken_bundle_is_found_before_anything_is_measured() {
    let folder = folder();
    let at = folder.path();
    std::fs::create_dir(at.join("plans")).unwrap();
    bundle(&at.join("plans/1"), 100, |row| row);
    bundle(&at.join("plans/2"), 100, |row| row);
    let broken = std::fs::read_dir(at.join("plans/2")).unwrap();
    let broken = broken
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|kind| kind == "pages"));
    let broken = broken.expect("a bundle has pages");
    std::fs::write(&broken, "not pages").unwrap();
    let error = refused(&sweep(at, &["--plans", "plans", "--out", "run"]));
    assert!(error.contains(".pages"), "{error}");
    assert!(!at.join("run").exists());
}

#[test]
fn a_broken_table_is_found_before_anything_is_measured() {
    let folder = folder();
    let at = folder.path();
    let keys = Column::from_i32(&[1, 2, 3]);
    let table = Table::new("t", vec![NamedColumn::new("id", keys)]).unwrap();
    table.write(&at.join("t")).unwrap();
    let own = "name = \"own\"\nsentence = \"s\"\n[build]\ntable = \"t\"\nkey = \"id\"\n[probe]\ntable = \"t\"\nkey = \"id\"\n";
    std::fs::write(at.join("own.toml"), own).unwrap();
    std::fs::write(at.join("t/0.pages"), "not pages").unwrap();
    let only = ["--only", "own.toml", "--out", "run"];
    let error = refused(&sweep(at, &only));
    assert!(error.contains("own.toml"), "{error}");
    assert!(!at.join("run").exists());
}

#[test]
fn a_run_whose_plans_fail_is_not_complete_and_goes_on() {
    let folder = folder();
    let at = folder.path();
    std::fs::create_dir(at.join("plans")).unwrap();
    bundle(&at.join("plans/1"), 100, |row| row);
    let many = SWEEP.map(|word| if word == "3" { "200" } else { word });
    let plans = ["--plans", "plans"];
    let measured_until_the_plans_are_gone = || {
        let _ = std::fs::remove_dir_all(at.join("run"));
        let child = harness(at, &[&many[..], &plans, &["--out", "run"]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let file = at.join("run").join(SAMPLES_FILE);
        let deadline = Instant::now() + Duration::from_secs(120);
        let has_begun = || {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            text.contains("\"kind\":\"workload\"")
        };
        while !has_begun() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::rename(at.join("plans"), at.join("away")).unwrap();
        let output = child.wait_with_output().unwrap();
        std::fs::rename(at.join("away"), at.join("plans")).unwrap();
        output
    };
    // On a busy machine the plans may have been read before; then once more.
    let output = (0..20)
        .map(|_| measured_until_the_plans_are_gone())
        .find(|output| output.status.code() != Some(0));
    let output = output.expect("a run that did not read its plans before");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(!read_run(&at.join("run")).unwrap().complete, "{error}");
    let output = run(at, &[&many[..], &plans, &["--resume", "run"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(read_run(&at.join("run")).unwrap().complete);
    let run = read_run(&at.join("run")).unwrap();
    assert!(run.workloads.iter().any(|w| w.experiment == PLAN));
}

#[test]
fn files_of_others_are_not_written_over() {
    let folder = folder();
    let at = folder.path();
    assert!(sweep(at, &["--out", "a"]).status.success());
    for name in ["index.html", "plans.json", "notes.txt"] {
        let site = at.join("site");
        std::fs::create_dir(&site).unwrap();
        std::fs::write(site.join(name), "mine").unwrap();
        let calls = [
            sweep(at, &["--out", "site"]),
            run(at, &["compare", "a", "a", "--out", "site"]),
        ];
        for output in calls {
            let error = refused(&output);
            assert!(
                error.contains("--out site") && error.contains(name),
                "{error}"
            );
            let left = std::fs::read_dir(&site).unwrap().count();
            assert_eq!(left, 1, "{error}");
            assert_eq!(std::fs::read(site.join(name)).unwrap(), b"mine");
        }
        std::fs::remove_dir_all(&site).unwrap();
    }
    // An empty folder is as good as none, and a comparison is drawn again where it stood.
    std::fs::create_dir(at.join("empty")).unwrap();
    for _ in 0..2 {
        let output = run(at, &["compare", "a", "a", "--out", "empty"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    std::fs::create_dir(at.join("fresh")).unwrap();
    assert!(sweep(at, &["--out", "fresh"]).status.success());
}

#[test]
fn the_name_of_a_run_leads_nowhere() {
    let folder = folder();
    let at = folder.path();
    assert!(sweep(at, &["--out", "a"]).status.success());
    let file = at.join("a").join(SAMPLES_FILE);
    let id = read_run(&at.join("a")).unwrap().run.id;
    let records = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, records.replace(&id, "x/../../../evil")).unwrap();
    std::fs::create_dir_all(at.join("below/here")).unwrap();
    let output = run(&at.join("below/here"), &["compare", "../../a", "../../a"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let reports = std::fs::read_dir(at.join("below/here/reports")).unwrap();
    assert_eq!(reports.count(), 1);
    assert!(!at.join("below/evil").exists() && !at.join("evil").exists());
}

/// What it says, and that it ends.
#[cfg(unix)]
fn ends(folder: &Path, arguments: &[&str]) -> String {
    let mut child = harness(folder, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    refused(&child.wait_with_output().unwrap())
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read() {
    let folder = folder();
    let at = folder.path();
    let make_pipe = |path: &Path| {
        let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the path ends in a zero byte.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    };
    for name in [SAMPLES_FILE, "plans.json", "peer.toml", "w.toml"] {
        std::fs::create_dir_all(at.join("pipe")).unwrap();
        make_pipe(&at.join("pipe").join(name));
        let resume = [&SWEEP[..], &["--resume", "pipe"]].concat();
        let peers = [&SWEEP[..], &["--peers", "./pipe"]].concat();
        let workload = ["--sweep", "--only", "pipe/w.toml"];
        let calls: &[&[&str]] = match name {
            SAMPLES_FILE => &[&["report", "pipe"], &["compare", "pipe", "pipe"], &resume],
            "plans.json" => &[&["report", "pipe"]],
            "peer.toml" => &[&peers],
            _ => &[&workload],
        };
        for call in calls {
            let error = ends(at, call);
            assert!(
                error.contains(name) && error.contains("regular file"),
                "{error}"
            );
        }
        std::fs::remove_dir_all(at.join("pipe")).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn peak_memory_is_that_of_the_file_whatever_its_name_is() {
    let folder = folder();
    let at = folder.path();
    let peak = |name: &str| {
        let file = format!("{name}.toml");
        std::fs::write(at.join(&file), TINY.replace("tiny", name)).unwrap();
        let only = format!("{file}|serial+zero-copy");
        let call = ["--sweep", "--quick", "--only", &only, "--threads", "1"];
        let output = run(
            at,
            &[&call[..], &["--samples", "1", "--out", name]].concat(),
        );
        assert!(output.status.success(), "{}", text(&output.stderr));
        let run = read_run(&at.join(name)).unwrap();
        assert_eq!(run.memory.len(), 1, "{name}: {:?}", run.notes);
        run.memory[0].peak_bytes
    };
    let usual = peak("own");
    // A canonical workload's name, a part of several, and that of a ladder.
    for name in ["zipf-16m", "pk-fk", "ladder"] {
        let found = peak(name);
        assert!(found < 2 * usual, "{name}: {found}, not about {usual}");
    }
}

#[test]
fn one_sample_has_no_interval_and_the_report_says_so() {
    let folder = folder();
    let at = folder.path();
    let one = SWEEP.map(|word| if word == "3" { "1" } else { word });
    let output = run(at, &[&one[..], &["--out", "run"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(at.join("run/index.html")).unwrap();
    assert!(page.contains("no time has an interval"));
    assert!(page.contains("<td class=\"n\">none</td>"));
    let summary = std::fs::read(at.join("run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let seconds = &summary["results"][0]["seconds"];
    assert_eq!(seconds["low"], seconds["high"]);
    assert_eq!(summary["results"][0]["samples"], 1);
}
