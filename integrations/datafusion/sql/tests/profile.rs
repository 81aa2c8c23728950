//! `sql run --profile`, as a user calls it.

use std::path::Path;
use std::process::Command;

#[test]
fn a_profile_has_processor_time_operators_and_peak_memory_of_each_query() {
    let folder = tempfile::tempdir().unwrap();
    let words =
        "run tpch --scale 0.01 --queries 3,13 --modes tree --profile --samples 1 --threads 2";
    let output = Command::new(env!("CARGO_BIN_EXE_joinery-sql"))
        .args(words.split(' '))
        .args(["--allow-unoptimised", "--out"])
        .arg(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{errors}");
    assert!(
        told.contains("peak memory, geometric mean of ratios"),
        "{told}"
    );
    let rows = rows(&folder.path().join("profile.csv"));
    let (columns, rows) = rows.split_first().expect("a line of names");
    let of = |row: &[String], name: &str| {
        let column = columns.iter().position(|column| column == name);
        row[column.expect("a column")].clone()
    };
    let who: Vec<_> = rows
        .iter()
        .map(|row| (of(row, "query"), of(row, "contender")))
        .collect();
    let expected = ["q3", "q13"].map(|query| {
        ["datafusion", "datafusion+joinery/tree"].map(|name| (query.to_owned(), name.to_owned()))
    });
    assert_eq!(who, expected.concat());
    for row in rows {
        let number = |name: &str| of(row, name).parse::<f64>().unwrap();
        let (cpu, peak) = (number("cpu_seconds"), number("peak_bytes"));
        assert!(cpu > 0.0 && peak > 0.0, "{row:?}");
        for class in ["joins", "filters", "aggregates", "scans"] {
            assert!(number(class) >= 0.0, "{class}: {row:?}");
        }
        assert!(
            number("aggregates") > 0.0 && number("filters") > 0.0,
            "{row:?}"
        );
    }
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().map(cells).collect()
}
