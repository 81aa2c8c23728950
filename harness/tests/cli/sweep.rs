//! Sweeps and ablations of a tiny workload, whole, interrupted, and gone on with.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{TINY, folder, harness, run, run_folder, samples, text, with_limits};
use registry::Part;
use report::record::{Run, SAMPLES_FILE, read_run};

const SWEEP: [&str; 8] = [
    "--sweep",
    "--only",
    "tiny.toml|serial|partitioned",
    "--threads",
    "1,2",
    "--samples",
    "4",
    "--quick",
];

fn summary(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_sweep_leaves_a_complete_run() {
    let folder = folder();
    let output = with_limits(folder.path(), &SWEEP).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = run_folder(folder.path(), &output);
    let run = read_run(&folder).unwrap();
    assert!(run.complete && run.failures.is_empty());
    assert!(!run.limits.is_empty());
    let all = samples(&run);
    assert_eq!(
        all.iter().collect::<BTreeSet<_>>().len(),
        all.len(),
        "no sample twice"
    );
    if cfg!(target_os = "linux") {
        let variants: BTreeSet<_> = run.memory.iter().map(|m| &m.variant).collect();
        assert_eq!(
            variants.len(),
            run.variants.len(),
            "a peak for every variant"
        );
        assert!(run.memory.iter().all(|m| m.peak_bytes > 5000 * 8));
    }
    let summary = summary(&folder);
    assert_eq!(summary["run"]["complete"], true);
    let results = summary["results"].as_array().unwrap();
    assert_eq!(
        results.len(),
        run.variants.len() * 2,
        "each variant at 1 and 2 threads"
    );
    for result in results {
        assert_eq!(result["samples"], 4);
        assert_eq!(result["checksum"], results[0]["checksum"]);
        let phases = result["phases"].as_array().unwrap();
        assert!(!phases.is_empty());
    }
    let controls = summary["noise_floor"]["controls"].as_array().unwrap();
    assert_eq!(controls.len(), 2);
}

#[test]
fn phases_of_every_join_add_up_to_its_sample() {
    let folder = folder();
    let output = run(
        folder.path(),
        &[
            "--sweep",
            "--only",
            "tiny.toml",
            "--threads",
            "2",
            "--samples",
            "2",
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let run = read_run(&run_folder(folder.path(), &output)).unwrap();
    let swept = registry::variants().iter().filter(|v| v.curated).count();
    assert_eq!(run.variants.len(), swept);
    for sample in &run.samples {
        assert!(!sample.phases.is_empty(), "{sample:?}");
        let phases: f64 = sample.phases.iter().map(|phase| phase.seconds).sum();
        assert!(
            (phases - sample.seconds).abs() <= sample.seconds * 0.0201,
            "{sample:?}"
        );
    }
}

#[test]
fn an_ablation_gives_every_toggle_a_ratio() {
    let folder = folder();
    let output = run(
        folder.path(),
        &[
            "--ablate",
            "--only",
            "tiny.toml",
            "--threads",
            "2",
            "--samples",
            "3",
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary = summary(&run_folder(folder.path(), &output));
    let ablations = summary["ablations"].as_array().unwrap();
    for toggle in registry::TOGGLES {
        let of_toggle = ablations.iter().filter(|a| a["toggle"] == toggle.name);
        // Tiny has no payload to make rows of, and keys that are integers.
        let expected = match toggle.part {
            Part::Rows | Part::Keys => 0,
            _ => toggle.settings.len() - 1,
        };
        assert_eq!(of_toggle.count(), expected, "{}", toggle.name);
    }
}

#[test]
fn a_command_line_of_another_kind_is_not_gone_on_with() {
    let folder = folder();
    let output = run(folder.path(), &[&SWEEP[..], &["--out", "run"]].concat());
    assert!(output.status.success());
    for (arguments, what) in [
        (
            vec!["--sweep", "--only", "tiny.toml", "--resume", "run"],
            "command line",
        ),
        ([&SWEEP[..], &["--resume", "run"]].concat(), "complete"),
        ([&SWEEP[..], &["--out", "run"]].concat(), "--out"),
    ] {
        let output = run(folder.path(), &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(what), "{error}");
    }
    // Of another commit.
    let file = folder.path().join("run").join(SAMPLES_FILE);
    let records = std::fs::read_to_string(&file).unwrap();
    let commit = read_run(&folder.path().join("run"))
        .unwrap()
        .run
        .environment
        .commit;
    let other = records.replacen(&commit, "0123456789", 1);
    std::fs::write(&file, other).unwrap();
    let output = run(folder.path(), &[&SWEEP[..], &["--resume", "run"]].concat());
    let error = text(&output.stderr);
    assert!(
        error.contains("commit") && error.contains("0123456789"),
        "{error}"
    );
}

/// Starts `arguments`, and sends `signal` once some samples are there.
#[cfg(unix)]
fn interrupt(
    folder: &Path,
    arguments: &[&str],
    signal: i32,
    samples: usize,
) -> std::process::Output {
    use std::process::Stdio;
    let child = harness(folder, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let file = folder.join("run").join(SAMPLES_FILE);
    let deadline = Instant::now() + Duration::from_secs(120);
    let count = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.matches("\"kind\":\"sample\"").count()
    };
    while count() < samples && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    // SAFETY: a signal to a child of this process that has not been waited for.
    unsafe { libc::kill(child.id() as i32, signal) };
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_run_that_can_be_read_and_gone_on_with() {
    let folder = folder();
    let many = [
        "--sweep",
        "--only",
        "tiny.toml|serial",
        "--threads",
        "1",
        "--samples",
        "400",
    ];
    // On a busy machine it may end before the signal comes; then once more.
    let output = (0..20).find_map(|_| {
        let _ = std::fs::remove_dir_all(folder.path().join("run"));
        let arguments = [&many[..], &["--out", "run"]].concat();
        let output = interrupt(folder.path(), &arguments, libc::SIGINT, 20);
        (output.status.code() != Some(0)).then_some(output)
    });
    let output = output.expect("a run that did not end before");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let run_at = run_folder(folder.path(), &output);
    let partial = read_run(&run_at).unwrap();
    assert!(!partial.complete && partial.finished.is_some());
    assert!(partial.samples.len() >= 20);
    assert_eq!(summary(&run_at)["run"]["complete"], false);
    let resumed = run(folder.path(), &[&many[..], &["--resume", "run"]].concat());
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let whole = read_run(&run_at).unwrap();
    assert!(whole.complete);
    assert_eq!(whole.samples[..partial.samples.len()], partial.samples);
    assert_eq!(samples(&whole).len(), 400 * (whole.variants.len() + 1));
}

/// Starts `arguments` and kills it after so many lines of the run's file and so many microseconds more. False where it
/// ended before.
#[cfg(unix)]
fn kill(folder: &Path, arguments: &[&str], lines: usize, microseconds: u64) -> bool {
    use std::process::Stdio;
    let mut child = with_limits(folder, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = folder.join("run").join(SAMPLES_FILE);
    let count = || {
        let text = std::fs::read(&file).unwrap_or_default();
        text.iter().filter(|&&byte| byte == b'\n').count()
    };
    let ended = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if count() >= lines {
            break None;
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    std::thread::sleep(Duration::from_micros(microseconds));
    child.kill().unwrap();
    child.wait().unwrap();
    ended.is_none_or(|status| {
        assert!(status.success(), "{arguments:?}");
        false
    })
}

#[cfg(unix)]
#[test]
fn killed_ten_times_a_run_ends_with_the_same_samples() {
    use rand::{RngExt, SeedableRng};
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(seed);
    let folder = folder();
    // So large that a sample takes a millisecond or so.
    let small = TINY.replace("000\"", "0000\"");
    std::fs::write(folder.path().join("small.toml"), small).unwrap();
    let call = [
        "--sweep",
        "--only",
        "small.toml|serial",
        "--threads",
        "1,2",
        "--samples",
        "50",
    ];
    let call_with = |option: &str, name: &str| {
        let arguments = [&call[..], &[option, name]].concat();
        with_limits(folder.path(), &arguments).output().unwrap()
    };
    let whole = call_with("--out", "whole");
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let records = std::fs::read_to_string(folder.path().join("whole").join(SAMPLES_FILE)).unwrap();
    let whole_lines = records.lines().count();
    let whole = read_run(&folder.path().join("whole")).unwrap();
    let file = folder.path().join("run").join(SAMPLES_FILE);
    let mut lines = 0;
    for kills in 0..10 {
        let option = if file.exists() { "--resume" } else { "--out" };
        let left = whole_lines.saturating_sub(lines) / (12 - kills);
        let wanted = lines + random.random_range(0..left.max(1));
        let wait = random.random_range(0..if kills < 2 { 60_000 } else { 3_000 });
        let arguments = [&call[..], &[option, "run"]].concat();
        // On a busy machine it may end before: as good a whole run as any other, once it was killed at all.
        if !kill(folder.path(), &arguments, wanted, wait) {
            assert!(kills > 0, "too late");
            break;
        }
        let mut records = std::fs::read(&file).unwrap_or_default();
        // Half of the time a torn last line, as a crash of the machine leaves it.
        if kills % 2 == 1 && !records.is_empty() {
            records.truncate(records.len() - random.random_range(0..40.min(records.len())));
            std::fs::write(&file, &records).unwrap();
        }
        lines = records.iter().filter(|&&byte| byte == b'\n').count();
    }
    let is_complete = || read_run(&folder.path().join("run")).is_ok_and(|run| run.complete);
    if !is_complete() {
        let option = if file.exists() { "--resume" } else { "--out" };
        let last = call_with(option, "run");
        assert!(last.status.success(), "{}", text(&last.stderr));
    }
    assert!(is_complete());
    let run = read_run(&folder.path().join("run")).unwrap();
    assert_eq!(samples(&run), samples(&whole));
    let limits = |run: &Run| run.limits.len();
    assert_eq!(limits(&run), limits(&whole));
    assert_eq!(run.memory.len(), whole.memory.len());
    assert_eq!(run.schedules.len(), whole.schedules.len());
    assert!(run.failures.is_empty());
}

#[cfg(unix)]
#[test]
fn a_run_that_was_killed_before_its_first_line_starts_again() {
    let folder = folder();
    let at = folder.path();
    std::fs::create_dir(at.join("run")).unwrap();
    std::fs::write(at.join("run").join(SAMPLES_FILE), "{\"kind\":\"ru").unwrap();
    let output = run(at, &[&SWEEP[..], &["--resume", "run"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(read_run(&at.join("run")).unwrap().complete);
}
