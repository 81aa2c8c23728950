//! What a run must not go on with, and who must not go on with it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use join_core::table::{Column, NamedColumn, Table};
use report::record::{Lock, SAMPLES_FILE, read_run};

use crate::common::{TINY, folder, harness, run, samples, text};
use crate::plan::bundle;

const CALL: [&str; 7] = [
    "--sweep",
    "--only",
    "own.toml|serial+zero-copy",
    "--threads",
    "1",
    "--samples",
    "4",
];

fn call(folder: &Path, option: &str) -> Output {
    run(folder, &[&CALL[..], &[option, "run"]].concat())
}

/// The file of the run in `folder`.
fn records(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("run").join(SAMPLES_FILE)).unwrap()
}

/// Cuts the run where `until` stands for the `nth` time, as a kill leaves it.
fn cut(folder: &Path, until: &str, nth: usize) {
    let whole = records(folder);
    let at = whole.match_indices(until).nth(nth).unwrap().0;
    std::fs::write(folder.join("run").join(SAMPLES_FILE), &whole[..at]).unwrap();
}

/// The one line on standard error of a call that was refused.
fn refused(output: &Output) -> String {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let last = error.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: "), "{error}");
    last.to_owned()
}

/// Writes the table `name` of one column of keys.
fn table(folder: &Path, name: &str, keys: impl Iterator<Item = i32>) {
    let keys = Column::from_i32(&keys.collect::<Vec<_>>());
    let table = Table::new(name, vec![NamedColumn::new("id", keys)]).unwrap();
    let _ = std::fs::remove_dir_all(folder.join(name));
    table.write(&folder.join(name)).unwrap();
}

/// A run is cut in its samples, and in what comes after them; then `change` changes its data, which `what` is to say.
fn is_told(folder: &Path, change: impl Fn(), back: impl Fn(), what: &str) {
    back();
    let _ = std::fs::remove_dir_all(folder.join("run"));
    let whole = call(folder, "--out");
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let all = read_run(&folder.join("run")).unwrap();
    let mut cuts = vec![("\"round\":3", 0)];
    if cfg!(target_os = "linux") {
        cuts.insert(0, ("\"kind\":\"memory\"", 0));
    }
    for (until, nth) in cuts {
        cut(folder, until, nth);
        change();
        let error = refused(&call(folder, "--resume"));
        assert!(error.contains("own") && error.contains(what), "{error}");
        let left = read_run(&folder.join("run")).unwrap();
        assert!(!left.complete && samples(&left).len() <= samples(&all).len());
        assert!(left.failures.is_empty() && left.memory.is_empty());
        back();
    }
    let resumed = call(folder, "--resume");
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let found = read_run(&folder.join("run")).unwrap();
    assert!(found.complete);
    assert_eq!(samples(&found), samples(&all));
    assert_eq!(found.workloads, all.workloads);
    assert_eq!(found.tags, all.tags);
}

#[test]
fn a_workload_file_that_changed_is_told() {
    let folder = folder();
    let at = folder.path();
    let write = |text: &str| std::fs::write(at.join("own.toml"), text).unwrap();
    let own = TINY.replace("tiny", "own");
    let back = || write(&own);
    let larger = own.replace("\"5000\"", "\"6000\"");
    is_told(
        at,
        || write(&larger),
        back,
        "build rows: 5000 then, 6000 now",
    );
    let wider = own.replace("name =", "key_type = \"INT64\"\nname =");
    is_told(
        at,
        || write(&wider),
        back,
        "key type: INT32 then, INT64 now",
    );
}

#[test]
fn tables_that_changed_are_told_by_their_keys() {
    let folder = folder();
    let at = folder.path();
    let own = "name = \"own\"\nsentence = \"s\"\n[build]\ntable = \"u\"\nkey = \"id\"\n[probe]\ntable = \"v\"\nkey = \"id\"\n";
    std::fs::write(at.join("own.toml"), own).unwrap();
    // As many rows on both sides and no match either way: rows and answer are the same.
    let back = || {
        table(at, "u", 0..3000);
        table(at, "v", 5000..9000);
    };
    let change = || table(at, "u", 1000..4000);
    is_told(at, change, back, "keys: ");
}

#[test]
fn a_run_of_before_keys_were_recorded_goes_on() {
    let folder = folder();
    let at = folder.path();
    std::fs::write(at.join("own.toml"), TINY.replace("tiny", "own")).unwrap();
    assert!(call(at, "--out").status.success());
    cut(at, "\"round\":3", 0);
    let text_of = records(at);
    let (before, after) = text_of.split_once(",\"keys\":\"").unwrap();
    let old = format!("{before}{}", &after[after.find('"').unwrap() + 1..]);
    std::fs::write(at.join("run").join(SAMPLES_FILE), old).unwrap();
    assert_eq!(read_run(&at.join("run")).unwrap().workloads[0].keys, None);
    let output = call(at, "--resume");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(read_run(&at.join("run")).unwrap().complete);
}

