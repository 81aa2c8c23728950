//! Drawing a run's folder: complete, self-contained, the same bytes each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use report::page::draw;
use report::record::*;

mod synthetic;

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

#[test]
fn drawing_twice_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 3);
    let page = draw(dir.path()).unwrap();
    assert_eq!(page, dir.path().join("index.html"));
    let first = files(dir.path());
    draw(dir.path()).unwrap();
    let second = files(dir.path());
    assert!(first == second, "the second drawing differs");
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    let charts = [
        "ablation",
        "builds",
        "ingest",
        "memory",
        "overview",
        "phases",
        "scaling",
        "tags",
        "throughput",
        "times",
        "zero-copy",
    ];
    let of_charts = charts.map(|chart| [format!("{chart}.csv"), format!("{chart}.svg")]);
    let others = [
        "environment.json",
        "index.html",
        "samples.jsonl",
        "summary.json",
    ];
    let mut expected = of_charts.concat();
    expected.extend(others.map(str::to_owned));
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn the_page_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 2);
    let page = fs::read_to_string(draw(dir.path()).unwrap()).unwrap();
    let links = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!links.contains(outside), "{outside}");
    }
    for inside in [
        "<svg ",
        "Noise floor",
        "cargo run -p harness -- --sweep --ablate --only 'a b&lt;c&gt;'",
        "wrong answer: 3 rows, not 1005",
        "Example CPU @ 2.50 GHz &amp; more",
        "polars is not installed",
        "not supported here: no hardware events",
    ] {
        assert!(page.contains(inside), "{inside}");
    }
    assert!(!page.contains("interrupted"));
    assert_eq!(page.matches("<figure").count(), 11);
}

#[test]
fn an_interrupted_run_is_drawn_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RecordWriter::create(dir.path()).unwrap();
    let records = synthetic::records(1);
    for record in &records[..records.len() / 2] {
        writer.write(record).unwrap();
    }
    let page = fs::read_to_string(draw(dir.path()).unwrap()).unwrap();
    assert!(page.contains("This run was interrupted"));
    assert!(page.contains("is left out"));
    let summary = fs::read_to_string(dir.path().join("summary.json")).unwrap();
    assert!(summary.contains("\"complete\": false"));
}

#[test]
fn the_environment_names_machine_and_command() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 1);
    draw(dir.path()).unwrap();
    let text = fs::read(dir.path().join("environment.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for key in [
        "cpu",
        "caches",
        "kernel",
        "huge_pages",
        "allocator",
        "rustc",
        "profile",
        "commit",
        "seed",
        "command",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
}

#[test]
fn an_unreadable_run_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(SAMPLES_FILE), "{\"kind\":\"nonsense\"}\n").unwrap();
    let error = draw(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("samples.jsonl:1:") && error.contains("nonsense"),
        "{error}"
    );
    assert_eq!(files(dir.path()).len(), 1);
}
