//! Parquet files of other writers: what becomes of each type, and what is said of what cannot be held.

use crate::common::{shown, write_empty, write_parquet};
use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{
    BoolType, ByteArrayType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96, Int96Type,
};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::Type;
use join_core::page::DataType::{self, Fp64, Int32, Int64, Varchar};
use std::fs::{self, File};
use std::sync::Arc;
use tables::{Decimals, Options, read};

type Group<'a> = SerializedRowGroupWriter<'a, File>;

/// Reads a file of one row group, whose columns `fill` writes.
fn read_file(
    schema: &str,
    options: &Options,
    fill: impl FnOnce(&mut Group),
) -> Result<(Vec<DataType>, Vec<Vec<String>>), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    write_parquet(&file, schema, fill);
    match read(&[file], options, &mut |_| {}) {
        Ok(table) => Ok(shown(&table)),
        Err(error) => {
            let error = error.to_string();
            assert!(
                error.contains("t.parquet") && !error.contains('\n'),
                "{error}"
            );
            Err(error)
        }
    }
}

macro_rules! put {
    ($group:expr, $type:ty, $values:expr) => {
        put!($group, $type, $values, None)
    };
    ($group:expr, $type:ty, $values:expr, $levels:expr) => {{
        let mut column = $group.next_column().unwrap().unwrap();
        column
            .typed::<$type>()
            .write_batch(&$values, $levels, None)
            .unwrap();
        column.close().unwrap();
    }};
}

#[test]
fn every_flat_type_has_a_counterpart() {
    let schema = "message m {
        required boolean b; required int32 i8 (INTEGER(8,true)); required int32 u16 (INTEGER(16,false));
        required int32 u32 (INTEGER(32,false)); required int64 u64 (INTEGER(64,false)); required int32 day (DATE);
        required int64 at (TIMESTAMP(NANOS,false)); required int96 old; required float f; required double d;
        required binary s (STRING); required binary raw; required fixed_len_byte_array(2) two;
        optional int64 nulls; required int32 whole (DECIMAL(9,0)); required int64 cents (DECIMAL(15,2));
        required fixed_len_byte_array(16) big (DECIMAL(38,3)); }";
    let mut old = Int96::new();
    // Noon of 1970-01-02.
    let noon = 43_200_000_000_000_u64;
    old.set_data(noon as u32, (noon >> 32) as u32, 2_440_589);
    let fill = |group: &mut Group| {
        put!(group, BoolType, [true, false]);
        put!(group, Int32Type, [-128, 127]);
        put!(group, Int32Type, [0, 65_535]);
        put!(group, Int32Type, [0, -1]);
        put!(group, Int64Type, [0, i64::MAX]);
        put!(group, Int32Type, [-1, 19_000]);
        put!(group, Int64Type, [i64::MIN, 1]);
        put!(group, Int96Type, [old, old]);
        put!(group, FloatType, [0.1, f32::NAN]);
        put!(group, DoubleType, [-0.0, 0.1]);
        put!(group, ByteArrayType, ["ä".into(), "".into()]);
        put!(group, ByteArrayType, [vec![0xff].into(), vec![0].into()]);
        put!(
            group,
            FixedLenByteArrayType,
            [b"ab".to_vec().into(), b"cd".to_vec().into()]
        );
        put!(group, Int64Type, [5], Some(&[0, 1]));
        put!(group, Int32Type, [-7, 999_999_999]);
        put!(group, Int64Type, [-1234, 5]);
        let big = |number: i128| number.to_be_bytes().to_vec().into();
        put!(group, FixedLenByteArrayType, [big(-1500), big(1)]);
    };
    let (types, rows) = read_file(schema, &Options::default(), fill).unwrap();
    assert_eq!(
        types,
        [
            Int32, Int32, Int32, Int64, Int64, Int32, Int64, Int64, Fp64, Fp64, Varchar, Varchar,
            Varchar, Int64, Int64, Fp64, Fp64
        ]
    );
    assert_eq!(
        rows,
        [
            [
                "1",
                "-128",
                "0",
                "0",
                "0",
                "-1",
                "-9223372036854775808",
                "129600000000000",
                "0.10000000149011612",
                "-0",
                "ä",
                "\u{fffd}",
                "ab",
                "NULL",
                "-7",
                "-12.34",
                "-1.5"
            ],
            [
                "0",
                "127",
                "65535",
                "4294967295",
                "9223372036854775807",
                "19000",
                "1",
                "129600000000000",
                "NaN",
                "0.1",
                "",
                "\0",
                "cd",
                "5",
                "999999999",
                "0.05",
                "0.001"
            ],
        ]
    );
}

