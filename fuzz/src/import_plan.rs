//! Arbitrary text as a file of plans: what is accepted is a tree over the tables that it scans, or is refused as one; what
//! is not is described in one line.

#![no_main]

use std::path::Path;

use join_core::page::DataType;
use join_core::table::{ColumnBuilder, NamedColumn, Table, Value};
use libfuzzer_sys::fuzz_target;
use plan_bundles::MakeError;
use plan_bundles::job::plans::{Planned, parse};
use plan_bundles::shape;
use plan_import::kept;

/// The text of every query.
const SQL: &str = "SELECT MIN(t.id) AS first, k.keyword FROM keyword AS k, movie_keyword AS mk, title AS t \
    WHERE mk.keyword_id = k.id AND mk.movie_id = t.id AND t.production_year > 2000";

const SCHEMA: &str = "
CREATE TABLE title (id integer, title text, production_year integer);
CREATE TABLE movie_keyword (id integer, movie_id integer, keyword_id integer);
CREATE TABLE keyword (id integer, keyword text, movie_id integer);
";

/// A table of one row, with the columns that a scan reads.
fn table(query: &Planned, alias: &str) -> Table {
    let columns = query.tree.columns(&query.select);
    let columns = columns.get(alias).into_iter().flatten().map(|name| {
        let (data_type, value) = match &name[..] {
            "keyword" => (DataType::Varchar, Value::Varchar(b"k"[..].into())),
            _ => (DataType::Int32, Value::Int32(1)),
        };
        let mut builder = ColumnBuilder::new(data_type);
        builder.push(&value).expect("a value of the column's type");
        NamedColumn::new(name.clone(), builder.finish())
    });
    Table::new(alias, columns.collect()).expect("a small table")
}

fn one_line<T>(result: Result<T, impl ToString>) {
    if let Err(error) = result {
        let error = error.to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

fuzz_target!(|text: &str| {
    let sql = |_: &Path| Ok::<_, MakeError>(SQL.to_owned());
    let queries = match parse(Path::new("plans.json"), text, None, &[], sql) {
        Ok(queries) => queries,
        Err(error) => return one_line::<()>(Err(error)),
    };
    for query in &queries {
        let scans = query.scans.iter();
        let tables = scans.map(|scan| (scan.alias.clone(), table(query, &scan.alias)));
        let tables = tables.collect();
        one_line(shape::bundle(
            &query.name,
            &query.tree,
            &query.select,
            tables,
        ));
        one_line(kept(query, SCHEMA, b"1,2,3\n", b'\\'));
    }
});
