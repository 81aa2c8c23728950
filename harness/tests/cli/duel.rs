//! `harness duel`: what takes part, what is refused, what is left. No verdict of a machine is asserted.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use report::duel::Duel;
use report::record::read_run;

use crate::common::{folder, harness, interrupt, run, run_folder, text};

const HARNESS: &str = env!("CARGO_BIN_EXE_harness");

const TINY: [&str; 6] = [
    "--only",
    "tiny.toml|serial+zero-copy",
    "--threads",
    "1",
    "--seconds",
    "1",
];

/// A duel of the tiny workload against `other`.
fn duel(folder: &Path, other: &str) -> Command {
    harness(folder, &[&["duel", other][..], &TINY].concat())
}

fn output(folder: &Path, other: &str) -> Output {
    duel(folder, other).output().unwrap()
}

/// The one line on standard error of a call that is refused and leaves nothing.
fn refused(folder: &Path, output: &Output) -> String {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: "), "{error}");
    assert!(output.stdout.is_empty() && !folder.join("reports").exists());
    error
}

/// A program that a shell runs.
fn script(folder: &Path, name: &str, lines: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    format!("./{name}")
}

/// A build that says hello as `hello` has it, and answers every join with one row.
fn fake(folder: &Path, name: &str, hello: &str) -> String {
    let lines = format!(
        r#"while read -r line; do
            case "$line" in
                *hello*) echo '{hello}' ;;
                *load*) echo '{{"loaded":true}}' ;;
                *) sleep 0.01; echo '{{"seconds":0.001,"rows":1,"sum_build":0,"sum_probe":0}}' ;;
            esac
        done"#
    );
    script(folder, name, &lines)
}

fn hello(protocol: u32, optimised: bool, variant: &str) -> String {
    format!(
        r#"{{"protocol":{protocol},"optimised":{optimised},"commit":"c","dirty":false,"profile":"dev","rustc":"r","variants":["{variant}"]}}"#
    )
}

#[test]
fn a_build_meets_itself_and_the_folder_is_drawn_again() {
    let folder = folder();
    let at = folder.path();
    let output = output(at, HARNESS);
    // Of a machine that is busy with other things even this may be a verdict.
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        text(&output.stderr)
    );
    let told = text(&output.stdout);
    assert!(told.contains("tiny, serial+zero-copy, 1 thread"), "{told}");
    let made = run_folder(at, &output);
    assert!(
        made.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("duel-")
    );
    let measured = read_run(&made).unwrap();
    assert!(measured.complete && measured.builds.len() == 2);
    let judged = Duel::of(&measured);
    assert!(
        judged.pairs >= 10 && judged.cells[0].samples >= 20,
        "{judged:?}"
    );
    // Both go first equally often.
    let first = measured.samples.iter().filter(|sample| sample.order == 0);
    let first: Vec<_> = first.map(|sample| sample.label.as_deref()).collect();
    let of_this = first.iter().filter(|label| **label == Some("this")).count();
    assert_eq!(of_this * 2, first.len());
    for file in ["duel.json", "duel.md", "duel.svg"] {
        std::fs::remove_file(made.join(file)).unwrap();
    }
    let again = run(at, &["report", made.to_str().unwrap()]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    for file in ["duel.json", "duel.md", "duel.svg"] {
        assert!(made.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_build_that_is_much_slower_is_a_regression_of_the_other() {
    let folder = folder();
    let at = folder.path();
    // It waits before it answers and says so; its rows and sums are right.
    let slow = script(
        at,
        "slow",
        &format!(
            r#"{HARNESS} "$@" | while read -r line; do
                case "$line" in
                    *seconds*) sleep 0.06; echo "$line" | sed 's/"seconds":[^,}}]*/"seconds":0.05/' ;;
                    *) echo "$line" ;;
                esac
            done"#
        ),
    );
    let output = output(at, &slow);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("faster"),
        "{}",
        text(&output.stdout)
    );
    let page = std::fs::read_to_string(run_folder(at, &output).join("duel.md")).unwrap();
    assert!(page.contains("**faster**"), "{page}");
}

#[test]
fn what_cannot_take_part_is_refused_in_one_line() {
    let folder = folder();
    let at = folder.path();
    let error = |other: &str| refused(at, &output(at, other));
    assert!(error("./missing").contains("./missing"));
    assert!(error("tiny.toml").contains("cannot start"));
    assert!(error("/bin/true").contains("takes no part"));
    assert!(error("/bin/cat").contains("takes no part"));
    let usual = "serial+zero-copy";
    let old = fake(at, "old", &hello(0, true, usual));
    assert!(error(&old).contains("version 0"));
    let slow = fake(at, "unoptimised", &hello(1, false, usual));
    assert!(error(&slow).contains("without optimisation"));
    let other = fake(at, "other", &hello(1, true, "another"));
    assert!(error(&other).contains("no variant in common"));
    let liar = fake(at, "liar", &hello(1, true, usual));
    let error = error(&liar);
    assert!(error.contains("answers wrongly on tiny"), "{error}");
}

