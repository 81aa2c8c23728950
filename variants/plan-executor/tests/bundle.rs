//! Bundles on the disk: what is written is read, and what is wrong is said in one line (R9.1).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use join_core::table::{Column, NamedColumn, Table};
use plan_executor::{Bundle, Join, Node, Operator, Output, oracle};
use serde_json::{Value, json};
use tempfile::TempDir;

fn sample() -> Bundle {
    let table = |keys: &[Option<i32>]| {
        let keys_column = Column::from_i32_options(keys.iter().copied());
        let names = Column::from_strings(keys.iter().map(|key| key.map(|key| key.to_string())));
        let columns = vec![
            NamedColumn::new("id", keys_column),
            NamedColumn::new("name", names),
        ];
        Table::new("t", columns).unwrap()
    };
    let output = |index: usize| Output {
        index,
        data_type: [
            join_core::page::DataType::Int32,
            join_core::page::DataType::Varchar,
        ][index % 2],
    };
    let scan = |number| Node {
        operator: Operator::Scan(number),
        output: vec![output(0), output(1)],
    };
    let join = Join {
        build_left: true,
        left: 0,
        right: 1,
        left_attr: 0,
        right_attr: 0,
    };
    let join = Node {
        operator: Operator::Join(join),
        output: vec![output(3), output(0)],
    };
    let tables = vec![
        table(&[Some(1), None, Some(2)]),
        table(&[Some(2), Some(2), Some(3)]),
    ];
    Bundle::new("sample", vec![scan(0), scan(1), join], 2, tables).unwrap()
}

fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    sample().write(&folder.path().join("bundle")).unwrap();
    folder
}

#[test]
fn a_written_bundle_is_read_again() {
    let folder = written();
    let bundle = Bundle::open(&folder.path().join("bundle")).unwrap();
    let rows = oracle::execute(&bundle);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        oracle::checksum(&rows),
        oracle::checksum(&oracle::execute(&sample()))
    );
}

/// What is said when a part of plan.json is changed.
fn said(change: impl FnOnce(&mut Value)) -> String {
    let folder = written();
    let path = folder.path().join("bundle/plan.json");
    let mut plan: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut plan);
    fs::write(&path, plan.to_string()).unwrap();
    error(&folder.path().join("bundle"))
}

fn error(folder: &Path) -> String {
    let error = Bundle::open(folder).unwrap_err().to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

#[test]
fn what_is_wrong_is_said() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 16] = [
        ("root is node 9", |plan| plan["root"] = json!(9)),
        (
            "node 2 is no part of the tree under the root, node 0",
            |plan| plan["root"] = json!(0),
        ),
        ("node 2 joins node 7", |plan| {
            plan["nodes"][2]["join"]["left"] = json!(7)
        }),
        ("node 1 is a child of node 2 and again of node 2", |plan| {
            plan["nodes"][2]["join"]["left"] = json!(1)
        }),
        ("node 2 is its own ancestor", |plan| {
            plan["nodes"][2]["join"]["left"] = json!(2)
        }),
        ("node 2, left_attr: column 5, but node 0 has 2", |plan| {
            plan["nodes"][2]["join"]["left_attr"] = json!(5)
        }),
        ("node 2 joins VARCHAR with INT32", |plan| {
            plan["nodes"][2]["join"]["left_attr"] = json!(1)
        }),
        (
            "node 2, output 0: column 4, but nodes 0 and 1 has 4",
            |plan| plan["nodes"][2]["output"][0][0] = json!(4),
        ),
        ("node 0, output 1: column 1 is VARCHAR, not INT64", |plan| {
            plan["nodes"][0]["output"][1][1] = json!("INT64")
        }),
        ("node 0 scans table 5", |plan| {
            plan["nodes"][0]["scan"]["base_table"] = json!(5)
        }),
        ("and is neither", |plan| {
            plan["nodes"][0]["scan"] = Value::Null
        }),
        ("and is both", |plan| {
            plan["nodes"][2]["scan"] = json!({"base_table": 0})
        }),
        ("unknown variant `TEXT`", |plan| {
            plan["nodes"][0]["output"][1][1] = json!("TEXT")
        }),
        ("invalid value: integer `-1`", |plan| {
            plan["root"] = json!(-1)
        }),
        ("leads out of the folder", |plan| {
            plan["inputs"][0]["columns"][0]["file"] = json!("../x")
        }),
        ("3 rows in 1 pages, but the table says 4", |plan| {
            plan["inputs"][0]["num_rows"] = json!(4)
        }),
    ];
    for (expected, change) in cases {
        let error = said(change);
        assert!(
            error.contains(expected),
            "{error}\ndoes not say {expected:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_files_is_said() {
    let folder = written();
    let bundle = folder.path().join("bundle");
    let pages = bundle.join("1_0.pages");
    let whole = fs::read(&pages).unwrap();
    fs::write(&pages, &whole[..100]).unwrap();
    assert!(error(&bundle).contains("1_0.pages") && error(&bundle).contains("ends within a page"));
    fs::write(&pages, [&whole[..], &whole[..]].concat()).unwrap();
    assert!(error(&bundle).contains("2 pages, but the table says 1"));
    fs::remove_file(&pages).unwrap();
    assert!(error(&bundle).contains("1_0.pages"));
    fs::write(bundle.join("plan.json"), "{").unwrap();
    assert!(error(&bundle).contains("plan.json: EOF"));
    fs::remove_file(bundle.join("plan.json")).unwrap();
    assert!(error(&bundle).contains("name a folder that holds a plan.json"));
}

#[test]
fn only_a_regular_file_is_a_plan() {
    let folder = written();
    let bundle = folder.path().join("bundle");
    let plan = bundle.join("plan.json");
    let text = fs::read(&plan).unwrap();
    // A link to a file is as good as the file.
    fs::rename(&plan, bundle.join("elsewhere")).unwrap();
    symlink("elsewhere", &plan).unwrap();
    assert!(Bundle::open(&bundle).is_ok());
    fs::remove_file(&plan).unwrap();
    symlink("/dev/zero", &plan).unwrap();
    assert!(error(&bundle).contains("plan.json is no regular file"));
    fs::remove_file(&plan).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&plan)
            .status()
            .unwrap()
            .success()
    );
    assert!(error(&bundle).contains("plan.json is no regular file"));
    fs::remove_file(&plan).unwrap();
    fs::create_dir(&plan).unwrap();
    assert!(error(&bundle).contains("plan.json is no regular file"));
    fs::remove_dir(&plan).unwrap();
    // Longer than memory, but nothing of it is on the disk.
    fs::write(&plan, text).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&plan).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(error(&bundle).contains("1099511627776 bytes"));
}

