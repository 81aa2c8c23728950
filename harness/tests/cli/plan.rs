//! `harness plan` (R9.1, R9.4): answers, telemetry and pictures; and what is refused.

use std::path::Path;

use join_core::page::DataType;
use join_core::table::{Column, NamedColumn, Table};
use plan_executor::{Bundle, Join, Node, Operator, Output};
use report::plans::PlanRun;
use report::record::read_run;
use serde_json::Value;

use crate::common::{folder, run, text};

/// Writes a bundle of two tables of `rows` rows each, whose keys are `key` of the row.
pub fn bundle(folder: &Path, rows: i32, key: impl Fn(i32) -> i32) {
    let output = |index: usize| Output {
        index,
        data_type: [DataType::Int32, DataType::Varchar][index % 2],
    };
    let table = || {
        let keys = Column::from_i32(&(0..rows).map(&key).collect::<Vec<_>>());
        let names = Column::from_strings((0..rows).map(|row| Some(format!("name {row}"))));
        let columns = vec![
            NamedColumn::new("id", keys),
            NamedColumn::new("name", names),
        ];
        Table::new("t", columns).unwrap()
    };
    let scan = |table| Node {
        operator: Operator::Scan(table),
        output: vec![output(0), output(1)],
    };
    let join = Node {
        operator: Operator::Join(Join {
            build_left: true,
            left: 0,
            right: 1,
            left_attr: 0,
            right_attr: 0,
        }),
        output: vec![output(3), output(1)],
    };
    let nodes = vec![scan(0), scan(1), join];
    let name = folder.file_name().unwrap().to_string_lossy();
    let bundle = Bundle::new(name, nodes, 2, vec![table(), table()]).unwrap();
    bundle.write(folder).unwrap();
}

