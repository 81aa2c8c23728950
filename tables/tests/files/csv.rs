//! CSV files: what is read, and what is said of bad ones.

use std::fs;
use std::path::PathBuf;

use crate::common::shown;
use join_core::page::DataType::{self, Fp64, Int32, Int64, Varchar};
use join_core::table::Table;
use tables::{CsvOptions, Options, read};

fn read_all(texts: &[&[u8]], options: &Options) -> Result<Table, String> {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = (0..texts.len())
        .map(|number| folder.path().join(format!("{number}.csv")))
        .collect();
    for (file, text) in files.iter().zip(texts) {
        fs::write(file, text).unwrap();
    }
    read(&files, options, &mut |_| {}).map_err(|error| {
        let error = error.to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    })
}

fn read_csv(text: impl AsRef<[u8]>, options: &Options) -> Result<Table, String> {
    read_all(&[text.as_ref()], options)
}

fn typed(types: &[(&str, DataType)]) -> Options {
    Options {
        types: types
            .iter()
            .map(|&(name, data_type)| (name.to_owned(), data_type))
            .collect(),
        ..Options::default()
    }
}

fn refused(text: impl AsRef<[u8]>, options: &Options) -> String {
    read_csv(text, options).expect_err("accepted")
}

#[test]
fn types_come_from_the_whole_file() {
    let mut text = String::from("small,wide,number,text,late\n");
    for row in 0..30_000 {
        text += &format!("{row},{},{}.5,x{row},{row}\n", row * 1_000_003_i64, row);
    }
    text += "-7,0,1e-3,\"a \"\"quoted\"\", b\",end\n,,,,\n";
    let (types, rows) = shown(&read_csv(&text, &Options::default()).unwrap());
    assert_eq!(types, [Int32, Int64, Fp64, Varchar, Varchar]);
    assert_eq!(rows.len(), 30_002);
    assert_eq!(
        rows[29_999],
        ["29999", "29999089997", "29999.5", "x29999", "29999"]
    );
    assert_eq!(rows[30_000], ["-7", "0", "0.001", "a \"quoted\", b", "end"]);
    assert_eq!(rows[30_001], ["NULL"; 5]);
}

#[test]
fn fields_of_any_length_with_anything_in_them() {
    let long = "0123456789\n\"\"\r\n,ä".repeat(1500);
    let text = format!("\u{feff}id,text\r\n1,\"{long}\"\r\n\r\n2,plain\r\n");
    let table = read_csv(&text, &Options::default()).unwrap();
    let (types, rows) = shown(&table);
    assert_eq!(types, [Int32, Varchar]);
    assert_eq!(rows[0][1], long.replace("\"\"", "\""));
    assert!(rows[0][1].len() > 20_000);
    assert_eq!(rows[1], ["2", "plain"]);
    assert_eq!(table.columns()[0].name, "id");
    // No line end behind the last record, or behind the header.
    assert_eq!(
        shown(&read_csv("a,b\n1,\"x\"", &Options::default()).unwrap()).1,
        [["1", "x"]]
    );
    assert_eq!(read_csv("a,b", &Options::default()).unwrap().num_rows(), 0);
    assert_eq!(
        shown(&read_csv("a\n0\n0\n\n\n", &Options::default()).unwrap()).1,
        [["0"], ["0"]]
    );
    assert_eq!(
        shown(&read_csv("a\n1\n0", &Options::default()).unwrap()).1,
        [["1"], ["0"]]
    );
}

#[test]
fn delimiter_quote_null_and_header_are_options() {
    let csv = CsvOptions {
        delimiter: Some(b';'),
        quote: Some(b'\''),
        nulls: vec!["NA".to_owned(), "-".to_owned()],
        header: false,
    };
    let options = Options {
        csv,
        ..Options::default()
    };
    let table = read_csv("1;'a;b';NA\n-;;'it''s \"'\n", &options).unwrap();
    let names: Vec<&str> = table
        .columns()
        .iter()
        .map(|named| named.name.as_str())
        .collect();
    assert_eq!(names, ["column1", "column2", "column3"]);
    let (types, rows) = shown(&table);
    assert_eq!(types, [Int32, Varchar, Varchar]);
    assert_eq!(rows, [["1", "a;b", "NULL"], ["NULL", "", "it's \""]]);

    let csv = CsvOptions {
        quote: None,
        ..CsvOptions::default()
    };
    let options = Options {
        csv,
        ..Options::default()
    };
    let (_, rows) = shown(&read_csv("a,b\n5\" pipe,\"x\n", &options).unwrap());
    assert_eq!(rows, [["5\" pipe", "\"x"]]);
}

