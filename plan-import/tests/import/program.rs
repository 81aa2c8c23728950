//! The program that `harness plan import` runs.

use std::fs;
use std::process::{Command, Output};

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