#[test]
fn what_failed_before_the_resume_decides_the_status_too() {
    let folder = folder();
    let at = folder.path();
    std::fs::write(at.join("own.toml"), TINY.replace("tiny", "own")).unwrap();
    for (wrong, says) in [(true, "1 wrong answers"), (false, "1 measurements failed")] {
        let _ = std::fs::remove_dir_all(at.join("run"));
        assert!(call(at, "--out").status.success());
        let whole = records(at);
        let plan = whole.find("{\"kind\":\"schedule\"").unwrap();
        let failure = format!(
            "{{\"kind\":\"failure\",\"round\":0,\"workload\":\"own\",\"variant\":\"serial+zero-copy\",\"threads\":1,\
             \"error\":\"an error\",\"wrong\":{wrong}}}\n"
        );
        let file = at.join("run").join(SAMPLES_FILE);
        std::fs::write(file, format!("{}{failure}", &whole[..plan])).unwrap();
        let output = call(at, "--resume");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        let last = error.lines().last().unwrap();
        assert!(
            last.starts_with("error: ") && last.contains(says),
            "{error}"
        );
        assert!(read_run(&at.join("run")).unwrap().complete);
    }
}

#[test]
fn a_folder_that_another_process_writes_is_left_alone() {
    let folder = folder();
    let at = folder.path();
    std::fs::write(at.join("own.toml"), TINY.replace("tiny", "own")).unwrap();
    assert!(call(at, "--out").status.success());
    cut(at, "\"round\":3", 0);
    let before = records(at);
    let held = Lock::take(&at.join("run")).unwrap();
    for output in [call(at, "--resume"), run(at, &["report", "run"])] {
        let error = refused(&output);
        assert!(
            error.contains("another process") && error.contains("run"),
            "{error}"
        );
        assert_eq!(records(at), before);
    }
    drop(held);
    let output = call(at, "--resume");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_run_that_is_measured_is_not_gone_on_with() {
    let folder = folder();
    let at = folder.path();
    std::fs::write(at.join("own.toml"), TINY.replace("tiny", "own")).unwrap();
    let many = CALL.map(|word| if word == "4" { "2000" } else { word });
    let start = harness(at, &[&many[..], &["--out", "run"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut first = start.unwrap();
    let file = at.join("run").join(SAMPLES_FILE);
    let deadline = Instant::now() + Duration::from_secs(120);
    let has_begun = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.contains("\"kind\":\"sample\"")
    };
    while !has_begun() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = run(at, &[&many[..], &["--resume", "run"]].concat());
    // Neither goes on with it, be the first at work still or at its end.
    let error = refused(&second);
    assert!(
        error.contains("another process") || error.contains("complete"),
        "{error}"
    );
    assert!(first.wait().unwrap().success());
    let found = read_run(&at.join("run")).unwrap();
    assert_eq!(samples(&found).len(), 2 * 2000);
    let ends = records(at).matches("\"kind\":\"end\"").count();
    assert!(found.complete && ends == 1);
}

/// Runs of plans and of the ingest go on after a kill, are drawn again and compared, as sweeps are.
#[test]
fn what_is_no_sweep_goes_on_after_a_kill_too() {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    for name in ["1a", "2a"] {
        bundle(&here.join("plans").join(name), 100, |row| row);
    }
    let plans = ["plan", "run", "plans", "--samples", "3"];
    let more = ["--executor", "pipelined,operator-at-a-time"];
    let plans = [&plans[..], &more].concat();
    let ingest = ["ingest", "bench", "--workers", "1,2", "--rounds", "3"];
    let ingest = [&ingest[..], &["--bytes", "1MiB", "--slot", "64KiB"]].concat();
    for call in [plans, ingest] {
        let _ = std::fs::remove_dir_all(here.join("run"));
        let _ = std::fs::remove_dir_all(here.join("other"));
        for out in ["run", "other"] {
            let output = run(here, &[&call[..], &["--out", out]].concat());
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        let whole = read_run(&here.join("run")).unwrap();
        for (until, nth) in [
            ("\"kind\":\"schedule\"", 0),
            ("\"round\":2", 0),
            ("\"kind\":\"workload\"", 1),
            ("\"round\":3", 4),
        ] {
            cut(here, until, nth);
            let output = run(here, &[&call[..], &["--resume", "run"]].concat());
            assert!(output.status.success(), "{}", text(&output.stderr));
            let found = read_run(&here.join("run")).unwrap();
            assert!(found.complete && found.failures.is_empty());
            assert_eq!(samples(&found), samples(&whole), "{until}");
            assert_eq!(found.workloads, whole.workloads);
        }
        assert!(run(here, &["report", "run"]).status.success());
        let output = run(here, &["compare", "run", "other", "--out", "comparison"]);
        let out = text(&output.stdout);
        assert!(output.status.success(), "{out}{}", text(&output.stderr));
        let text = std::fs::read_to_string(here.join("comparison/comparison.json")).unwrap();
        let comparison: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(comparison["not_comparable"], serde_json::json!([]));
        assert!(!comparison["cells"].as_array().unwrap().is_empty());
        std::fs::remove_dir_all(here.join("comparison")).unwrap();
    }
}
