//! Every chart of a run as large as a real one: well-formed, complete, and without labels on top
//! of each other.

use std::path::Path;

use proptest::prelude::*;
use report::charts::{Chart, LeftOut, text};
use report::page::Drawn;
use report::record::*;

mod synthetic;
mod xml;

fn draw(records: &[Record]) -> Vec<Result<Chart, LeftOut>> {
    let lines = records
        .iter()
        .map(|r| serde_json::to_string(r).unwrap() + "\n");
    let run = parse_run(
        Path::new("samples.jsonl"),
        lines.collect::<String>().as_bytes(),
    )
    .unwrap();
    Drawn::new(&run).charts
}

fn drawn() -> Vec<Chart> {
    let charts = draw(&synthetic::records(4));
    charts.into_iter().map(|chart| chart.unwrap()).collect()
}

fn texts(chart: &Chart) -> Vec<xml::Text> {
    xml::texts(&chart.svg).unwrap_or_else(|e| panic!("{}: {e}", chart.name))
}

fn chart(name: &str) -> Chart {
    drawn().into_iter().find(|c| c.name == name).unwrap()
}

#[test]
fn every_chart_is_drawn_with_its_axes() {
    let axes = [
        ("overview", "time : time of the fastest, geometric mean"),
        ("times", "time"),
        ("throughput", "M tuples/s"),
        ("builds", "ns per build row"),
        ("phases", "time"),
        ("ablation", "time with the setting : time with the default"),
        ("scaling", "time with 1 thread : time with 2"),
        ("zero-copy", "time materialised : time zero-copy"),
        ("tags", "keys without a match that are let through"),
        ("memory", "bytes per build row"),
        ("ingest", "GB of rows per second"),
    ];
    let charts = drawn();
    assert_eq!(charts.len(), axes.len());
    for ((name, axis), chart) in axes.iter().zip(&charts) {
        assert_eq!(chart.name, *name);
        let texts = texts(chart);
        assert!(texts.iter().any(|t| t.text == chart.title), "{name}: title");
        assert!(texts.iter().any(|t| t.text == *axis), "{name}: axis");
        assert!(
            chart.finding.ends_with('.') && chart.finding.len() > 20,
            "{}",
            chart.finding
        );
    }
}

#[test]
fn every_variant_is_named() {
    for name in ["times", "throughput", "scaling", "memory"] {
        let texts = texts(&chart(name));
        for (variant, ..) in synthetic::VARIANTS {
            assert!(texts.iter().any(|t| t.text == variant), "{name}: {variant}");
        }
    }
    let texts = texts(&chart("phases"));
    for (variant, family, ..) in synthetic::VARIANTS {
        let named = texts.iter().any(|t| t.text == variant);
        assert_eq!(named, family != "peer", "{variant}");
    }
}

#[test]
fn both_pairs_of_builds_are_compared() {
    let chart = chart("builds");
    let texts = texts(&chart);
    for build in [
        "serial",
        "partitioned",
        "serial-source",
        "partitioned-source",
    ] {
        assert!(
            texts.iter().any(|t| t.text == format!("{build}+zero-copy")),
            "{build}"
        );
    }
    assert!(
        !texts.iter().any(|t| t.text.contains("chaining")),
        "it has no serial partner"
    );
    assert!(chart.finding.contains("(faster)") && chart.finding.contains("(slower)"));
}

#[test]
fn every_setting_has_a_bar_strongest_first() {
    let texts = texts(&chart("ablation"));
    let labels: Vec<&str> = texts
        .iter()
        .map(|t| t.text.as_str())
        .filter(|t| t.contains(" = "))
        .collect();
    assert_eq!(labels.len(), 25);
    assert_eq!(labels[0], "fan-out = one-list-a-slot");
}

#[test]
fn no_label_lies_on_another_or_outside() {
    for chart in drawn() {
        let (width, height) = xml::size(&chart.svg);
        let boxes: Vec<(xml::Text, [f64; 4])> = texts(&chart)
            .into_iter()
            .filter(|t| !t.text.is_empty())
            .map(|t| {
                let frame = frame(&t);
                (t, frame)
            })
            .collect();
        for (at, (label, [x0, y0, x1, y1])) in boxes.iter().enumerate() {
            let name = chart.name;
            assert!(
                *x0 >= 0.0 && *x1 <= width,
                "{name}: {} leaves sideways",
                label.text
            );
            assert!(*y0 >= 0.0 && *y1 <= height, "{name}: {} leaves", label.text);
            for (other, [u0, v0, u1, v1]) in &boxes[..at] {
                let apart = x1 <= u0 || u1 <= x0 || y1 <= v0 || v1 <= y0;
                assert!(apart, "{name}: {:?} lies on {:?}", label.text, other.text);
            }
        }
    }
}

