//! The program that `harness table import` and `export` run.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use join_core::page::DataType;
use join_core::table::Table;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tables"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Standard output of a call that does what it is asked.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line on standard error of a call that is refused.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.starts_with("error: ") && output.stdout.is_empty(),
        "{error}"
    );
    error
}

#[test]
fn there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "id;who;x\n1;'a;b';-\n;;2.5\n").unwrap();
    let import = [
        "import",
        "v.csv",
        "--out",
        "v",
        "--delimiter",
        ";",
        "--quote",
        "'",
        "--null",
        "-",
        "--null",
        "",
        "--types",
        "id=int64",
    ];
    assert_eq!(done(path, &import), "v\n");
    let table = Table::open(&path.join("v")).unwrap();
    let columns: Vec<_> = table
        .columns()
        .iter()
        .map(|named| (named.name.as_str(), named.column.data_type()))
        .collect();
    assert_eq!(
        columns,
        [
            ("id", DataType::Int64),
            ("who", DataType::Varchar),
            ("x", DataType::Fp64)
        ]
    );
    assert_eq!(table.num_rows(), 2);
    assert!(refused(path, &import).contains("exists and is not empty"));

    done(path, &["export", "v", "--out", "v.parquet"]);
    let again = ["import", "v.parquet", "--out", "again", "--columns", "x,id"];
    assert_eq!(done(path, &again), "again\n");
    let again = Table::open(&path.join("again")).unwrap();
    assert_eq!((again.num_rows(), again.columns().len()), (2, 2));
    assert!(refused(path, &["export", "v", "--out", "v.parquet"]).contains("exists"));
}

#[test]
fn a_wrong_option_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "id,who\n1,a\n").unwrap();
    for (option, value, part) in [
        (
            "--types",
            "id=INTEGER",
            "types are INT32, INT64, FP64 and VARCHAR",
        ),
        ("--types", "ids=INT32", "--types names a column \"ids\""),
        ("--columns", "nobody", "--columns names a column \"nobody\""),
        ("--delimiter", "ab", "say one ASCII character"),
        ("--quote", "ä", "say one ASCII character"),
        ("--decimals", "some", "--decimals"),
        ("--unknown", "x", "--unknown"),
    ] {
        let error = refused(path, &["import", "v.csv", "--out", "w", option, value]);
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
    assert!(refused(path, &["import", "none.csv", "--out", "w"]).contains("none.csv"));
    assert!(!path.join("w").exists());
}
