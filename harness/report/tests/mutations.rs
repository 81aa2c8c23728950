//! Records that somebody or something has changed: whatever stands in them, a report is drawn that is well-formed, or one
//! line says what is wrong and nothing is written.

use std::fs;
use std::path::Path;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use report::compare;
use report::page::{PAGE_FILE, draw};
use report::plans::{Arm, Failure, Kind, Measured, PlanRun};
use report::record::*;
use report::stats;
use report::summary::{SUMMARY_FILE, Summary};
use serde_json::{Value, json};

mod synthetic;
#[allow(dead_code, reason = "where texts stand is for the chart tests")]
mod xml;

const WORKLOADS: [&str; 5] = [
    "small-1k",
    "n-m-4m",
    "ladder-2^10",
    "ladder-2^14",
    "ladder-2^20",
];
const VARIANTS: [&str; 5] = [
    "serial+zero-copy",
    "serial+materialised",
    "partitioned+zero-copy",
    "partitioned+batched",
    "duckdb 1.9",
];

/// A small run with a record of each kind.
fn run() -> Vec<Record> {
    let is_kept = |record: &Record| match record {
        Record::Workload(w) => WORKLOADS.contains(&&*w.name),
        Record::Variant(v) => VARIANTS.contains(&&*v.name),
        Record::Sample(s) => {
            WORKLOADS.contains(&&*s.workload)
                && VARIANTS.contains(&&*s.variant)
                && s.toggles.first_key_value().is_none_or(|t| t.0 == "tags")
        }
        Record::Memory(m) => WORKLOADS.contains(&&*m.workload) && VARIANTS.contains(&&*m.variant),
        _ => true,
    };
    let mut records = synthetic::records(2);
    records.retain(is_kept);
    let plan = ScheduleRecord {
        workload: "small-1k".into(),
        seconds: 1.5,
        looks: 1,
        last: true,
        cells: vec![ScheduledCell {
            variant: "serial+zero-copy".into(),
            toggles: Toggles::new(),
            label: None,
            threads: 1,
            rounds: 2,
        }],
    };
    records.insert(1, Record::Schedule(plan));
    records
}

fn lines(records: &[Record]) -> Vec<String> {
    let lines = records.iter().map(|r| serde_json::to_string(r).unwrap());
    lines.collect()
}

/// A small run of plans.
fn plans() -> PlanRun {
    let Some(Record::Run(run)) = run().into_iter().next() else {
        panic!("the run record is the first");
    };
    let measured = |bundle: &str, seconds: f64| {
        let samples = vec![seconds, seconds * 1.1, seconds * 1.3];
        Some(Measured {
            bundle: bundle.into(),
            rows: 9,
            checksum: Checksum(7),
            cold_seconds: seconds * 2.0,
            looks: 1,
            seconds: stats::interval(&samples, 1).unwrap(),
            samples,
            peak_bytes: Some(1 << 20),
            telemetry: None,
        })
    };
    let arm = |name: &str, kind, factor: f64| {
        let mut arm = Arm::new(name.into(), kind);
        let seconds = [("1a", 0.01), ("2b", 0.2), ("10c", 0.03)];
        arm.bundles = seconds
            .iter()
            .map(|(name, seconds)| measured(name, seconds * factor))
            .collect();
        arm
    };
    let mut peer = arm("duckdb 1.9", Kind::Peer, 4.0);
    peer.bundles[1] = None;
    let mut plans = PlanRun {
        schema: 1,
        started: run.started,
        command: run.command,
        environment: run.environment,
        threads: 2,
        arms: vec![
            arm("pipelined", Kind::Executor, 1.0),
            arm("operator-at-a-time", Kind::Executor, 2.0),
            arm("pipelined again", Kind::Control, 1.01),
            arm("pipelined without filters", Kind::Ablation, 1.4),
            peer,
        ],
        failures: vec![Failure {
            arm: "duckdb 1.9".into(),
            bundle: "2b".into(),
            error: "out of memory".into(),
        }],
        notes: vec!["polars is not installed".into()],
    };
    plans.summarise();
    plans
}

/// Numbers and texts at the ends of what there is.
fn extremes() -> Vec<Value> {
    let long = "a long name ".repeat(500);
    let texts = [
        "",
        "\u{0}",
        "\u{1b}[31m\u{7f}\u{9b}",
        "<b>&\"']]>&#0;",
        "\n\r\n\t",
        "\u{fffe}\u{ffff}\u{202e}",
        "\u{1f980}e\u{301}",
        "../../x",
        "duckdb 1.9 +huge-pages",
        "A'",
        "probe",
        &long,
    ];
    let mut all: Vec<Value> = texts.map(Value::from).into();
    all.extend([0, 1, 2, 31, 32, 1 << 32, u64::MAX].map(Value::from));
    all.extend([-1, i64::MIN].map(Value::from));
    all.extend([0.5, -0.5, 5e-324, 1e-9, 9e-10, 1e9, 1.1e9, 1e308, -1e308].map(Value::from));
    all.extend([json!(null), json!(true), json!([]), json!({}), json!([[]])]);
    all
}

