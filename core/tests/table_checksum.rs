//! The row checksum, against numbers that another program computed from the definition.

use join_core::checksum::{Checksum, RowHasher, checksum, checksum_int64_row};
use join_core::table::{Column, NamedColumn, Table};

fn mixed(order: [usize; 4]) -> Table {
    let int32 = [Some(1), None, Some(-1), Some(i32::MAX)];
    let int64 = [Some(-5), Some(7), None, Some(i64::MIN)];
    let fp64 = [Some(1.5), Some(-0.0), None, Some(0.1)];
    let long = "x".repeat(9000);
    let text = [Some("ab"), Some(""), None, Some(&long)];
    let columns = vec![
        NamedColumn::new("a", Column::from_i32_options(order.map(|row| int32[row]))),
        NamedColumn::new("b", Column::from_options(order.map(|row| int64[row]))),
        NamedColumn::new("c", Column::from_options(order.map(|row| fp64[row]))),
        NamedColumn::new("d", Column::from_strings(order.map(|row| text[row]))),
    ];
    Table::new("mixed", columns).expect("four rows each")
}

#[test]
fn rows_of_all_types_in_any_order() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        assert_eq!(checksum(&mixed(order)).to_string(), "76b394f5b77fc3ae");
    }
    assert_ne!(
        checksum(&mixed([0, 1, 2, 2])),
        checksum(&mixed([0, 1, 2, 3]))
    );
}

#[test]
fn single_rows() {
    assert_eq!(checksum_int64_row(&[3, -4]), 0x6608_2653_52bc_50fd);
    assert_eq!(checksum_int64_row(&[]), 0xcbf2_9ce4_8422_2325);
    assert_eq!(checksum_int64_row(&[-1]), 0x8cf5_1a8b_fca3_883d);
    let mut null = RowHasher::new();
    null.null();
    assert_eq!(null.finish(), 0x2804_57de_49e0_7df4);
}

#[test]
fn int64_rows_agree_with_the_table() {
    // More rows than one block of the table's checksum, and columns whose pages do not line up.
    let narrow: Vec<i32> = (0..5000)
        .map(|row: i32| row.wrapping_mul(-77_777_777))
        .collect();
    let wide: Vec<i64> = (0..5000)
        .map(|row: i64| row.wrapping_mul(0x1234_5678_9abc))
        .collect();
    let columns = vec![
        NamedColumn::new("narrow", Column::from_i32(&narrow)),
        NamedColumn::new("wide", Column::from_i64(&wide)),
    ];
    let table = Table::new("ints", columns).expect("5000 rows each");
    let rows = narrow.iter().zip(&wide);
    let by_rows: Checksum = rows
        .map(|(&narrow, &wide)| Checksum(checksum_int64_row(&[narrow.into(), wide])))
        .sum();
    assert_eq!(checksum(&table), by_rows);
}

#[test]
fn a_table_without_rows_or_columns() {
    let none = Table::new("none", vec![]).expect("no rows");
    let empty = NamedColumn::new("a", Column::from_i32(&[]));
    let empty = Table::new("empty", vec![empty]).expect("no rows");
    assert_eq!(checksum(&none), Checksum(0));
    assert_eq!(checksum(&empty), Checksum(0));
}

#[test]
fn sixteen_hex_digits() {
    let sum = Checksum(u64::MAX) + Checksum(0x2b);
    assert_eq!(sum.to_string(), "000000000000002a");
    let json = serde_json::to_string(&sum).expect("a string");
    assert_eq!(json, "\"000000000000002a\"");
    assert_eq!(
        serde_json::from_str::<Checksum>(&json).expect("the same"),
        sum
    );
    for bad in [
        "",
        "2a",
        "0x0000000000002a",
        "+00000000000002a",
        "00000000000000000",
    ] {
        let error = bad.parse::<Checksum>().expect_err("no checksum");
        assert!(error.to_string().contains("16 hex digits"), "{error}");
        assert!(serde_json::from_value::<Checksum>(bad.into()).is_err());
    }
}
