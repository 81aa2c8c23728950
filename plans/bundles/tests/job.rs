//! Bundles from plans of the Join Order Benchmark's kind, over generated data.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use join_core::table::{Table, Value};
use plan_bundles::job::{Made, Options, make, plans};
use plan_bundles::shape::Tree;
use plan_executor::{Bundle, Operator, oracle};

fn small() -> Options {
    Options {
        scale: 0.002,
        ..Options::default()
    }
}

fn plans_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/plans.json")
}

fn made(options: &Options, out: &Path) -> Made {
    let queries = plans::read(&plans_file(), None, &[]).unwrap();
    make(&queries, options, out).unwrap()
}

fn table<'a>(bundle: &'a Bundle, name: &str) -> &'a Table {
    let mut tables = bundle.tables().iter();
    tables.find(|table| table.name() == name).unwrap()
}

#[test]
fn results_are_not_empty_for_filters_agree() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..10 {
        let out = folder.path().join(format!("agree-{seed}"));
        let made = made(&Options { seed, ..small() }, &out);
        assert_eq!(made.bundles, [out.join("casts"), out.join("companies")]);
        assert_eq!(made.with_results, 2);
        for path in &made.bundles {
            let bundle = Bundle::open(path).unwrap();
            let rows = oracle::execute(&bundle);
            assert!(!rows.is_empty(), "seed {seed}, {}", path.display());
        }
    }
    // One keyword of 268, and a tenth of the rows of the others: drawn alone they hardly meet.
    let independent = Options {
        correlation: 0.0,
        ..small()
    };
    assert_eq!(
        made(&independent, &folder.path().join("alone")).with_results,
        0
    );
}

#[test]
fn filters_keep_as_many_rows_as_the_plan_says_and_no_null_that_they_would_not() {
    let folder = tempfile::tempdir().unwrap();
    let made = made(&small(), &folder.path().join("out"));
    let [casts, companies] = [0, 1].map(|number| Bundle::open(&made.bundles[number]).unwrap());
    let rows = |bundle, name| table(bundle, name).num_rows();
    // The real tables' rows times the scale and, of a filtered one, the share that the plan expects.
    assert_eq!(rows(&companies, "keyword"), 1);
    assert_eq!(rows(&companies, "movie_keyword"), 9048);
    assert_eq!(rows(&companies, "title"), 2000);
    // Two workers and four tenths of the leader.
    assert_eq!(rows(&companies, "movie_companies"), 2400);
    assert_eq!(rows(&casts, "name"), 8);
    assert_eq!(rows(&casts, "cast_info"), 4000);

    let nulls = |bundle, name, column| {
        let column = table(bundle, name).column(column).unwrap();
        column
            .values()
            .filter(|value| *value == Value::Null)
            .count()
    };
    assert_eq!(nulls(&companies, "movie_companies", "note"), 2400);
    assert_eq!(nulls(&companies, "title", "production_year"), 0);
    assert_eq!(nulls(&casts, "cast_info", "note"), 0);
    assert_eq!(nulls(&casts, "name", "name"), 0);
}

#[test]
#[cfg(unix)]
fn a_column_that_no_filter_touches_is_one_file() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let made = made(&small(), &folder.path().join("out"));
    let links: Vec<u64> = made
        .bundles
        .iter()
        .map(|path| {
            let text = fs::read(path.join("plan.json")).unwrap();
            let plan: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let mut inputs = plan["inputs"].as_array().unwrap().iter();
            let input = inputs
                .find(|input| input["name"] == "movie_keyword")
                .unwrap();
            let mut columns = input["columns"].as_array().unwrap().iter();
            let column = columns.find(|column| column["name"] == "movie_id").unwrap();
            fs::metadata(path.join(column["file"].as_str().unwrap()))
                .unwrap()
                .ino()
        })
        .collect();
    assert_eq!(links[0], links[1]);
}

/// Every file of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for bundle in fs::read_dir(folder).unwrap() {
        let bundle = bundle.unwrap().path();
        for file in fs::read_dir(&bundle).unwrap() {
            let file = file.unwrap().path();
            let name = file.strip_prefix(folder).unwrap().to_owned();
            files.insert(name, fs::read(file).unwrap());
        }
    }
    files
}

#[test]
fn a_seed_means_the_same_bytes_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, seed| {
        let out = folder.path().join(name);
        made(&Options { seed, ..small() }, &out);
        files(&out)
    };
    let first = bytes("first", 3);
    assert_eq!(first, bytes("again", 3));
    assert_ne!(first, bytes("other", 4));
    // Should this change, bundles that people have are no longer those that this program makes.
    let bundle = Bundle::open(&folder.path().join("first/companies")).unwrap();
    let checksum = oracle::checksum(&oracle::execute(&bundle));
    assert_eq!(checksum.to_string(), "bcd0b1f1f95b83b9");
}

