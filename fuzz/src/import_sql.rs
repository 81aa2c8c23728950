//! Arbitrary text as the query of a plan, and as the schema of one: it is evaluated over a few rows or refused in one
//! line.

#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use plan_bundles::job::plans::{Planned, Scan};
use plan_bundles::shape::{Attribute, JoinTree, Tree};
use plan_import::kept;

const SCHEMA: &str = "
CREATE TABLE title (id integer NOT NULL PRIMARY KEY, title text, production_year integer, note character varying(12));
CREATE TABLE movie_keyword (id integer, keyword character varying, movie_id integer, code character(3));
";

/// The rows of both tables.
const ROWS: &str = "1,\"The \\\"A\\\"\",2001,\n2,\"a, b\nand \\\\c\",,\"\"\n3,plain,1999,x\n,\u{212a} \u{e9},-2147483648,x\n";

const NUM_ROWS: u64 = 4;

fn scan(alias: &str, table: &str) -> Scan {
    Scan {
        alias: alias.to_owned(),
        table: table.to_owned(),
        filter: None,
        rows: 1.0,
    }
}

fn column(alias: &str, column: &str) -> Attribute {
    Attribute {
        alias: alias.to_owned(),
        column: column.to_owned(),
    }
}

fn planned(sql: &str, scans: Vec<Scan>, tree: Tree) -> Planned {
    Planned {
        name: "q".to_owned(),
        sql_file: PathBuf::from("q.sql"),
        sql: sql.to_owned(),
        scans,
        tree,
        select: vec![column("t", "id")],
    }
}

fn try_import(query: &Planned, schema: &str) {
    match kept(query, schema, ROWS.as_bytes(), b'\\') {
        Ok(inputs) => {
            assert_eq!(inputs.len(), query.scans.len());
            for rows in inputs {
                assert!(rows.is_sorted() && rows.iter().all(|&row| row < NUM_ROWS));
            }
        }
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    }
}

fuzz_target!(|text: &str| {
    let title = || scan("t", "title");
    try_import(
        &planned(text, vec![title()], Tree::Scan("t".to_owned())),
        SCHEMA,
    );
    let join = Tree::Join(Box::new(JoinTree {
        build_left: false,
        left: Tree::Scan("mk".to_owned()),
        right: Tree::Scan("t".to_owned()),
        left_key: column("mk", "movie_id"),
        right_key: column("t", "id"),
    }));
    let scans = vec![scan("mk", "movie_keyword"), title()];
    try_import(&planned(text, scans, join), SCHEMA);
    let all = "SELECT t.id FROM title AS t WHERE t.id > 1";
    try_import(
        &planned(all, vec![title()], Tree::Scan("t".to_owned())),
        text,
    );
});
