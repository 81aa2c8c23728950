//! What the system or people do to a program: no memory, no threads, nobody who reads, names that are no text, files
//! that never end. Nothing may panic, abort or hang, and errors are one line.
#![cfg(unix)]

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::{TINY, folder, harness, run, text};

/// Runs the harness behind a line of shell, which limits it.
fn limited(folder: &Path, limit: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_harness"))
        .args(arguments)
        .current_dir(folder);
    within_a_minute(&mut command)
}

/// Runs something that might hang.
fn within_a_minute(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// The one line on standard error of a call that was refused.
fn refused(output: &Output) -> String {
    let error = text(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{:?}: {error}",
        output.status
    );
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: "), "{error}");
    error
}

#[test]
fn data_beyond_memory_is_refused() {
    let folder = folder();
    let here = folder.path();
    let sides =
        |build: &str, probe: &str| TINY.replace("\"5000\"", build).replace("\"20000\"", probe);
    let ladder = "name = \"l\"\nsentence = \"s\"\nbuild = { keys = \"unique\" }\nprobe = { keys = \"even\" }\n[ladder]\n\
                  rungs = { from = 2, to = 31, step = 1 }\nprobe_factor = 1\nprobe_cap = 9\n";
    let tpch = "name = \"t\"\nsentence = \"s\"\nkey_type = \"INT64\"\n[tpch]\njoin = \"orders-lineitem\"\n\
                scale_factor = 600.0\n";
    let nulls =
        sides("\"3G\"", "1").replace("keys = \"unique\"", "keys = \"unique\"\nnull_share = 0.5");
    for (name, text) in [
        ("build", sides("\"3G\"", "1")),
        ("probe", sides("1", "4294967295")),
        ("nulls", nulls),
        ("ladder", ladder.to_owned()),
        ("tpch", tpch.to_owned()),
    ] {
        let file = format!("{name}.toml");
        std::fs::write(here.join(&file), text).unwrap();
        for verb in [
            &["--sweep", "--out", "out", "--only"][..],
            &["verify", "--only"],
        ] {
            let output = limited(here, "ulimit -v 4000000", &[verb, &[&*file]].concat());
            let error = refused(&output);
            assert!(error.contains(&file) && error.contains("MiB"), "{error}");
            assert!(!here.join("out").exists());
        }
    }
}

#[test]
fn verify_of_a_single_key_does_not_make_all_its_pairs() {
    let folder = folder();
    let here = folder.path();
    let same = TINY
        .replace("\"5000\"", "30_000")
        .replace("\"unique\"", "{ heavy = { share = 1.0 } }")
        .replace("\"20000\"", "60_000");
    std::fs::write(here.join("same.toml"), same).unwrap();
    let verify = ["verify", "--only", "same.toml", "std-hashmap+zero-copy"];
    let output = limited(here, "ulimit -v 4000000", &verify);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn threads_that_do_not_start_are_an_error() {
    let folder = folder();
    let here = folder.path();
    crate::plan::bundle(&here.join("b"), 10, |row| row);
    // A thread's stack takes 2 MiB.
    let limit = "ulimit -v 1500000";
    for arguments in [
        &[
            "--sweep",
            "--only",
            "tiny.toml",
            "--out",
            "out",
            "--threads",
            "1024",
        ][..],
        &["plan", "run", "b", "--threads", "1024"],
        &["plan", "check", "b", "--threads", "1024"],
        &["limits", "--threads", "1024"],
    ] {
        let output = limited(here, limit, arguments);
        let errors = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {:?} {errors}",
            output.status
        );
        let error = errors.lines().last().unwrap();
        assert!(
            error.starts_with("error: cannot start 1024 threads") && error.contains("ulimit"),
            "{errors}"
        );
        assert!(!here.join("out").exists());
    }
}

#[test]
fn a_standard_error_that_nobody_reads_changes_nothing() {
    let folder = folder();
    let here = folder.path();
    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into()
    };
    let closed = || -> Stdio {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer.into()
    };
    let sweep = [
        "--sweep",
        "--only",
        "tiny.toml|serial+zero-copy",
        "--samples",
        "1",
        "--threads",
        "1",
    ];
    let cases: [(&[&str], i32); 4] = [
        (&sweep, 0),
        (&["report", "nowhere"], 2),
        (&["--swep"], 2),
        (
            &[
                "plan",
                "make",
                "ssb",
                "--queries",
                "q1.1",
                "--scale",
                "0.001",
                "--out",
                "made",
            ],
            0,
        ),
    ];
    for (arguments, status) in cases {
        for stderr in [&full as &dyn Fn() -> Stdio, &closed] {
            let _ = std::fs::remove_dir_all(here.join("made"));
            let mut command = harness(here, arguments);
            let output = command.stderr(stderr()).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        }
    }
}

