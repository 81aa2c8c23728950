//! The whole way of one's own data: a Parquet and a CSV file to table folders, and the join of their keys.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;

use crate::common::write_parquet;
use ::parquet::data_type::{ByteArrayType, Int64Type};
use join_core::join::JoinInput;
use join_core::oracle;
use join_core::page::DataType;
use join_core::table::Table;
use tables::{Options, import};

const ORDERS: i64 = 4000;
const VISITS: i64 = 9000;

/// Key of an order; every ninth is NULL, and each is there twice.
fn order(row: i64) -> Option<i64> {
    (row % 9 > 0).then_some(row / 2 * 1_000_003 - 7_000_000_000)
}

/// Key of a visit; every fifth is NULL, and many are of no order.
fn visit(row: i64) -> Option<i64> {
    (row % 5 > 0).then_some((row * 7 % 3000) * 1_000_003 - 7_000_000_000)
}

#[test]
fn parquet_and_csv_are_joined_as_the_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let schema = "message m { required binary comment (STRING); optional int64 key; }";
    write_parquet(&path("orders.parquet"), schema, |group| {
        let comments: Vec<_> = (0..ORDERS)
            .map(|row| format!("order {row}").as_str().into())
            .collect();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<ByteArrayType>()
            .write_batch(&comments, None, None)
            .unwrap();
        column.close().unwrap();
        let keys: Vec<i64> = (0..ORDERS).filter_map(order).collect();
        let levels: Vec<i16> = (0..ORDERS).map(|row| order(row).is_some().into()).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&keys, Some(&levels), None)
            .unwrap();
        column.close().unwrap();
    });
    let mut csv = String::from("note,order\r\n");
    for row in 0..VISITS {
        let note = match row % 1000 {
            7 => format!("\"{}\"", "twenty kilobytes, \"\"quoted\"\"\r\n".repeat(700)),
            8 => String::new(),
            _ => format!("\"a \"\"note\"\", {row}\""),
        };
        let key = visit(row).map_or_else(String::new, |key| key.to_string());
        write!(csv, "{note},{key}\r\n").unwrap();
    }
    fs::write(path("visits.csv"), csv).unwrap();
    for (file, out) in [("orders.parquet", "orders"), ("visits.csv", "visits")] {
        import(&[path(file)], &path(out), &Options::default(), &mut |_| {}).unwrap();
    }

    let (orders, visits) = (
        Table::open(&path("orders")).unwrap(),
        Table::open(&path("visits")).unwrap(),
    );
    assert_eq!(
        (orders.num_rows() as i64, visits.num_rows() as i64),
        (ORDERS, VISITS)
    );
    let (build, probe) = (
        orders.column("key").unwrap(),
        visits.column("order").unwrap(),
    );
    assert_eq!(
        (build.data_type(), probe.data_type()),
        (DataType::Int64, DataType::Int64)
    );
    let found = oracle::sort_merge(&JoinInput::new(build, probe).unwrap());

    let mut by_key: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in 0..ORDERS {
        if let Some(key) = order(row) {
            by_key.entry(key).or_default().push(row);
        }
    }
    let mut expected = (0, 0, 0);
    for row in 0..VISITS {
        for build in visit(row)
            .and_then(|key| by_key.get(&key))
            .into_iter()
            .flatten()
        {
            expected = (
                expected.0 + 1,
                expected.1 + *build as u64,
                expected.2 + row as u64,
            );
        }
    }
    assert!(expected.0 > 1000);
    assert_eq!((found.rows, found.sum_build, found.sum_probe), expected);
    let note = visits.column("note").unwrap();
    assert_eq!(
        note.value(7).to_string(),
        "twenty kilobytes, \"quoted\"\r\n".repeat(700)
    );
    assert_eq!(note.value(8).to_string(), "NULL");
}