/// The day and the nanoseconds of it are both signed: some writers count from the day after.
#[test]
fn timestamps_of_96_bits_may_be_before_1970() {
    let of = |nanoseconds: i64, day: u32| {
        let (mut value, bits) = (Int96::new(), nanoseconds.cast_unsigned());
        value.set_data(bits as u32, (bits >> 32) as u32, day);
        value
    };
    let day = 86_400_000_000_000;
    let values = [
        of(-1_000_000_000, 2_440_588),
        of(day - 1_000_000_000, 2_440_587),
        of(-1, 2_440_590),
        of(-day, 2_440_588),
    ];
    let schema = "message m { required int96 a; }";
    let read = read_file(schema, &Options::default(), |group| {
        put!(group, Int96Type, values)
    });
    let expected = [-1_000_000_000, -1_000_000_000, 2 * day - 1, -day];
    assert_eq!(read.unwrap().1, expected.map(|value| [value.to_string()]));
}

#[test]
fn decimals_as_was_asked_for() {
    let schema = "message m { required int64 a (DECIMAL(18,2)); }";
    let with = |decimals, value: i64| {
        let options = Options {
            decimals,
            ..Options::default()
        };
        read_file(schema, &options, |group| put!(group, Int64Type, [value]))
    };
    let long = 123_456_789_012_345_678;
    let error = with(Decimals::Fp64, long).unwrap_err();
    assert!(
        error.contains("row group 0, column \"a\"") && error.contains("--decimals scaled"),
        "{error}"
    );
    assert_eq!(
        with(Decimals::Fp64, 150).unwrap(),
        (vec![Fp64], vec![vec!["1.5".to_owned()]])
    );
    assert_eq!(
        with(Decimals::Rounded, long).unwrap().1,
        [["1234567890123456.8"]]
    );
    assert_eq!(
        with(Decimals::Scaled, long).unwrap(),
        (vec![Int64], vec![vec![long.to_string()]])
    );
}