#[test]
fn a_folder_of_bundles_is_executed_checked_and_drawn() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("plans")).unwrap();
    bundle(&folder.path().join("plans/2b"), 3000, |row| row);
    bundle(&folder.path().join("plans/10a"), 500, |row| row / 2);

    let output = run(folder.path(), &["plan", "check", "plans"]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert_eq!(out.lines().count(), 2);
    assert!(
        out.lines().all(|line| line.starts_with("ok")
            && line.ends_with("oracle = pipelined = operator-at-a-time"))
    );

    let command = ["plan", "run", "plans", "--samples", "2", "--threads", "2"];
    let more = ["--ablate", "filters,pool", "--json", "out.json"];
    let output = run(folder.path(), &[&command[..], &more[..]].concat());
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    let json = std::fs::read(folder.path().join("out.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let arms = json["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 4, "with a control");
    for arm in arms {
        let bundles = arm["bundles"].as_array().unwrap();
        let rows: Vec<u64> = bundles
            .iter()
            .map(|b| b["rows"].as_u64().unwrap())
            .collect();
        assert_eq!(rows, [3000, 1000], "2b comes before 10a");
        for bundle in bundles {
            let steps = bundle["telemetry"]["steps"].as_array().unwrap();
            let last = steps.last().unwrap();
            assert_eq!(last["rows_out"], bundle["rows"]);
            assert!(last["bytes"].as_u64().unwrap() > 0);
            assert!(bundle["peak_bytes"].as_u64() >= last["bytes"].as_u64());
            assert_eq!(bundle["samples"].as_array().unwrap().len(), 2);
        }
    }

    for executor in ["pipelined", "operator-at-a-time"] {
        let svg = format!("{executor}.svg");
        let command = [
            "plan",
            "explain",
            "plans/2b",
            "--svg",
            &svg,
            "--executor",
            executor,
        ];
        let output = run(folder.path(), &command);
        let out = text(&output.stdout);
        assert!(output.status.success(), "{out}{}", text(&output.stderr));
        assert!(out.contains("└─ ") && out.contains("-> 3000"), "{out}");
        let svg = std::fs::read_to_string(folder.path().join(svg)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }
}

/// The one line on standard error of a call that is refused.
pub fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let folder = folder();
    let here = folder.path();
    bundle(&here.join("b"), 10, |row| row);
    assert!(refused(here, &["plan", "run", "nowhere"]).contains("nowhere"));
    std::fs::create_dir(here.join("empty")).unwrap();
    assert!(refused(here, &["plan", "run", "empty"]).contains("plan.json"));
    let error = refused(here, &["plan", "run", "b", "--executor", "fast"]);
    assert!(error.contains("pipelined") && error.contains("operator-at-a-time"));
    assert!(refused(here, &["plan", "run", "b", "--without", "magic"]).contains("filters"));
    assert!(refused(here, &["plan", "run", "b", "--build", "magic"]).contains("--executor"));
    let takes = ["--executor", "operator-at-a-time"];
    let magic = [&["plan", "run", "b", "--build", "magic"][..], &takes].concat();
    assert!(refused(here, &magic).contains("hashbrown"));
    assert!(refused(here, &["plan", "run", "b", "--memory", "lots"]).contains("512M"));
    assert!(refused(here, &["plan", "run", "b", "--threads", "0"]).contains("--threads"));
    assert!(refused(here, &["plan", "run", "b", "--samples", "0"]).contains("--samples"));
    assert!(refused(here, &["plan", "run", "b", "--json", "no/where"]).contains("no/where"));
    std::fs::write(here.join("b/plan.json"), "[]").unwrap();
    assert!(refused(here, &["plan", "run", "b"]).contains("plan.json"));
}

#[test]
fn results_beyond_memory_or_row_ids_are_refused() {
    let folder = folder();
    let here = folder.path();
    // Every row meets every other: 10^10 pairs.
    bundle(&here.join("many"), 100_000, |_| 7);
    let error = refused(here, &["plan", "run", "many", "--executor", "pipelined"]);
    assert!(error.contains("10000000000 rows"), "{error}");
    for executor in ["pipelined", "operator-at-a-time"] {
        bundle(&here.join(executor), 2000, |row| row / 1000);
        let command = [
            "plan",
            "run",
            executor,
            "--memory",
            "1M",
            "--executor",
            executor,
        ];
        let error = refused(here, &command);
        assert!(error.contains("raise the memory limit"), "{error}");
    }
    let command = [
        "plan",
        "run",
        "many",
        "--executor",
        "operator-at-a-time",
        "--memory",
        "64M",
    ];
    let error = refused(here, &command);
    assert!(error.contains("raise the memory limit"), "{error}");
}

#[test]
fn a_check_goes_on_after_what_cannot_be_checked() {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    // Every row meets every other: 4 * 10^6 pairs, and 10^10.
    bundle(&here.join("plans/1a"), 2000, |_| 7);
    bundle(&here.join("plans/2a"), 100_000, |_| 7);
    bundle(&here.join("plans/3a"), 100, |row| row);
    let output = run(here, &["plan", "check", "plans", "--memory", "16M"]);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{out}{error}");
    let expected = [
        "FAILED 1a: nothing to compare",
        "oracle: not asked, node 2: out of memory",
        "pipelined: node",
        "operator-at-a-time: node",
        "FAILED 2a: nothing to compare",
        "oracle: not asked, node",
        "pipelined: node",
        "operator-at-a-time: node",
        "ok     3a",
    ];
    assert_eq!(out.lines().count(), expected.len(), "{out}");
    for (line, expected) in out.lines().zip(expected) {
        assert!(line.contains(expected), "{line}: {expected}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("2 of 3 bundles") && error.contains("--memory"));

    // A result that is too large for the oracle alone is still checked by the others.
    let output = run(here, &["plan", "check", "plans/1a"]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert!(out.contains("pipelined = operator-at-a-time"), "{out}");
    assert!(out.contains("node 2 yields more than 1000000 rows; --oracle-up-to"));
}

#[test]
fn a_sweep_measures_plans_that_are_made_or_named() {
    let folder = folder();
    let here = folder.path();
    let names = |report: &str| -> Vec<String> {
        let run = read_run(&here.join(report)).unwrap();
        let plans = PlanRun::from_run(&run).unwrap();
        let arms: Vec<&str> = plans.arms.iter().map(|arm| &*arm.name).collect();
        assert_eq!(arms, ["pipelined", "pipelined again", "operator-at-a-time"]);
        let measured = plans.arms[2].bundles.iter().flatten();
        let names = measured.map(|measured| measured.bundle.clone());
        let page = std::fs::read_to_string(here.join(report).join("index.html")).unwrap();
        assert!(page.contains("Whole plans") && page.contains("id=\"plan-times\""));
        names.collect()
    };
    let sweep = [
        "--sweep",
        "--quick",
        "--samples",
        "1",
        "--threads",
        "2",
        "--only",
    ];
    let output = run(
        here,
        &[&sweep[..], &["plans-ssb", "--out", "made"]].concat(),
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made = names("made");
    assert!(made.len() == 13 && made[0] == "ssb/q1.1", "{made:?}");

    std::fs::create_dir(here.join("plans")).unwrap();
    bundle(&here.join("plans/9c"), 100, |row| row);
    let named = [
        "tiny.toml|serial+zero-copy",
        "--plans",
        "plans",
        "--out",
        "named",
    ];
    let output = run(here, &[&sweep[..], &named].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names("named"), ["plans/9c"]);

    let output = run(here, &["verify", "--only", "plans-*"]);
    let out = text(&output.stdout);
    assert!(
        output.status.success() && out.contains("all executors on 22 plans"),
        "{out}"
    );
    let error = refused(
        here,
        &[&sweep[..], &["plans-ssb", "--plans", "nowhere"]].concat(),
    );
    assert!(error.contains("nowhere"), "{error}");
}
