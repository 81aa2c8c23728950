//! The program that `harness plan import` runs.

use std::fs;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use crate::common::Case;

fn run(case: &Case, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plan-import"))
        .current_dir(case.path(""))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_program_says_where_the_bundles_are_or_in_one_line_what_is_wrong() {
    let case = Case::new();
    case.table("title", "1,\"say \"\"hi\"\"\",2000,\n");
    case.query(
        "q",
        "SELECT t.id FROM title AS t WHERE t.title = 'say \"hi\"'",
    );
    case.write_plans();
    let command = ["", "plans.json", "--out", "out", "--escape"];
    let import = |escape| {
        let mut command = [&command[..], &[escape]].concat();
        command[0] = ".";
        run(&case, &command)
    };
    let wrong = import("'");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("--escape"));
    assert_eq!(text(&wrong.stderr).lines().count(), 1);

    let done = import("\"");
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(text(&done.stdout), "out\n");
    assert_eq!(text(&done.stderr), "title: 1 rows\n1 bundles\n");
    let bundle = plan_executor::Bundle::open(&case.path("out/q")).unwrap();
    assert_eq!(crate::common::ids(&bundle), [1]);

    let again = import("\"");
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(text(&again.stderr).lines().count(), 1);
    let usage = run(&case, &["--nothing"]);
    assert_eq!(usage.status.code(), Some(2));
    assert_eq!(text(&usage.stderr).lines().count(), 1);
}

#[test]
fn options_say_where_queries_and_schema_are_and_which_are_wanted() {
    let case = Case::new();
    case.table("title", "1,a,2000,\n2,b,2001,\n");
    case.query("one", "SELECT t.id FROM title AS t");
    case.query("two", "SELECT t.id FROM title AS t");
    case.write_plans();
    fs::create_dir(case.path("texts")).unwrap();
    let sql = "SELECT t.number FROM title AS t WHERE t.number = 2";
    fs::write(case.path("texts/two.sql"), sql).unwrap();
    let schema = "CREATE TABLE title (number integer, a text, b text, c text)";
    fs::write(case.path("tables.sql"), schema).unwrap();
    let imported = |options: &[&str]| {
        let command = [".", "plans.json", "--sql", "texts", "--queries", "two"];
        let done = run(&case, &[&command, options].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        let out = case.path(options[1]);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        let bundle = plan_executor::Bundle::open(&out.join("two")).unwrap();
        assert_eq!(crate::common::ids(&bundle), [2]);
    };
    imported(&["--out", "named", "--schema", "tables.sql"]);
    // Where nobody names it and none is beside the files, it is beside the queries.
    fs::remove_file(case.path("schematext.sql")).unwrap();
    fs::rename(case.path("tables.sql"), case.path("texts/schema.sql")).unwrap();
    imported(&["--out", "beside"]);
}

/// A case with a table of `rows` rows, of text that takes its filter long.
fn large(rows: usize) -> Case {
    let case = Case::new();
    let row = format!("1,\"{}\",2000,\n", "a".repeat(1000));
    case.table("title", &row.repeat(rows));
    let pattern = format!("%{}b", "a".repeat(500));
    case.query(
        "q",
        &format!("SELECT t.title FROM title AS t WHERE t.title NOT LIKE '{pattern}'"),
    );
    case.write_plans();
    case
}

/// The names in a case's folder that are of the bundles.
fn left(case: &Case) -> Vec<String> {
    let names = fs::read_dir(case.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("out")).collect()
}

/// Runs a line of the shell, in which `$0` is the program with its arguments.
fn shell(case: &Case, line: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_plan-import");
    Command::new("sh")
        .current_dir(case.path(""))
        .args([
            "-c",
            &line.replace("IMPORT", "\"$0\" . plans.json --out out"),
            program,
        ])
        .output()
        .unwrap()
}

#[test]
fn a_stop_leaves_nothing() {
    for signal in ["INT", "TERM", "HUP"] {
        stopped_by(signal);
    }
}

fn stopped_by(signal: &str) {
    let case = large(20_000);
    let mut import = Command::new(env!("CARGO_BIN_EXE_plan-import"))
        .current_dir(case.path(""))
        .args([".", "plans.json", "--out", "out"])
        .spawn()
        .unwrap();
    loop {
        let ended = import.try_wait().unwrap();
        if !left(&case).is_empty() {
            break;
        }
        assert!(ended.is_none(), "ended before it wrote");
        thread::sleep(Duration::from_millis(1));
    }
    let interrupt = format!("kill -{signal} {}", import.id());
    let sent = Command::new("sh")
        .args(["-c", &interrupt])
        .status()
        .unwrap();
    assert!(sent.success());
    match import.wait().unwrap().code() {
        Some(130) => assert_eq!(left(&case), [""; 0]),
        // It was done before it was told.
        code => assert_eq!((code, &*left(&case)), (Some(0), &["out".to_owned()][..])),
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_that_leaves_nothing() {
    let case = large(2000);
    let output = shell(&case, "ulimit -f 100; exec IMPORT");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error: cannot write ") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(left(&case), [""; 0]);
}

#[test]
fn who_does_not_listen_is_told_by_the_status() {
    let case = large(1);
    let output = shell(&case, "IMPORT 2>/dev/full");
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "out\n")
    );
    let again = shell(&case, "IMPORT 2>/dev/full");
    assert_eq!(again.status.code(), Some(2));
    let usage = shell(&case, "\"$0\" --nothing 2>/dev/full");
    assert_eq!(usage.status.code(), Some(2));
    fs::remove_dir_all(case.path("out")).unwrap();
    let full = shell(&case, "IMPORT >/dev/full");
    assert_eq!(full.status.code(), Some(2));
    assert!(text(&full.stderr).contains("error: cannot write to standard output"));
}

#[test]
fn arguments_need_not_be_text() {
    let case = large(1);
    let named = shell(
        &case,
        "exec \"$0\" . plans.json --out \"$(printf 'out\\377')\"",
    );
    assert!(named.status.success(), "{}", text(&named.stderr));
    let query = shell(&case, "exec IMPORT --queries \"$(printf '\\377')\"");
    assert_eq!(query.status.code(), Some(2));
    assert_eq!(text(&query.stderr).lines().count(), 1);
    let lines = shell(&case, "exec \"$0\" . 'no\nplans' --out out2");
    assert_eq!(lines.status.code(), Some(2));
    assert_eq!(text(&lines.stderr).lines().count(), 1);
}

#[test]
fn inputs_are_files() {
    for (name, also) in [
        ("title.csv", ""),
        ("plans.json", ""),
        ("sql/q.sql", ""),
        ("schematext.sql", "--schema schematext.sql"),
    ] {
        let case = large(1);
        let line = format!("rm {name} && mkfifo {name} && IMPORT {also}");
        let pipe = shell(&case, &line);
        let said = text(&pipe.stderr);
        assert_eq!(pipe.status.code(), Some(2), "{said}");
        let file = format!("{name} is no regular file");
        assert!(said.contains(&file) && said.lines().count() == 1, "{said}");
        assert_eq!(left(&case), [""; 0]);
        let device = shell(
            &case,
            &format!("rm {name} && ln -s /dev/zero {name} && IMPORT {also}"),
        );
        assert!(text(&device.stderr).contains(&file));
    }
}
