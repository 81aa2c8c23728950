//! What the tests of the command line share: the program, and a workload that takes no time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use report::record::{Run, SampleRecord};

/// A workload of two pages a side and more.
pub const TINY: &str = r#"
name = "tiny"
sentence = "nothing but speed of testing"

[build]
rows = "5000"
keys = "unique"

[probe]
rows = "20000"
keys = "uniform"
"#;

/// The harness, working in `folder`; a sweep without the machine's limits, which take longer than all of its joins.
pub fn harness(folder: &Path, arguments: &[&str]) -> Command {
    let is_sweep = arguments
        .first()
        .is_some_and(|first| first.starts_with("--sweep") || *first == "--ablate");
    let without: &[&str] = if is_sweep { &["--no-limits"] } else { &[] };
    with_limits(folder, &[without, arguments].concat())
}

/// The harness, working in `folder`.
pub fn with_limits(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .current_dir(folder)
        .args(arguments)
        .env("XDG_CACHE_HOME", folder);
    command
}

/// Runs it to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    harness(folder, arguments)
        .output()
        .expect("the harness starts")
}

/// A folder with the tiny workload.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("tiny.toml"), TINY).expect("it can be written");
    folder
}

/// Every sample's round and cell, as often as it was measured; again because it was disturbed does not count.
pub fn samples(run: &Run) -> Vec<String> {
    let name = |s: &SampleRecord| {
        format!(
            "{} {} {} {:?} {:?} {}",
            s.workload, s.round, s.variant, s.toggles, s.label, s.threads
        )
    };
    let (disturbed, others): (Vec<_>, Vec<_>) = run.samples.iter().partition(|s| s.disturbed);
    let mut samples: Vec<String> = others.into_iter().map(name).collect();
    let known: BTreeSet<String> = samples.iter().cloned().collect();
    let left: BTreeSet<String> = disturbed.into_iter().map(name).collect();
    samples.extend(left.difference(&known).cloned());
    samples.sort();
    samples
}

/// What was written to a stream.
pub fn text(stream: &[u8]) -> String {
    String::from_utf8(stream.to_vec()).expect("the harness writes UTF-8")
}

/// Presses Ctrl-C.
#[cfg(unix)]
pub fn interrupt(child: &std::process::Child) {
    // SAFETY: a signal to a child that has not been waited for.
    let sent = unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
}

/// The run's folder, from the last line on standard output.
pub fn run_folder(folder: &Path, output: &Output) -> PathBuf {
    let out = text(&output.stdout);
    let page = out.lines().last().unwrap_or_else(|| {
        panic!("no report; standard error: {}", text(&output.stderr));
    });
    let page = folder.join(page);
    assert!(
        page.ends_with("index.html") && page.is_file(),
        "{}",
        page.display()
    );
    page.parent().expect("a page is in a folder").to_owned()
}
