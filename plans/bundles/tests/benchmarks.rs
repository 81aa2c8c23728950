//! TPC-H and the Star Schema Benchmark as bundles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use join_core::table::Value;
use plan_bundles::{Benchmark, Data};
use plan_executor::{Bundle, oracle};

const SMALL: Data = Data {
    scale: 0.002,
    seed: None,
};

/// Query, rows and checksum of the result at scale 0.01.
const TPCH_RESULTS: &[&str] = &[
    "q2 5 078165137a68cf6b",
    "q3 356 b80d23c8fedbbf7f",
    "q5 2517 d9a1f690284bb1b8",
    "q7 88 2e200876ca56124a",
    "q8 29 2ae2e7457daf13b8",
    "q9 3223 7b95360e881ca15e",
    "q10 1259 51ddbf6e34c07ba8",
    "q18 14 3113d536fb902b4e",
    "q21 9 00e575018dd80533",
];
const SSB_RESULTS: &[&str] = &[
    "q1.1 1177 f3dcbba61662d881",
    "q1.2 44 0c917156c4829d44",
    "q1.3 5 84bf4affdb17e6f6",
    "q2.1 478 51b42c2a97401650",
    "q2.2 61 3d333ddab94f3263",
    "q2.3 0 0000000000000000",
    "q3.1 2900 07edf41778f2be28",
    "q3.2 120 d8618f2ea0c22fe2",
    "q3.3 0 0000000000000000",
    "q3.4 0 0000000000000000",
    "q4.1 948 4e88c939e1d392e9",
    "q4.2 225 863d1eabd5fd8bbb",
    "q4.3 5 6a32f044f932f26a",
];

/// The rows of column `column` of the input called `table`.
fn column<'a>(bundle: &'a Bundle, table: &str, column: &str) -> Vec<Value<'a>> {
    let mut tables = bundle.tables().iter();
    let table = tables.find(|other| other.name() == table).unwrap();
    table.column(column).unwrap().values().collect()
}

#[test]
fn most_queries_have_results_with_the_benchmarks_constants() {
    let data = Data {
        scale: 0.01,
        seed: None,
    };
    for (benchmark, same) in [
        (Benchmark::Tpch, TPCH_RESULTS),
        (Benchmark::Ssb, SSB_RESULTS),
    ] {
        let results = benchmark.queries().map(|query| {
            let bundle = benchmark.bundle(query, &data).unwrap();
            let rows = oracle::execute(&bundle);
            (query, rows.len(), oracle::checksum(&rows).to_string())
        });
        let results: Vec<_> = results.collect();
        let found: Vec<String> = results
            .iter()
            .map(|(query, rows, checksum)| format!("{query} {rows} {checksum}"))
            .collect();
        assert_eq!(
            found, same,
            "bundles that people have are no longer those that this program makes"
        );
        let empty = results
            .iter()
            .filter(|result| result.1 == 0)
            .map(|result| result.0);
        // At this size there are 100 suppliers, hardly one in a city, and 50 lines a brand.
        let expected: &[&str] = match benchmark {
            Benchmark::Tpch => &[],
            Benchmark::Ssb => &["q2.3", "q3.3", "q3.4"],
        };
        assert_eq!(empty.collect::<Vec<_>>(), expected);
    }
}

/// TPC-H's third query, by a person's hand: every open order of the segment with each of its late lines.
#[test]
fn the_rows_of_q3_are_those_of_its_text() {
    use tpchgen::generators::{CustomerGenerator, LineItemGenerator, OrderGenerator};
    let segments: BTreeMap<i64, String> = CustomerGenerator::new(SMALL.scale, 1, 1)
        .iter()
        .map(|row| (row.c_custkey, row.c_mktsegment.to_owned()))
        .collect();
    let orders: BTreeMap<i64, bool> = OrderGenerator::new(SMALL.scale, 1, 1)
        .iter()
        .map(|row| {
            let before = row.o_orderdate.to_string().as_str() < "1995-03-15";
            (
                row.o_orderkey,
                before && segments[&row.o_custkey] == "BUILDING",
            )
        })
        .collect();
    let expected = LineItemGenerator::new(SMALL.scale, 1, 1)
        .iter()
        .filter(|row| row.l_shipdate.to_string().as_str() > "1995-03-15" && orders[&row.l_orderkey])
        .map(|row| (row.l_orderkey, row.l_extendedprice.to_string()))
        .collect::<Vec<_>>();
    let bundle = Benchmark::Tpch.bundle("q3", &SMALL).unwrap();
    let mut found: Vec<_> = oracle::execute(&bundle)
        .iter()
        .map(|row| match row[..2] {
            [Value::Int32(order), Value::Fp64(price)] => (i64::from(order), format!("{price:.2}")),
            _ => panic!("an order and a price"),
        })
        .collect();
    let mut expected = expected;
    expected.sort();
    found.sort();
    assert!(!expected.is_empty());
    assert_eq!(found, expected);
}

