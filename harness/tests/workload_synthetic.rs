//! Synthetic data: the same for ever, distributed as its file says, and with the right answer.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;

use harness::workload::{Definition, Instance, Workload};
use join_core::checksum::RowHasher;
use join_core::table::{Column, Value};
use proptest::prelude::*;
use report::record::Size;

const BUILD_KEYS: [&str; 5] = [
    "\"unique\"",
    "{ duplicated = { each = 1 } }",
    "{ duplicated = { each = 7 } }",
    "{ heavy = { share = 0.25 } }",
    "{ heavy = { share = 1.0 } }",
];
const PROBE_KEYS: [&str; 6] = [
    "\"uniform\"",
    "\"even\"",
    "\"heavy-once\"",
    "{ match = { share = 0.1 } }",
    "{ zipf = { exponent = 1.0 } }",
    "{ zipf = { exponent = 0.5 } }",
];

/// One side of a workload: rows, keys, share of NULLs.
type Side<'a> = (u32, &'a str, f64);

fn instance(key_type: &str, build: Side<'_>, probe: Side<'_>) -> Instance {
    let [build, probe] = [build, probe]
        .map(|(rows, keys, nulls)| format!("rows = {rows}\nkeys = {keys}\nnull_share = {nulls:?}"));
    let text = format!(
        "name = \"own\"\nsentence = \"A test.\"\nkey_type = \"{key_type}\"\n[build]\n{build}\n[probe]\n{probe}\n"
    );
    let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
    definition.instances(Size::Quick).unwrap().remove(0)
}

fn generate(key_type: &str, build: Side<'_>, probe: Side<'_>) -> Workload {
    let instance = instance(key_type, build, probe);
    instance.generate(None, NonZeroUsize::MIN).unwrap()
}

fn keys(column: &Column) -> Vec<Option<i64>> {
    let key = |value| match value {
        Value::Int32(key) => Some(i64::from(key)),
        Value::Int64(key) => Some(key),
        Value::Null => None,
        other => panic!("{other:?} is no key"),
    };
    column.values().map(key).collect()
}

