//! `harness table`: what works without the Parquet library.

use std::fs;
use std::path::Path;

use join_core::table::{Column, NamedColumn, Table};

use crate::common::{run, text};

/// A folder with the table `users`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ids = Column::from_i32_options((0..3000).map(|row| (row % 3 > 0).then_some(row)));
    let names = Column::from_strings((0..3000).map(|row| match row {
        0 => Some("a \"b\"\n".to_owned()),
        1 => None,
        _ => Some("long ".repeat(row / 1000 * 2000)),
    }));
    let columns = vec![NamedColumn::new("id", ids), NamedColumn::new("name", names)];
    let table = Table::new("users", columns).unwrap();
    table.write(&folder.path().join("users")).unwrap();
    folder
}

/// Standard output of a call that does what it is asked.
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The one line on standard error of a call that is refused.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.starts_with("error: ") && output.stdout.is_empty(),
        "{error}"
    );
    error
}

#[test]
fn show_tells_columns_and_first_rows() {
    let folder = folder();
    let shown = done(folder.path(), &["table", "show", "users", "--rows", "2"]);
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["users:", "3000", "rows"]);
    assert_eq!(lines[1], ["column", "type", "NULLs", "pages", "bytes"]);
    assert_eq!(lines[2], ["id", "INT32", "1000", "2", "16384"]);
    assert_eq!(lines[3][..3], ["name", "VARCHAR", "1"]);
    assert_eq!(lines[5], ["id", "name"]);
    assert_eq!(lines[6], ["NULL", "\"a", "\\\"b\\\"\\n\""]);
    assert_eq!(lines[7], ["1", "NULL"]);
    assert_eq!(lines.len(), 8);
    assert_eq!(
        done(folder.path(), &["table", "show", "users"])
            .lines()
            .count(),
        4
    );
}

#[test]
fn check_finds_what_is_wrong() {
    let folder = folder();
    let ok = done(folder.path(), &["table", "check", "users"]);
    assert!(ok.starts_with("ok: 3000 rows in 2 columns"), "{ok}");
    let check = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = folder.path().join("users").join(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        change(&mut bad);
        fs::write(&path, bad).unwrap();
        let error = refused(folder.path(), &["table", "check", "users"]);
        fs::write(&path, good).unwrap();
        error
    };
    let error = check("0.pages", &|bytes| bytes[8192 + 2] ^= 1);
    assert!(error.contains("0.pages, column \"id\", page 1"), "{error}");
    let error = check("0.pages", &|bytes| bytes.truncate(8192));
    assert!(error.contains("1 pages, but the table says 2"), "{error}");
    let error = check("table.json", &|bytes| {
        *bytes = String::from_utf8(bytes.clone())
            .unwrap()
            .replace("3000", "3001")
            .into();
    });
    assert!(
        error.contains("3000 rows in 2 pages, but the table says 3001"),
        "{error}"
    );
    assert!(refused(folder.path(), &["table", "check", "nowhere"]).contains("nowhere"));
}
