//! TPC-H, as the `tpchgen` crate makes it: decimals and dates; and, derived from it, the [Star Schema Benchmark](ssb).

pub mod ssb;

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen::q_and_a::queries::query;
use tpchgen_arrow::arrow::record_batch::RecordBatchReader;
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

/// A benchmark whose tables are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Benchmark {
    /// TPC-H.
    Tpch,
    /// The Star Schema Benchmark.
    Ssb,
}

impl Benchmark {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Tpch, Self::Ssb];

    /// What command lines and records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tpch => "tpch",
            Self::Ssb => "ssb",
        }
    }

    /// What sentences call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tpch => "TPC-H",
            Self::Ssb => "the Star Schema Benchmark",
        }
    }

    /// The names of its tables.
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Tpch => &TABLES,
            Self::Ssb => &ssb::TABLES,
        }
    }

    /// A table at a scale.
    ///
    /// # Panics
    ///
    /// If there is no such table.
    pub fn table(self, name: &str, scale: f64) -> Box<dyn RecordBatchReader> {
        match self {
            Self::Tpch => table(name, scale),
            Self::Ssb => ssb::table(name, scale),
        }
    }

    /// Its queries and what they are called, in order.
    pub fn queries(self) -> Vec<(String, String)> {
        match self {
            Self::Tpch => {
                let names = (1..).map(|number| format!("q{number}"));
                names.zip(queries()).collect()
            }
            Self::Ssb => {
                let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
                ssb::QUERIES.map(owned).into()
            }
        }
    }
}

/// The eight tables.
pub const TABLES: [&str; 8] = [
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
];

/// What stands for `:1`, `:2` … in the queries: the values with which the benchmark's specification validates them.
const PARAMETERS: [&[&str]; 22] = [
    &["90"],
    &["15", "BRASS", "EUROPE"],
    &["BUILDING", "1995-03-15"],
    &["1993-07-01"],
    &["ASIA", "1994-01-01"],
    &["1994-01-01", "0.06", "24"],
    &["FRANCE", "GERMANY"],
    &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"],
    &["green"],
    &["1993-10-01"],
    &["GERMANY", "0.0001"],
    &["MAIL", "SHIP", "1994-01-01"],
    &["special", "requests"],
    &["1995-09-01"],
    &["1996-01-01"],
    &[
        "Brand#45",
        "MEDIUM POLISHED",
        "49",
        "14",
        "23",
        "45",
        "19",
        "3",
        "36",
        "9",
    ],
    &["Brand#23", "MED BOX"],
    &["300"],
    &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"],
    &["forest", "1994-01-01", "CANADA"],
    &["SAUDI ARABIA"],
    &["13", "31", "23", "29", "30", "18", "17"],
];

/// The queries, from Q1 on.
pub fn queries() -> Vec<String> {
    (1..)
        .zip(PARAMETERS)
        .map(|(number, values)| text(number, values))
        .collect()
}

fn text(number: i32, values: &[&str]) -> String {
    // `day (3)` is the number of its digits.
    let mut text = query(number).expect("one of 22").replace("day (3)", "day");
    // From the last one on: `:1` is a part of `:10`.
    for (index, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!(":{}", index + 1), value);
    }
    // The number of the query stream, of which there is one.
    let text = text.replace("revenue:s", "revenue");
    let mut statements = text
        .split(';')
        .map(str::trim)
        .filter(|statement| !statement.is_empty());
    let first = statements.next().expect("a statement");
    // A view for one query is a table of that query.
    match (first.strip_prefix("create view "), statements.next()) {
        (Some(view), Some(query)) => {
            let (name, body) = view.split_once(" as").expect("what the view is of");
            format!("with {name} as ({body})\n{query}")
        }
        _ => first.to_owned(),
    }
}

/// A table at a scale.
///
/// # Panics
///
/// If there is no such table.
pub fn table(name: &str, scale: f64) -> Box<dyn RecordBatchReader + Send> {
    match name {
        "customer" => Box::new(CustomerArrow::new(CustomerGenerator::new(scale, 1, 1))),
        "lineitem" => Box::new(LineItemArrow::new(LineItemGenerator::new(scale, 1, 1))),
        "nation" => Box::new(NationArrow::new(NationGenerator::new(scale, 1, 1))),
        "orders" => Box::new(OrderArrow::new(OrderGenerator::new(scale, 1, 1))),
        "part" => Box::new(PartArrow::new(PartGenerator::new(scale, 1, 1))),
        "partsupp" => Box::new(PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1))),
        "region" => Box::new(RegionArrow::new(RegionGenerator::new(scale, 1, 1))),
        "supplier" => Box::new(SupplierArrow::new(SupplierGenerator::new(scale, 1, 1))),
        other => panic!("TPC-H has no table {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_have_their_parameters_and_are_one_statement() {
        let queries = queries();
        for (number, query) in (1..).zip(&queries) {
            let parameter = query
                .split(':')
                .skip(1)
                .any(|rest| rest.starts_with(char::is_numeric));
            assert!(!parameter && !query.contains(';'), "Q{number}: {query}");
        }
        assert!(
            queries[14].starts_with("with revenue (supplier_no, total_revenue) as ("),
            "{}",
            queries[14]
        );
        assert!(
            queries[15].contains("(49, 14, 23, 45, 19, 3, 36, 9)"),
            "{}",
            queries[15]
        );
    }
}