#[test]
fn a_build_that_fails_on_the_way_leaves_nothing() {
    let folder = folder();
    let at = folder.path();
    // Its second process ends with its first join.
    let dying = script(
        at,
        "dying",
        &format!(
            r#"if [ -e begun ]; then
                head -n 1 | {HARNESS} "$@"; echo gone >&2; exit 3
            fi
            touch begun; exec {HARNESS} "$@""#
        ),
    );
    let output = output(at, &dying);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let last = error.lines().last().unwrap();
    assert!(
        last.starts_with("error: ") && last.contains("gone"),
        "{error}"
    );
    let left = std::fs::read_dir(at.join("reports")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn slips_are_refused_before_anything_starts() {
    let folder = folder();
    let at = folder.path();
    for (options, says) in [
        (&["--seconds", "0"][..], "--seconds"),
        (&["--fail-over", "-1"], "--fail-over"),
        (&["--threads", "0"], "--threads"),
        (&["--out", "tiny.toml"], "--out"),
        (&["--out", "."], "--out"),
        (&["--only", "plans-ssb"], "plans"),
        (&["--only", "zipf-16k"], "did you mean"),
    ] {
        let output = run(at, &[&["duel", HARNESS][..], options].concat());
        let error = refused(at, &output);
        assert!(error.contains(says), "{error}");
    }
}

/// A repository of one commit in which this file has a part in duels, or none.
fn repository(folder: &Path, part: bool) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(folder).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=b",
            "-c",
            "commit.gpgsign=false",
        ]);
        let output = git.args(arguments).output().expect("git starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    git(&["init", "--quiet"]);
    let source = folder.join("harness/src/experiment/duel");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("serve.rs"), "").unwrap();
    if part {
        git(&["add", "harness"]);
    }
    git(&["commit", "--quiet", "--allow-empty", "--message", "one"]);
}

fn worktrees(folder: &Path) -> usize {
    let mut git = Command::new("git");
    let output = git
        .current_dir(folder)
        .args(["worktree", "list"])
        .output()
        .unwrap();
    text(&output.stdout).lines().count()
}

#[test]
fn a_revision_of_before_duels_is_refused() {
    let folder = folder();
    let at = folder.path();
    repository(at, false);
    let error = refused(at, &output(at, "HEAD"));
    assert!(error.contains("older than `harness duel`"), "{error}");
    let error = refused(at, &output(at, "no-such-branch"));
    assert!(error.contains("neither a file nor a revision"), "{error}");
    assert_eq!(worktrees(at), 1);
}

/// A cargo that makes this harness wherever it is asked to build.
fn cargo(folder: &Path) -> PathBuf {
    let lines = format!(
        r#"echo built >> {0}/builds
        while [ "$1" != --target-dir ]; do shift; done
        mkdir -p "$2/debug" && ln -sf {HARNESS} "$2/debug/harness""#,
        folder.display()
    );
    script(folder, "cargo", &lines);
    folder.join("cargo")
}

#[test]
fn a_revision_is_built_once_and_leaves_no_worktree() {
    let folder = folder();
    let at = folder.path();
    repository(at, true);
    let cargo = cargo(at);
    for _ in 0..2 {
        let output = duel(at, "HEAD").env("CARGO", &cargo).output().unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            text(&output.stderr)
        );
    }
    let builds = std::fs::read_to_string(at.join("builds")).unwrap();
    assert_eq!(builds.lines().count(), 1);
    assert_eq!(worktrees(at), 1);
}

/// Waits until `is_so`, for longer than any machine takes.
fn wait_until(child: &mut Child, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        assert!(Instant::now() < deadline, "it did not come so far");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that were started with `mark` in their environment.
#[cfg(target_os = "linux")]
fn marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let environments =
        processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments
        .filter(|bytes| String::from_utf8_lossy(bytes).contains(mark))
        .count()
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_what_was_measured_and_no_process() {
    let folder = folder();
    let at = folder.path();
    let mark = format!("JOINERY_TEST_DUEL={}", at.display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = harness(
        at,
        &[
            "duel",
            HARNESS,
            "--only",
            "tiny.toml|serial+zero-copy",
            "--out",
            "run",
        ],
    );
    let command = command
        .env(name, value)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let samples = at.join("run/samples.jsonl");
    wait_until(&mut child, || {
        std::fs::read_to_string(&samples).is_ok_and(|text| text.contains("\"pair\":2"))
    });
    assert!(marked(&mark) >= 2);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!(marked(&mark), 0);
    let run = read_run(&at.join("run")).unwrap();
    assert!(!run.complete && Duel::of(&run).pairs >= 1);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_build_and_takes_its_worktree_away() {
    let folder = folder();
    let at = folder.path();
    repository(at, true);
    script(
        at,
        "cargo",
        &format!("touch {}/begun; sleep 600", at.display()),
    );
    let mark = format!("JOINERY_TEST_BUILD={}", at.display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = duel(at, "HEAD");
    command.env("CARGO", at.join("cargo")).env(name, value);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(&mut child, || at.join("begun").exists());
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert_eq!((marked(&mark), worktrees(at)), (0, 1));
    assert!(!at.join("reports").exists());
}
