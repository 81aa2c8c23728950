//! `harness plan run --once`: what is measured in which process, what a resumed run takes up, and what is refused.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use report::plans::PlanRun;
use report::record::{CONTROL_B, ONCE, Run, SAMPLES_FILE, read_run};

use crate::common::{folder, run, samples, text};
use crate::plan::{bundle, refused};
use crate::plan_peers::{peer, says};

/// A process touches a part of the memory that it may hold.
const CALL: [&str; 10] = [
    "plan",
    "run",
    "plans",
    "--once",
    "--memory",
    "64M",
    "--samples",
    "2",
    "--order",
    "seeded",
];

/// A folder with three bundles in `plans`.
fn plans() -> tempfile::TempDir {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    bundle(&here.join("plans/1a"), 3000, |row| row);
    bundle(&here.join("plans/2a"), 500, |row| row / 2);
    bundle(&here.join("plans/10a"), 100, |row| row);
    folder
}

fn call(here: &Path, more: &[&str]) -> Output {
    run(here, &[&CALL[..], more].concat())
}

/// The plans of a round in the order in which a contender's process has executed them.
fn order(run: &Run, round: u32, label: Option<&str>) -> Vec<String> {
    let samples = run.samples.iter();
    let mut of_process: Vec<_> = samples
        .filter(|s| s.round == round && s.label.as_deref() == label)
        .collect();
    of_process.sort_by_key(|sample| sample.order);
    of_process.iter().map(|s| s.workload.clone()).collect()
}