#[test]
fn a_line_item_finds_its_offer_by_the_key_of_both() {
    let bundle = Benchmark::Tpch.bundle("q9", &SMALL).unwrap();
    let lines = column(&bundle, "lineitem", "l_pskey");
    let offers = column(&bundle, "partsupp", "ps_key");
    let as_number = |value: &Value<'_>| match value {
        Value::Int64(value) => *value,
        _ => panic!("an INT64"),
    };
    let offers: BTreeSet<_> = offers.iter().map(as_number).collect();
    assert!(lines.iter().map(as_number).all(|key| offers.contains(&key)));
}

#[test]
fn every_line_has_its_date_in_the_star() {
    let bundle = Benchmark::Ssb.bundle("q4.1", &SMALL).unwrap();
    let days = column(&bundle, "date", "d_datekey");
    assert_eq!(days.len(), 2557);
    assert_eq!(days[59], Value::Int32(19_920_229));
    let ordered = column(&bundle, "lineorder", "lo_orderdate");
    assert!(ordered.len() > 10_000 && ordered.iter().all(|day| days.contains(day)));
}

#[test]
fn a_seed_draws_other_constants_and_always_the_same() {
    for benchmark in [Benchmark::Tpch, Benchmark::Ssb] {
        let sizes = |seed| -> Vec<Vec<usize>> {
            let data = Data { seed, ..SMALL };
            let queries = benchmark.queries();
            let bundles = queries.map(|query| benchmark.bundle(query, &data).unwrap());
            let sizes = bundles.map(|b| b.tables().iter().map(|table| table.num_rows()).collect());
            sizes.collect()
        };
        assert_eq!(sizes(Some(7)), sizes(Some(7)));
        assert_ne!(sizes(Some(7)), sizes(Some(8)));
        assert_ne!(sizes(Some(7)), sizes(None));
    }
    // Words, too: of five segments one has other customers than the next.
    let customers = (0..10).map(|seed| {
        let data = Data {
            seed: Some(seed),
            ..SMALL
        };
        let bundle = Benchmark::Tpch.bundle("q3", &data).unwrap();
        column(&bundle, "customer", "c_custkey").len()
    });
    assert!(customers.collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn written_bundles_are_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("ssb");
    let queries = ["q1.1".to_owned(), "q3.2".to_owned()];
    let written = Benchmark::Ssb.write(&queries, &SMALL, &out).unwrap();
    assert_eq!(written, [out.join("q1.1"), out.join("q3.2")]);
    for (path, query) in written.iter().zip(&queries) {
        let read = Bundle::open(path).unwrap();
        let made = Benchmark::Ssb.bundle(query, &SMALL).unwrap();
        let checksum = |bundle| oracle::checksum(&oracle::execute(bundle));
        assert_eq!(checksum(&read), checksum(&made));
        assert_eq!(read.name(), query);
    }
}

#[test]
fn what_cannot_be_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refused = |queries: &[&str], data: &Data, out: &Path| {
        let queries: Vec<String> = queries.iter().map(|query| query.to_string()).collect();
        let error = Benchmark::Tpch.write(&queries, data, out).unwrap_err();
        let message = error.to_string();
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    };
    assert!(refused(&["q3", "q4"], &SMALL, &out).contains("q21"));
    assert!(refused(&["q3", "q3"], &SMALL, &out).contains("twice"));
    for scale in [0.0, -1.0, 1e9, f64::NAN] {
        let data = Data { scale, seed: None };
        assert!(refused(&["q3"], &data, &out).contains("0.001..100"));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(folder.path().join("taken"), "").unwrap();
    refused(&["q3"], &SMALL, &folder.path().join("taken"));
    refused(&["q3"], &SMALL, folder.path());
}