/// Left, top, right, bottom. Letters are about three quarters of an em high.
fn frame(label: &xml::Text) -> [f64; 4] {
    let long = text::width(&label.text, label.size, label.bold);
    let high = label.size * 0.75;
    let left = match label.anchor.as_str() {
        "start" => label.x,
        "middle" => label.x - long / 2.0,
        _ => label.x - long,
    };
    if label.upright {
        let from = label.y - long / 2.0;
        return [
            label.x - high / 2.0,
            from,
            label.x + high / 2.0,
            from + long,
        ];
    }
    [
        left,
        label.y - high / 2.0,
        left + long,
        label.y + high / 2.0,
    ]
}

#[test]
fn payloads_are_drawn_by_their_width() {
    let mut records = synthetic::records(4);
    let widths = [8, 32, 128];
    let mut left = widths.iter();
    for record in &mut records {
        if let Record::Workload(workload) = record
            && workload.group.is_none()
            && let Some(&bytes) = left.next()
        {
            (workload.build_rows, workload.probe_rows) = (1 << 20, 1 << 22);
            workload.payload_bytes = Some(bytes);
        }
    }
    let charts = draw(&records).into_iter().flatten();
    let chart = charts.into_iter().find(|chart| chart.name == "payload");
    let chart = chart.expect("it is drawn");
    let texts = texts(&chart);
    for text in [
        "2^20 ⋈ 2^22",
        "bytes of payload per row of each side",
        "8 B",
        "128 B",
    ] {
        assert!(texts.iter().any(|found| found.text == text), "{text}");
    }
    for bytes in widths {
        assert!(chart.csv.contains(&format!(",{bytes},")), "{}", chart.csv);
        assert!(
            chart.finding.contains(&format!("with {bytes} bytes")),
            "{}",
            chart.finding
        );
    }
}

#[test]
fn a_chart_without_data_says_why() {
    let only = |wanted: fn(&Record) -> bool| {
        let records = synthetic::records(2);
        let left = draw(&records.into_iter().filter(wanted).collect::<Vec<_>>());
        left.into_iter()
            .filter_map(Result::err)
            .map(|l| l.title)
            .collect::<Vec<_>>()
    };
    let nothing = only(|r| !matches!(r, Record::Sample(_) | Record::Tags(_) | Record::Ingest(_)));
    assert_eq!(nothing.len(), 11);
    let one_thread = only(|r| !matches!(r, Record::Sample(s) if s.threads == 2));
    assert_eq!(one_thread, ["Thread scaling", "Peak memory by variant"]);
    let no_ladder = only(|r| !matches!(r, Record::Workload(w) if w.group.is_some()));
    assert_eq!(no_ladder, ["Throughput by build size"]);
    let sweep = only(|r| !matches!(r, Record::Sample(s) if !s.toggles.is_empty()));
    assert_eq!(sweep, ["Ablation: the effect of one setting at a time"]);
}

#[test]
fn a_variant_with_a_wrong_answer_has_no_mark() {
    let rows = |records: &[Record]| {
        let charts = draw(records);
        let mut charts = charts.into_iter().flatten();
        let times = texts(&charts.find(|chart| chart.name == "times").unwrap());
        times.iter().filter(|t| t.text == "sort-merge").count()
    };
    let mut records = synthetic::records(2);
    assert_eq!(rows(&records), 11);
    records.retain(|r| !matches!(r, Record::Failure(_)));
    assert_eq!(rows(&records), 12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Interrupted runs, absurd times, missing records: charts may be left out, never broken.
    #[test]
    fn odd_runs_are_drawn(
        keep in 0.02..0.3_f64,
        seed in any::<u64>(),
        odd in prop::sample::select(vec![0.0, 1e-12, 1e-3, 1.0, 1e7, 1e300]),
    ) {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut records = synthetic::records(1);
        let header = records.remove(0);
        records.retain(|_| next() < keep);
        for record in &mut records {
            if let Record::Sample(sample) = record
                && next() < 0.3
            {
                sample.seconds = odd;
            }
        }
        records.insert(0, header);
        for chart in draw(&records).into_iter().flatten() {
            prop_assert!(xml::texts(&chart.svg).is_ok(), "{}", chart.name);
            prop_assert!(!chart.svg.contains("NaN"), "{}", chart.name);
        }
    }
}