#[test]
fn each_plan_is_executed_once_in_each_process_and_warm_beside_it() {
    let folder = plans();
    let here = folder.path();
    let output = call(here, &["--out", "out", "--seed", "3"]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    let run = read_run(&here.join("out")).unwrap();
    assert!(run.complete);
    let once = run.part(ONCE);
    let names = ["plans/1a, once", "plans/2a, once", "plans/10a, once"];
    assert!(once.workloads.iter().map(|w| &*w.name).eq(names));
    // Two rounds of the executor under two names.
    assert_eq!(once.samples.len(), 2 * 2 * 3);
    for round in [1, 2] {
        let [ours, again] = ["A", CONTROL_B].map(|label| order(&once, round, Some(label)));
        assert_eq!(ours, again, "all processes of a round have one order");
        let all: BTreeSet<&str> = ours.iter().map(|name| &**name).collect();
        assert_eq!(all, BTreeSet::from(names));
    }
    assert!(once.samples.iter().all(|s| s.round > 0
        && s.system.is_some()
        && s.bytes.is_some()
        && s.counters.contains_key("page_faults")));

    let (first, warm) = (
        PlanRun::once(&run).unwrap(),
        PlanRun::from_run(&run).unwrap(),
    );
    for (a, b) in first.arms.iter().zip(&warm.arms) {
        assert_eq!(a.name, b.name);
        let answers = |arm: &report::plans::Arm| -> Vec<_> {
            let measured = arm.bundles.iter().flatten();
            let answers = measured.map(|m| (m.bundle.clone(), m.rows, m.checksum));
            answers.collect()
        };
        assert_eq!(answers(a), answers(b));
        assert_eq!(answers(a).len(), 3);
    }
    let before = run
        .notes
        .iter()
        .find(|n| n.starts_with("Before its first execution"));
    assert!(
        before.is_some_and(|note| note.contains("3 bundles")),
        "{:?}",
        run.notes
    );
    assert!(
        out.contains(" ms, each once") && out.contains(" ms, warm"),
        "{out}"
    );
    assert_eq!(out.lines().last(), Some("out/index.html"));
    let read = |name: &str| std::fs::read_to_string(here.join("out").join(name)).unwrap();
    let page = read("index.html");
    for chart in ["once-totals", "once-times", "plan-totals", "plan-times"] {
        assert!(page.contains(&read(&format!("{chart}.svg"))), "{chart}");
    }
    assert!(read("once-times.csv").starts_with("plan,engine,rows,warm,"));
    assert!(page.contains("Whole plans, each once") && page.contains(before.unwrap()));
}

#[test]
fn a_run_that_was_cut_goes_on_and_one_that_was_asked_for_otherwise_does_not() {
    let folder = plans();
    let here = folder.path();
    assert!(call(here, &["--out", "run"]).status.success());
    let path = here.join("run").join(SAMPLES_FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    let all = read_run(&here.join("run")).unwrap();
    // In the first process, in the second round, and in the warm part.
    for (until, nth) in [
        ("\"kind\":\"sample\"", 1),
        ("\"round\":2", 2),
        ("\"round\":0", 3),
    ] {
        let at = whole.match_indices(until).nth(nth).unwrap().0;
        std::fs::write(&path, &whole[..at]).unwrap();
        let output = call(here, &["--resume", "run"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let found = read_run(&here.join("run")).unwrap();
        assert!(found.complete);
        assert_eq!(samples(&found), samples(&all), "{until}");
        assert_eq!(found.schedules.len(), all.schedules.len());
    }
    let cut = &whole[..whole.match_indices("\"round\":2").next().unwrap().0];
    std::fs::write(&path, cut).unwrap();
    let other = [&CALL[..9], &["given", "--resume", "run"]].concat();
    assert!(refused(here, &other).contains("command line"));
    bundle(&here.join("other"), 600, |row| row / 2);
    std::fs::remove_dir_all(here.join("plans/2a")).unwrap();
    std::fs::rename(here.join("other"), here.join("plans/2a")).unwrap();
    let plan = std::fs::read_to_string(here.join("plans/2a/plan.json")).unwrap();
    std::fs::write(here.join("plans/2a/plan.json"), plan.replace("other", "2a")).unwrap();
    let error = refused(here, &[&CALL[..], &["--resume", "run"]].concat());
    assert!(
        error.contains("plans/2a, once") && error.contains("probe rows"),
        "{error}"
    );
}

#[test]
fn peers_have_fresh_processes_and_a_wrong_answer_is_a_failure() {
    let folder = plans();
    let here = folder.path();
    assert!(call(here, &["--out", "before"]).status.success());
    let before = PlanRun::once(&read_run(&here.join("before")).unwrap()).unwrap();
    let first = before.arms[0].measured("plans/1a").unwrap();
    let right = peer(
        here,
        "right",
        &says(3000, &format!("\"{}\"", first.checksum)),
    );
    let crashing = peer(here, "crashing", "echo out of luck >&2; exit 3");
    let peers = format!("{right},{crashing}");
    let output = call(here, &["--peers", &peers, "--out", "out"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let run = read_run(&here.join("out")).unwrap();
    let once = PlanRun::once(&run).unwrap();
    let arm = once.arm("right 1.0").unwrap();
    assert_eq!(arm.measured("plans/1a").unwrap().samples.len(), 2);
    assert!(arm.summary.over_first.is_some());
    for (arm, bundle, says) in [
        ("right 1.0", "plans/2a", "wrong answer: 3000 rows"),
        ("right 1.0", "plans/10a", "wrong answer: 3000 rows"),
        ("crashing 1.0", "plans/1a", "out of luck"),
        ("crashing 1.0", "plans/2a", "out of luck"),
    ] {
        let mut failures = once.failures.iter();
        let failure = failures.find(|failure| failure.arm == arm && failure.bundle == bundle);
        assert!(
            failure.is_some_and(|failure| failure.error.contains(says)),
            "{arm} {bundle}"
        );
        assert!(said.contains(says), "{said}");
        assert!(
            once.arm(arm)
                .is_none_or(|arm| arm.measured(bundle).is_none())
        );
    }
    // All plans in the first round, in the second the one that it is right on; then warm, all of them again.
    let loads = std::fs::read_to_string(here.join("right/loads")).unwrap();
    assert_eq!(loads.lines().count(), 3 + 1 + 3);
}

#[test]
fn what_cannot_be_had_together_is_refused() {
    let folder = plans();
    let here = folder.path();
    let seeded = ["plan", "run", "plans", "--order", "seeded"];
    assert!(refused(here, &seeded).contains("--once"));
    let json = [&CALL[..], &["--json", "out.json"]].concat();
    assert!(refused(here, &json).contains("--json"));
    let little = [&CALL[..5], &["1K"]].concat();
    let output = run(here, &little);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("raise the memory limit"));
}
