//! `harness plan make`: bundles that run, and what is refused.

#[cfg(unix)]
use crate::common::harness;
use crate::common::{folder, run, text};

#[test]
fn bundles_of_a_benchmark_run() {
    let folder = folder();
    for (benchmark, bundles) in [("tpch", 9), ("ssb", 13)] {
        let command = ["plan", "make", benchmark, "--scale", "0.002", "--out"];
        let output = run(folder.path(), &[&command[..], &[benchmark]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{benchmark}\n"));

        let output = run(folder.path(), &["plan", "check", benchmark]);
        let out = text(&output.stdout);
        assert!(output.status.success(), "{out}{}", text(&output.stderr));
        let ok = out.lines().filter(|line| line.starts_with("ok"));
        assert_eq!(ok.count(), bundles, "{out}");
    }
}

#[test]
fn what_cannot_be_made_is_said_in_one_line() {
    let folder = folder();
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("file"), "").unwrap();
    for (arguments, said) in [
        (&["tpch", "--out", "out", "--queries", "q4"][..], "q21"),
        (&["ssb", "--out", "out", "--queries", "q1.1,q1.1"], "twice"),
        (&["ssb", "--out", "out", "--scale", "1e9"], "0.001..100"),
        (&["ssb", "--out", "taken"], "taken"),
        (&["ssb", "--out", "taken/file/where"], "taken/file/where"),
        (&["ssb"], "--out"),
    ] {
        let output = run(folder.path(), &[&["plan", "make"], arguments].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(said), "{error}");
        assert!(!folder.path().join("out").exists());
    }
}

#[cfg(unix)]
#[test]
fn bundles_that_are_not_finished_leave_nothing() {
    use std::process::Stdio;
    use std::time::Duration;

    for signal in [libc::SIGINT, libc::SIGTERM] {
        let folder = folder();
        let command = ["plan", "make", "tpch", "--scale", "2", "--out", "new/made"];
        let child = harness(folder.path(), &command)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let entries = |of: &str| -> Vec<_> {
            let entries = std::fs::read_dir(folder.path().join(of));
            let names = entries.into_iter().flatten();
            names.map(|entry| entry.unwrap().file_name()).collect()
        };
        while entries("new").is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: a system call; the child has not been waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
        let output = child.wait_with_output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{error}");
        assert!(
            error.is_empty() || error == "error: interrupted\n",
            "{error}"
        );
        assert_eq!(entries(""), ["tiny.toml"]);
    }
}

/// The plans of the package that makes bundles.
fn plans() -> String {
    let plans = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../plans/bundles/tests/files/plans.json"
    );
    plans.to_owned()
}

#[test]
fn bundles_of_planned_queries_run() {
    let folder = folder();
    let plans = plans();
    let command = ["plan", "make", "job", &plans, "--scale", "0.002"];
    let output = run(folder.path(), &[&command[..], &["--out", "job"]].concat());
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("2 bundles, 2 of which have results"),
        "{said}"
    );
    let output = run(folder.path(), &["plan", "check", "job"]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert_eq!(
        out.lines().filter(|line| line.starts_with("ok")).count(),
        2,
        "{out}"
    );

    for (arguments, said) in [
        (&["--scale", "0"][..], "--scale"),
        (&["--correlation", "2"], "--correlation"),
        (&["--queries", "1a"], "companies"),
        (&["--sql", "nowhere"], "nowhere"),
    ] {
        let command = ["plan", "make", "job", &plans, "--out", "none"];
        let output = run(folder.path(), &[&command[..], arguments].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(said) && error.lines().count() == 1,
            "{error}"
        );
        assert!(!folder.path().join("none").exists());
    }
}
