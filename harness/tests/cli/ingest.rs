//! `harness ingest` without a server: what is refused, in one line and with exit status 2.

use std::fs;
use std::path::Path;

use crate::common::{folder, run, text};

/// The one line on standard error.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let arguments = [&["ingest"], arguments].concat();
    let output = run(folder, &arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
    assert!(error.starts_with("error: "), "{error}");
    error
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let folder = folder();
    let load = ["load", "--dsn", "host=/nowhere", "--out", "out"];
    for (arguments, said) in [
        (&["load", "--table", "t", "--out", "o"][..], "--dsn"),
        (&["load", "--dsn", "host=x", "--table", "t"], "--out"),
        (&load, "--table"),
        (
            &[&load[..], &["--table", "t", "--query", "q"]].concat(),
            "cannot be used with",
        ),
        (
            &[&load[..], &["--table", "t", "--workers", "0"]].concat(),
            "--workers",
        ),
        (
            &[&load[..], &["--table", "t", "--slot", "4q"]].concat(),
            "is no size",
        ),
        (
            &[&load[..], &["--table", "t", "--placement", "loose"]].concat(),
            "packed-rows",
        ),
        (&["check", "out", "--tls-ca", "ca.crt"], "--dsn"),
        (&["check", "out", "--overlap", "none"], "is no size"),
        (
            &["pages", "out", "--out", "t", "--numeric-decimals", "19"],
            "18",
        ),
        (&["simulate", "--row", "100.."], "is no size"),
        (&["simulate", "--row", "0"], "row"),
        (&["simulate", "--slot", "8"], "slot"),
        (&["simulate", "--uneven", "2"], "2"),
        (&["simulate", "--workers", "0"], "workers"),
        (
            &["simulate", "--out", "tiny.toml/charts"],
            "cannot write charts",
        ),
        (&["bench", "--workers", "0"], "--workers"),
        (&["bench", "--rounds", "0"], "--rounds"),
        (&["bench", "--bytes", "1000TiB"], "lower one of them"),
        (
            &["bench", "--bytes", "1MiB", "--slot", "2MiB"],
            "more than a worker writes",
        ),
        (&["bench", "--slot", "0"], "at least 4 KiB"),
        (&["bench", "--slot", "1"], "at least 4 KiB"),
        (&["simulate", "--workers", "4294967295"], "at most 65536"),
        (&["simulate", "--slot", "16000PB"], "at most 1 EiB"),
        (&["simulate", "--bytes", "2000PB"], "at most 1 EiB"),
    ] {
        let error = refused(folder.path(), arguments);
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_folder_that_holds_no_finished_load_is_refused() {
    let folder = folder();
    let chunks = folder.path().join("chunks");
    fs::create_dir(&chunks).unwrap();
    fs::write(chunks.join("chunk-0000.rows"), [0; 100]).unwrap();
    let verbs = [
        &["check", "chunks"][..],
        &["compact", "chunks", "--out", "file"],
        &["pages", "chunks", "--out", "table"],
    ];
    for verb in verbs {
        let error = refused(folder.path(), verb);
        assert!(error.contains("no load into it was finished"), "{error}");
    }
    fs::write(chunks.join("manifest.json"), "{\"schema\": 1").unwrap();
    for verb in verbs {
        let error = refused(folder.path(), verb);
        assert!(
            error.contains("manifest.json: ") && error.contains("load again"),
            "{error}"
        );
    }
    assert!(!folder.path().join("file").exists() && !folder.path().join("table").exists());
}

#[test]
#[cfg(not(feature = "ingest"))]
fn a_build_without_the_client_says_how_to_get_it() {
    let folder = folder();
    let server = ["--dsn", "host=/nowhere"];
    for verb in [&["load", "--table", "t", "--out", "out"][..], &["ssb"]] {
        let error = refused(folder.path(), &[verb, &server].concat());
        assert!(error.contains("--features ingest"), "{error}");
    }
}

#[test]
fn a_small_bench_says_what_each_placement_reaches() {
    let folder = folder();
    let bench = [
        "ingest",
        "bench",
        "--bytes",
        "1MiB",
        "--slot",
        "64KiB",
        "--workers",
        "1,2",
    ];
    let output = run(folder.path(), &[&bench[..], &["--rounds", "2"]].concat());
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // Two kinds of rows, two numbers of workers, five ways, and the heading.
    assert_eq!(out.lines().count(), 21, "{out}");
    for line in out.lines().skip(1) {
        let split = line.split_whitespace().rev().nth(2).unwrap();
        assert_eq!(split != "0", line.contains(" packed "), "{line}");
    }
}
