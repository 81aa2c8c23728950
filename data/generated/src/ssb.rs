//! The Star Schema Benchmark's rows (O'Neil, O'Neil, Chen: The Star Schema Benchmark, 2009), derived from TPC-H's.
//!
//! A line item and its order are one row of `lineorder`. The dimensions keep TPC-H's keys and sizes, so that every
//! foreign key finds its row. What TPC-H lacks is made from the key: a city is one of ten of its nation, a brand one of
//! forty of its category. Money is in cents.

use crate::Day;
use crate::tpch::{self, LineItem, Order, Share};

/// A row of `lineorder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineorder {
    /// The order.
    pub orderkey: i64,
    /// Counts the lines of an order.
    pub linenumber: i32,
    /// Of `customer`.
    pub custkey: i64,
    /// Of `part`.
    pub partkey: i64,
    /// Of `supplier`.
    pub suppkey: i64,
    /// Of `date`.
    pub orderdate: Day,
    /// As in `orders`.
    pub orderpriority: &'static str,
    /// 0.
    pub shippriority: i32,
    /// Pieces.
    pub quantity: i64,
    /// Cents.
    pub extendedprice: i64,
    /// Cents.
    pub ordtotalprice: i64,
    /// Per cent.
    pub discount: i64,
    /// Cents.
    pub revenue: i64,
    /// Cents: six tenths of the retail price.
    pub supplycost: i64,
    /// Per cent.
    pub tax: i64,
    /// Of `date`.
    pub commitdate: Day,
    /// As in `lineitem`.
    pub shipmode: &'static str,
}

/// A row of `date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The day; its key is [`Day::yyyymmdd`].
    pub day: Day,
    /// Its year.
    pub year: i32,
    /// Its month.
    pub month: i32,
    /// Seven days each, from the first of January on.
    pub week: i32,
}

/// A row of `customer` or `supplier`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The key, from 1 on.
    pub key: i64,
    /// One of ten of the nation.
    pub city: String,
    /// The nation's name.
    pub nation: &'static str,
    /// The name of the nation's region.
    pub region: &'static str,
}

/// A row of `part`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The key, from 1 on.
    pub key: i64,
    /// `MFGR#1` to `MFGR#5`.
    pub maker: String,
    /// One of five of the maker.
    pub category: String,
    /// One of forty of the category.
    pub brand: String,
}

/// The first day of `date`.
pub const FIRST_DAY: Day = Day::of(1992, 1, 1);
/// Rows of `date`, which ends with 1998.
pub const DAYS: i32 = Day::of(1999, 1, 1).0 - FIRST_DAY.0;

/// The rows of `lineorder` of a share of the orders.
pub fn lineorders(scale: f64, share: Share) -> impl Iterator<Item = Lineorder> {
    tpch::orders_with_lines(scale, share).flat_map(|(order, lines)| {
        let rows = lines.into_iter();
        rows.map(move |line| Lineorder::of(&order, &line))
    })
}

/// The rows of `date`.
pub fn dates() -> impl Iterator<Item = Date> {
    (FIRST_DAY.0..FIRST_DAY.0 + DAYS).map(|number| {
        let day = Day(number);
        let (year, month, _) = day.calendar();
        Date {
            day,
            year,
            month,
            week: (number - Day::of(year, 1, 1).0) / 7 + 1,
        }
    })
}

/// The rows of `customer`.
pub fn customers(scale: f64) -> impl Iterator<Item = Party> {
    let places = places();
    tpch::customers(scale).map(move |row| Party::of(row.c_custkey, row.c_nationkey, &places))
}

/// The rows of `supplier`.
pub fn suppliers(scale: f64) -> impl Iterator<Item = Party> {
    let places = places();
    tpch::suppliers(scale).map(move |row| Party::of(row.s_suppkey, row.s_nationkey, &places))
}

/// The rows of `part`.
pub fn parts(scale: f64) -> impl Iterator<Item = Part> {
    tpch::parts(scale).map(|row| {
        // `Brand#12` is a brand of `Manufacturer#1`; there are five makers of five brands each.
        let brand = row.p_brand.to_string();
        let number = brand.trim_start_matches("Brand#");
        Part {
            key: row.p_partkey,
            maker: format!("MFGR#{}", &number[..1]),
            category: format!("MFGR#{number}"),
            brand: format!("MFGR#{number}{:02}", row.p_partkey % 40 + 1),
        }
    })
}

/// Nations and their regions, by nation key.
fn places() -> Vec<(&'static str, &'static str)> {
    let regions: Vec<&str> = tpch::regions().map(|region| region.r_name).collect();
    tpch::nations()
        .map(|nation| (nation.n_name, regions[nation.n_regionkey as usize]))
        .collect()
}

/// City number `number` of ten of a nation: nine characters of its name and a digit.
pub fn city(nation: &str, number: i64) -> String {
    format!("{nation:<9.9}{number}")
}

impl Party {
    fn of(key: i64, nation: i64, places: &[(&'static str, &'static str)]) -> Party {
        let (nation, region) = places[nation as usize];
        Party {
            key,
            city: city(nation, key % 10),
            nation,
            region,
        }
    }
}

impl Lineorder {
    fn of(order: &Order<'static>, line: &LineItem<'static>) -> Lineorder {
        let price = line.l_extendedprice.into_inner();
        let discount = line.l_discount.into_inner();
        Lineorder {
            orderkey: line.l_orderkey,
            linenumber: line.l_linenumber,
            custkey: order.o_custkey,
            partkey: line.l_partkey,
            suppkey: line.l_suppkey,
            orderdate: tpch::day(order.o_orderdate),
            orderpriority: order.o_orderpriority,
            shippriority: order.o_shippriority,
            quantity: line.l_quantity,
            extendedprice: price,
            ordtotalprice: order.o_totalprice.into_inner(),
            discount,
            revenue: price * (100 - discount) / 100,
            supplycost: price / line.l_quantity.max(1) * 6 / 10,
            tax: line.l_tax.into_inner(),
            commitdate: tpch::day(line.l_commitdate),
            shipmode: line.l_shipmode,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_rows() {
        let dates: Vec<Date> = dates().collect();
        let (first, last) = (dates[0], dates[dates.len() - 1]);
        assert_eq!(dates.len() as i32, DAYS);
        assert_eq!(
            (first.day.yyyymmdd(), last.day.yyyymmdd(), last.week),
            (19_920_101, 19_981_231, 53)
        );
        let [customers, suppliers] = [customers(0.001).count(), suppliers(0.001).count()];
        let parts = parts(0.001).count();
        for line in lineorders(0.001, Share::WHOLE) {
            let at = |key: i64, rows: usize| (1..=rows as i64).contains(&key);
            assert!(at(line.custkey, customers) && at(line.suppkey, suppliers));
            assert!(at(line.partkey, parts));
            assert!((first.day..=last.day).contains(&line.orderdate));
        }
    }

    #[test]
    fn cities_are_those_of_the_benchmark() {
        assert_eq!(city("UNITED KINGDOM", 1), "UNITED KI1");
        assert_eq!(city("PERU", 0), "PERU     0");
    }
}
