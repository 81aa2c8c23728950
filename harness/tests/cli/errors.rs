//! Calls that are refused: one line that says what, where and how to mend it, and exit status 2.

use crate::common::{folder, harness, run, text};

/// The one line on standard error.
fn refused(arguments: &[&str]) -> String {
    let folder = folder();
    let output = run(folder.path(), arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: "), "{error}");
    assert!(output.stdout.is_empty());
    assert!(
        !folder.path().join("reports").exists(),
        "a refused call leaves nothing"
    );
    error
}

#[test]
fn unknown_names_get_the_nearest_ones() {
    for (arguments, nearest) in [
        (["--sweep", "--only", "zipf-16mm"], "zipf-16m"),
        (
            ["--sweep", "--only", "partitoned+batched"],
            "partitioned+batched",
        ),
        (["--ablate", "blom", "--quick"], "bloom"),
        (["verify", "--only", "serial+zerocopy"], "serial+zero-copy"),
    ] {
        let error = refused(&arguments);
        assert!(
            error.contains("did you mean") && error.contains(nearest),
            "{error}"
        );
    }
}

#[test]
fn slips_of_the_command_line_say_what_is_right() {
    assert!(refused(&[]).contains("--sweep"));
    assert!(refused(&["--sweep", "--threads", "0"]).contains("--threads"));
    for threads in ["1,0", "1,1048576"] {
        assert!(refused(&["limits", "--threads", threads]).contains("--threads 1,2"));
    }
    assert!(refused(&["--sweep", "--samples", "0"]).contains("--samples"));
    assert!(refused(&["--sweep", "--samples", "many"]).contains("--samples"));
    assert!(refused(&["--sweep", "--quick", "--full"]).contains("--full"));
    assert!(refused(&["--sweep", "--qick"]).contains("--quick"));
    assert!(refused(&["--sweep", "--peers", "duckbd"]).contains("duckdb"));
    assert!(refused(&["verify", "--random", "0"]).contains("--random"));
    assert!(refused(&["verify", "--seed", "1"]).contains("--random"));
    assert!(
        refused(&["verify", "--random", "1", "--only", "nulls-1m"]).contains("--only nulls-1m")
    );
    assert!(refused(&["list", "variant"]).contains("variants"));
    assert!(refused(&["--ablate", "--only", "std-hashmap+zero-copy"]).contains("toggles"));
    assert!(refused(&["--sweep", "--only", "missing.toml"]).contains("missing.toml"));
    assert!(refused(&["report", "nowhere"]).contains("nowhere"));
    assert!(refused(&["--sweep", "--resume", "nowhere"]).contains("nowhere"));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let sweep = ["--sweep", "--only", "tiny.toml", "--out", "file/run"];
    let output = run(folder.path(), &sweep);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.contains("file/run") && error.contains("--out"),
        "{error}"
    );
}

#[test]
fn a_full_disk_is_an_error_and_keeps_what_was_measured() {
    let folder = folder();
    // A file size limit is what a test can fill up.
    let program = env!("CARGO_BIN_EXE_harness");
    let script = format!(
        "ulimit -f 12; trap '' XFSZ; exec {program} --sweep --only tiny.toml --samples 50 --threads 1 --out run"
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let last = error.lines().last().unwrap();
    assert!(
        last.starts_with("error: ") && last.contains("samples.jsonl"),
        "{error}"
    );
    let run = report::record::read_run(&folder.path().join("run")).unwrap();
    assert!(!run.complete);
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = folder();
    for arguments in [["--help"], ["--version"]] {
        let output = harness(folder.path(), &arguments).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty());
    }
}

#[test]
fn lists_name_what_there_is() {
    let folder = folder();
    for (what, names) in [
        ("variants", ["partitioned+batched", "serial+zero-copy"]),
        ("toggles", ["bloom", "result-merge"]),
        ("workloads", ["pk-fk-16m", "ladder"]),
    ] {
        let output = run(folder.path(), &["list", what]);
        let listed = text(&output.stdout);
        assert!(output.status.success());
        for name in names {
            assert!(listed.contains(name), "{listed}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is_one() {
    let folder = folder();
    let verbs: [&[&str]; 3] = [
        &["list", "variants"],
        &["verify", "--only", "tiny.toml"],
        &["ingest", "simulate"],
    ];
    for arguments in verbs {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = harness(folder.path(), arguments);
        let output = command.stdout(writer).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = harness(folder.path(), arguments);
        let output = command.stdout(full.unwrap()).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("standard output"), "{error}");
    }
}
