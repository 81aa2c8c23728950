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
    let found = (output.status.code(), error.lines().count());
    assert_eq!(found, (Some(2), 1), "{arguments:?}: {error}");
    assert!(error.starts_with("error: "), "{error}");
    assert_eq!(output.stdout, b"");
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
    assert!(refused(path, &import).contains("exists and is not an empty folder"));

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

#[test]
fn one_column_that_looks_like_several_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "a;b\n1;2\n").unwrap();
    let said = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tables"))
            .args(["import", "v.csv", "--out"])
            .args(more)
            .current_dir(path)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["new/folder/v"]).contains("say --delimiter ';'"));
    assert!(!said(&["w", "--delimiter", ";"]).contains("--delimiter"));
    // Where it is one, it may be said to be.
    assert!(!said(&["x", "--delimiter", ","]).contains("--delimiter"));
    done(
        path,
        &["export", "new/folder/v", "--out", "other/v.parquet"],
    );
    assert!(path.join("other/v.parquet").exists());
}

#[test]
fn names_with_commas_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "\"a,b\",c d,e\n1,2,3\n").unwrap();
    let columns = ["--columns", "\"a,b\",e", "--types", "\"a,b\"=INT64"];
    done(
        path,
        &[&["import", "v.csv", "--out", "v"][..], &columns].concat(),
    );
    let table = Table::open(&path.join("v")).unwrap();
    assert_eq!(table.columns()[0].name, "a,b");
    assert_eq!(table.columns()[0].column.data_type(), DataType::Int64);
    let error = refused(path, &["import", "v.csv", "--out", "w", "--columns", "\"a"]);
    assert!(
        error.contains("--columns") && error.contains("never closed"),
        "{error}"
    );
}

#[test]
fn an_escape_character_is_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "a\n\"x\\\"y\"\n").unwrap();
    let import = ["import", "v.csv", "--out", "v"];
    assert!(refused(path, &import).contains("follows a closing quote"));
    done(path, &[&import[..], &["--escape", "\\"]].concat());
    let table = Table::open(&path.join("v")).unwrap();
    assert_eq!(table.columns()[0].column.value(0).to_string(), "x\"y");
}

/// What is no file is refused at once: it would block, never end, or be empty the second time.
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made = Command::new("mkfifo").arg(path.join("p")).status().unwrap();
    assert!(made.success());
    fs::create_dir(path.join("d")).unwrap();
    std::os::unix::net::UnixListener::bind(path.join("s")).unwrap();
    let csv = path.join("v.csv");
    fs::write(&csv, "a\n1\n").unwrap();
    for (file, what) in [
        ("p", "a pipe"),
        ("d", "a folder"),
        ("s", "a socket"),
        ("/dev/zero", "a device"),
        ("/dev/null", "a device"),
    ] {
        for files in [&[file][..], &["v.csv", file]] {
            let import = [&["import"][..], files, &["--out", "w"]].concat();
            let error = refused(path, &import);
            assert!(error.contains(file) && error.contains(what), "{error}");
        }
    }
    // A file behind a name in /dev is one.
    let import = ["import", "/dev/stdin", "--out", "v"];
    let status = Command::new(env!("CARGO_BIN_EXE_tables"))
        .args(import)
        .current_dir(path)
        .stdin(fs::File::open(&csv).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let piped = Command::new("sh")
        .args(["-c", "printf 'a\\n1\\n' | \"$0\" import /dev/stdin --out w"])
        .arg(env!("CARGO_BIN_EXE_tables"))
        .current_dir(path)
        .output()
        .unwrap();
    let error = String::from_utf8(piped.stderr).unwrap();
    assert!(
        piped.status.code() == Some(2) && error.contains("a pipe"),
        "{error}"
    );
    assert!(!path.join("w").exists());
}

#[test]
fn a_path_with_a_line_end_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path(), &["import", "no\nfile", "--out", "w"]).contains("no\\nfile"));
    fs::write(folder.path().join("x\ny.csv"), "").unwrap();
    assert!(refused(folder.path(), &["import", "x\ny.csv", "--out", "w"]).contains("is empty"));
}

