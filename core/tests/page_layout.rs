//! The byte layout, against pages written out by hand: what other tools write, the readers read, and
//! the writers write the very same bytes.

use std::borrow::Cow;

use join_core::page::{DataType, Page, PageKind, long_string, validate};
use join_core::table::{Column, Value};

/// A page of zeros except for these runs of bytes at these places.
fn page(runs: &[(usize, &[u8])]) -> Page {
    let mut bytes = [0; 8192];
    for &(at, run) in runs {
        bytes[at..at + run.len()].copy_from_slice(run);
    }
    Page::from_bytes(bytes)
}

fn values(data_type: DataType, pages: Vec<Page>) -> Vec<Value<'static>> {
    let column = Column::from_pages(data_type, pages).expect("the page follows the format");
    let values: Vec<_> = column.values().map(Value::into_owned).collect();
    for (row, value) in values.iter().enumerate() {
        assert_eq!(column.value(row as u32), *value);
    }
    values
}

fn text(string: &str) -> Value<'static> {
    Value::Varchar(Cow::Owned(string.as_bytes().to_vec()))
}

#[test]
fn int32_without_nulls() {
    let by_hand = page(&[
        (0, &[3, 0, 3, 0]),
        (4, &[1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 4, 3, 2, 1]),
        (8191, &[0b111]),
    ]);
    assert_eq!(by_hand.fixed::<i32>(), [1, -2, 0x0102_0304]);
    assert_eq!((by_hand.rows(), by_hand.values()), (3, 3));
    assert!(!by_hand.has_nulls());
    assert_eq!(Column::from_i32(&[1, -2, 0x0102_0304]).pages(), [by_hand]);
    assert_eq!(
        Column::from_i32_options([Some(1), Some(-2), Some(0x0102_0304)]).pages(),
        [by_hand]
    );
}

#[test]
fn int32_with_nulls() {
    let by_hand = page(&[
        (0, &[10, 0, 3, 0]),
        (4, &[7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 9, 0, 0, 0]),
        (8190, &[0b0000_0101, 0b0000_0010]),
    ]);
    let rows = [
        Some(7),
        None,
        Some(-1),
        None,
        None,
        None,
        None,
        None,
        None,
        Some(9),
    ];
    assert_eq!(by_hand.fixed::<i32>(), [7, -1, 9]);
    assert!(by_hand.has_nulls());
    let validity = by_hand.validity();
    assert_eq!(validity.valid_rows().collect::<Vec<_>>(), [0, 2, 9]);
    assert_eq!(
        (0..=10).map(|row| validity.rank(row)).collect::<Vec<_>>(),
        [0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3]
    );
    assert_eq!(by_hand.fixed_rows::<i32>().collect::<Vec<_>>(), rows);
    assert_eq!(
        values(DataType::Int32, vec![by_hand]),
        rows.map(|row| row.map_or(Value::Null, Value::Int32))
    );
    assert_eq!(Column::from_i32_options(rows).pages(), [by_hand]);
}

#[test]
fn a_full_int32_page_ends_its_values_at_7940_and_begins_its_bitmap_at_7944() {
    let keys: Vec<i32> = (0..1984).collect();
    let mut runs = vec![0xc0, 0x07, 0xc0, 0x07];
    for key in &keys {
        runs.extend_from_slice(&key.to_le_bytes());
    }
    let by_hand = page(&[(0, &runs), (7944, &[0xff; 248])]);
    assert_eq!(by_hand.fixed::<i32>(), keys);
    assert_eq!(Column::from_i32(&keys).pages(), [by_hand]);
    assert_eq!(
        Column::from_i32_options(keys.iter().copied().map(Some)).pages(),
        [by_hand]
    );
}

