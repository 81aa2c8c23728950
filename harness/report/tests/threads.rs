//! The model of many threads agrees with what was measured at one and two, and `docs/threads.md` shows what it says.

use std::path::PathBuf;

use report::record::{Run, read_run};
use report::threads_model::{
    CALIBRATED, Choices, Machine, Part, Rates, Sides, Spent, csv, draw, measured, panels, predict,
};

/// How far a prediction may be from a measurement, as a factor.
const AGREES: f64 = 1.35;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../reports/threads")
}

fn recorded() -> (Run, Rates, Machine) {
    let run = read_run(&folder()).unwrap();
    let rates = Rates::of(&run).unwrap();
    let machine = rates.machine();
    (run, rates, machine)
}

fn time(workload: &str, threads: usize, choices: Choices) -> Spent {
    let (run, rates, machine) = recorded();
    let sides = Sides::of(run.workload(workload).unwrap());
    predict(&rates, &machine, sides, threads, choices).unwrap()
}

#[test]
fn one_thread_and_two_are_as_measured() {
    let (run, ..) = recorded();
    assert!(run.run.environment.optimised && !run.run.environment.cpu.is_empty());
    for workload in [CALIBRATED, "pk-fk-16m", "zipf-16m"] {
        for threads in [1, 2] {
            let seconds = measured(&run, workload, threads).unwrap();
            let spent = time(workload, threads as usize, Choices::default());
            let ratio = spent.seconds / seconds;
            assert!(
                (1.0 / AGREES..AGREES).contains(&ratio),
                "{workload}, {threads} threads: {} predicted, {seconds} measured",
                spent.seconds
            );
        }
    }
}

#[test]
fn the_committed_chart_is_what_the_records_say() {
    let (run, rates, machine) = recorded();
    let panels = panels(&run, &rates, &machine);
    for (name, made) in [
        ("threads.svg", draw(&panels)),
        ("threads.csv", csv(&panels)),
    ] {
        let kept = std::fs::read_to_string(folder().join(name)).unwrap();
        assert!(
            kept == made,
            "{name} is old: cargo run -p report --example threads -- reports/threads"
        );
    }
}

#[test]
fn a_counter_that_all_ask_for_each_few_rows_is_what_they_wait_for() {
    let short = Choices {
        morsel: Some(16),
        ..Choices::default()
    };
    let (usual, short) = (
        time("pk-fk-16m", 64, Choices::default()),
        time("pk-fk-16m", 64, short),
    );
    assert!(short.seconds > 3.0 * usual.seconds, "{usual:?} {short:?}");
    let most = Part::ALL
        .map(|part| short.of(part))
        .into_iter()
        .fold(0.0, f64::max);
    assert_eq!(short.of(Part::Counters), most, "{short:?}");
}

#[test]
fn a_machine_is_told_its_numbers_by_name() {
    let mut machine = recorded().2;
    machine.set("latency", 90.0).unwrap();
    assert_eq!(machine.latency, 90.0 * 1e-9);
    for (name, value) in [("latency", 0.0), ("latency", f64::NAN), ("cores", 4.0)] {
        assert!(machine.set(name, value).is_err(), "{name}={value}");
    }
}

#[test]
fn a_run_without_what_is_needed_says_so() {
    let (mut run, ..) = recorded();
    run.limits.retain(|limit| !limit.what.contains("phases"));
    assert!(Rates::of(&run).unwrap_err().contains("--no-limits"));
    let (mut run, ..) = recorded();
    run.samples.clear();
    assert!(Rates::of(&run).unwrap_err().contains("--only"));
}