/// As many files as a process may open, and some more.
#[test]
fn more_files_than_may_be_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "a\n1\n").unwrap();
    done(path, &["import", "v.csv", "--out", "v"]);
    done(path, &["export", "v", "--out", "v.parquet"]);
    let mut files = Vec::new();
    for number in 0..100 {
        for kind in ["csv", "parquet"] {
            let from = path.join(format!("v.{kind}"));
            fs::copy(from, path.join(format!("{number}.{kind}"))).unwrap();
        }
        files.push(number);
    }
    for kind in ["csv", "parquet"] {
        let out = format!("all-{kind}");
        let import = Command::new("sh")
            .args(["-c", "ulimit -n 32; exec \"$0\" import \"$@\""])
            .arg(env!("CARGO_BIN_EXE_tables"))
            .args(files.iter().map(|number| format!("{number}.{kind}")))
            .args(["--out", &out])
            .current_dir(path)
            .output()
            .unwrap();
        let error = String::from_utf8(import.stderr).unwrap();
        assert!(import.status.success(), "{error}");
        assert_eq!(Table::open(&path.join(out)).unwrap().num_rows(), 100);
    }
}

/// Names in the folder apart from those of the files that it had.
fn left_behind(folder: &Path, had: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !had.contains(&name.as_str())).collect()
}

/// Files may not grow: the signal for that is as any other error of a full disk.
#[test]
fn a_limit_of_files_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rows: String = (0..100_000).map(|row| format!("{row}\n")).collect();
    fs::write(path.join("v.csv"), format!("a\n{rows}")).unwrap();
    done(path, &["import", "v.csv", "--out", "v"]);
    for arguments in [
        ["import", "v.csv", "--out", "w"],
        ["export", "v", "--out", "w.parquet"],
    ] {
        let run = Command::new("sh")
            .args(["-c", "ulimit -f 16; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_tables"))
            .args(arguments)
            .current_dir(path)
            .output()
            .unwrap();
        let error = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{error}");
        assert!(
            error.starts_with("error: ") && error.contains("File too large"),
            "{error}"
        );
        assert!(left_behind(path, &["v.csv", "v"]).is_empty());
    }
}

/// Ctrl-C and its kin, at any time: all is there or nothing.
#[test]
fn a_stop_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let row = "x".repeat(200);
    let rows: String = (0..100_000)
        .map(|number| format!("{number},{row}\n"))
        .collect();
    fs::write(path.join("v.csv"), format!("a,b\n{rows}")).unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tables"))
            .args(["import", "v.csv", "--out", "w"])
            .current_dir(path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // The unfinished folder is there for as long as it takes to write it.
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if !left_behind(path, &["v.csv"]).is_empty() {
                let kill = ["-s", signal, &child.id().to_string()].map(str::to_owned);
                Command::new("kill").args(kill).status().unwrap();
                break child.wait().unwrap();
            }
        };
        let left = left_behind(path, &["v.csv"]);
        match status.code() {
            Some(130) if left.is_empty() => {}
            // It was done before it was told.
            Some(0 | 130) if left == ["w"] => {
                assert_eq!(Table::open(&path.join("w")).unwrap().num_rows(), 100_000);
                fs::remove_dir_all(path.join("w")).unwrap();
            }
            code => panic!("{code:?}: {left:?}"),
        }
    }
}

#[test]
fn a_line_is_as_long_as_anybody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), format!("a\n{}\n", "é".repeat(1 << 20))).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tables"))
        .args(["import", "v.csv", "--out", "w", "--types", "a=INT32"])
        .current_dir(path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(
        line.len() < 2000 && line.contains("v.csv, line 2"),
        "{line}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("v.csv"), "a\n1\n").unwrap();
    std::os::unix::fs::symlink("nowhere", path.join("link")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tables"));
        command.args(arguments).current_dir(path).output().unwrap()
    };
    assert!(run(&["import", "v.csv", "--out", "t"]).status.success());
    for arguments in [
        ["export", "t", "--out", "link"],
        ["import", "v.csv", "--out", "link"],
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2));
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.contains("exists"), "{line}");
    }
    assert!(
        fs::symlink_metadata(path.join("link"))
            .unwrap()
            .is_symlink()
    );
}
