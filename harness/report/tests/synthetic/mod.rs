//! A made-up run with the shape of a real one: seventeen variants and a peer, the canonical
//! workloads, a ladder, 25 settings, a control, memory, tags. Times follow a cost model with noise.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use report::record::*;

/// Name, family, build, probe, nanoseconds a build row and a probe row, bytes a build row.
type Made = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    f64,
    f64,
    f64,
);

pub const VARIANTS: [Made; 18] = [
    (
        "serial+zero-copy",
        "unchained",
        Some("serial"),
        Some("zero-copy"),
        40.0,
        12.0,
        16.0,
    ),
    (
        "serial+materialised",
        "unchained",
        Some("serial"),
        Some("materialised"),
        44.0,
        13.0,
        24.0,
    ),
    (
        "serial+batched",
        "unchained",
        Some("serial"),
        Some("batched"),
        40.0,
        8.0,
        16.0,
    ),
    (
        "partitioned+zero-copy",
        "unchained",
        Some("partitioned"),
        Some("zero-copy"),
        22.0,
        12.0,
        40.0,
    ),
    (
        "partitioned+materialised",
        "unchained",
        Some("partitioned"),
        Some("materialised"),
        25.0,
        13.5,
        48.0,
    ),
    (
        "partitioned+batched",
        "unchained",
        Some("partitioned"),
        Some("batched"),
        22.0,
        8.0,
        40.0,
    ),
    (
        "serial-source+zero-copy",
        "unchained",
        Some("serial-source"),
        Some("zero-copy"),
        45.0,
        15.0,
        12.0,
    ),
    (
        "partitioned-source+zero-copy",
        "unchained",
        Some("partitioned-source"),
        Some("zero-copy"),
        120.0,
        15.0,
        150.0,
    ),
    (
        "std-hashmap+zero-copy",
        "baseline",
        Some("std-hashmap"),
        Some("zero-copy"),
        300.0,
        90.0,
        64.0,
    ),
    (
        "hashbrown+zero-copy",
        "baseline",
        Some("hashbrown"),
        Some("zero-copy"),
        180.0,
        50.0,
        48.0,
    ),
    (
        "bucket-chaining+batched",
        "baseline",
        Some("bucket-chaining"),
        Some("batched"),
        30.0,
        18.0,
        20.0,
    ),
    (
        "partitioned-chaining+batched",
        "baseline",
        Some("partitioned-chaining"),
        Some("batched"),
        20.0,
        16.0,
        28.0,
    ),
    (
        "linear-probing+batched",
        "baseline",
        Some("linear-probing"),
        Some("batched"),
        26.0,
        9.0,
        16.0,
    ),
    (
        "robin-hood+batched",
        "baseline",
        Some("robin-hood"),
        Some("batched"),
        36.0,
        10.0,
        16.0,
    ),
    ("radix", "baseline", None, None, 12.0, 6.0, 24.0),
    ("sort-merge", "baseline", None, None, 70.0, 60.0, 32.0),
    ("adaptive", "unchained", None, None, 14.0, 6.2, 24.0),
    ("duckdb 1.9", "peer", None, None, 60.0, 55.0, 70.0),
];

const WORKLOADS: [(&str, u64, u64, f64); 12] = [
    ("small-1k", 1 << 10, 4 << 20, 0.3),
    ("pk-fk-1m", 1 << 20, 4 << 20, 0.6),
    ("pk-fk-16m", 4 << 20, 16 << 20, 1.0),
    ("selective-16m", 4 << 20, 16 << 20, 0.6),
    ("zipf-16m", 4 << 20, 16 << 20, 0.7),
    ("n-m-4m", 1 << 20, 1 << 20, 2.5),
    ("heavy-hitter", 1 << 20, 1 << 14, 1.0),
    ("nulls-1m", 1 << 18, 4 << 20, 0.8),
    ("pk-fk-int64", 1 << 20, 4 << 20, 0.8),
    ("tpch-orders-lineitem", 150_000, 600_000, 0.5),
    ("tpch-part-lineitem", 20_000, 600_000, 0.4),
    ("pairs-1m", 1 << 20, 4 << 20, 0.9),
];

const SETTINGS: [(&str, &str, f64); 25] = [
    ("bloom", "off", 1.15),
    ("tags", "source", 1.04),
    ("tags", "mask-table", 0.99),
    ("layout", "split", 1.03),
    ("directory-slots", "1/8", 1.7),
    ("directory-slots", "2", 0.97),
    ("hash", "crc32c", 1.01),
    ("hash", "murmur", 1.05),
    ("input", "materialised", 1.08),
    ("probe", "scalar", 1.3),
    ("batch-length", "16", 1.04),
    ("batch-length", "256", 1.0),
    ("stealing", "deques", 1.01),
    ("stealing", "static", 1.02),
    ("steal-block", "256", 1.06),
    ("steal-block", "65536", 1.01),
    ("threads", "pool", 0.96),
    ("fan-out", "one-list-a-slot", 4.2),
    ("write-combining", "on", 0.9),
    ("level-1", "system", 1.02),
    ("level-2", "no-arena", 1.2),
    ("level-3", "two-passes", 1.1),
    ("huge-pages", "off", 1.6),
    ("result-merge", "serial", 1.4),
    ("result-merge", "as-produced", 0.85),
];