#[test]
fn types_that_are_asked_for_lose_nothing() {
    let read = |asked, decimals, of: &str, value: i64| {
        let options = Options {
            types: vec![("a".to_owned(), asked)],
            decimals,
            ..Options::default()
        };
        let schema = format!("message m {{ required int64 a{of}; }}");
        read_file(&schema, &options, |group| put!(group, Int64Type, [value]))
    };
    let with = |asked, value| read(asked, Decimals::Fp64, "", value);
    for of in ["", " (DECIMAL(18,0))"] {
        assert!(read(Fp64, Decimals::Fp64, of, (1 << 53) + 1).is_err());
        assert_eq!(
            read(Fp64, Decimals::Rounded, of, (1 << 53) + 1).unwrap(),
            (vec![Fp64], vec![vec!["9007199254740992".to_owned()]])
        );
    }
    assert_eq!(
        with(Int32, -5).unwrap(),
        (vec![Int32], vec![vec!["-5".to_owned()]])
    );
    for exact in [1 << 53, 1 << 62, -(1 << 55), i64::MIN] {
        assert_eq!(with(Fp64, exact).unwrap().0, [Fp64]);
    }
    for (asked, value, part) in [
        (
            Int32,
            1 << 31,
            "2147483648 is beyond INT32; import the column as INT64",
        ),
        (
            Fp64,
            (1 << 53) + 1,
            "9007199254740993 has more digits than FP64; import the column as INT64, or say --decimals rounded",
        ),
        (
            Varchar,
            1,
            "column \"a\" is INT64, which becomes INT64 and cannot become VARCHAR",
        ),
    ] {
        let error = with(asked, value).unwrap_err();
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn values_that_cannot_be_held_are_named() {
    let plain = Options::default();
    let unsigned = "message m { required int64 a (INTEGER(64,false)); }";
    let error = read_file(unsigned, &plain, |group| put!(group, Int64Type, [1, -1])).unwrap_err();
    assert!(
        error.contains("18446744073709551615 is beyond INT64"),
        "{error}"
    );
    let options = Options {
        types: vec![("a".to_owned(), Fp64)],
        ..Options::default()
    };
    let read = |value: u64| {
        read_file(unsigned, &options, |group| {
            put!(group, Int64Type, [value.cast_signed()])
        })
    };
    assert_eq!(read(1 << 63).unwrap().1, [[2_f64.powi(63).to_string()]]);
    let error = read(u64::MAX).unwrap_err();
    assert!(
        error.contains("has more digits than FP64, and is beyond INT64; leave the column out"),
        "{error}"
    );
    for (annotation, value, good) in [
        ("INTEGER(8,true)", 128, -128),
        ("INTEGER(8,false)", 256, 255),
        ("INTEGER(8,false)", -1, 0),
        ("INTEGER(16,true)", -32_769, 32_767),
        ("INTEGER(16,false)", 65_536, 65_535),
    ] {
        let narrow = format!("message m {{ required int32 a ({annotation}); }}");
        let read = |value| read_file(&narrow, &plain, |group| put!(group, Int32Type, [value]));
        assert_eq!(read(good).unwrap().1, [[good.to_string()]]);
        assert!(
            read(value)
                .unwrap_err()
                .contains("bits: the file is damaged")
        );
    }
    let text = "message m { required binary a (STRING); }";
    let fill = |group: &mut Group| put!(group, ByteArrayType, [vec![b'x', 0xff].into()]);
    let error = read_file(text, &plain, fill).unwrap_err();
    assert!(
        error.contains("row group 0, column \"a\": invalid UTF-8 at byte 1"),
        "{error}"
    );
}

#[test]
fn types_without_a_counterpart_are_named_with_their_column() {
    for (field, part) in [
        (
            "required fixed_len_byte_array(16) a (UUID);",
            "column \"a\" is FIXED_LEN_BYTE_ARRAY(16) (Uuid)",
        ),
        ("required fixed_len_byte_array(2) a (FLOAT16);", "(Float16)"),
        (
            "required fixed_len_byte_array(12) a (INTERVAL);",
            "(INTERVAL)",
        ),
        ("repeated int32 a;", "a repeated field"),
        (
            "required group a (LIST) { repeated group list { required int32 element; } }",
            "a group of fields (List)",
        ),
        (
            "required group a { required int32 b; }",
            "a group of fields",
        ),
    ] {
        let schema = format!("message m {{ required int32 x; {field} required int32 y; }}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.parquet");
        write_empty(&file, &schema);
        let error = read(&[&file].map(Into::into), &Options::default(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(part) && error.contains("--columns x,y"),
            "{error:?} lacks {part:?}"
        );
        let options = Options {
            columns: vec!["y".to_owned(), "x".to_owned()],
            ..Options::default()
        };
        assert_eq!(
            read(&[file], &options, &mut |_| {})
                .unwrap()
                .columns()
                .len(),
            2
        );
    }
}

#[test]
fn advice_names_the_columns_that_are_left() {
    let refused = |schema: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.parquet");
        let field = |name: &str, physical| {
            let length = if physical == Physical::INT32 { -1 } else { 2 };
            let field = Type::primitive_type_builder(name, physical).with_length(length);
            let half = (physical != Physical::INT32).then_some(LogicalType::Float16);
            Arc::new(
                field
                    .with_logical_type(half)
                    .with_repetition(Repetition::REQUIRED)
                    .build()
                    .unwrap(),
            )
        };
        let mut fields = vec![field("half", Physical::FIXED_LEN_BYTE_ARRAY)];
        fields.extend(
            schema
                .split('|')
                .filter(|name| !name.is_empty())
                .map(|name| field(name, Physical::INT32)),
        );
        let schema = Type::group_type_builder("m")
            .with_fields(fields)
            .build()
            .unwrap();
        let out = File::create(&file).unwrap();
        SerializedFileWriter::new(out, Arc::new(schema), Arc::default())
            .unwrap()
            .close()
            .unwrap();
        read(&[file], &Options::default(), &mut |_| {})
            .unwrap_err()
            .to_string()
    };
    for (names, part) in [
        ("", "no column that can be imported"),
        ("a|b", "--columns a,b"),
        ("a b|c,d|e", "--columns '\"a b\",\"c,d\",e'"),
    ] {
        let error = refused(names);
        assert!(error.ends_with(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn only_the_columns_that_are_chosen_need_names_of_their_own() {
    let schema = "message m { required int32 a; required int32 b; required int32 a; }";
    let read = |columns: &[&str]| {
        let options = Options {
            columns: columns.iter().map(ToString::to_string).collect(),
            ..Options::default()
        };
        read_file(schema, &options, |group| {
            for value in [1, 2, 3] {
                put!(group, Int32Type, [value]);
            }
        })
    };
    assert_eq!(read(&["b"]).unwrap().1, [["2"]]);
    for columns in [&[][..], &["a"], &["b", "a"]] {
        assert!(
            read(columns)
                .unwrap_err()
                .contains("two columns are named \"a\"")
        );
    }
}

#[test]
fn files_follow_one_another_and_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, schema) in [
        ("a.parquet", "int32 k"),
        ("b.parquet", "int32 k"),
        ("d.parquet", "int32 j"),
    ] {
        let schema = format!("message m {{ required {schema}; }}");
        write_parquet(&path(name), &schema, |group| put!(group, Int32Type, [1, 2]));
    }
    let wide = "message m { required int64 k; }";
    write_parquet(&path("c.parquet"), wide, |group| {
        put!(group, Int64Type, [3])
    });
    fs::write(path("e.csv"), "k\n1\n").unwrap();
    let read = |names: &[&str], options: &Options| {
        let files: Vec<_> = names.iter().map(|name| path(name)).collect();
        read(&files, options, &mut |_| {})
            .map(|table| shown(&table))
            .map_err(|error| error.to_string())
    };
    let plain = Options::default();
    let rows = read(&["a.parquet", "b.parquet"], &plain).unwrap().1;
    assert_eq!(rows, [["1"], ["2"], ["1"], ["2"]]);
    let error = read(&["a.parquet", "c.parquet"], &plain).unwrap_err();
    assert!(
        error.contains("c.parquet: column \"k\" is INT64, but"),
        "{error}"
    );
    let options = Options {
        types: vec![("k".to_owned(), Int64)],
        ..Options::default()
    };
    assert_eq!(
        read(&["a.parquet", "c.parquet"], &options).unwrap().1,
        [["1"], ["2"], ["3"]]
    );
    assert!(
        read(&["a.parquet", "d.parquet"], &plain)
            .unwrap_err()
            .contains("\"j\"")
    );
    assert!(
        read(&["a.parquet", "e.csv"], &plain)
            .unwrap_err()
            .contains("not of the same format")
    );
}

/// Every file that breaks the format is refused or read as what it then says; none ends the program.
#[test]
fn broken_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let schema = "message m { optional int32 a; optional binary s (STRING); required double d; }";
    write_parquet(&file, schema, |group| {
        let levels: Vec<i16> = (0..50).map(|row| i16::from(row % 5 > 0)).collect();
        put!(
            group,
            Int32Type,
            Vec::from_iter((0..50).filter(|row| row % 5 > 0)),
            Some(&levels)
        );
        let strings: Vec<_> = (0..40)
            .map(|row: i32| (row % 3).to_string().as_str().into())
            .collect();
        put!(group, ByteArrayType, strings, Some(&levels));
        put!(group, DoubleType, Vec::from_iter((0..50).map(f64::from)));
    });
    let good = fs::read(&file).unwrap();
    let mut attempts = 0;
    let mut attempt = |bytes: &[u8]| {
        // Files that are overwritten are flushed by some file systems, which takes long.
        attempts += 1;
        let file = folder.path().join(format!("{attempts}.parquet"));
        fs::write(&file, bytes).unwrap();
        let table = read(
            std::slice::from_ref(&file),
            &Options::default(),
            &mut |_| {},
        );
        fs::remove_file(&file).unwrap();
        table.map_err(|error| error.to_string())
    };
    assert_eq!(attempt(&good).unwrap().num_rows(), 50);
    let mut refused = 0;
    for at in 0..good.len() {
        for flip in [0x01, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            if let Err(error) = attempt(&bytes) {
                assert!(
                    error.contains(".parquet") && !error.contains('\n'),
                    "{error}"
                );
                refused += 1;
            }
        }
        if at % 5 == 1 {
            assert!(
                attempt(&good[..at])
                    .unwrap_err()
                    .contains("write or copy the file again")
            );
        }
    }
    assert!(refused > good.len() / 4, "{refused} of {}", good.len());
    assert!(attempt(b"").is_err());
}
