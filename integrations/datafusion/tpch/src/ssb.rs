//! The Star Schema Benchmark (O'Neil, O'Neil, Chen, 2009) over TPC-H's rows: the project's own derivation of `lineorder` and
//! its dimensions, with the columns that the thirteen queries ask for.
//!
//! Dimensions keep the sizes that they have in TPC-H, which are larger than the benchmark's. The one that it calls `date` is
//! `dates` here, since the other is a word of SQL.

use std::sync::Arc;

use generated::ssb::{self, Date, Lineorder, Part, Party};
use generated::tpch::Share;
use tpchgen_arrow::arrow::array::{ArrayRef, Int32Array, Int64Array, StringViewArray};
use tpchgen_arrow::arrow::datatypes::SchemaRef;
use tpchgen_arrow::arrow::error::ArrowError;
use tpchgen_arrow::arrow::record_batch::{RecordBatch, RecordBatchReader};

/// The five tables.
pub const TABLES: [&str; 5] = ["customer", "dates", "lineorder", "part", "supplier"];

/// Rows of a batch.
const BATCH: usize = 8192;

/// The queries, from Q1.1 to Q4.3.
pub const QUERIES: [(&str, &str); 13] = [
    (
        "q1.1",
        "select sum(lo_extendedprice * lo_discount) as revenue from lineorder, dates \
         where lo_orderdate = d_datekey and d_year = 1993 and lo_discount between 1 and 3 and lo_quantity < 25",
    ),
    (
        "q1.2",
        "select sum(lo_extendedprice * lo_discount) as revenue from lineorder, dates \
         where lo_orderdate = d_datekey and d_yearmonthnum = 199401 and lo_discount between 4 and 6 \
         and lo_quantity between 26 and 35",
    ),
    (
        "q1.3",
        "select sum(lo_extendedprice * lo_discount) as revenue from lineorder, dates \
         where lo_orderdate = d_datekey and d_weeknuminyear = 6 and d_year = 1994 and lo_discount between 5 and 7 \
         and lo_quantity between 26 and 35",
    ),
    (
        "q2.1",
        "select sum(lo_revenue) as revenue, d_year, p_brand1 from lineorder, dates, part, supplier \
         where lo_orderdate = d_datekey and lo_partkey = p_partkey and lo_suppkey = s_suppkey \
         and p_category = 'MFGR#12' and s_region = 'AMERICA' group by d_year, p_brand1 order by d_year, p_brand1",
    ),
    (
        "q2.2",
        "select sum(lo_revenue) as revenue, d_year, p_brand1 from lineorder, dates, part, supplier \
         where lo_orderdate = d_datekey and lo_partkey = p_partkey and lo_suppkey = s_suppkey \
         and p_brand1 between 'MFGR#2221' and 'MFGR#2228' and s_region = 'ASIA' \
         group by d_year, p_brand1 order by d_year, p_brand1",
    ),
    (
        "q2.3",
        "select sum(lo_revenue) as revenue, d_year, p_brand1 from lineorder, dates, part, supplier \
         where lo_orderdate = d_datekey and lo_partkey = p_partkey and lo_suppkey = s_suppkey \
         and p_brand1 = 'MFGR#2221' and s_region = 'EUROPE' group by d_year, p_brand1 order by d_year, p_brand1",
    ),
    (
        "q3.1",
        "select c_nation, s_nation, d_year, sum(lo_revenue) as revenue from customer, lineorder, supplier, dates \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_orderdate = d_datekey \
         and c_region = 'ASIA' and s_region = 'ASIA' and d_year >= 1992 and d_year <= 1997 \
         group by c_nation, s_nation, d_year order by d_year asc, revenue desc",
    ),
    (
        "q3.2",
        "select c_city, s_city, d_year, sum(lo_revenue) as revenue from customer, lineorder, supplier, dates \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_orderdate = d_datekey \
         and c_nation = 'UNITED STATES' and s_nation = 'UNITED STATES' and d_year >= 1992 and d_year <= 1997 \
         group by c_city, s_city, d_year order by d_year asc, revenue desc",
    ),
    (
        "q3.3",
        "select c_city, s_city, d_year, sum(lo_revenue) as revenue from customer, lineorder, supplier, dates \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_orderdate = d_datekey \
         and (c_city = 'UNITED KI1' or c_city = 'UNITED KI5') and (s_city = 'UNITED KI1' or s_city = 'UNITED KI5') \
         and d_year >= 1992 and d_year <= 1997 group by c_city, s_city, d_year order by d_year asc, revenue desc",
    ),
    (
        "q3.4",
        "select c_city, s_city, d_year, sum(lo_revenue) as revenue from customer, lineorder, supplier, dates \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_orderdate = d_datekey \
         and (c_city = 'UNITED KI1' or c_city = 'UNITED KI5') and (s_city = 'UNITED KI1' or s_city = 'UNITED KI5') \
         and d_yearmonth = 'Dec1997' group by c_city, s_city, d_year order by d_year asc, revenue desc",
    ),
    (
        "q4.1",
        "select d_year, c_nation, sum(lo_revenue - lo_supplycost) as profit \
         from dates, customer, supplier, part, lineorder \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_partkey = p_partkey \
         and lo_orderdate = d_datekey and c_region = 'AMERICA' and s_region = 'AMERICA' \
         and (p_mfgr = 'MFGR#1' or p_mfgr = 'MFGR#2') group by d_year, c_nation order by d_year, c_nation",
    ),
    (
        "q4.2",
        "select d_year, s_nation, p_category, sum(lo_revenue - lo_supplycost) as profit \
         from dates, customer, supplier, part, lineorder \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_partkey = p_partkey \
         and lo_orderdate = d_datekey and c_region = 'AMERICA' and s_region = 'AMERICA' \
         and (d_year = 1997 or d_year = 1998) and (p_mfgr = 'MFGR#1' or p_mfgr = 'MFGR#2') \
         group by d_year, s_nation, p_category order by d_year, s_nation, p_category",
    ),
    (
        "q4.3",
        "select d_year, s_city, p_brand1, sum(lo_revenue - lo_supplycost) as profit \
         from dates, customer, supplier, part, lineorder \
         where lo_custkey = c_custkey and lo_suppkey = s_suppkey and lo_partkey = p_partkey \
         and lo_orderdate = d_datekey and c_region = 'AMERICA' and s_nation = 'UNITED STATES' \
         and (d_year = 1997 or d_year = 1998) and p_category = 'MFGR#14' \
         group by d_year, s_city, p_brand1 order by d_year, s_city, p_brand1",
    ),
];

