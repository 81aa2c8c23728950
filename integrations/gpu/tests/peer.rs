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

/// An error of one line that has this in it.
fn refuses(answer: &Value, what: &str) {
    let error = answer["error"].as_str().unwrap_or_default();
    assert!(error.contains(what) && !error.contains('\n'), "{answer}");
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
        json!({"join": "pairs", "kind": "inner"}),
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
        refuses(&found[number], what);
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

/// What the protocol has and the device has not is never answered as if it was an inner join on one column.
#[test]
fn only_inner_joins_on_one_column_of_integers_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, [1, 0, 0, 0, 2, 0, 0, 0]).unwrap();
    let side = |more: Value| {
        let mut side = json!({"rows": 2, "type": "INT32", "keys": keys, "valid": null,
            "values": null, "ends": null, "more": []});
        let fields = side.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        side
    };
    let load =
        |more| json!({"load": {"threads": 1, "build": side(more), "probe": side(json!({}))}});
    let lines = [
        (
            load(json!({"type": "VARCHAR", "ends": keys})),
            Some("not VARCHAR"),
        ),
        (load(json!({"more": [side(json!({}))]})), Some("not on 2")),
        (load(json!({"collation": "C"})), Some("`collation`")),
        // More rows than there is memory for.
        (
            load(json!({"rows": u64::MAX})),
            Some("not of 18446744073709551615 rows"),
        ),
        (
            load(json!({"keys": "no such file"})),
            Some("cannot read no such file"),
        ),
        (
            json!({"load": {"threads": 1, "plan": "folder"}}),
            Some("`plan`"),
        ),
        (json!({"execute": {"checksum": true}}), Some("`execute`")),
        // Values alone change nothing.
        (load(json!({"values": keys})), None),
        (
            json!({"join": "pairs", "kind": "probe-semi"}),
            Some("not probe-semi"),
        ),
        (
            json!({"join": "aggregate", "condition": "build.value < probe.value"}),
            Some("condition"),
        ),
        (json!({"join": "pairs", "order": "by key"}), Some("`order`")),
        (json!({}), Some("`load` or `join`")),
        (json!({"join": "aggregate"}), None),
    ];
    let (lines, refusals): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .map(|(line, refusal)| (line.to_string(), refusal))
        .unzip();
    let found = answers(&lines);
    for (answer, refusal) in found.iter().zip(refusals) {
        match refusal {
            Some(what) => refuses(answer, what),
            None => assert_eq!(answer.get("error"), None, "{answer}"),
        }
    }
    assert_eq!(found.last().unwrap()["rows"], 2);
}