/// What is said of the plans and queries of the fixture, with `from` replaced by `to` in the file.
fn refused(file: &str, from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir(here.join("sql")).unwrap();
    let original = plans_file();
    let mut found = false;
    for name in ["plans.json", "sql/companies.sql", "sql/casts.sql"] {
        let text = fs::read_to_string(original.with_file_name("").join(name)).unwrap();
        let text = match name == file {
            true => {
                found = text.contains(from);
                text.replacen(from, to, 1)
            }
            false => text,
        };
        fs::write(here.join(name), text).unwrap();
    }
    assert!(found, "{file} has no {from}");
    let out = here.join("out");
    let error = plans::read(&here.join("plans.json"), None, &[])
        .and_then(|queries| make(&queries, &small(), &out))
        .unwrap_err()
        .to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains(file), "{error}");
    let left = fs::read_dir(here).unwrap().count();
    assert_eq!(left, 2, "nothing is left behind");
    error
}

#[test]
fn plans_that_cannot_be_executed_are_refused() {
    let plan = |from, to| refused("plans.json", from, to);
    assert!(plan("{", "[").contains("names"));
    assert!(plan("\"companies\", ", "").contains("1 names and 2 plans"));
    assert!(plan("\"companies\"", "\"../companies\"").contains("../companies"));
    assert!(plan("\"companies\"", "\"casts\"").contains("twice"));
    assert!(plan("\"Hash Join\"", "\"Nested Loop\"").contains("enable_nestloop"));
    assert!(plan("\"Inner\"", "\"Left\"").contains("Left join"));
    assert!(
        plan(
            "(mc.movie_id = t.id)",
            "((mc.movie_id = t.id) AND (a.b = c.d))"
        )
        .contains("Hash Cond")
    );
    assert!(plan("(mc.movie_id = t.id)", "(mk.movie_id = t.id)").contains("both sides"));
    assert!(plan("\"Alias\": \"mk\"", "\"Alias\": \"t\"").contains("two scans"));
    assert!(plan("\"Alias\": \"n\"", "\"Alias\": \"m\"").contains("n."));
}

#[test]
fn queries_that_do_not_go_with_the_data_are_refused() {
    let query = |from, to| refused("sql/companies.sql", from, to);
    assert!(query("t.title", "t.name").contains("no column \"name\""));
    assert!(query("MIN(t.title)", "COUNT(*)").contains("COUNT(*)"));
    assert!(query("SELECT", "DELETE").contains("SELECT"));
}

#[test]
fn tables_and_keys_that_imdb_does_not_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let queries = plans::read(&plans_file(), None, &["casts".to_owned()]).unwrap();
    let refused = |query| make(&[query], &small(), &out).unwrap_err().to_string();
    let mut query = queries[0].clone();
    query.scans[0].table = "nothing".to_owned();
    assert!(refused(query).contains("no table \"nothing\""));
    let mut query = queries[0].clone();
    let Tree::Join(join) = &mut query.tree else {
        panic!("a join")
    };
    join.left_key.column = "name".to_owned();
    assert!(refused(query).contains("n.name is no key"));
}

#[test]
fn whole_tables_have_their_own_columns_and_joins_the_plans_build_sides() {
    let folder = tempfile::tempdir().unwrap();
    let mut queries = plans::read(&plans_file(), None, &["casts".to_owned()]).unwrap();
    for scan in &mut queries[0].scans {
        scan.filter = None;
    }
    let made = make(&queries, &small(), &folder.path().join("out")).unwrap();
    let bundle = Bundle::open(&made.bundles[0]).unwrap();
    // Both have a movie_id.
    let rows = |name| table(&bundle, name).num_rows();
    assert!(rows("cast_info") > 7 * rows("movie_keyword"));
    let plan = bundle.plan();
    let Operator::Join(root) = plan.nodes()[plan.root()].operator else {
        panic!("a join")
    };
    assert!(root.build_left, "of the one that is hashed");
}

#[test]
fn options_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let queries = plans::read(&plans_file(), None, &["casts".to_owned()]).unwrap();
    type Change = fn(&mut Options);
    let wrong: [(&str, Change); 6] = [
        ("--scale", |options| options.scale = f64::NAN),
        ("--skew", |options| options.skew = -1.0),
        ("--correlation", |options| options.correlation = 1.5),
        ("--nulls", |options| options.nulls = -0.1),
        ("--text-length", |options| options.text_length = 1e9),
        ("--long-texts", |options| options.long_texts = 2.0),
    ];
    for (name, change) in wrong {
        let mut options = small();
        change(&mut options);
        let error = make(&queries, &options, &out).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.lines().count() == 1,
            "{error}"
        );
    }
    let error = plans::read(&plans_file(), None, &["1a".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("companies"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn extreme_options_make_sound_bundles() {
    let folder = tempfile::tempdir().unwrap();
    for (number, options) in [
        Options {
            skew: 0.0,
            nulls: 0.0,
            long_texts: 0.0,
            ..small()
        },
        Options {
            skew: 1.0,
            correlation: 1.0,
            nulls: 100.0,
            ..small()
        },
        Options {
            skew: 3.0,
            text_length: 0.0,
            long_texts: 0.01,
            ..small()
        },
        Options {
            scale: 0.0001,
            ..small()
        },
    ]
    .iter()
    .enumerate()
    {
        for path in made(options, &folder.path().join(number.to_string())).bundles {
            Bundle::open(&path).unwrap();
        }
    }
}