/// A table at a scale, which is that of TPC-H.
///
/// # Panics
///
/// If there is no such table.
pub fn table(name: &str, scale: f64) -> Box<dyn RecordBatchReader> {
    match name {
        "customer" => parties(ssb::customers(scale), customer),
        "dates" => Table::reader(ssb::dates(), date),
        "lineorder" => Table::reader(ssb::lineorders(scale, Share::WHOLE), lineorder),
        "part" => Table::reader(ssb::parts(scale), part),
        "supplier" => parties(ssb::suppliers(scale), supplier),
        other => panic!("the Star Schema Benchmark has no table {other}"),
    }
}

fn parties(
    rows: impl Iterator<Item = Party> + 'static,
    batch: fn(&[Party]) -> RecordBatch,
) -> Box<dyn RecordBatchReader> {
    Table::reader(rows, batch)
}

/// Rows, made into batches.
struct Table<I, R> {
    rows: I,
    schema: SchemaRef,
    batch: fn(&[R]) -> RecordBatch,
}

impl<R: 'static, I: Iterator<Item = R> + 'static> Table<I, R> {
    fn reader(rows: I, batch: fn(&[R]) -> RecordBatch) -> Box<dyn RecordBatchReader> {
        let schema = batch(&[]).schema();
        Box::new(Self {
            rows,
            schema,
            batch,
        })
    }
}

impl<R, I: Iterator<Item = R>> Iterator for Table<I, R> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows: Vec<R> = self.rows.by_ref().take(BATCH).collect();
        (!rows.is_empty()).then(|| Ok((self.batch)(&rows)))
    }
}

impl<R, I: Iterator<Item = R>> RecordBatchReader for Table<I, R> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    let columns = columns.map(|(name, column)| (name, column, false));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of as many rows")
}

fn small<R>(rows: &[R], of: impl Fn(&R) -> i32) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(rows.iter().map(of)))
}

