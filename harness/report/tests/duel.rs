//! Duels: what their samples say, and what is drawn of them.

mod synthetic;

use report::duel::{Duel, findings};
use report::page;
use report::record::{
    BuildRecord, EndRecord, JOIN, OTHER, Record, RecordWriter, Run, RunRecord, SampleRecord,
    Source, THIS, Toggles, VariantRecord, WorkloadRecord, read_run,
};
use report::stats::Verdict;

/// The records of a duel of two variants on two workloads with one thread, in which `a` of this build takes `factor` times
/// as long as that of the other one. The last of the pairs has one cell alone.
fn records(pairs: u32, factor: f64) -> Vec<Record> {
    let mut all = synthetic::records(1).into_iter();
    let Some(Record::Run(run)) = all.next() else {
        panic!("the first record is the run's");
    };
    let mut run = RunRecord::of_a_test(run.environment);
    run.modes = vec!["duel".to_owned()];
    let mut records = vec![Record::Run(run)];
    for (side, name) in [(THIS, "this build"), (OTHER, "v1")] {
        records.push(Record::Build(BuildRecord {
            side: side.to_owned(),
            name: name.to_owned(),
            commit: "0123456789abcdef".to_owned(),
            dirty: false,
            profile: "dev".to_owned(),
            rustc: "rustc".to_owned(),
        }));
    }
    for name in ["a", "b"] {
        records.push(Record::Variant(VariantRecord {
            name: name.to_owned(),
            family: "family".to_owned(),
            build: None,
            probe: None,
            description: String::new(),
            definition: None,
        }));
    }
    for name in ["w", "x"] {
        records.push(Record::Workload(WorkloadRecord {
            name: name.to_owned(),
            group: None,
            sentence: String::new(),
            build_rows: 1,
            probe_rows: 1,
            key_type: "INT32".to_owned(),
            build_bytes: 1,
            probe_bytes: 1,
            join_kind: None,
            condition: None,
            payload_bytes: None,
            experiment: JOIN.to_owned(),
            expected: None,
            keys: None,
        }));
    }
    for pair in 1..=pairs + 1 {
        for workload in ["w", "x"] {
            for round in 1..=4 {
                for variant in ["a", "b"] {
                    if pair > pairs && (workload, variant) != ("w", "a") {
                        continue;
                    }
                    for side in [THIS, OTHER] {
                        let slow = if (variant, side) == ("a", THIS) {
                            factor
                        } else {
                            1.0
                        };
                        let noise =
                            |of: u32| 1.0 + f64::from(of.wrapping_mul(0x9E37_79B9) >> 24) * 1e-5;
                        records.push(Record::Sample(SampleRecord {
                            round,
                            order: 0,
                            workload: workload.to_owned(),
                            variant: variant.to_owned(),
                            toggles: Toggles::new(),
                            label: Some(side.to_owned()),
                            pair,
                            threads: 1,
                            // The machine drifts, and each process has a speed of its own.
                            seconds: slow * f64::from(pair) * noise(pair * 31 + side.len() as u32)
                                + f64::from(round) * 1e-5,
                            phases: Vec::new(),
                            answer: Default::default(),
                            bytes: None,
                            counters: Default::default(),
                            notes: Vec::new(),
                            source: Source::Variant,
                            system: None,
                            disturbed: false,
                        }));
                    }
                }
            }
        }
    }
    records
}

fn run(pairs: u32, factor: f64) -> (tempfile::TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = RecordWriter::create(folder.path()).unwrap();
    for record in records(pairs, factor) {
        writer.write(&record).unwrap();
    }
    let complete = true;
    let finished = "2026-01-01T00:01:00Z".to_owned();
    writer
        .write(&Record::End(EndRecord { complete, finished }))
        .unwrap();
    let run = read_run(folder.path()).unwrap();
    (folder, run)
}

#[test]
fn what_is_slower_is_named_and_nothing_else() {
    let (_folder, run) = run(12, 1.05);
    let duel = Duel::of(&run);
    assert_eq!((duel.pairs, duel.verdicts, duel.cells.len()), (12, 7, 4));
    for cell in &duel.cells {
        let wanted = match cell.variant.as_str() {
            "a" => Verdict::Slower,
            _ => Verdict::WithinNoise,
        };
        assert_eq!(cell.outcome.verdict, wanted, "{cell:?}");
        assert_eq!(cell.samples, 12 * 4);
    }
    let [a, b] = &duel.variants[..] else {
        panic!("two variants")
    };
    assert_eq!(
        (a.outcome.verdict, b.outcome.verdict),
        (Verdict::Slower, Verdict::WithinNoise)
    );
    assert!((a.outcome.ratio.median - 1.05).abs() < 1e-3);
    let total = duel.total.as_ref().unwrap();
    assert!((total.ratio.median - 1.05_f64.sqrt()).abs() < 1e-3);
    let found = findings(&duel);
    assert_eq!(found.len(), 1 + 4 + 2 + 1);
    assert!(
        found[0].contains("v1") && found[0].contains("12 pairs"),
        "{}",
        found[0]
    );
}

#[test]
fn faster_is_no_regression_and_nothing_is_nothing() {
    let verdicts = |factor| {
        let (_folder, run) = run(10, factor);
        let duel = Duel::of(&run);
        duel.outcomes()
            .map(|outcome| outcome.verdict)
            .collect::<Vec<_>>()
    };
    assert!(
        verdicts(1.0)
            .iter()
            .all(|verdict| *verdict == Verdict::WithinNoise)
    );
    let faster = verdicts(0.9);
    assert!(faster.contains(&Verdict::Faster) && !faster.contains(&Verdict::Slower));
}

#[test]
fn a_pair_alone_has_no_verdict() {
    for pairs in [0, 1] {
        let (folder, run) = run(pairs, 2.0);
        let duel = Duel::of(&run);
        assert_eq!(duel.pairs, 1);
        let mut outcomes = duel.outcomes();
        assert!(outcomes.all(|outcome| outcome.verdict == Verdict::WithinNoise));
        page::draw(folder.path()).unwrap();
    }
}

#[test]
fn a_folder_is_drawn_from_its_samples_the_same_each_time() {
    let (folder, _) = run(10, 1.05);
    let files = ["index.html", "duel.svg", "duel.md", "duel.json"];
    let read = || files.map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
    page::draw(folder.path()).unwrap();
    let first = read();
    page::draw(folder.path()).unwrap();
    assert_eq!(first, read());
    let [page, svg, markdown, _] = first;
    assert!(svg.starts_with("<svg") && page.contains("<svg"));
    assert!(markdown.contains("| w, a, 1 thread |") && markdown.contains("**slower**"));
}