#[test]
fn int64() {
    let by_hand = page(&[
        (0, &[3, 0, 2, 0]),
        (8, &[0, 0, 0, 0, 0, 0, 0, 0x80]),
        (16, &[5, 0, 0, 0, 0, 0, 0, 0]),
        (8191, &[0b101]),
    ]);
    assert_eq!(by_hand.fixed::<i64>(), [i64::MIN, 5]);
    assert_eq!(
        values(DataType::Int64, vec![by_hand]),
        [Value::Int64(i64::MIN), Value::Null, Value::Int64(5)]
    );
    assert_eq!(
        Column::from_options([Some(i64::MIN), None, Some(5)]).pages(),
        [by_hand]
    );
}

#[test]
fn fp64() {
    let by_hand = page(&[
        (0, &[3, 0, 2, 0]),
        (8, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        (16, &[0, 0, 0, 0, 0, 0, 0, 0x80]),
        (8191, &[0b110]),
    ]);
    assert_eq!(by_hand.fixed::<f64>(), [1.5, -0.0]);
    assert_eq!(
        values(DataType::Fp64, vec![by_hand]),
        [Value::Null, Value::Fp64(1.5), Value::Fp64(-0.0)]
    );
    assert_eq!(
        Column::from_options([None, Some(1.5), Some(-0.0)]).pages(),
        [by_hand]
    );
}

#[test]
fn varchar() {
    let by_hand = page(&[
        (0, &[4, 0, 3, 0]),
        (4, &[2, 0, 2, 0, 5, 0]),
        (10, b"abxyz"),
        (8191, &[0b1101]),
    ]);
    assert_eq!(
        by_hand.strings().iter().collect::<Vec<_>>(),
        [&b"ab"[..], b"", b"xyz"]
    );
    assert_eq!(
        values(DataType::Varchar, vec![by_hand]),
        [text("ab"), Value::Null, text(""), text("xyz")]
    );
    assert_eq!(
        Column::from_strings([Some("ab"), None, Some(""), Some("xyz")]).pages(),
        [by_hand]
    );
}

#[test]
fn a_long_string_over_two_pages_between_plain_ones() {
    let before = page(&[(0, &[1, 0, 1, 0, 1, 0, b'<']), (8191, &[1])]);
    let first = page(&[(0, &[0xff, 0xff, 0xfc, 0x1f]), (4, &[b'x'; 8188])]);
    let next = page(&[(0, &[0xfe, 0xff, 3, 0]), (4, b"end")]);
    let after = page(&[(0, &[2, 0, 1, 0, 1, 0, b'>']), (8191, &[0b10])]);
    let long = format!("{}end", "x".repeat(8188));

    assert_eq!(first.kind(), PageKind::LongFirst);
    assert_eq!(next.kind(), PageKind::LongNext);
    assert_eq!((first.rows(), first.values()), (1, 1));
    assert_eq!((next.rows(), next.values()), (0, 0));
    assert_eq!(next.long_bytes(), b"end");
    assert_eq!(long_string(&[first, next]), long.as_bytes());

    let pages = vec![before, first, next, after];
    let counts = validate(DataType::Varchar, &pages).expect("the pages follow the format");
    assert_eq!((counts.rows, counts.values), (4, 3));
    assert_eq!(
        values(DataType::Varchar, pages.clone()),
        [text("<"), text(&long), Value::Null, text(">")]
    );
    let written = Column::from_strings([Some("<"), Some(&long), None, Some(">")]);
    assert_eq!(written.pages(), pages);
    assert_eq!(written.paged().offsets().starts(), [0, 1, 2, 2, 4]);
}

#[test]
fn the_longest_plain_string_leaves_one_byte_for_the_bitmap() {
    let by_hand = page(&[
        (0, &[1, 0, 1, 0]),
        (4, &[0xf9, 0x1f]),
        (6, &[b'y'; 8185]),
        (8191, &[1]),
    ]);
    assert_eq!(by_hand.strings().get(0), "y".repeat(8185).as_bytes());
    assert_eq!(
        Column::from_strings([Some("y".repeat(8185))]).pages(),
        [by_hand]
    );

    let one_more = page(&[(0, &[0xff, 0xff, 0xfa, 0x1f]), (4, &[b'y'; 8186])]);
    assert_eq!(
        Column::from_strings([Some("y".repeat(8186))]).pages(),
        [one_more]
    );
}