fn answer(workload: usize) -> Answer {
    Answer {
        rows: 1000 + workload as u64,
        sum_build: 17,
        sum_probe: 19,
        checksum: Checksum(0xabc0 + workload as u64),
    }
}

fn workloads() -> Vec<(WorkloadRecord, f64)> {
    let record =
        |at: usize, name: String, group: Option<&str>, build_rows, probe_rows| WorkloadRecord {
            name,
            group: group.map(str::to_owned),
            sentence: "what it shows".into(),
            build_rows,
            probe_rows,
            key_type: "INT32".into(),
            build_bytes: build_rows * 4,
            probe_bytes: probe_rows * 4,
            join_kind: None,
            condition: None,
            payload_bytes: None,
            experiment: JOIN.into(),
            expected: Some(answer(at)),
            keys: None,
        };
    let canonical = WORKLOADS
        .iter()
        .enumerate()
        .map(|(at, (name, build, probe, cost))| {
            (record(at, (*name).into(), None, *build, *probe), *cost)
        });
    let rungs = (10..=26).step_by(2).map(|bits| {
        let build = 1u64 << bits;
        let name = format!("ladder-2^{bits}");
        let cost = 0.3 + 0.05 * f64::from(bits - 10);
        let at = 100 + bits as usize;
        (
            record(at, name, Some("ladder"), build, (4 * build).min(1 << 26)),
            cost,
        )
    });
    canonical.chain(rungs).collect()
}

fn run_record() -> RunRecord {
    let cache = |level, bytes| Cache { level, bytes };
    RunRecord {
        schema: SCHEMA,
        id: "20261121-031500-7f3a".into(),
        started: "2026-11-21T03:15:00Z".into(),
        seed: 1,
        size: Size::Default,
        modes: vec!["sweep".into(), "ablate".into()],
        command: vec![
            "--sweep".into(),
            "--ablate".into(),
            "--only".into(),
            "a b<c>".into(),
        ],
        threads: vec![1, 2],
        environment: Environment {
            cpu: "Example CPU @ 2.50 GHz & more".into(),
            cores: 2,
            memory_bytes: 24 << 30,
            caches: vec![cache(1, 32 << 10), cache(2, 1 << 20), cache(3, 36 << 20)],
            kernel: "Linux 6.1".into(),
            huge_pages: "madvise".into(),
            allocator: "mimalloc".into(),
            rustc: "rustc 1.95.0".into(),
            profile: "dev".into(),
            optimised: true,
            commit: "0123abcd".into(),
            dirty: false,
            harness_version: "0.1.0".into(),
            counters: "not supported here: no hardware events in this guest".into(),
        },
    }
}

