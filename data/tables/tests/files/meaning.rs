//! Files of several writers: columns whose numbers mean another thing are not put into one.

use crate::common::{shown, write_parquet};
use ::parquet::data_type::{
    BoolType, DoubleType, FixedLenByteArrayType, Int32Type, Int64Type, Int96, Int96Type,
};
use join_core::page::DataType;
use tables::{Decimals, Options, read};

/// Writes a file with the column `k` of one row.
fn write(file: &std::path::Path, field: &str) {
    let (physical, annotation) = field.split_once(' ').unwrap_or((field, ""));
    let schema = format!("message m {{ required {physical} k {annotation}; }}");
    write_parquet(file, &schema, |group| {
        let mut column = group.next_column().unwrap().unwrap();
        let mut day = Int96::new();
        day.set_data(0, 0, 2_440_588);
        match physical {
            "boolean" => column.typed::<BoolType>().write_batch(&[true], None, None),
            "int32" => column.typed::<Int32Type>().write_batch(&[1], None, None),
            "int64" => column.typed::<Int64Type>().write_batch(&[1], None, None),
            "double" => column.typed::<DoubleType>().write_batch(&[1.0], None, None),
            "int96" => column.typed::<Int96Type>().write_batch(&[day], None, None),
            _ => column.typed::<FixedLenByteArrayType>().write_batch(
                &[vec![0, 1].into()],
                None,
                None,
            ),
        }
        .unwrap();
        column.close().unwrap();
    });
}

fn both(first: &str, second: &str, options: &Options) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let files = ["first.parquet", "second.parquet"].map(|name| folder.path().join(name));
    write(&files[0], first);
    write(&files[1], second);
    let table = read(&files, options, &mut |_| {}).map_err(|error| error.to_string())?;
    let rows = shown(&table).1;
    assert_eq!(rows[0], rows[1], "{first} and {second}");
    Ok(())
}

/// All that is stored as one kind of number, and no two of which mean the same.
#[test]
fn what_means_another_thing_is_refused() {
    let wide = Options {
        types: vec![("k".to_owned(), DataType::Int64)],
        ..Options::default()
    };
    let scaled = Options {
        decimals: Decimals::Scaled,
        ..Options::default()
    };
    let plain = Options::default();
    let int32 = [
        "int32",
        "int32 (DATE)",
        "int32 (TIME(MILLIS,true))",
        "int32 (TIME(MILLIS,false))",
        "boolean",
    ];
    let int64 = [
        "int64",
        "int64 (TIMESTAMP(MILLIS,true))",
        "int64 (TIMESTAMP(MICROS,true))",
        "int64 (TIMESTAMP(NANOS,true))",
        "int64 (TIMESTAMP(NANOS,false))",
        "int64 (TIME(MICROS,true))",
        "int64 (TIME(NANOS,true))",
        "int96",
    ];
    let decimals = [
        "int64",
        "int64 (DECIMAL(10,2))",
        "int32 (DECIMAL(9,3))",
        "fixed_len_byte_array(2) (DECIMAL(4,1))",
    ];
    let all = [&int32[..], &int64].concat();
    for (fields, options) in [
        (&int32[..], &plain),
        (&int64, &plain),
        (&decimals, &scaled),
        (&all, &wide),
    ] {
        for first in fields {
            for second in fields {
                // Integers of any width are integers.
                if first == second
                    || [*first, *second]
                        .iter()
                        .all(|field| ["int32", "int64"].contains(field))
                {
                    both(first, second, options).unwrap();
                    continue;
                }
                let error = both(first, second, options).unwrap_err();
                for part in [
                    "second.parquet: column \"k\" is a",
                    "but in ",
                    "first.parquet it is a",
                    "two tables",
                ] {
                    assert!(
                        error.contains(part),
                        "{first} and {second}: {error:?} lacks {part:?}"
                    );
                }
            }
        }
    }
}

/// The same meaning in another spelling.
#[test]
fn what_means_the_same_goes_together() {
    let plain = Options::default();
    for (first, second) in [
        ("int64 (TIMESTAMP_MILLIS)", "int64 (TIMESTAMP(MILLIS,true))"),
        ("int64 (TIMESTAMP_MICROS)", "int64 (TIMESTAMP(MICROS,true))"),
        ("int32 (TIME_MILLIS)", "int32 (TIME(MILLIS,true))"),
        ("int32", "int32 (INTEGER(8,true))"),
        ("int64", "int64 (DECIMAL(18,0))"),
        ("int32 (INTEGER(16,false))", "int32 (INT_16)"),
    ] {
        both(first, second, &plain).unwrap();
    }
    // As FP64, decimals are what they say.
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
    write(&files[0], "int64 (DECIMAL(10,2))");
    write(&files[1], "fixed_len_byte_array(2) (DECIMAL(4,3))");
    let rows = shown(&read(&files, &plain, &mut |_| {}).unwrap()).1;
    assert_eq!(rows, [["0.01"], ["0.001"]]);
}
