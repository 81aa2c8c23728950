//! The device as a peer: lines of JSON in and out. Needs an adapter.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The answers to these lines, each a line of JSON.
fn answers(lines: &[String]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_joinery-gpu"))
        .args(["peer", "--device-memory", "64"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let answer = |line: &String| {
        writeln!(input, "{line}").unwrap();
        serde_json::from_str(&output.next().unwrap().unwrap()).unwrap()
    };
    let answers = lines.iter().map(answer).collect();
    drop(input);
    assert!(child.wait().unwrap().success());
    answers
}

#[test]
fn joins_are_answered_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let bytes =
        |keys: &[i64]| -> Vec<u8> { keys.iter().flat_map(|key| key.to_le_bytes()).collect() };
    let build = file("build.keys", &bytes(&[5, -1, 5, 0]));
    // The last row is NULL, which reads as 0.
    let valid = file("build.valid", &[0b0111]);
    let probe = file("probe.keys", &bytes(&[5, 0, -1, 7, 5]));
    let load = |rows: u64| {
        json!({"load": {"threads": 2,
            "build": {"rows": rows, "type": "INT64", "keys": build, "valid": valid},
            "probe": {"rows": 5, "type": "INT64", "keys": probe, "valid": null}}})
    };
    let lines = [
        json!({"join": "aggregate"}),
        load(4),
        json!({"join": "aggregate"}),
        json!({"join": "pairs"}),
        load(5),
        json!({"dance": 1}),
        load(4),
        json!({"join": "pairs"}),
    ];
    let found = answers(&lines.map(|line| line.to_string()));
    for (number, what) in [
        (0, "nothing was loaded"),
        (4, "not of 5 rows"),
        (5, "dance"),
    ] {
        let error = found[number]["error"].as_str().unwrap_or_default();
        assert!(error.contains(what), "{number}: {}", found[number]);
    }
    for number in [1, 6] {
        assert_eq!(found[number], json!({"loaded": true}));
    }
    for number in [2, 3, 7] {
        let answer = &found[number];
        // Rows 0 and 2 with 0 and 4, and row 1 with 2.
        let sums = ["rows", "sum_build", "sum_probe"].map(|name| answer[name].as_u64());
        assert_eq!(sums, [Some(5), Some(5), Some(10)], "{answer}");
        let phases = answer["phases"].as_array().unwrap();
        let names: Vec<_> = phases
            .iter()
            .map(|phase| phase["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["upload", "build", "probe", "download"]);
        let named: f64 = phases
            .iter()
            .map(|phase| phase["seconds"].as_f64().unwrap())
            .sum();
        assert!(named <= answer["seconds"].as_f64().unwrap());
    }
}