/// All places in a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Changes one place: to an extreme, to nothing, or to twice what it is.
fn change(value: &mut Value, random: &mut Xoshiro256PlusPlus) {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let place = all.choose(random).unwrap();
    let found = value.pointer_mut(place).unwrap();
    match (random.random_range(0..4), &mut *found) {
        (0, Value::Array(items)) if !items.is_empty() => {
            let at = random.random_range(0..items.len());
            items.remove(at);
        }
        (1, Value::Array(items)) if !items.is_empty() => {
            let at = random.random_range(0..items.len());
            items.push(items[at].clone());
        }
        (0 | 1, Value::Object(fields)) if !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            fields.remove(names.choose(random).unwrap());
        }
        _ => *found = extreme(found, random),
    }
}

/// An extreme in place of a value, of the same kind most of the time.
fn extreme(value: &Value, random: &mut Xoshiro256PlusPlus) -> Value {
    let alike = |other: &Value| std::mem::discriminant(other) == std::mem::discriminant(value);
    let is_wanted = |other: &&Value| random.random_range(0..8) == 0 || alike(other);
    let all = extremes();
    let wanted: Vec<&Value> = all.iter().filter(is_wanted).collect();
    wanted
        .choose(random)
        .map_or(Value::Null, |&value| value.clone())
}

/// Changes one place of a line of JSON.
fn change_lines(lines: &mut [String], random: &mut Xoshiro256PlusPlus) {
    let at = random.random_range(0..lines.len());
    let mut value: Value = serde_json::from_str(&lines[at]).unwrap_or(Value::Null);
    change(&mut value, random);
    lines[at] = value.to_string();
}

/// Sets one field of every record of a kind to one extreme, so that whole cells have it.
fn change_all(lines: &mut [String], random: &mut Xoshiro256PlusPlus) {
    let at = random.random_range(0..lines.len());
    let one: Value = serde_json::from_str(&lines[at]).unwrap_or(Value::Null);
    let mut all = Vec::new();
    places(&one, "", &mut all);
    let (place, kind) = (all.choose(random).unwrap(), &one["kind"]);
    if place.is_empty() || place == "/kind" {
        return;
    }
    let extreme = extreme(one.pointer(place).unwrap_or(&Value::Null), random);
    for line in lines {
        let Ok(mut value) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if value["kind"] == *kind
            && let Some(found) = value.pointer_mut(place)
        {
            *found = extreme.clone();
            *line = value.to_string();
        }
    }
}

/// The text of the file with a few things changed.
fn spoil(mut lines: Vec<String>, random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..lines.len());
        let other = random.random_range(0..lines.len());
        match random.random_range(0..10) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => lines.truncate(at.max(1)),
            4..6 => change_lines(&mut lines, random),
            _ => change_all(&mut lines, random),
        }
        if lines.is_empty() {
            break;
        }
    }
    let mut bytes = (lines.join("\n") + "\n").into_bytes();
    match random.random_range(0..8) {
        0 => bytes.truncate(random.random_range(0..bytes.len())),
        1 => {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        2 => bytes.extend([0; 9]),
        _ => {}
    }
    bytes
}

/// Whether a document may hold the character.
fn is_legal(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\t')
}

/// Checks what stands in a folder of a report.
fn check_drawn(dir: &Path) {
    let page = fs::read_to_string(dir.join(PAGE_FILE)).unwrap();
    assert!(
        page.chars().all(is_legal),
        "the page has control characters"
    );
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "svg") {
            continue;
        }
        let svg = fs::read_to_string(&path).unwrap();
        let texts = xml::texts(&svg).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let is_number = |text: &str| {
            let text = text.trim_start_matches('×');
            !text.starts_with("inf") && !text.starts_with("NaN") && !text.starts_with("-inf")
        };
        for text in texts {
            assert!(is_number(&text.text), "{}: {}", path.display(), text.text);
        }
    }
    if let Ok(summary) = fs::read(dir.join(SUMMARY_FILE)) {
        // What is no number is null there.
        serde_json::from_slice::<Summary>(&summary).unwrap();
    }
}

/// Draws what stands in the folder; whether it could be.
fn draws(dir: &Path) -> bool {
    let before = fs::read_dir(dir).unwrap().count();
    match draw(dir) {
        Ok(_) => {
            check_drawn(dir);
            true
        }
        Err(error) => {
            let error = error.to_string();
            assert!(
                !error.is_empty() && !error.contains(char::is_control),
                "{error:?}"
            );
            assert_eq!(fs::read_dir(dir).unwrap().count(), before, "{error}");
            false
        }
    }
}