/// The records of the run, `rounds` of them.
pub fn records(rounds: u32) -> Vec<Record> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut records = vec![Record::Run(run_record())];
    let workloads = workloads();
    records.extend(workloads.iter().map(|(w, _)| Record::Workload(w.clone())));
    for (name, family, build, probe, ..) in VARIANTS {
        records.push(Record::Variant(VariantRecord {
            name: name.into(),
            family: family.into(),
            build: build.map(str::to_owned),
            probe: probe.map(str::to_owned),
            description: format!("the {name} join"),
            definition: None,
        }));
    }
    for threads in [1, 2] {
        for (what, value) in [
            ("read_bytes_per_second", 1.1e10),
            ("random_reads_per_second", 7e7),
        ] {
            records.push(Record::Limit(LimitRecord {
                what: what.into(),
                threads,
                array_bytes: 1 << 28,
                huge_pages: true,
                value: value * f64::from(threads) * 0.93,
            }));
        }
    }
    for round in 0..rounds {
        let mut order = 0;
        for (workload, cost) in &workloads {
            for made in &VARIANTS {
                for threads in [1, 2] {
                    let mut push = |label: Option<&str>, toggles: Toggles, factor: f64| {
                        let noise = (random.random::<f64>() - 0.3).max(0.0) * 0.12;
                        let factor = factor * cost * (1.0 + noise);
                        records.push(sample(
                            workload, made, round, order, threads, label, toggles, factor,
                        ));
                        order += 1;
                    };
                    push(None, Toggles::new(), 1.0);
                    if made.0 == "partitioned+batched" && workload.group.is_none() {
                        push(Some(CONTROL_A), Toggles::new(), 1.0);
                        push(Some(CONTROL_B), Toggles::new(), 1.0);
                        for (toggle, setting, effect) in SETTINGS {
                            let toggles = Toggles::from([(toggle.into(), setting.into())]);
                            push(None, toggles, effect * (0.8 + 0.25 * cost.min(2.0)));
                        }
                    }
                }
            }
        }
    }
    for (workload, _) in workloads.iter().filter(|(w, _)| w.group.is_none()) {
        for (name, .., bytes) in VARIANTS {
            records.push(Record::Memory(MemoryRecord {
                workload: workload.name.clone(),
                variant: name.into(),
                toggles: Toggles::new(),
                threads: 2,
                peak_bytes: (workload.build_rows as f64 * (bytes * 1.4 + 2.0)) as u64 + 65536,
            }));
        }
    }
    for slots in [0.125, 1.0, 2.0] {
        for (scheme, rate) in [
            ("source", 0.3),
            ("below-prefix", 0.08),
            ("mask-table", 0.06),
            ("none", 0.9),
        ] {
            records.push(Record::Tags(TagsRecord {
                scheme: scheme.into(),
                workload: "selective-16m".into(),
                directory_slots_per_tuple: slots,
                probes: 1_000_000,
                false_positives: (1e6 * rate / (1.0 + slots)) as u64,
            }));
        }
    }
    for rows in ["fixed", "lineorder"] {
        for (workers, round) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            for (way, seconds) in [
                ("copy", 0.010),
                ("copy-streaming", 0.008),
                ("packed", 0.020),
                ("aligned", 0.012),
                ("packed-rows", 0.021),
            ] {
                let split_rows = if way == "packed" { 60 } else { 0 };
                records.push(Record::Ingest(IngestRecord {
                    rows: rows.into(),
                    way: way.into(),
                    workers,
                    round,
                    seconds: seconds * (1.0 + 0.05 * f64::from(round)),
                    bytes: 64 << 20,
                    row_count: 470_000,
                    split_rows,
                    reserved: 65 << 20,
                }));
            }
        }
    }
    records.push(Record::Note(NoteRecord {
        text: "polars is not installed: pip install polars".into(),
    }));
    records.push(Record::Failure(FailureRecord {
        round: 1,
        workload: "n-m-4m".into(),
        variant: "sort-merge".into(),
        toggles: Toggles::new(),
        threads: 2,
        label: None,
        error: "wrong answer: 3 rows, not 1005".into(),
        wrong: true,
    }));
    records.push(Record::End(EndRecord {
        complete: true,
        finished: "2026-11-21T03:20:00Z".into(),
    }));
    records
}

#[allow(clippy::too_many_arguments)]
fn sample(
    workload: &WorkloadRecord,
    &(name, family, build, _, build_ns, probe_ns, bytes): &Made,
    round: u32,
    order: u32,
    threads: u32,
    label: Option<&str>,
    toggles: Toggles,
    factor: f64,
) -> Record {
    let gain = f64::from(threads).powf(if build_ns > 100.0 { 0.3 } else { 0.85 });
    let part = |ns: f64, rows: u64| ns * 1e-9 * rows as f64 * factor / gain + 4e-6;
    let build_part = part(build_ns, workload.build_rows);
    let probe_part = part(probe_ns, workload.probe_rows);
    let shares: &[(&str, f64)] = match (family, build) {
        ("peer", _) => &[],
        (_, Some(b)) if b.starts_with("serial") => &[
            ("count and tag", 0.4),
            ("prefix sum", 0.1),
            ("allocate", 0.05),
            ("write pointers", 0.05),
            ("copy", 0.4),
        ],
        (_, Some(b)) if b.starts_with("partitioned") => {
            &[("partition", 0.4), ("count and tag", 0.2), ("copy", 0.4)]
        }
        (_, Some(_)) => &[("insert", 1.0)],
        _ => &[("partition build side", 0.5), ("partition probe side", 0.5)],
    };
    let mut phases: Vec<Phase> = shares
        .iter()
        .map(|(name, share)| Phase {
            name: (*name).into(),
            seconds: build_part * share,
        })
        .collect();
    if family != "peer" {
        for (name, share) in [("probe", 0.97), ("free", 0.03)] {
            phases.push(Phase {
                name: name.into(),
                seconds: probe_part * share,
            });
        }
    }
    Record::Sample(SampleRecord {
        round,
        order,
        workload: workload.name.clone(),
        variant: name.into(),
        toggles,
        label: label.map(str::to_owned),
        threads,
        seconds: build_part + probe_part,
        phases,
        answer: workload.expected.unwrap(),
        counters: std::collections::BTreeMap::from([(
            "page_faults".to_owned(),
            workload.build_rows / 512 + 1,
        )]),
        notes: vec!["what the join chose".to_owned()],
        bytes: (family != "peer").then_some((bytes * workload.build_rows as f64) as u64),
        system: None,
        disturbed: false,
        pair: 0,
        source: if family == "peer" {
            Source::Peer
        } else {
            Source::Variant
        },
    })
}

/// Writes the run into `dir`.
#[allow(dead_code, reason = "the chart tests need no folder")]
pub fn write(dir: &Path, rounds: u32) {
    let mut writer = RecordWriter::create(dir).unwrap();
    for record in records(rounds) {
        writer.write(&record).unwrap();
    }
}
