//! The record lines: written, read back, torn, wrong.

use std::fs;
use std::path::Path;

use report::record::*;
use report::summary::{Summary, summarise};

mod synthetic;

fn text(dir: &Path) -> String {
    fs::read_to_string(dir.join(SAMPLES_FILE)).unwrap()
}

#[test]
fn every_kind_survives_a_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 1);
    let records = synthetic::records(1);
    let text = text(dir.path());
    assert_eq!(text.lines().count(), records.len());
    for (line, record) in text.lines().zip(&records) {
        assert_eq!(serde_json::from_str::<Record>(line).unwrap(), *record);
    }
    let run = read_run(dir.path()).unwrap();
    assert!(run.complete && !run.torn);
    let is_sample = |r: &&Record| matches!(r, Record::Sample(_) | Record::Ingest(_));
    let samples = records.iter().filter(is_sample);
    assert_eq!(run.samples.len(), samples.count());
}

#[test]
fn lines_read_as_documented() {
    let sample = r#"{"kind":"sample","round":3,"order":17,"workload":"pk-fk-16m",
        "variant":"partitioned+zero-copy","toggles":{"bloom":"off"},"label":"A'","threads":2,
        "seconds":0.123,"phases":[{"name":"partition","seconds":0.04}],"rows":18446744073709551615,
        "sum_build":1,"sum_probe":2,"checksum":"00000000000000ff","bytes":123,"source":"variant"}"#;
    let Record::Sample(sample) = serde_json::from_str(sample).unwrap() else {
        panic!("not a sample");
    };
    assert_eq!(sample.answer.rows, u64::MAX);
    assert_eq!(sample.answer.checksum, Checksum(255));
    assert_eq!(sample.label.as_deref(), Some(CONTROL_B));
    assert_eq!(sample.toggles["bloom"], "off");
    assert!(serde_json::from_str::<Checksum>("\"ff\"").is_err());
    assert!(serde_json::from_str::<Checksum>("\"+00000000000000f\"").is_err());
}

#[test]
fn a_torn_last_line_is_left_out_and_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 1);
    let path = dir.path().join(SAMPLES_FILE);
    let whole = text(dir.path());
    for cut in [1, 2, 20, 40] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let run = read_run(dir.path()).unwrap();
        assert!(run.torn && !run.complete, "cut {cut}");
        let mut writer = RecordWriter::append(dir.path()).unwrap();
        let note = Record::Note(NoteRecord { text: "on".into() });
        writer.write(&note).unwrap();
        let run = read_run(dir.path()).unwrap();
        assert!(!run.torn);
        assert_eq!(run.notes.last().unwrap(), "on");
    }
}

#[test]
fn a_line_of_zeros_after_a_crash_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 1);
    let path = dir.path().join(SAMPLES_FILE);
    let mut bytes = fs::read(&path).unwrap();
    let whole = bytes.len();
    bytes.extend([0, 0, 0, b'\n']);
    fs::write(&path, &bytes).unwrap();
    assert!(read_run(dir.path()).unwrap().torn);
    RecordWriter::append(dir.path()).unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), whole);
}

#[test]
fn a_bad_line_in_the_middle_is_named() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 1);
    let mut lines: Vec<String> = text(dir.path()).lines().map(str::to_owned).collect();
    lines[6] = lines[6][..30].to_owned();
    fs::write(dir.path().join(SAMPLES_FILE), lines.join("\n") + "\n").unwrap();
    let error = read_run(dir.path()).unwrap_err().to_string();
    assert!(error.contains("samples.jsonl:7:"), "{error}");
}

#[test]
fn other_errors_say_what_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let missing = read_run(dir.path()).unwrap_err().to_string();
    assert!(missing.contains("samples.jsonl"), "{missing}");
    fs::write(
        dir.path().join(SAMPLES_FILE),
        "{\"kind\":\"note\",\"text\":\"x\"}\n",
    )
    .unwrap();
    let headless = read_run(dir.path()).unwrap_err().to_string();
    assert!(headless.contains("no `run` line"), "{headless}");
    let again = RecordWriter::create(dir.path()).unwrap_err().to_string();
    assert!(again.contains("samples.jsonl"), "{again}");
    let mut record = serde_json::to_value(&synthetic::records(1)[0]).unwrap();
    record["schema"] = 3.into();
    fs::write(dir.path().join(SAMPLES_FILE), format!("{record}\n")).unwrap();
    let schema = read_run(dir.path()).unwrap_err().to_string();
    assert!(schema.contains(":1: schema 3"), "{schema}");
}