/// Compares the run in the folder with a whole one, either way.
fn compares(dir: &Path, whole: &Run) {
    let spoilt = read_run(dir).unwrap();
    for (before, after) in [(&spoilt, whole), (whole, &spoilt), (&spoilt, &spoilt)] {
        let to = dir.join("comparison");
        let comparison = compare::compare(before, after);
        compare::findings(&comparison);
        compare::draw(&to, &comparison).unwrap();
        check_drawn(&to);
        fs::remove_dir_all(&to).unwrap();
    }
}

/// What each of `cases` is checked by, with its number where it fails.
fn each(cases: u64, check: impl Fn(&Path, &mut Xoshiro256PlusPlus) -> bool) {
    let mut drawn = 0;
    for case in 0..cases {
        let dir = tempfile::tempdir().unwrap();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(case);
        let checked = std::panic::AssertUnwindSafe(|| check(dir.path(), &mut random));
        match std::panic::catch_unwind(checked) {
            Ok(was_drawn) => drawn += u64::from(was_drawn),
            Err(_) => panic!("case {case} fails"),
        }
    }
    // Neither all refused nor all harmless: then the changes would teach nothing.
    assert!(
        drawn > cases / 50 && drawn < cases,
        "{drawn} of {cases} are drawn"
    );
}

#[test]
fn spoilt_records_are_refused_or_drawn() {
    let whole = run();
    let text = lines(&whole).join("\n") + "\n";
    let parsed = parse_run(Path::new(SAMPLES_FILE), text.as_bytes()).unwrap();
    each(400, |dir, random| {
        fs::write(dir.join(SAMPLES_FILE), spoil(lines(&whole), random)).unwrap();
        let is_drawn = draws(dir);
        if is_drawn {
            compares(dir, &parsed);
        }
        is_drawn
    });
}

#[test]
fn spoilt_plans_are_refused_or_drawn() {
    let whole = serde_json::to_value(plans()).unwrap();
    each(400, |dir, random| {
        let mut value = whole.clone();
        for _ in 0..random.random_range(1..3) {
            change(&mut value, random);
        }
        let mut bytes = value.to_string().into_bytes();
        if random.random_range(0..8) == 0 {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        fs::write(dir.join(PLANS_FILE), bytes).unwrap();
        draws(dir)
    });
}

/// What must be refused, by the words that say why.
#[test]
fn what_nobody_can_have_measured_is_refused() {
    let whole = lines(&run());
    let first = |kind: &str| {
        let kind = format!("\"kind\":\"{kind}\"");
        whole.iter().position(|line| line.contains(&kind)).unwrap()
    };
    for (kind, place, value, says) in [
        ("sample", "/seconds", json!(-1.0), "-1 is no time"),
        (
            "sample",
            "/phases/0/seconds",
            json!(-0.5),
            "-0.5 is no time",
        ),
        ("sample", "/threads", json!(0), "0 threads"),
        ("ingest", "/seconds", json!(-2.0), "-2 is no time"),
        ("limit", "/value", json!(-1.0), "-1, below 0"),
        ("schedule", "/seconds", json!(-3.0), "-3 is no time"),
    ] {
        let mut lines = whole.clone();
        let at = first(kind);
        let mut record: Value = serde_json::from_str(&lines[at]).unwrap();
        *record.pointer_mut(place).unwrap() = value;
        lines[at] = record.to_string();
        let text = lines.join("\n") + "\n";
        let error = parse_run(Path::new(SAMPLES_FILE), text.as_bytes());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(error.contains(&format!(":{}:", at + 1)), "{error}");
    }
    let plans = serde_json::to_value(plans()).unwrap();
    for (place, value, says) in [
        ("/arms", json!([]), "`arms` is empty"),
        ("/arms/0/bundles/0/samples/0", json!(-1.0), "cannot be"),
        ("/threads", json!(0), "0 threads"),
        ("/schema", json!(9), "schema 9"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut value_of = plans.clone();
        *value_of.pointer_mut(place).unwrap() = value;
        fs::write(dir.path().join(PLANS_FILE), value_of.to_string()).unwrap();
        let error = draw(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(PLANS_FILE) && error.contains(says),
            "{error}"
        );
    }
}

/// A run that was killed while it recorded its ingest has these records twice, from two sessions.
#[test]
fn records_of_ingest_that_were_measured_again_count_once() {
    let whole = run();
    let ingest = whole.iter().filter(|r| matches!(r, Record::Ingest(_)));
    let ingest: Vec<Record> = ingest.cloned().collect();
    let mut again = ingest.clone();
    for record in &mut again {
        if let Record::Ingest(record) = record {
            record.seconds *= 2.0;
        }
    }
    let parse = |records: &[Record]| {
        let text = lines(records).join("\n") + "\n";
        parse_run(Path::new(SAMPLES_FILE), text.as_bytes()).unwrap()
    };
    let found = parse(&[&whole[..1], &ingest[..ingest.len() / 2], &again].concat());
    assert_eq!(
        found.samples,
        parse(&[&whole[..1], &again].concat()).samples
    );
    assert_eq!(found.samples.len(), ingest.len());
}