fn large<R>(rows: &[R], of: impl Fn(&R) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
}

fn text<'r, R, T: AsRef<str> + 'r>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(rows.iter().map(of)))
}

/// A key as the benchmark has it: numbers of ten digits at most.
///
/// # Panics
///
/// If it has more, at a scale beyond 350.
fn key(key: i64) -> i32 {
    key.try_into().expect("keys of 32 bits")
}

fn lineorder(rows: &[Lineorder]) -> RecordBatch {
    batch([
        ("lo_orderkey", large(rows, |row| row.orderkey)),
        ("lo_linenumber", small(rows, |row| row.linenumber)),
        ("lo_custkey", small(rows, |row| key(row.custkey))),
        ("lo_partkey", small(rows, |row| key(row.partkey))),
        ("lo_suppkey", small(rows, |row| key(row.suppkey))),
        ("lo_orderdate", small(rows, |row| row.orderdate.yyyymmdd())),
        ("lo_orderpriority", text(rows, |row| row.orderpriority)),
        ("lo_shippriority", small(rows, |row| row.shippriority)),
        ("lo_quantity", large(rows, |row| row.quantity)),
        ("lo_extendedprice", large(rows, |row| row.extendedprice)),
        ("lo_ordtotalprice", large(rows, |row| row.ordtotalprice)),
        ("lo_discount", large(rows, |row| row.discount)),
        ("lo_revenue", large(rows, |row| row.revenue)),
        ("lo_supplycost", large(rows, |row| row.supplycost)),
        ("lo_tax", large(rows, |row| row.tax)),
        (
            "lo_commitdate",
            small(rows, |row| row.commitdate.yyyymmdd()),
        ),
        ("lo_shipmode", text(rows, |row| row.shipmode)),
    ])
}

fn date(rows: &[Date]) -> RecordBatch {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = |row: &Date| MONTHS[row.month as usize - 1];
    batch([
        ("d_datekey", small(rows, |row| row.day.yyyymmdd())),
        ("d_month", text(rows, month)),
        ("d_year", small(rows, |row| row.year)),
        (
            "d_yearmonthnum",
            small(rows, |row| row.year * 100 + row.month),
        ),
        (
            "d_yearmonth",
            text(rows, |row| format!("{}{}", &month(row)[..3], row.year)),
        ),
        ("d_weeknuminyear", small(rows, |row| row.week)),
    ])
}

fn customer(rows: &[Party]) -> RecordBatch {
    batch([
        ("c_custkey", small(rows, |row| key(row.key))),
        ("c_city", text(rows, |row| &row.city)),
        ("c_nation", text(rows, |row| row.nation)),
        ("c_region", text(rows, |row| row.region)),
    ])
}

fn supplier(rows: &[Party]) -> RecordBatch {
    batch([
        ("s_suppkey", small(rows, |row| key(row.key))),
        ("s_city", text(rows, |row| &row.city)),
        ("s_nation", text(rows, |row| row.nation)),
        ("s_region", text(rows, |row| row.region)),
    ])
}

fn part(rows: &[Part]) -> RecordBatch {
    batch([
        ("p_partkey", small(rows, |row| key(row.key))),
        ("p_mfgr", text(rows, |row| &row.maker)),
        ("p_category", text(rows, |row| &row.category)),
        ("p_brand1", text(rows, |row| &row.brand)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_columns_that_queries_ask_for() {
        let tables = TABLES.map(|name| table(name, 0.001));
        let columns: Vec<String> = tables
            .iter()
            .flat_map(|table| {
                table
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect::<Vec<_>>()
            })
            .collect();
        for (name, query) in QUERIES {
            let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for word in words.filter(|word| word.contains('_')) {
                assert!(
                    columns.iter().any(|column| column == word),
                    "{name}: {word}"
                );
            }
        }
    }

    #[test]
    fn batches_hold_all_rows() {
        let rows = |name| -> usize {
            let batches = table(name, 0.01).map(Result::unwrap);
            batches.map(|batch| batch.num_rows()).sum()
        };
        assert_eq!(rows("dates"), 2557);
        assert_eq!(rows("supplier"), 100);
        assert_eq!(
            rows("lineorder"),
            ssb::lineorders(0.01, Share::WHOLE).count()
        );
    }
}