fn counts(column: &Column) -> HashMap<Option<i64>, u32> {
    let mut counts = HashMap::new();
    for key in keys(column) {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[test]
fn as_many_threads_as_one_likes() {
    for key_type in ["INT32", "INT64"] {
        for build in BUILD_KEYS {
            for probe in PROBE_KEYS {
                for nulls in [0.0, 0.3] {
                    let instance =
                        instance(key_type, (10_000, build, nulls), (9_000, probe, nulls));
                    let [one, four] = [1, 4].map(|threads| {
                        let threads = NonZeroUsize::new(threads).unwrap();
                        instance.generate(Some(5), threads).unwrap()
                    });
                    assert!(one.build().pages() == four.build().pages(), "{build}");
                    assert!(one.probe().pages() == four.probe().pages(), "{probe}");
                    assert_eq!(one.expected, four.expected);
                }
            }
        }
    }
}

#[test]
fn a_seed_means_these_bytes_for_ever() {
    let mut hash = RowHasher::new();
    for key_type in ["INT32", "INT64"] {
        for build in BUILD_KEYS {
            for probe in PROBE_KEYS {
                let workload = generate(key_type, (3_000, build, 0.0), (3_000, probe, 0.1));
                let pages = workload
                    .build()
                    .pages()
                    .iter()
                    .chain(workload.probe().pages());
                pages.for_each(|page| hash.string(page.bytes()));
            }
        }
    }
    assert_eq!(format!("{:016x}", hash.finish()), "4ae8a9982c24550f");
}

#[test]
fn another_seed_is_other_data() {
    let instance = instance(
        "INT32",
        (1_000, "\"unique\"", 0.0),
        (1_000, "\"uniform\"", 0.0),
    );
    let [a, b] = [1, 2].map(|seed| instance.generate(Some(seed), NonZeroUsize::MIN).unwrap());
    assert!(a.build().pages() != b.build().pages());
    assert!(a.probe().pages() != b.probe().pages());
    assert_eq!(b.oracle(), b.expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_generator_knows_the_answer(
        key_type in prop::sample::select(&["INT32", "INT64", "VARCHAR"][..]),
        build_keys in prop::sample::select(&BUILD_KEYS[..]),
        probe_keys in prop::sample::select(&PROBE_KEYS[..]),
        build_rows in prop_oneof![Just(0), Just(7), 7_u32..5000],
        probe_rows in prop_oneof![Just(0), Just(1), 1_u32..5000],
        nulls in prop::sample::select(&[(0.0, 0.0), (0.2, 0.0), (0.0, 0.5), (0.1, 0.1), (1.0, 0.0), (0.0, 1.0)][..]),
        seed: u64,
    ) {
        prop_assume!(build_rows > 0 || !build_keys.contains("duplicated"));
        let instance = instance(key_type, (build_rows, build_keys, nulls.0), (probe_rows, probe_keys, nulls.1));
        let workload = instance.generate(Some(seed), NonZeroUsize::MIN).unwrap();
        prop_assert_eq!(workload.build().row_count(), u64::from(build_rows));
        prop_assert_eq!(workload.probe().row_count(), u64::from(probe_rows));
        prop_assert_eq!(workload.oracle(), workload.expected);
    }
}

#[test]
fn build_keys_are_distributed_as_asked() {
    const ROWS: u32 = 8_000;
    let build =
        |keys| counts(generate("INT32", (ROWS, keys, 0.0), (1, "\"uniform\"", 0.0)).build());

    let unique = build("\"unique\"");
    assert_eq!(unique.len(), ROWS as usize);

    let duplicated = build("{ duplicated = { each = 8 } }");
    assert_eq!(duplicated.len(), 1_000);
    assert!(duplicated.values().all(|&count| count == 8));

    let uneven = build("{ duplicated = { each = 7 } }");
    assert_eq!(uneven.len(), 1_143);
    assert_eq!(uneven.values().filter(|&&count| count == 7).count(), 1_142);
    assert_eq!(uneven.values().filter(|&&count| count == 6).count(), 1);

    let heavy = build("{ heavy = { share = 0.25 } }");
    assert_eq!(heavy.len(), 6_001);
    assert_eq!(heavy.values().filter(|&&count| count == 2_000).count(), 1);
    assert_eq!(heavy.values().filter(|&&count| count == 1).count(), 6_000);
}

#[test]
fn equal_keys_are_scattered_over_the_build() {
    let workload = generate(
        "INT32",
        (8_000, "{ heavy = { share = 0.5 } }", 0.0),
        (1, "\"uniform\"", 0.0),
    );
    let keys = keys(workload.build());
    let (&heavy, _) = counts(workload.build())
        .iter()
        .max_by_key(|(_, count)| **count)
        .map(|(key, count)| (key, *count))
        .unwrap();
    let in_first_half = keys[..4_000].iter().filter(|&&key| key == heavy).count();
    assert!(
        (1_800..2_200).contains(&in_first_half),
        "{in_first_half} of 4000"
    );
}

#[test]
fn probe_keys_are_distributed_as_asked() {
    const KEYS: u32 = 1_000;
    const ROWS: u32 = 100_000;
    let probe = |keys| generate("INT32", (KEYS, "\"unique\"", 0.0), (ROWS, keys, 0.0));

    let uniform = counts(probe("\"uniform\"").probe());
    // 100 a key, give or take five standard deviations.
    assert!(uniform.len() == 1_000 && uniform.values().all(|count| (50..150).contains(count)));

    let even = counts(probe("\"even\"").probe());
    assert!(even.len() == 1_000 && even.values().all(|&count| count == 100));

    let matches = probe("{ match = { share = 0.1 } }").expected.rows;
    assert!((9_500..10_500).contains(&matches), "{matches} of 100000");

    let zipf = probe("{ zipf = { exponent = 1.0 } }");
    let mut popular: Vec<u32> = counts(zipf.probe()).into_values().collect();
    popular.sort_unstable_by(|a, b| b.cmp(a));
    let all: f64 = (1..=KEYS).map(|rank| 1.0 / f64::from(rank)).sum();
    for (rank, &count) in (1..=10).zip(&popular) {
        let share = f64::from(count) / f64::from(ROWS);
        let expected = 1.0 / f64::from(rank) / all;
        assert!(
            (share / expected - 1.0).abs() < 0.1,
            "rank {rank}: {share}, not {expected}"
        );
    }

    let heavy = generate(
        "INT32",
        (8_000, "{ heavy = { share = 0.25 } }", 0.0),
        (ROWS, "\"heavy-once\"", 0.0),
    );
    assert_eq!(heavy.expected.rows, u64::from(ROWS) - 1 + 2_000);
}

#[test]
fn strings_are_of_8_to_40_bytes_and_begin_alike() {
    let workload = generate(
        "VARCHAR",
        (5_000, "\"unique\"", 0.1),
        (1, "\"uniform\"", 0.0),
    );
    let strings: Vec<String> = workload
        .build()
        .values()
        .filter_map(|value| match value {
            Value::Varchar(string) => Some(String::from_utf8(string.into_owned()).unwrap()),
            _ => None,
        })
        .collect();
    let mut lengths = [0; 41];
    strings.iter().for_each(|string| lengths[string.len()] += 1);
    assert!(lengths[..8].iter().all(|&count| count == 0));
    assert!(
        lengths[8..].iter().all(|&count| (60..240).contains(&count)),
        "{lengths:?}"
    );
    let distinct: std::collections::HashSet<_> = strings.iter().collect();
    assert_eq!(distinct.len(), strings.len());
    let common = strings
        .iter()
        .filter(|string| string.starts_with("https://www."));
    assert!(common.count() > strings.len() / 2);
}

#[test]
fn popular_keys_are_scattered_over_the_build() {
    let workload = generate(
        "INT32",
        (1_000, "\"unique\"", 0.0),
        (100_000, "{ zipf = { exponent = 1.0 } }", 0.0),
    );
    let probes = counts(workload.probe());
    let in_first_half: u32 = keys(workload.build())[..500]
        .iter()
        .filter_map(|key| probes.get(key))
        .sum();
    // The first half of the ranks would have 91 %.
    assert!(
        (20_000..80_000).contains(&in_first_half),
        "{in_first_half} of 100000"
    );
}

#[test]
fn null_shares_are_as_asked() {
    let workload = generate(
        "INT32",
        (50_000, "\"unique\"", 0.2),
        (50_000, "\"uniform\"", 0.7),
    );
    for (column, share) in [(workload.build(), 0.2), (workload.probe(), 0.7)] {
        let nulls = keys(column).iter().filter(|key| key.is_none()).count();
        assert!(
            (nulls as f64 / 50_000.0 - share).abs() < 0.01,
            "{nulls} of 50000"
        );
    }
    let all = generate(
        "INT32",
        (3_000, "\"unique\"", 1.0),
        (3_000, "\"uniform\"", 1.0),
    );
    assert_eq!(all.expected.rows, 0);
    assert_eq!(counts(all.build()), HashMap::from([(None, 3_000)]));
}

#[test]
fn keys_cover_the_range_of_their_type_and_look_random_to_a_hash() {
    const ROWS: u32 = 1 << 16;
    for (key_type, bits) in [("INT32", 32), ("INT64", 64)] {
        let keys =
            keys(generate(key_type, (ROWS, "\"unique\"", 0.0), (1, "\"uniform\"", 0.0)).build());
        let mut octants = [0_u32; 8];
        let mut slots = vec![0_u8; ROWS as usize];
        for key in keys.into_iter().flatten() {
            octants[(key >> (bits - 3) & 7) as usize] += 1;
            // Fibonacci hashing is the hash that regular keys would trip or flatter most.
            let hash = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            slots[(hash >> 48) as usize] += 1;
        }
        assert!(
            octants.iter().all(|count| (7_700..8_700).contains(count)),
            "{octants:?}"
        );
        let empty = slots.iter().filter(|&&count| count == 0).count();
        // 1/e of the slots: 24109, standard deviation 100.
        assert!(
            (23_600..24_600).contains(&empty),
            "{key_type}: {empty} slots empty"
        );
    }
}
