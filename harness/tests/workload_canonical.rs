//! The canonical workloads: their sizes, and the answers that their files have recorded.

use std::num::NonZeroUsize;

use harness::workload::{all, resolve};
use report::record::Size;

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

#[test]
fn full_sizes_are_those_of_the_list() {
    let instances = resolve(&[], Size::Full).unwrap();
    let rows = |name: &str| {
        let instance = instances.iter().find(|instance| instance.name == name);
        let instance = instance.unwrap_or_else(|| panic!("{name} is missing"));
        (instance.build_rows(), instance.probe_rows())
    };
    for (name, build_rows, probe_rows) in [
        ("small-1k", K, 64 * M),
        ("pk-fk-1m", M, 16 * M),
        ("pk-fk-16m", 16 * M, 64 * M),
        ("selective-16m", 16 * M, 64 * M),
        ("zipf-16m", 16 * M, 64 * M),
        ("n-m-4m", 4 * M, 4 * M),
        ("heavy-hitter", 4 * M, 64 * K),
        ("nulls-1m", M, 16 * M),
        ("kinds-1m-inner", M, 16 * M),
        ("kinds-1m-build-mark", M, 16 * M),
        ("kinds-1m-not-in", M, 16 * M),
        ("kinds-1m-not-in-null", M, 16 * M),
        ("tpch-orders-lineitem", 1_500_000, 6_000_000),
        ("tpch-part-lineitem", 200_000, 6_000_000),
        ("tpch-customer-anti", 150_000, 1_500_000),
        ("tpch-partsupp-lineitem", 800_000, 6_000_000),
        ("condition-4m", 4 * M, 4 * M),
        ("strings-1m", M, 16 * M),
        ("payload-4m-8", 4 * M, 16 * M),
        ("ssb-date", 2557, 6_000_000),
        ("ssb-customer", 150_000, 6_000_000),
        ("ssb-supplier", 10_000, 6_000_000),
        ("ssb-part", 200_000, 6_000_000),
    ] {
        assert_eq!(rows(name), (build_rows, probe_rows), "{name}");
    }
    for rung in 10..=26 {
        let build_rows = 1 << rung;
        assert_eq!(
            rows(&format!("ladder-2^{rung}")),
            (build_rows, (4 * build_rows).min(1 << 26))
        );
    }
    assert_eq!(instances.len(), 19 + 12 + 3 + 17);
}

#[test]
fn results_at_full_size() {
    for (name, results) in [("n-m-4m", 32 * M), ("heavy-hitter", M + 64 * K - 1)] {
        let instances = resolve(&[name.to_owned()], Size::Full).unwrap();
        assert_eq!(instances[0].estimated_results(), results, "{name}");
    }
}

#[test]
fn a_sweep_takes_three_kinds_unasked() {
    for (size, swept) in [(Size::Quick, 3), (Size::Default, 3), (Size::Full, 12)] {
        let instances = resolve(&["kinds-1m".to_owned()], size).unwrap();
        assert_eq!(instances.len(), 12);
        let unasked = instances.iter().filter(|instance| instance.is_swept(size));
        assert_eq!(unasked.count(), swept);
    }
}

#[test]
fn a_sweep_takes_one_payload_unasked() {
    for (size, swept) in [(Size::Quick, 1), (Size::Default, 1), (Size::Full, 3)] {
        let instances = resolve(&["payload-4m".to_owned()], size).unwrap();
        let columns = instances.iter().map(|instance| instance.payload_columns());
        assert_eq!(columns.collect::<Vec<_>>(), [1, 4, 16]);
        let unasked = instances.iter().filter(|instance| instance.is_swept(size));
        assert_eq!(unasked.count(), swept);
    }
}

#[test]
fn the_default_keeps_the_large_join_large() {
    let instances = resolve(&["pk-fk-16m".to_owned()], Size::Default).unwrap();
    assert_eq!(instances[0].build_rows(), 4 * M);
    assert_eq!(instances[0].probe_rows(), 16 * M);
}

#[test]
fn every_workload_says_what_it_shows() {
    for definition in all().unwrap() {
        assert!(!definition.sentence().is_empty(), "{}", definition.name());
        assert!(!definition.analysis().is_empty(), "{}", definition.name());
    }
}

#[test]
fn quick_answers_are_recorded_and_right() {
    for instance in resolve(&[], Size::Quick).unwrap() {
        let workload = instance.generate(None, NonZeroUsize::MIN).unwrap();
        assert!(workload.recorded, "{}", workload.name);
        assert_eq!(workload.oracle(), workload.expected, "{}", workload.name);
        assert_eq!(
            workload.record().expected.unwrap().rows,
            workload.expected.rows
        );

        let estimate = instance.estimated_results() as f64;
        let found = workload.expected.rows as f64;
        let off = (estimate - found).abs();
        assert!(off <= 0.01 * found, "{}: {estimate}", workload.name);
        let bytes = instance.estimated_bytes() as f64;
        assert!(
            (bytes / workload.bytes() as f64 - 1.0).abs() < 0.3,
            "{}",
            workload.name
        );
    }
}

#[test]
fn line_items_at_scale_factor_1_are_those_of_the_benchmark() {
    for (name, build_rows) in [
        ("tpch-orders-lineitem", 1_500_000),
        ("tpch-part-lineitem", 200_000),
    ] {
        let instances = resolve(&[name.to_owned()], Size::Full).unwrap();
        let two = NonZeroUsize::new(2).unwrap();
        let workload = instances[0].generate(None, two).unwrap();
        assert!(workload.recorded);
        assert_eq!(workload.build().row_count(), build_rows);
        assert_eq!(workload.probe().row_count(), 6_001_215);
        assert_eq!(workload.expected.rows, 6_001_215);
    }
}