#[test]
fn a_plan_that_nests_or_counts_without_end_is_refused() {
    let folder = written();
    let bundle = folder.path().join("bundle");
    let deep = format!("{{\"name\": {}", "[".repeat(1_000_000));
    fs::write(bundle.join("plan.json"), deep).unwrap();
    assert!(error(&bundle).contains("plan.json: "));
    let most = u64::MAX;
    assert!(said(|plan| plan["root"] = json!(most)).contains("root is node 18446744073709551615"));
    let error = said(|plan| plan["nodes"][0]["scan"]["base_table"] = json!(most));
    assert!(error.contains("node 0 scans table"), "{error}");
    let error = said(|plan| plan["nodes"][2]["join"]["left_attr"] = json!(most));
    assert!(error.contains("node 2, left_attr"), "{error}");
    let error = said(|plan| plan["nodes"][2]["output"][0][0] = json!(most));
    assert!(error.contains("node 2, output 0"), "{error}");
    let error = said(|plan| plan["inputs"][0]["num_rows"] = json!(most));
    assert!(error.contains("rows"), "{error}");
    let error = said(|plan| plan["inputs"][0]["columns"][0]["pages"] = json!(most));
    assert!(error.contains("pages"), "{error}");
}

#[test]
fn a_circle_apart_from_the_root_is_found() {
    let join = |left: usize, right: usize| Node {
        operator: Operator::Join(Join {
            build_left: true,
            left,
            right,
            left_attr: 0,
            right_attr: 0,
        }),
        output: Vec::new(),
    };
    let scan = Node {
        operator: Operator::Scan(0),
        output: Vec::new(),
    };
    let table = Table::new("t", Vec::new()).unwrap();
    let nodes = vec![scan.clone(), join(2, 3), join(1, 4), scan.clone(), scan];
    let error = Bundle::new("circle", nodes, 0, vec![table]).unwrap_err();
    assert!(error.to_string().contains("is its own ancestor"), "{error}");
}

#[test]
fn a_deep_plan_needs_no_deep_stack() {
    let count = 100_000;
    let mut nodes = vec![Node {
        operator: Operator::Scan(0),
        output: vec![Output {
            index: 0,
            data_type: join_core::page::DataType::Int32,
        }],
    }];
    let mut root = 0;
    for _ in 0..count {
        let scan = nodes.len();
        nodes.push(nodes[0].clone());
        nodes.push(Node {
            operator: Operator::Join(Join {
                build_left: true,
                left: root,
                right: scan,
                left_attr: 0,
                right_attr: 0,
            }),
            output: nodes[0].output.clone(),
        });
        root = scan + 1;
    }
    let table = Table::new("t", vec![NamedColumn::new("id", Column::from_i32(&[1]))]).unwrap();
    let bundle = Bundle::new("deep", nodes, root, vec![table]).unwrap();
    assert_eq!(oracle::execute(&bundle).len(), 1);
}
