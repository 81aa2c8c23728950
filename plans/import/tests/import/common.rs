//! A small benchmark: files, queries and plans in a folder that vanishes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use join_core::table::Value;
use plan_executor::{Bundle, oracle};
use plan_import::{Request, import};

pub const SCHEMA: &str = "
CREATE TABLE title (id integer NOT NULL PRIMARY KEY, title text, production_year integer, note character varying(12));
CREATE TABLE movie_keyword (id integer NOT NULL, movie_id integer, keyword_id integer);
CREATE TABLE keyword (id integer NOT NULL, keyword text);
";

/// Files, queries and plans.
pub struct Case {
    folder: tempfile::TempDir,
    plans: RefCell<BTreeMap<String, String>>,
}

impl Case {
    pub fn new() -> Case {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("schematext.sql"), SCHEMA).unwrap();
        fs::create_dir(folder.path().join("sql")).unwrap();
        Case {
            folder,
            plans: RefCell::default(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn table(&self, name: &str, text: &str) {
        fs::write(self.path(&format!("{name}.csv")), text).unwrap();
    }

    /// A query of `title AS t` alone.
    pub fn query(&self, name: &str, sql: &str) {
        self.query_of(name, "title", "t", sql);
    }

    /// A query of one table.
    pub fn query_of(&self, name: &str, table: &str, alias: &str, sql: &str) {
        self.add(name, sql, scan(table, alias));
    }

    /// A query of keywords and titles.
    pub fn joined(&self, name: &str, sql: &str) {
        self.joined_on(name, "mk.keyword_id = k.id", sql);
    }

    /// A query of keywords and titles that joins keywords so.
    pub fn joined_on(&self, name: &str, condition: &str, sql: &str) {
        let keywords = join(
            &format!("({condition})"),
            &scan("movie_keyword", "mk"),
            &scan("keyword", "k"),
        );
        self.add(
            name,
            sql,
            join("(mk.movie_id = t.id)", &keywords, &scan("title", "t")),
        );
    }

    fn add(&self, name: &str, sql: &str, plan: String) {
        fs::write(self.path(&format!("sql/{name}.sql")), sql).unwrap();
        self.plans.borrow_mut().insert(name.to_owned(), plan);
    }

    /// Writes `plans.json`.
    pub fn write_plans(&self) {
        let plans = self.plans.borrow();
        let names: Vec<String> = plans.keys().map(|name| format!("{name:?}")).collect();
        let plans: Vec<String> = plans
            .values()
            .map(|plan| format!("{{\"Plan\": {plan}}}"))
            .collect();
        let (names, plans) = (names.join(","), plans.join(","));
        let text = format!("{{\"names\": [{names}], \"plans\": [{plans}]}}");
        fs::write(self.path("plans.json"), text).unwrap();
    }

    /// The import of all that is in the folder.
    pub fn request(&self) -> Request {
        Request {
            csv: self.path(""),
            plans: self.path("plans.json"),
            sql: None,
            schema: None,
            queries: Vec::new(),
            escape: b'\\',
            out: self.path("bundles"),
        }
    }

    fn try_import(&self) -> Result<Vec<PathBuf>, String> {
        self.write_plans();
        let imported = import(&self.request(), &mut |_, _| ());
        let imported = imported.map_err(|error| error.to_string())?;
        Ok(imported.bundles)
    }

    /// The bundles, in the order of their names.
    pub fn import(&self) -> Result<Vec<Bundle>, String> {
        let paths = self.try_import()?;
        Ok(paths
            .iter()
            .map(|path| Bundle::open(path).unwrap())
            .collect())
    }

    /// The one line that is said, where nothing is left behind.
    pub fn refused(&self) -> String {
        let error = self.refused_again();
        let left = fs::read_dir(self.path("")).unwrap();
        let left: Vec<String> = left
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("bundles"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        error
    }

    pub fn refused_again(&self) -> String {
        let error = self.try_import().unwrap_err();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }
}

fn scan(table: &str, alias: &str) -> String {
    format!(
        r#"{{"Node Type": "Seq Scan", "Relation Name": "{table}", "Alias": "{alias}", "Plan Rows": 1}}"#
    )
}

fn join(condition: &str, probe: &str, build: &str) -> String {
    format!(
        r#"{{"Node Type": "Hash Join", "Join Type": "Inner", "Hash Cond": "{condition}", "Plan Rows": 1,
        "Plans": [{probe}, {{"Node Type": "Hash", "Plan Rows": 1, "Plans": [{build}]}}]}}"#
    )
}

/// The first column of the result, in order.
pub fn ids(bundle: &Bundle) -> Vec<i32> {
    let rows = oracle::execute(bundle);
    let ids = rows.iter().map(|row| match row[0] {
        Value::Int32(id) => id,
        ref other => panic!("{other} is no id"),
    });
    let mut ids: Vec<i32> = ids.collect();
    ids.sort_unstable();
    ids
}

/// A value of text.
pub fn row(text: &str) -> Value<'_> {
    Value::Varchar(text.as_bytes().into())
}
