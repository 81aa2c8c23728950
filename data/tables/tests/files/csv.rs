//! CSV files: what is read, and what is said of bad ones.

use std::fs;
use std::path::PathBuf;

use crate::common::shown;
use join_core::page::DataType::{self, Fp64, Int32, Int64, Varchar};
use join_core::table::Table;
use tables::{CsvOptions, Decimals, Options, read};

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
        shown(&read_csv("a\n1\n0", &Options::default()).unwrap()).1,
        [["1"], ["0"]]
    );
}

#[test]
fn delimiter_quote_null_and_header_are_options() {
    let csv = CsvOptions {
        delimiter: Some(b';'),
        quote: Some(b'\''),
        escape: None,
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
fn an_empty_line_is_a_row_where_there_is_one_column() {
    let rows = |text: &str, options: &Options| {
        let (_, rows) = shown(&read_csv(text, options).unwrap());
        rows.into_iter()
            .map(|row| row.join(","))
            .collect::<Vec<_>>()
    };
    let plain = Options::default();
    let no_header = Options {
        csv: CsvOptions {
            header: false,
            ..CsvOptions::default()
        },
        ..Options::default()
    };
    for end in ["\n", "\r", "\r\n"] {
        let lines = |lines: &[&str]| lines.join(end);
        assert_eq!(
            rows(&lines(&["a", "1", "", "2", ""]), &plain),
            ["1", "NULL", "2"]
        );
        assert_eq!(
            rows(&lines(&["a", "", "\"\"", "2"]), &plain),
            ["NULL", "NULL", "2"]
        );
        assert_eq!(
            rows(&lines(&["", "a", "0", "", "", ""]), &typed(&[("a", Int32)])),
            ["0", "NULL", "NULL"]
        );
        assert_eq!(
            rows(&lines(&["", "", "1", ""]), &no_header),
            ["NULL", "NULL", "1"]
        );
        assert_eq!(
            rows(&lines(&["", "1,2", "", "3,4", ""]), &no_header),
            ["1,2", "3,4"]
        );
        assert_eq!(rows(&lines(&["a,b", "", "1,2", "", ""]), &plain), ["1,2"]);
    }
    // The empty field is text where something else means NULL.
    let dash = Options {
        csv: CsvOptions {
            nulls: vec!["-".to_owned()],
            ..CsvOptions::default()
        },
        ..Options::default()
    };
    assert_eq!(rows("a\n\n-\nx\n", &dash), ["", "NULL", "x"]);
}

#[test]
fn what_stands_before_a_quote_is_an_option() {
    let escape = |escape| Options {
        csv: CsvOptions {
            escape: Some(escape),
            ..CsvOptions::default()
        },
        ..Options::default()
    };
    let text = "id,\"t\\\"\"\n1,\"say \\\"hi\\\" \\\\ \\n\"\n2,a\\b\n";
    let table = read_csv(text, &escape(b'\\')).unwrap();
    assert_eq!(table.columns()[1].name, "t\"");
    assert_eq!(shown(&table).1, [["1", "say \"hi\" \\ \\n"], ["2", "a\\b"]]);
    assert_eq!(
        shown(&read_csv("a\n\"x\"\"y\"\n", &escape(b'"')).unwrap()).1,
        [["x\"y"]]
    );
    assert!(refused("a\n\"x\"\"y\"\n", &escape(b'\\')).contains("follows a closing quote"));
    assert!(refused("a\n1\n", &escape(b',')).contains("--escape and --delimiter are the same"));
    for (csv, part) in [
        (
            CsvOptions {
                quote: Some(b','),
                ..CsvOptions::default()
            },
            "--quote and --delimiter are the same",
        ),
        (
            CsvOptions {
                quote: None,
                escape: Some(b'x'),
                ..CsvOptions::default()
            },
            "--quote none",
        ),
    ] {
        let options = Options {
            csv,
            ..Options::default()
        };
        assert!(refused("a\n1\n", &options).contains(part));
    }
}

/// Nothing is rounded that was not asked to be.
#[test]
fn digits_that_fp64_does_not_have_stay_text() {
    for text in [
        "0.12345678901234567890",
        "12345678901234567.89",
        "1e-400",
        "007.1",
        "+1.5",
        "9223372036854775807.0",
    ] {
        let table = read_csv(format!("a\n{text}\n0.5\n"), &Options::default()).unwrap();
        assert_eq!(
            shown(&table),
            (
                vec![Varchar],
                vec![vec![text.to_owned()], vec!["0.5".to_owned()]]
            )
        );
    }
    let asked = typed(&[("a", Fp64)]);
    let rounded = Options {
        decimals: Decimals::Rounded,
        ..asked.clone()
    };
    for (text, nearest) in [
        ("9007199254740993", "9007199254740992"),
        ("9007199254740993.0", "9007199254740992"),
        ("0.12345678901234567890", "0.12345678901234568"),
        ("1e-400", "0"),
    ] {
        let error = refused(format!("a\n{text}\n"), &asked);
        assert!(
            error.contains("more digits than FP64") && error.contains("--decimals rounded"),
            "{error}"
        );
        let table = read_csv(format!("a\n{text}\n"), &rounded).unwrap();
        assert_eq!(shown(&table).1, [[nearest]]);
    }
    // Spellings that are not usual, and integers that FP64 has.
    let text = "a\n007.10\n+1.5\n4611686018427387904\ninf\n-0\n";
    let large = 2_f64.powi(62).to_string();
    let rows = shown(&read_csv(text, &asked).unwrap()).1;
    assert_eq!(rows, [["7.1"], ["1.5"], [large.as_str()], ["inf"], ["-0"]]);
}

#[test]
fn columns_without_names_get_free_ones() {
    let names = |text: &str| {
        let table = read_csv(text, &Options::default()).unwrap();
        table
            .columns()
            .iter()
            .map(|named| named.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("column2,,x\n1,2,3\n"), ["column2", "column2_", "x"]);
    assert_eq!(
        names(",column1,column1_\n1,2,3\n"),
        ["column1__", "column1", "column1_"]
    );
    assert_eq!(names(",,\n1,2,3\n"), ["column1", "column2", "column3"]);
    let options = Options {
        columns: vec!["b".to_owned()],
        ..Options::default()
    };
    assert_eq!(
        shown(&read_csv("a,b,a\n1,2,3\n", &options).unwrap()).1,
        [["2"]]
    );
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
        (
            b"a,b\n1,\"x\"y\n",
            &plain,
            "line 2, column \"b\": something follows a closing quote",
        ),
        (
            b"a,b\n1,\"say \\\"hi\\\" there\"\n",
            &plain,
            "line 2, column \"b\"",
        ),
        (
            b"\"a\" ,b\n1,2\n",
            &plain,
            "line 1: something follows a closing quote",
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
