//! `harness plan run --peers` and `--out`: what is made of programs that answer rightly, wrongly or not at all, and the
//! report. The programs are shell scripts, so that no engine is needed.
#![cfg(unix)]

use std::path::Path;

use serde_json::Value;

use crate::common::{folder, run, text};
use crate::plan::{bundle, refused};

/// Makes a peer of a script that answers `load` with yes and else with `answer`.
pub fn peer(folder: &Path, name: &str, answer: &str) -> String {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    let script = format!(
        "while read -r line; do\n  case \"$line\" in\n    *load*) echo \"$line\" >> loads; echo '{{\"loaded\": true}}' ;;\n    \
         *) {answer} ;;\n  esac\ndone\n"
    );
    std::fs::write(folder.join("main.sh"), script).unwrap();
    let definition = format!(
        "description = \"a peer\"\nversion = [\"echo\", \"1.0\"]\nrun = [\"sh\", \"main.sh\"]\ninstall = \"make {name}\"\n\
         plans = true\ntimeout-seconds = {}\n",
        if name == "hanging" { 1 } else { 60 }
    );
    std::fs::write(folder.join("peer.toml"), definition).unwrap();
    format!("./{name}")
}

/// A line of a script that answers an execution.
pub fn says(rows: u64, checksum: &str) -> String {
    format!("echo '{{\"seconds\": 0.000001, \"rows\": {rows}, \"checksum\": {checksum}}}'")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn peers_are_measured_in_turns_and_their_answers_compared() {
    let folder = folder();
    let here = folder.path();
    std::fs::create_dir(here.join("plans")).unwrap();
    bundle(&here.join("plans/1a"), 3000, |row| row);
    bundle(&here.join("plans/2a"), 500, |row| row / 2);
    let output = run(here, &["plan", "run", "plans/1a", "--json", "before.json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answer = &json(&here.join("before.json"))["arms"][0]["bundles"][0];
    let sum = format!("\"{}\"", answer["checksum"].as_str().unwrap());
    // Right on the first bundle, wrong on the second.
    let right = peer(here, "right", &says(3000, &sum));
    let peers = [
        ("miscounting", says(2999, &sum), "wrong answer: 2999 rows"),
        (
            "misreading",
            says(3000, "\"00000000000000ff\""),
            "00000000000000ff",
        ),
        ("silent", says(3000, "null"), "answered no checksum"),
        (
            "crashing",
            "echo out of luck >&2; exit 3".to_owned(),
            "out of luck",
        ),
        (
            "refusing",
            "echo '{\"error\": \"no memory\"}'".to_owned(),
            "no memory",
        ),
        (
            "hanging",
            "sleep 100".to_owned(),
            "did not answer within 1 s",
        ),
    ];
    let mut names = vec![right];
    names.extend(
        peers
            .iter()
            .map(|(name, answer, _)| peer(here, name, answer)),
    );
    let command = [
        "plan",
        "run",
        "plans",
        "--samples",
        "2",
        "--json",
        "report.json",
        "--peers",
    ];
    let output = run(here, &[&command[..], &[&names.join(",")]].concat());
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report = json(&here.join("report.json"));
    let arms = report["arms"].as_array().unwrap();
    assert_eq!(
        (arms[2]["name"].as_str(), arms[2]["kind"].as_str()),
        (Some("right 1.0"), Some("peer"))
    );
    let measured = &arms[2]["bundles"];
    assert_eq!(measured[0]["samples"].as_array().unwrap().len(), 2);
    assert_eq!(measured[1], Value::Null, "wrong on the second bundle");
    let over = &arms[2]["summary"]["over_first"];
    for ratio in ["total", "geometric_mean"] {
        let [low, median, high] =
            ["low", "median", "high"].map(|end| over[ratio][end].as_f64().unwrap());
        assert!(0.0 < low && low <= median && median <= high);
    }
    let failures = report["failures"].as_array().unwrap();
    let error = |name: &str, bundle: &str| {
        let name = format!("{name} 1.0");
        let failure = failures
            .iter()
            .find(|f| f["arm"] == *name && f["bundle"] == format!("plans/{bundle}"));
        failure.map(|failure| failure["error"].as_str().unwrap().to_owned())
    };
    assert_eq!(error("right", "1a"), None);
    assert!(
        error("right", "2a")
            .unwrap()
            .contains("wrong answer: 3000 rows")
    );
    for (name, _, expected) in &peers {
        for bundle in ["1a", "2a"] {
            let error = error(name, bundle).unwrap();
            assert!(
                error.contains(expected) || bundle == "2a",
                "{name}: {error}"
            );
            assert_eq!(error.lines().count(), 1);
            let says = |line: &str| line == format!("{bundle}: {name} 1.0: {error}");
            assert!(said.lines().any(says), "{said}");
        }
    }
    // A process stays for all plans unless it failed; what it loaded is gone.
    let loads = std::fs::read_to_string(here.join("right/loads")).unwrap();
    assert_eq!(loads.lines().count(), 2);
    for load in loads.lines() {
        let load: Value = serde_json::from_str(load).unwrap();
        assert!(!Path::new(load["load"]["plan"].as_str().unwrap()).exists());
    }
}

#[test]
fn a_report_is_charts_and_a_page_and_can_be_drawn_again() {
    let folder = folder();
    let here = folder.path();
    bundle(&here.join("3c"), 3000, |row| row);
    let command = [
        "plan",
        "run",
        "3c",
        "--executor",
        "pipelined,operator-at-a-time",
        "--ablate",
        "tags",
    ];
    let output = run(
        here,
        &[&command[..], &["--samples", "1", "--out", "report"]].concat(),
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert_eq!(out.lines().last(), Some("report/index.html"));
    assert!(out.contains("pipelined again") && out.contains("geometric mean"));
    let read = |name: &str| std::fs::read_to_string(here.join("report").join(name)).unwrap();
    let charts = [
        "plan-totals.svg",
        "plan-times.svg",
        "plan-against.svg",
        "plan-techniques.svg",
    ];
    let before = charts.map(read);
    let page = read("index.html");
    for svg in &before {
        assert!(svg.contains("pipelined") && page.contains(svg));
    }
    assert!(
        page.contains("without tags")
            && page.contains("3c")
            && page.contains("What each technique buys")
    );
    for name in charts {
        std::fs::remove_file(here.join("report").join(name)).unwrap();
    }
    assert!(run(here, &["report", "report"]).status.success());
    assert_eq!(before, charts.map(read));
    assert_eq!(page, read("index.html"));
    std::fs::write(here.join("report/plans.json"), "{}").unwrap();
    assert!(refused(here, &["report", "report"]).contains("plans.json"));
}

#[test]
fn peers_that_cannot_are_said_to() {
    let folder = folder();
    let here = folder.path();
    bundle(&here.join("b"), 10, |row| row);
    let command = |name: &'static str| ["plan", "run", "b", "--samples", "1", "--peers", name];
    let definition = |more: &str| {
        format!(
            "description = \"a\"\nversion = [\"false\"]\nrun = [\"true\"]\ninstall = \"make it\"\n{more}"
        )
    };
    std::fs::create_dir(here.join("absent")).unwrap();
    std::fs::write(here.join("absent/peer.toml"), definition("plans = true")).unwrap();
    let output = run(here, &command("./absent"));
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.lines().count() == 1 && said.contains("(cd absent && make it)"),
        "{said}"
    );
    std::fs::write(here.join("absent/peer.toml"), definition("")).unwrap();
    assert!(refused(here, &command("./absent")).contains("plans = true"));
    assert!(refused(here, &command("duckbd")).contains("did you mean duckdb"));
}