#[test]
fn a_resumed_run_is_complete_by_its_last_line() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), 1);
    let mut writer = RecordWriter::append(dir.path()).unwrap();
    let first = text(dir.path()).lines().next().unwrap().to_owned();
    writer
        .write(&serde_json::from_str(&first).unwrap())
        .unwrap();
    assert!(!read_run(dir.path()).unwrap().complete);
    let end = EndRecord {
        complete: true,
        finished: "later".into(),
    };
    writer.write(&Record::End(end)).unwrap();
    let run = read_run(dir.path()).unwrap();
    assert!(run.complete);
    assert_eq!(run.finished.as_deref(), Some("later"));
}

/// The run of `records`, without a file.
fn run_of(records: &[Record]) -> Run {
    let lines = records
        .iter()
        .map(|r| serde_json::to_string(r).unwrap() + "\n");
    parse_run(
        Path::new("samples.jsonl"),
        lines.collect::<String>().as_bytes(),
    )
    .unwrap()
}

#[test]
fn the_summary_has_the_documented_shape() {
    let summary = summarise(&run_of(&synthetic::records(7)));
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["schema"], 1);
    for key in ["id", "started", "seed", "size", "complete"] {
        assert!(!json["run"][key].is_null(), "run.{key}");
    }
    for what in ["read_bytes_per_second", "random_reads_per_second"] {
        assert!(json["limits"][what]["2"].as_f64().unwrap() > 0.0);
    }
    let default = |r: &&serde_json::Value| {
        r["workload"] == "pk-fk-16m" && r["variant"] == "partitioned+zero-copy" && r["threads"] == 2
    };
    let result = json["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(default)
        .unwrap();
    for key in [
        "build_rows",
        "probe_rows",
        "result_rows",
        "samples",
        "tuples_per_second",
        "peak_bytes",
        "peak_bytes_per_build_row",
        "limit_ratio",
    ] {
        assert!(result[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert!(
        result["counters_per_tuple"]["page_faults"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    assert_eq!(result["checksum"], "000000000000abc2");
    assert!(result["toggles"].is_object());
    let seconds = ["low", "median", "high"].map(|k| result["seconds"][k].as_f64().unwrap());
    assert!(seconds.is_sorted());
    assert_eq!(result["phases"][0]["name"], "partition");
    assert!(result["phases"][0]["median_seconds"].as_f64().unwrap() > 0.0);
    let ablation = &json["ablations"][0];
    for key in ["workload", "toggle", "setting", "threads"] {
        assert!(!ablation[key].is_null(), "{key}");
    }
    assert!(ablation["ratio"]["median"].as_f64().unwrap() > 0.0);
    assert_eq!(json["peers"][0]["variant"], "duckdb 1.9");
    let against = json["against_peers"].as_array().unwrap();
    assert!(!against.is_empty());
    for against in against {
        let median = |list: &str, name: Option<(&str, &str)>| {
            let mut cells = json[list].as_array().unwrap().iter();
            let is_it = |c: &&serde_json::Value| {
                c["workload"] == against["workload"]
                    && c["toggles"].as_object().unwrap().is_empty()
                    && name.is_none_or(|(name, threads)| {
                        c["variant"] == against[name] && c["threads"] == against[threads]
                    })
            };
            let times = cells.by_ref().filter(is_it);
            let times = times.map(|c| c["seconds"]["median"].as_f64().unwrap());
            times.fold(f64::INFINITY, f64::min)
        };
        // The named ones are the fastest at any number of threads, and the ratio is theirs.
        let (ours, theirs) = (median("results", None), median("peers", None));
        assert_eq!(median("results", Some(("variant", "threads"))), ours);
        assert_eq!(median("peers", Some(("peer", "peer_threads"))), theirs);
        let ratio = against["ratio"]["median"].as_f64().unwrap();
        assert!((ratio / (theirs / ours) - 1.0).abs() < 0.1, "{against}");
    }
    let back: Summary = serde_json::from_value(json).unwrap();
    assert_eq!(back, summary);
}

/// The summary of the synthetic run, in which `adaptive` says that it runs `radix`, whose samples have this note.
fn picking(note: &str) -> Summary {
    let mut records = synthetic::records(7);
    for record in &mut records {
        if let Record::Sample(sample) = record {
            match &*sample.variant {
                "adaptive" => sample.notes.push(format!("{RUNS}radix")),
                "radix" => sample.notes = vec![note.to_owned()],
                _ => {}
            }
        }
    }
    summarise(&run_of(&records))
}

#[test]
fn no_lead_is_stated_between_equal_code() {
    // As `adaptive` notes, too.
    let same = picking("what the join chose");
    let of = |summary: &Summary, workload: &str| {
        let mut fastest = summary.fastest.iter();
        fastest.find(|f| f.workload == workload).unwrap().clone()
    };
    let found = of(&same, "pk-fk-16m");
    assert_eq!(found.name(), "radix, which adaptive picks");
    let next = found.next.unwrap();
    assert!(!["radix", "adaptive"].contains(&&*next.variant), "{next:?}");
    assert_eq!(next.verdict, report::stats::Verdict::Slower);
    // It decided otherwise, so it is other code.
    let other = of(&picking("another way"), "pk-fk-16m");
    assert!(other.picked_by.is_empty());
    assert!(["radix", "adaptive"].contains(&&*other.next.unwrap().variant));
}

#[test]
fn medians_and_ratios_are_those_of_the_samples() {
    let summary = summarise(&run_of(&synthetic::records(7)));
    let fan_out = summary
        .ablations
        .iter()
        .find(|a| a.setting == "one-list-a-slot" && a.workload == "pk-fk-16m" && a.threads == 2)
        .unwrap();
    // 4.2 by the cost model, times the workload's 1.05, within the noise of 8 %.
    assert!(
        (fan_out.ratio.median / (4.2 * 1.05) - 1.0).abs() < 0.09,
        "{fan_out:?}"
    );
    let floor = summary.noise_floor.floor.unwrap();
    assert!(floor > 0.0 && floor < 0.09, "{floor}");
    assert_eq!(summary.noise_floor.controls.len(), 24);
}

#[test]
fn the_order_of_samples_does_not_matter() {
    let mut records = synthetic::records(6);
    let summary = summarise(&run_of(&records));
    let samples: Vec<usize> = (0..records.len())
        .filter(|at| matches!(records[*at], Record::Sample(_)))
        .collect();
    for at in 0..samples.len() / 2 {
        records.swap(samples[at], samples[samples.len() - 1 - at]);
    }
    assert_eq!(summarise(&run_of(&records)), summary);
}

#[test]
fn a_wrong_answer_takes_its_cell_out() {
    let mut records = synthetic::records(3);
    let spoilt = records.iter_mut().find_map(|record| match record {
        Record::Sample(s) if s.variant == "radix" && s.round == 2 && s.threads == 1 => Some(s),
        _ => None,
    });
    let spoilt = spoilt.unwrap();
    spoilt.answer.checksum = Checksum(1);
    let workload = spoilt.workload.clone();
    let summary = summarise(&run_of(&records));
    let holds = |workload: &str, variant: &str, threads| {
        let cell = |r: &&report::summary::CellSummary| {
            r.workload == workload && r.variant == variant && r.threads == threads
        };
        summary.results.iter().any(|r| cell(&r))
    };
    assert!(!holds("n-m-4m", "sort-merge", 2), "a failure record");
    assert!(holds("n-m-4m", "sort-merge", 1));
    assert!(
        !holds(&workload, "radix", 1),
        "a sample with a wrong checksum"
    );
    assert!(holds(&workload, "radix", 2));
    assert_eq!(summary.failures.len(), 2);
    assert!(summary.failures.iter().all(|f| f.wrong));
}

#[test]
fn an_error_without_an_answer_keeps_the_other_samples() {
    let mut records = synthetic::records(3);
    for record in &mut records {
        if let Record::Failure(failure) = record {
            failure.wrong = false;
        }
    }
    let summary = summarise(&run_of(&records));
    assert_eq!(summary.failures.len(), 1);
    let kept = summary
        .results
        .iter()
        .any(|r| r.workload == "n-m-4m" && r.variant == "sort-merge" && r.threads == 2);
    assert!(kept);
}