#[test]
fn columns_and_types_that_are_asked_for() {
    let options = Options {
        columns: vec!["c".to_owned(), "a".to_owned()],
        ..typed(&[("a", Int64), ("c", Fp64)])
    };
    let table = read_csv("a,b,c\n1,bad\u{1},007\n2,x,NaN\n", &options).unwrap();
    let (types, rows) = shown(&table);
    assert_eq!(types, [Fp64, Int64]);
    assert_eq!(rows, [["7", "1"], ["NaN", "2"]]);
    for (options, part) in [
        (
            typed(&[("d", Int32)]),
            "--types names a column \"d\", which is not there; there are: a, b",
        ),
        (
            typed(&[("a", Int32), ("a", Int64)]),
            "--types names column \"a\" twice",
        ),
        (
            Options {
                columns: vec!["x".to_owned()],
                ..Options::default()
            },
            "--columns names a column \"x\"",
        ),
        (
            Options {
                columns: vec!["a".to_owned(); 2],
                ..Options::default()
            },
            "--columns names column \"a\" twice",
        ),
    ] {
        let error = refused("a,b\n1,2\n", &options);
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn files_follow_one_another() {
    let table = read_all(&[b"a,b\n1,x\n", b"a,b\n3000000000,\n"], &Options::default()).unwrap();
    let (types, rows) = shown(&table);
    assert_eq!(types, [Int64, Varchar]);
    assert_eq!(rows, [["1", "x"], ["3000000000", "NULL"]]);
    let error = read_all(&[b"a,b\n1,x\n", b"a,c\n1,x\n"], &Options::default()).unwrap_err();
    assert!(
        error.contains("1.csv: the columns a, c are not those of"),
        "{error}"
    );
}

#[test]
fn bad_files_are_refused_with_their_line() {
    let plain = Options::default();
    let ints = typed(&[("a", Int32)]);
    for (text, options, part) in [
        (
            &b"a,b\n1,2\n\n3\n"[..],
            &plain,
            "line 4: 1 fields, but the first record has 2",
        ),
        (b"a,b\n1,2,3\n", &plain, "line 2: 3 fields"),
        (b"a,b\r\n\"x\r\ny\",2\r\n3\r\n", &plain, "line 4: 1 fields"),
        (b"a,b\r1,2\r3\r", &plain, "line 3: 1 fields"),
        (
            b"a,b\n1,x\xffy\n",
            &plain,
            "line 2, column \"b\": invalid UTF-8 at byte 1",
        ),
        (b"a,\xff\n1,2\n", &plain, "line 1: invalid UTF-8"),
        (
            b"a\n1\n2147483648\n",
            &ints,
            "line 3, column \"a\": \"2147483648\" is beyond INT32; say for instance --types a=INT64",
        ),
        (b"a\n1\n-99999999999999999999\n", &ints, "is beyond INT32"),
        (
            b"a\n1\n 2\n",
            &ints,
            "line 3, column \"a\": \" 2\" is no INT32",
        ),
        (b"a\n1.5\n", &ints, "is no INT32"),
        (
            b"a\n9223372036854775808\n",
            &typed(&[("a", Int64)]),
            "is beyond INT64",
        ),
        (b"a\n1e999\n", &typed(&[("a", Fp64)]), "is beyond FP64"),
        (b"a\nx\n", &typed(&[("a", Fp64)]), "is no FP64"),
        (
            b"a,b\n1,2\n3,\"4\n5,6\n7,8\n",
            &plain,
            "line 3: a quote is opened and never closed",
        ),
        (
            b"a\n\"1",
            &plain,
            "line 2: a quote is opened and never closed",
        ),
        (
            b"\"a,b\n1,2\n",
            &plain,
            "a quote is opened and never closed",
        ),
        (b"a,a\n1,2\n", &plain, "two columns are named \"a\""),
        (b"", &plain, "the file is empty"),
        (b"\n\n", &plain, "the file is empty"),
    ] {
        let error = refused(text, options);
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
    let options = Options {
        csv: CsvOptions {
            nulls: vec!["NA".to_owned()],
            ..CsvOptions::default()
        },
        ..ints
    };
    assert!(refused("a\n\"\"\n", &options).contains("\"\" is no INT32"));
}
