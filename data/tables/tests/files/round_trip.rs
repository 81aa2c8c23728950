//! Export to Parquet and import of the same file: nothing may differ.

use std::fs;
use std::path::PathBuf;

use join_core::page::DataType;
use join_core::table::{Column, ColumnBuilder, NamedColumn, Table, Value};
use proptest::prelude::*;
use tables::{Options, export, import};

/// The values of a column with numbers as their bits, so that NaNs are compared too.
fn exact(column: &Column) -> Vec<Option<(u64, Vec<u8>)>> {
    let values = column.values().map(|value| match value {
        Value::Null => None,
        Value::Int32(value) => Some((i64::from(value).cast_unsigned(), Vec::new())),
        Value::Int64(value) => Some((value.cast_unsigned(), Vec::new())),
        Value::Fp64(value) => Some((value.to_bits(), Vec::new())),
        Value::Varchar(value) => Some((0, value.into_owned())),
    });
    values.collect()
}

fn assert_round_trip(table: &Table) {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("t.parquet"), folder.path().join("t"));
    let mut last = 0;
    export(table, &file, &mut |at| last = at.done).unwrap();
    assert_eq!(last, (table.num_rows() * table.columns().len()) as u64);
    import(&[file], &out, &Options::default(), &mut |_| {}).unwrap();
    let back = Table::open(&out).unwrap();
    assert_eq!(back.num_rows(), table.num_rows());
    assert_eq!(back.columns().len(), table.columns().len());
    for (back, column) in back.columns().iter().zip(table.columns()) {
        assert_eq!(back.name, column.name);
        assert_eq!(back.column.data_type(), column.column.data_type());
        assert!(
            exact(&back.column) == exact(&column.column),
            "{}",
            column.name
        );
    }
    let names: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
}

fn value(data_type: DataType) -> BoxedStrategy<Value<'static>> {
    let bits = prop_oneof![
        any::<u64>(),
        Just((-0.0_f64).to_bits()),
        Just(0.0_f64.to_bits()),
        Just(f64::INFINITY.to_bits()),
        // NaNs of both signs, quiet and signalling, with payloads.
        (any::<bool>(), 1_u64..1 << 52)
            .prop_map(|(sign, payload)| (u64::from(sign) << 63) | (0x7ff << 52) | payload),
    ];
    let length = prop_oneof![8 => 0_usize..20, 1 => 8180_usize..8195, 1 => 16_370_usize..24_600];
    let string = (length, any::<u8>(), any::<bool>()).prop_map(|(length, seed, text)| {
        let byte = |at: usize| seed.wrapping_add((at * 7) as u8);
        let bytes = (0..length).map(|at| if text { b'a' + byte(at) % 26 } else { byte(at) });
        bytes.collect::<Vec<u8>>()
    });
    match data_type {
        DataType::Int32 => prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX), 0..3]
            .prop_map(Value::Int32)
            .boxed(),
        DataType::Int64 => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
            .prop_map(Value::Int64)
            .boxed(),
        DataType::Fp64 => bits
            .prop_map(|bits| Value::Fp64(f64::from_bits(bits)))
            .boxed(),
        DataType::Varchar => string
            .prop_map(|bytes| Value::Varchar(bytes.into()))
            .boxed(),
    }
}

fn column(rows: usize) -> impl Strategy<Value = Column> {
    let types = prop::sample::select(DataType::ALL.to_vec());
    let filled = types.prop_flat_map(move |data_type| {
        let row = prop_oneof![3 => value(data_type), 1 => Just(Value::Null)];
        (
            Just(data_type),
            prop::collection::vec(row, rows),
            any::<bool>(),
        )
    });
    filled.prop_map(|(data_type, rows, no_nulls)| {
        let mut builder = ColumnBuilder::new(data_type);
        let mut last = Value::Null;
        for row in rows {
            let null = matches!(row, Value::Null);
            let row = if null && no_nulls { last.clone() } else { row };
            builder.push(&row).unwrap();
            last = row;
        }
        builder.finish()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_table(columns in (0_usize..200, 1_usize..5).prop_flat_map(|(rows, columns)| prop::collection::vec(column(rows), columns))) {
        let columns = columns.into_iter().enumerate();
        let columns = columns.map(|(number, column)| NamedColumn::new(format!("c {number}.ä"), column));
        assert_round_trip(&Table::new("t", columns.collect()).unwrap());
    }
}

#[test]
fn several_row_groups_batches_and_pages() {
    let rows = (1 << 20) + 12_345;
    let ints = Column::from_i32_options((0..rows).map(|row| (row % 10 > 0).then_some(row)));
    let strings = Column::from_strings((0..rows).map(|row| match row % 100_000 {
        0 => Some("long ".repeat(5000)),
        1..50 => None,
        _ => Some((row % 1000).to_string()),
    }));
    let columns = vec![
        NamedColumn::new("ints", ints),
        NamedColumn::new("strings", strings),
    ];
    assert_round_trip(&Table::new("t", columns).unwrap());
}

#[test]
fn what_exists_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let column = |name| NamedColumn::new(name, Column::from_i32(&[1, 2]));
    let table = Table::new("t", vec![column("a")]).unwrap();
    fs::write(&file, "mine").unwrap();
    let error = export(&table, &file, &mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("exists and is not an empty folder; remove it first"),
        "{error}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"mine");

    let file = folder.path().join("u.parquet");
    export(&table, &file, &mut |_| {}).unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "mine").unwrap();
    let error = import(
        std::slice::from_ref(&file),
        &out,
        &Options::default(),
        &mut |_| {},
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("exists and is not an empty folder"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
}