#[test]
fn names_that_are_no_text_are_names() {
    let folder = folder();
    let here = folder.path();
    let name = OsStr::from_bytes(b"run\xff");
    let mut command = harness(
        here,
        &["--sweep", "--samples", "1", "--threads", "1", "--only"],
    );
    let output = command
        .args(["tiny.toml|serial+zero-copy", "--out"])
        .arg(name)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let run = report::record::read_run(&here.join(name)).unwrap();
    assert_eq!(run.run.command.last().unwrap(), "run\\xff");

    crate::plan::bundle(&here.join("b"), 10, |row| row);
    let output = harness(here, &["plan", "run", "b", "--samples", "1", "--out"])
        .arg(OsStr::from_bytes(b"plans\xfe"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn control_characters_of_names_are_escaped() {
    let folder = folder();
    let here = folder.path();
    for arguments in [
        &["report", "no\nwhere\u{1b}[2K"][..],
        &["plan", "run", "no\nwhere\u{1b}[2K"],
        &["--sweep", "--only", "no\nwhere\u{1b}[2K.toml"],
        &["--sweep", "--resume", "no\nwhere\u{1b}[2K"],
        &["table", "show", "no\nwhere\u{1b}[2K"],
    ] {
        let error = refused(&run(here, arguments));
        let name = r"no\nwhere\u{1b}[2K";
        assert!(error.contains(name), "{error:?}");
    }
    let error = refused(&run(here, &["list", "no\nwhere"]));
    assert!(
        error.trim_end().chars().all(|c| !c.is_control()),
        "{error:?}"
    );
}

#[test]
fn files_that_never_end_are_refused() {
    let folder = folder();
    let here = folder.path();
    let pipe = CString::new(here.join("pipe.toml").as_os_str().as_bytes()).unwrap();
    // SAFETY: the path ends in a zero.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    std::os::unix::fs::symlink("/dev/zero", here.join("zero.toml")).unwrap();
    std::fs::write(here.join("large.toml"), vec![b'#'; 2 << 20]).unwrap();
    for name in ["pipe.toml", "zero.toml", "large.toml"] {
        for verb in [&["--sweep", "--only"][..], &["verify", "--only"]] {
            let mut command = harness(here, &[verb, &[name]].concat());
            let error = refused(&within_a_minute(&mut command));
            assert!(error.contains(name), "{error}");
        }
    }
    // As a description of a table.
    std::fs::create_dir(here.join("t")).unwrap();
    std::fs::rename(here.join("pipe.toml"), here.join("t/table.json")).unwrap();
    let own = "name = \"own\"\nsentence = \"s\"\nbuild = { table = \"t\", key = \"k\" }\n\
               probe = { table = \"t\", key = \"k\" }\n";
    std::fs::write(here.join("own.toml"), own).unwrap();
    let mut command = harness(here, &["verify", "--only", "own.toml"]);
    assert!(refused(&within_a_minute(&mut command)).contains("t/table.json"));
}

#[test]
fn a_pattern_of_many_stars_is_answered_at_once() {
    let folder = folder();
    let stars = format!("{}zz", "*".repeat(1000));
    let mut command = harness(folder.path(), &["--sweep", "--only", &stars]);
    assert!(refused(&within_a_minute(&mut command)).contains("no workload or variant matches"));
}
