//! `harness compare` and `harness report`: what they print, leave, and answer.

use std::path::Path;

use crate::common::{folder, run, run_folder, text};
use report::record::SAMPLES_FILE;

const SWEEP: [&str; 6] = [
    "--sweep",
    "--only",
    "tiny.toml|serial",
    "--samples",
    "9",
    "--quick",
];

/// A copy of a run's samples in which every time of `variant` is `factor` times as long.
fn slowed(folder: &Path, from: &str, to: &str, variant: &str, factor: f64) {
    let text = std::fs::read_to_string(folder.join(from).join(SAMPLES_FILE)).unwrap();
    let lines = text.lines().map(|line| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        if record["kind"] == "sample" && record["variant"] == variant {
            record["seconds"] = (record["seconds"].as_f64().unwrap() * factor).into();
        }
        record.to_string() + "\n"
    });
    std::fs::create_dir(folder.join(to)).unwrap();
    let lines: String = lines.collect();
    std::fs::write(folder.join(to).join(SAMPLES_FILE), lines).unwrap();
}

#[test]
fn a_regression_beyond_noise_is_status_1_and_a_run_against_itself_is_not() {
    let folder = folder();
    let at = folder.path();
    assert!(
        run(at, &[&SWEEP[..], &["--out", "a"]].concat())
            .status
            .success()
    );
    // Far beyond any noise of a loaded machine.
    slowed(at, "a", "b", "serial+zero-copy", 1000.0);
    let same = run(at, &["compare", "a", "a", "--fail-over", "0"]);
    assert!(same.status.success(), "{}", text(&same.stderr));
    assert!(text(&same.stdout).contains("0 are slower, 0 faster"));
    assert_eq!(run_folder(at, &same), at.join("reports/compare-a-a"));
    let slower = run(at, &["compare", "a", "b", "--out", "c", "--fail-over", "5"]);
    let error = text(&slower.stderr);
    assert_eq!(slower.status.code(), Some(1), "{error}");
    assert!(error.contains("slower by more than 5 %"), "{error}");
    assert!(text(&slower.stdout).contains("Slower over all cells: serial+zero-copy"));
    assert_eq!(run_folder(at, &slower), at.join("c"));
    for file in ["comparison.json", "compare.svg"] {
        assert!(at.join("c").join(file).is_file());
    }
    let faster = run(at, &["compare", "b", "a", "--fail-over", "5"]);
    assert!(faster.status.success(), "{}", text(&faster.stderr));
    let large = run(at, &["compare", "a", "b", "--fail-over", "1e9"]);
    assert!(large.status.success(), "{}", text(&large.stderr));
}

#[test]
fn a_comparison_that_cannot_be_is_refused() {
    let folder = folder();
    let at = folder.path();
    assert!(
        run(at, &[&SWEEP[..], &["--out", "a"]].concat())
            .status
            .success()
    );
    for (arguments, what) in [
        (vec!["compare", "a", "nowhere"], "nowhere"),
        (
            vec!["compare", "a", "a", "--fail-over", "-1"],
            "--fail-over",
        ),
        (
            vec!["compare", "a", "a", "--fail-over", "NaN"],
            "--fail-over",
        ),
        (vec!["compare", "a", "a", "--out", "a"], "--out"),
        (vec!["compare", "a", "a", "--out", "tiny.toml"], "--out"),
        (vec!["compare", "a"], "AFTER"),
    ] {
        let output = run(at, &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(
            error.lines().count() == 1 && error.contains(what),
            "{error}"
        );
    }
    // A gate that can see nothing must not let pass.
    let records = std::fs::read_to_string(at.join("a").join(SAMPLES_FILE)).unwrap();
    std::fs::create_dir(at.join("other")).unwrap();
    let other = records.replacen("\"cores\":", "\"cores\":9", 1);
    std::fs::write(at.join("other").join(SAMPLES_FILE), other).unwrap();
    let output = run(at, &["compare", "a", "other"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("different machine"));
    let output = run(at, &["compare", "a", "other", "--fail-over", "5"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_report_is_drawn_again_from_the_samples_alone() {
    let folder = folder();
    let at = folder.path();
    let output = run(at, &[&SWEEP[..], &["--out", "first"]].concat());
    let first = run_folder(at, &output);
    std::fs::create_dir(at.join("again")).unwrap();
    std::fs::copy(
        first.join(SAMPLES_FILE),
        at.join("again").join(SAMPLES_FILE),
    )
    .unwrap();
    let output = run(at, &["report", "again"]);
    assert_eq!(run_folder(at, &output), at.join("again"));
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&first), names(&at.join("again")));
    for name in names(&first) {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
        assert!(read(&first) == read(&at.join("again")), "{name:?} differs");
    }
}
