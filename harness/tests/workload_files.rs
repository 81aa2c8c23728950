//! Workload files of one's own, table folders, and what is said of bad ones.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use harness::workload::{Definition, Instance, Workload, resolve};
use join_core::compound::Keys;
use join_core::oracle;
use join_core::page::DataType;
use join_core::table::{Column, NamedColumn, Table, Value};
use report::record::Size;

const OWN: &str = r#"
name = "own"
sentence = "A test."
[build]
rows = "1K"
keys = "unique"
[probe]
rows = 5000
keys = "uniform"
"#;

fn generate(instance: &Instance) -> Workload {
    instance.generate(None, NonZeroUsize::MIN).unwrap()
}

/// The message of the error that a text gives; it must be one line and name the file.
fn refused(text: &str) -> String {
    let definition = Definition::parse("bad.toml", Path::new(""), text);
    let message = match definition {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    };
    assert!(message.starts_with("bad.toml"), "{message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

fn names(patterns: &[&str], size: Size) -> Result<Vec<String>, String> {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    match resolve(&patterns, size) {
        Ok(instances) => Ok(instances
            .into_iter()
            .map(|instance| instance.name)
            .collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_file_of_ones_own_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    fs::write(&path, OWN).unwrap();
    let patterns = [path.to_str().unwrap().to_owned(), "small-1k".to_owned()];
    let instances = resolve(&patterns, Size::Quick).unwrap();
    assert_eq!(instances.len(), 2);
    assert_eq!(instances[0].name, "small-1k");
    let workload = generate(&instances[1]);
    assert_eq!(workload.name, "own");
    assert_eq!(workload.build().row_count(), 1024);
    assert_eq!(workload.probe().row_count(), 5000);
    assert_eq!(workload.expected.rows, 5000);
    assert!(!workload.recorded);
}

#[test]
fn a_file_with_several_kinds_is_several_workloads() {
    let text = OWN.replace(
        "[build]",
        "kinds = [\"inner\", \"build-anti\"]\nswept = [\"build-anti\"]\n[build]",
    );
    let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
    let [inner, anti] = &definition.instances(Size::Quick).unwrap()[..] else {
        panic!("not two");
    };
    assert_eq!((&*inner.name, &*anti.name), ("own-inner", "own-build-anti"));
    assert!(!inner.is_swept(Size::Default) && inner.is_swept(Size::Full));
    assert!(anti.is_swept(Size::Quick));
    let (of_inner, of_anti) = (generate(inner), generate(anti));
    assert_eq!(of_inner.record().keys, of_anti.record().keys);
    assert_eq!(of_inner.record().join_kind, None);
    assert_eq!(of_anti.record().join_kind.as_deref(), Some("build-anti"));
    // 5000 draws of 1024 keys leave some of them out.
    let alone = 1024.0 * (-5000.0_f64 / 1024.0).exp();
    let found = of_anti.expected.rows as f64;
    assert!((found - alone).abs() < 4.0 * alone.sqrt(), "{found}");
}

#[test]
fn a_share_of_the_build_keys_is_never_found() {
    let text = OWN.replace("\"uniform\"", "{ match = { share = 0.5, of = 0.25 } }");
    let text = text.replace(
        "[build]",
        "kinds = [\"build-semi\", \"probe-semi\"]\n[build]",
    );
    let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
    let instances = definition.instances(Size::Quick).unwrap();
    assert_eq!(generate(&instances[0]).expected.rows, 256);
    let found = generate(&instances[1]).expected.rows;
    assert!((2300..2700).contains(&found), "{found}");
}

#[test]
fn a_single_null_is_one() {
    for rows in ["1", "777", "5000"] {
        let text = OWN
            .replace("rows = \"1K\"", &format!("rows = {rows}"))
            .replace("\"unique\"", "\"unique\"\none_null = true");
        let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
        let workload = generate(&definition.instances(Size::Quick).unwrap()[0]);
        let nulls = workload
            .build()
            .values()
            .filter(|value| *value == Value::Null);
        assert_eq!(nulls.count(), 1, "{rows}");
        assert_eq!(workload.oracle(), workload.expected);
    }
}

#[test]
fn a_file_with_several_payloads_is_several_workloads() {
    let text = OWN.replace(
        "[build]",
        "payload = { bytes = [8, 48], swept = [48] }\n[build]",
    );
    let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
    let [narrow, wide] = &definition.instances(Size::Quick).unwrap()[..] else {
        panic!("not two");
    };
    assert_eq!((&*narrow.name, &*wide.name), ("own-8", "own-48"));
    assert!(!narrow.is_swept(Size::Default) && wide.is_swept(Size::Default));
    assert!(wide.estimated_bytes() > 4 * narrow.estimated_bytes());
    let workload = generate(wide);
    assert_eq!(workload.record().payload_bytes, Some(48));
    assert_eq!(workload.payload.map(|payload| payload.columns()), Some(6));
    assert_eq!(workload.expected, generate(narrow).expected);
}

#[test]
fn payloads_that_make_no_sense_are_refused() {
    let of = |payload: &str, more: &str| {
        refused(&OWN.replace("[build]", &format!("payload = {payload}\n{more}\n[build]")))
    };
    for (payload, more, said) in [
        (
            "{ bytes = [12] }",
            "",
            "a payload of 12 bytes is no number of INT64 columns",
        ),
        ("{ bytes = [0] }", "", "a payload of 0 bytes"),
        ("{ bytes = [2048] }", "", "a multiple of 8 up to 1024"),
        ("{ bytes = [] }", "", "payload names no bytes"),
        ("{ bytes = [8, 8] }", "", "twice"),
        (
            "{ bytes = [8], swept = [16] }",
            "",
            "the payload's swept names 16",
        ),
        (
            "{ bytes = [8] }",
            "kinds = [\"probe-semi\"]",
            "not with kinds",
        ),
        (
            "{ bytes = [8] }",
            "condition = { less = { share = 0.5 } }",
            "not with condition",
        ),
    ] {
        let message = of(payload, more);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn strings_are_as_long_as_the_file_says() {
    for longest in [8, 12, 40] {
        let fields = format!("key_type = \"VARCHAR\"\nkey_bytes = {longest}\n[build]");
        let text = OWN.replace("[build]", &fields);
        let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
        let workload = generate(&definition.instances(Size::Quick).unwrap()[0]);
        let lengths: Vec<usize> = workload
            .build()
            .values()
            .map(|value| match value {
                Value::Varchar(string) => string.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        let ends = (lengths.iter().min(), lengths.iter().max());
        assert_eq!(ends, (Some(&8), Some(&longest)));
        assert_eq!(workload.oracle(), workload.expected);
    }
    let with = |fields: &str| refused(&OWN.replace("[build]", &format!("{fields}\n[build]")));
    assert!(with("key_bytes = 12").contains("key_type = \"VARCHAR\""));
    for bytes in [7, 41] {
        let fields = format!("key_type = \"VARCHAR\"\nkey_bytes = {bytes}");
        assert!(with(&fields).contains("8 to 40 bytes are possible"));
    }
}

#[test]
fn a_key_of_two_columns_has_the_same_answer() {
    for key_type in ["INT32", "INT64"] {
        let of = |columns: u32| {
            let fields = format!(
                "key_type = \"{key_type}\"\nkey_columns = {columns}\n[build]\nnull_share = 0.1"
            );
            let text = OWN.replace("[build]", &fields);
            let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
            generate(&definition.instances(Size::Quick).unwrap()[0])
        };
        let (one, two) = (of(1), of(2));
        assert_eq!((one.columns.len(), two.columns.len()), (1, 2));
        assert_eq!(two.record().key_type, format!("{key_type}, {key_type}"));
        assert_eq!(two.expected, one.expected);
        assert_eq!(two.oracle(), two.expected);
    }
    let with = |fields: &str| refused(&OWN.replace("[build]", &format!("{fields}\n[build]")));
    assert!(with("key_columns = 3").contains("1 or 2 columns"));
    assert!(with("key_columns = 2\nkey_type = \"VARCHAR\"").contains("INT32 or INT64"));
    let of_kind = "key_columns = 2\nkinds = [\"probe-mark\"]";
    assert!(with(of_kind).contains("not go with probe-mark"));
}

#[test]
fn the_workloads_of_the_findings_make_sense() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings/workloads");
    let mut files = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let definition = Definition::open(&path).unwrap();
        for instance in definition.instances(Size::Quick).unwrap() {
            assert!(instance.estimated_results() > 0, "{}", path.display());
        }
        files += 1;
    }
    assert!(files > 5);
}

#[test]
fn kinds_that_make_no_sense_are_refused() {
    let with = |fields: &str| refused(&OWN.replace("[build]", &format!("{fields}\n[build]")));
    assert!(with("kinds = [\"semi\"]").contains("there are inner, build-outer"));
    assert!(with("kinds = [\"inner\", \"inner\"]").contains("twice"));
    assert!(with("kinds = [\"inner\"]\nswept = [\"full-outer\"]").contains("full-outer"));
    let nulls = "keys = \"unique\"\nnull_share = 0.5\none_null = true";
    assert!(refused(&OWN.replace("keys = \"unique\"", nulls)).contains("one_null"));
    let of = "{ match = { share = 0.5, of = 1.5 } }";
    assert!(refused(&OWN.replace("\"uniform\"", of)).contains("1.5"));
}

#[test]
fn what_a_file_says_of_sizes_holds_for_these_sizes_only() {
    let text = format!("{OWN}[quick]\nbuild_rows = 10\n[full]\nprobe_rows = \"2K\"\n");
    let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
    for (size, build_rows, probe_rows) in [
        (Size::Quick, 10, 5000),
        (Size::Default, 1024, 5000),
        (Size::Full, 1024, 2048),
    ] {
        let instance = definition.instances(size).unwrap().remove(0);
        assert_eq!(
            (instance.build_rows(), instance.probe_rows()),
            (build_rows, probe_rows)
        );
    }
}

#[test]
fn a_recorded_answer_is_held_against_the_data() {
    let expected = |rows: u64, checksum: &str| {
        let entry = format!(
            "{{ build_rows = 1024, probe_rows = 5000, rows = {rows}, checksum = \"{checksum}\" }}"
        );
        let text = format!("expected = [{entry}]\n{OWN}");
        let definition = Definition::parse("own.toml", Path::new(""), &text).unwrap();
        definition.instances(Size::Quick).unwrap().remove(0)
    };
    let plain = Definition::parse("own.toml", Path::new(""), OWN).unwrap();
    let answer = generate(&plain.instances(Size::Quick).unwrap()[0]).expected;
    let right = expected(5000, &answer.checksum().to_string());
    assert!(generate(&right).recorded);
    let wrong = expected(4999, &answer.checksum().to_string());
    let error = wrong
        .generate(None, NonZeroUsize::MIN)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("rows = 5000") && error.contains("rows = 4999"),
        "{error}"
    );
    let other_sums = expected(5000, "0123456789abcdef");
    let error = other_sums
        .generate(None, NonZeroUsize::MIN)
        .unwrap_err()
        .to_string();
    assert!(error.contains("0123456789abcdef"), "{error}");
    // The recorded answer is that of the file's seed.
    assert!(!wrong.generate(Some(2), NonZeroUsize::MIN).unwrap().recorded);
}

#[test]
fn patterns_name_workloads() {
    assert_eq!(
        names(&["pk-fk"], Size::Full).unwrap(),
        ["pk-fk-1m", "pk-fk-16m"]
    );
    assert_eq!(
        names(&["zipf-16m", "small*"], Size::Full).unwrap(),
        ["small-1k", "zipf-16m"]
    );
    assert_eq!(names(&["ladder"], Size::Full).unwrap().len(), 17);
    assert_eq!(
        names(&["ladder-2^10"], Size::Quick).unwrap(),
        ["ladder-2^10"]
    );
    assert_eq!(
        names(&["pk-fk-1m", "pk-fk-1m"], Size::Quick).unwrap(),
        ["pk-fk-1m"]
    );
}

#[test]
fn an_unknown_name_gets_the_nearest_ones() {
    let error = names(&["zipf16m"], Size::Quick).unwrap_err();
    assert!(
        error.contains("\"zipf16m\"") && error.contains("did you mean zipf-16m"),
        "{error}"
    );
    let error = names(&["quux"], Size::Quick).unwrap_err();
    assert!(error.contains("list workloads"), "{error}");
    let error = names(&["no/such.toml"], Size::Quick).unwrap_err();
    assert!(
        error.contains("no/such.toml") && error.contains("check the path"),
        "{error}"
    );
}

#[test]
fn two_workloads_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    fs::write(&path, OWN.replace("own", "small-1k")).unwrap();
    let error = names(&["small-1k", path.to_str().unwrap()], Size::Quick).unwrap_err();
    assert!(
        error.contains("two workloads are named \"small-1k\""),
        "{error}"
    );
}

#[test]
fn bad_fields_are_refused() {
    let changed = |from: &str, to: &str| {
        assert!(OWN.contains(from), "{from}");
        refused(&OWN.replacen(from, to, 1))
    };
    for (message, part) in [
        (refused("name = \"x\""), "missing field `sentence`"),
        (refused("name = "), "line 1"),
        (
            refused(&format!("{OWN}rowz = 1\n")),
            "line 10: unknown field `rowz`",
        ),
        (
            changed("\"unique\"", "\"sorted\""),
            "unknown variant `sorted`",
        ),
        (
            changed("\"unique\"", "{ heavy = { share = 0.1, rows = 2 } }"),
            "line 6: unexpected keys in table: rows",
        ),
        (
            changed("\"1K\"", "\"1 Kilo\""),
            "line 5: invalid value: string \"1 Kilo\", expected a number of rows",
        ),
        (changed("5000", "-5"), "expected a number of rows"),
        (changed("\"own\"", "\"a/b\""), "must consist of letters"),
        (
            changed("\"1K\"", "\"4G\""),
            "4294967296 rows; at most 4294967295",
        ),
        (
            changed("\"unique\"", "{ duplicated = { each = 2000 } }"),
            "each = 2000 is more than the 1024 build rows",
        ),
        (
            changed("\"unique\"", "{ duplicated = { each = 0 } }"),
            "each = 0",
        ),
        (
            changed("\"unique\"", "{ heavy = { share = 1.5 } }"),
            "the heavy key's share is 1.5",
        ),
        (
            changed("\"uniform\"", "{ match = { share = -0.1 } }"),
            "the share of matches is -0.1",
        ),
        (
            changed("\"uniform\"", "{ match = { share = nan } }"),
            "a share is a number from 0 to 1",
        ),
        (
            changed("\"uniform\"", "{ zipf = { exponent = -1.0 } }"),
            "the exponent -1",
        ),
        (
            changed("\"uniform\"", "\"uniform\"\nnull_share = 2.0"),
            "[probe] null_share is 2",
        ),
        (changed("rows = 5000", ""), "[probe] has no rows"),
        (changed("keys = \"unique\"", ""), "[build] has no keys"),
        (
            changed("[probe]\nrows = 5000\nkeys = \"uniform\"", ""),
            "there is no [probe]",
        ),
        (
            changed("[build]", "key_type = \"FP64\"\n[build]"),
            "the keys are FP64",
        ),
        (
            refused(&format!("{OWN}[quick]\nscale_factor = 2.0\n")),
            "[quick] has scale_factor",
        ),
        (
            refused(&format!(
                "{OWN}[full]\nrungs = {{ from = 1, to = 2, step = 1 }}\n"
            )),
            "[full] has rungs",
        ),
        (
            refused(&format!("{OWN}[quick]\nbuild_rows = \"5G\"\n")),
            "5368709120 rows",
        ),
        (
            refused(&format!(
                "{OWN}[tpch]\njoin = \"part-lineitem\"\nscale_factor = 1.0\n"
            )),
            "leave out one of them",
        ),
    ] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn bad_ladders_and_scale_factors_are_refused() {
    let ladder = |rungs: &str, cap: &str| {
        format!(
            "name = \"l\"\nsentence = \"A test.\"\n[build]\nkeys = \"unique\"\n[probe]\nkeys = \"even\"\n\
             [ladder]\nrungs = {rungs}\nprobe_factor = 4\nprobe_cap = {cap}\n"
        )
    };
    let good = ladder("{ from = 3, to = 9, step = 3 }", "1000");
    let definition = Definition::parse("l.toml", Path::new(""), &good).unwrap();
    let rungs: Vec<_> = definition
        .instances(Size::Full)
        .unwrap()
        .iter()
        .map(|rung| (rung.name.clone(), rung.build_rows(), rung.probe_rows()))
        .collect();
    let expected = [("l-2^3", 8, 32), ("l-2^6", 64, 256), ("l-2^9", 512, 1000)];
    assert_eq!(
        rungs,
        expected.map(|(name, build, probe)| (name.to_owned(), build, probe))
    );

    let tpch = |scale_factor: &str, more: &str| {
        format!(
            "name = \"t\"\nsentence = \"A test.\"\n{more}[tpch]\njoin = \"orders-lineitem\"\nscale_factor = {scale_factor}\n"
        )
    };
    for (text, part) in [
        (
            ladder("{ from = 9, to = 3, step = 1 }", "10"),
            "from 9 to 3",
        ),
        (ladder("{ from = 3, to = 9, step = 0 }", "10"), "steps of 0"),
        (
            ladder("{ from = 3, to = 32, step = 1 }", "10"),
            "at most 31",
        ),
        (
            ladder("{ from = 3, to = 31, step = 1 }", "\"8G\""),
            "the probe side has 4294967296 rows",
        ),
        (tpch("0.0", ""), "scale factor 0"),
        (tpch("1e9", ""), "outside of 0.0001..700"),
        (tpch("400.0", ""), "say key_type = \"INT64\""),
    ] {
        let message = refused(&text);
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
    let wide = tpch("400.0", "key_type = \"INT64\"\n");
    assert!(Definition::parse("t.toml", Path::new(""), &wide).is_ok());
}

/// A folder with the tables `users` and `events` and a workload that joins them.
fn table_folders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let users = Table::new(
        "users",
        vec![
            NamedColumn::new("name", Column::from_strings(["a", "b", "c"].map(Some))),
            NamedColumn::new("id", Column::from_i32(&[7, 8, 7])),
            NamedColumn::new("big", Column::from_i64(&[7, 8, 9])),
        ],
    );
    let ids = (0..5000).map(|row| (row % 5 > 0).then_some(row % 10));
    let events = Table::new(
        "events",
        vec![NamedColumn::new("user_id", Column::from_i32_options(ids))],
    );
    users.unwrap().write(&folder.path().join("users")).unwrap();
    events
        .unwrap()
        .write(&folder.path().join("events"))
        .unwrap();
    fs::write(folder.path().join("own.toml"), tables("id", "user_id")).unwrap();
    folder
}

fn tables(build_key: &str, probe_key: &str) -> String {
    format!(
        "name = \"own\"\nsentence = \"A test.\"\n[build]\ntable = \"users\"\nkey = \"{build_key}\"\n\
         [probe]\ntable = \"events\"\nkey = \"{probe_key}\"\n"
    )
}

#[test]
fn table_folders_are_joined_on_their_key_columns() {
    let folder = table_folders();
    let definition = Definition::open(&folder.path().join("own.toml")).unwrap();
    let instance = definition.instances(Size::Quick).unwrap().remove(0);
    assert_eq!((instance.build_rows(), instance.probe_rows()), (3, 5000));
    assert_eq!(instance.key_type, DataType::Int32);
    let workload = generate(&instance);
    assert!(workload.build().is_mapped() && workload.probe().is_mapped());
    // 7 is twice among the users, 8 once; each is a tenth of the events.
    assert_eq!(workload.expected.rows, 1500);
    let Keys::Integer(input) = workload.keys() else {
        panic!("two columns of integers");
    };
    assert_eq!(oracle::nested_loops(&input).len(), 1500);

    // The answer that is printed is one that the file can record.
    assert!(!workload.recorded);
    let text = format!(
        "expected = [{}]\n{}",
        workload.answer(),
        tables("id", "user_id")
    );
    fs::write(folder.path().join("own.toml"), text).unwrap();
    let definition = Definition::open(&folder.path().join("own.toml")).unwrap();
    let instance = definition.instances(Size::Quick).unwrap().remove(0);
    assert!(generate(&instance).recorded);
}

#[test]
fn bad_tables_are_refused() {
    let folder = table_folders();
    let path = folder.path().join("own.toml");
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        let workload = Definition::open(&path)
            .and_then(|definition| definition.instances(Size::Quick))
            .and_then(|instances| instances[0].generate(None, NonZeroUsize::MIN));
        let message = match workload {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => error.to_string(),
        };
        assert!(message.starts_with(path.to_str().unwrap()), "{message}");
        assert!(!message.contains('\n'), "{message}");
        message
    };
    let good = tables("id", "user_id");
    for (text, part) in [
        (
            tables("id", "userid"),
            "no column \"userid\"; did you mean user_id?; it has: user_id",
        ),
        (
            tables("name", "user_id"),
            "is VARCHAR, but column \"user_id\"",
        ),
        (
            tables("big", "user_id"),
            "both key columns must be INT32, or both INT64",
        ),
        (good.replace("\"users\"", "\"nobody\""), "cannot read"),
        (
            good.replace("key = \"id\"", ""),
            "[build] must have table and key and nothing else",
        ),
        (
            good.replace(
                "table = \"users\"\nkey = \"id\"",
                "rows = 1\nkeys = \"unique\"",
            ),
            "[build] must have table and key",
        ),
        (
            good.replace("[probe]", "rows = 3\n[probe]"),
            "[build] must have table and key and nothing else",
        ),
        (
            format!("key_type = \"INT64\"\n{good}"),
            "but key_type says INT64",
        ),
        (
            format!("{good}[quick]\nbuild_rows = 3\n"),
            "[quick] has build_rows",
        ),
    ] {
        let message = refused(&text);
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }

    let pages = folder.path().join("users/1.pages");
    let mut bytes = fs::read(&pages).unwrap();
    bytes[2] = 9;
    fs::write(&pages, &bytes).unwrap();
    let message = refused(&good);
    assert!(
        message.contains("1.pages") && message.contains("column \"id\""),
        "{message}"
    );
    fs::write(&pages, &bytes[..100]).unwrap();
    assert!(refused(&good).contains("ends within a page"));
    let described = fs::read_to_string(folder.path().join("users/table.json")).unwrap();
    let twins = described.replace("\"name\": \"big\"", "\"name\": \"id\"");
    assert_ne!(described, twins);
    fs::write(folder.path().join("users/table.json"), twins).unwrap();
    assert!(refused(&good).contains("two columns are named \"id\""));
    fs::write(folder.path().join("users/table.json"), "{").unwrap();
    assert!(refused(&good).contains("table.json"));
}

#[test]
fn only_the_key_column_of_a_table_is_read() {
    let folder = table_folders();
    fs::write(folder.path().join("users/0.pages"), "not pages").unwrap();
    let definition = Definition::open(&folder.path().join("own.toml")).unwrap();
    assert_eq!(
        generate(&definition.instances(Size::Full).unwrap()[0])
            .expected
            .rows,
        1500
    );
}
