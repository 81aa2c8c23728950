//! The Star Schema Benchmark's rows, derived from TPC-H's by the `tpchgen` crate.
//!
//! A line item and its order are one row of `lineorder`. The dimensions keep TPC-H's keys and sizes, so that every
//! foreign key finds its row. What TPC-H lacks is made from the key: a city is one of ten of its nation, a brand one of
//! forty of its category. Keys, numbers and dates (as yyyymmdd) are INT32; money FP64; all else VARCHAR.

use join_core::page::DataType::{Fp64, Int32, Varchar};
use join_core::table::Value;
use tpchgen::dates::{MIN_GENERATE_DATE, TOTAL_DATE_RANGE, TPCHDate};
use tpchgen::generators::{CustomerGenerator, PartGenerator, SupplierGenerator};

use crate::days::{calendar, day};
use crate::rows::{Filling, Row, RowColumn, Rows, int, text};
use crate::tpch::rows::{all_nations, all_regions, distributions, each_order, generator, texts};

/// A row of `lineorder`.
pub(crate) struct Lineorder {
    customer: i64,
    part: i64,
    supplier: i64,
    date: i32,
    pub quantity: i64,
    /// In per cent.
    pub discount: i64,
    /// In cents.
    price: i64,
}

/// A day.
pub(crate) struct Date {
    pub key: i32,
    pub year: i32,
    pub month: i32,
    /// Seven days each, from the first of January on.
    pub week: i32,
}

/// A row of `customer` or `supplier`.
pub(crate) struct Party {
    key: i64,
    pub city: String,
    pub nation: &'static str,
    pub region: &'static str,
}

/// A row of `part`.
pub(crate) struct Part {
    key: i64,
    pub maker: String,
    pub category: String,
    pub brand: String,
}

/// The lines that are kept.
pub(crate) fn lineorders(keep: impl Fn(&Lineorder) -> bool + 'static) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("lineorder", columns);
        each_order(scale, |order, lines| {
            let (year, month, of_month) = calendar(order.o_orderdate);
            for line in lines {
                let row = Lineorder {
                    customer: order.o_custkey,
                    part: line.l_partkey,
                    supplier: line.l_suppkey,
                    date: year * 10_000 + month * 100 + of_month,
                    quantity: line.l_quantity,
                    discount: line.l_discount.into_inner(),
                    price: line.l_extendedprice.into_inner(),
                };
                if keep(&row) {
                    table.push(&row);
                }
            }
        });
        table.finish()
    })
}

/// The days that are kept.
pub(crate) fn dates(keep: impl Fn(&Date) -> bool + 'static) -> Rows {
    Box::new(move |_, columns| {
        let mut table = Filling::new("date", columns);
        for number in 0..TOTAL_DATE_RANGE {
            let date = TPCHDate::new(MIN_GENERATE_DATE + number);
            let (year, month, of_month) = calendar(date);
            let row = Date {
                key: year * 10_000 + month * 100 + of_month,
                year,
                month,
                week: (date.to_unix_epoch() - day(year, 1, 1)) / 7 + 1,
            };
            if keep(&row) {
                table.push(&row);
            }
        }
        table.finish()
    })
}

/// The customers that are kept.
pub(crate) fn customers(keep: impl Fn(&Party) -> bool + 'static) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("customer", columns);
        let customers = generator!(CustomerGenerator, scale);
        let places = places();
        for row in customers.iter() {
            let party = Party::of(row.c_custkey, row.c_nationkey, &places);
            if keep(&party) {
                table.push(&party);
            }
        }
        table.finish()
    })
}

/// The suppliers that are kept.
pub(crate) fn suppliers(keep: impl Fn(&Party) -> bool + 'static) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("supplier", columns);
        let suppliers = generator!(SupplierGenerator, scale);
        let places = places();
        for row in suppliers.iter() {
            let party = Party::of(row.s_suppkey, row.s_nationkey, &places);
            if keep(&party) {
                table.push(&party);
            }
        }
        table.finish()
    })
}

/// The parts that are kept.
pub(crate) fn parts(keep: impl Fn(&Part) -> bool + 'static) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("part", columns);
        let parts = generator!(PartGenerator, scale);
        for row in parts.iter() {
            // `Brand#12` is a brand of `Manufacturer#1`; there are five makers of five brands each.
            let brand = row.p_brand.to_string();
            let number = brand.trim_start_matches("Brand#");
            let part = Part {
                key: row.p_partkey,
                maker: format!("MFGR#{}", &number[..1]),
                category: format!("MFGR#{number}"),
                brand: format!("MFGR#{number}{:02}", row.p_partkey % 40 + 1),
            };
            if keep(&part) {
                table.push(&part);
            }
        }
        table.finish()
    })
}

/// Nations and their regions, by nation key.
fn places() -> Vec<(&'static str, &'static str)> {
    let regions: Vec<&str> = all_regions().map(|region| region.r_name).collect();
    all_nations()
        .map(|nation| (nation.n_name, regions[nation.n_regionkey as usize]))
        .collect()
}

/// City number `number` of ten of a nation: nine characters of its name and a digit.
pub(crate) fn city(nation: &str, number: i64) -> String {
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

impl Row for Lineorder {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "lo_custkey" => (Int32, |row| int(row.customer)),
            "lo_partkey" => (Int32, |row| int(row.part)),
            "lo_suppkey" => (Int32, |row| int(row.supplier)),
            "lo_orderdate" => (Int32, |row| int(row.date)),
            "lo_discount" => (Int32, |row| int(row.discount)),
            "lo_extendedprice" => (Fp64, |row| money(row.price)),
            "lo_revenue" => (Fp64, |row| money(row.price * (100 - row.discount) / 100)),
            // Six tenths of the retail price.
            "lo_supplycost" => (Fp64, |row| money(row.price / row.quantity.max(1) * 6 / 10)),
            _ => return None,
        })
    }
}

fn money(cents: i64) -> Value<'static> {
    Value::Fp64(cents as f64 / 100.0)
}

impl Row for Date {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "d_datekey" => (Int32, |row| int(row.key)),
            "d_year" => (Int32, |row| int(row.year)),
            _ => return None,
        })
    }
}

impl Row for Party {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "c_custkey" | "s_suppkey" => (Int32, |row| int(row.key)),
            "c_city" | "s_city" => (Varchar, |row| text(&row.city)),
            "c_nation" | "s_nation" => (Varchar, |row| text(row.nation)),
            _ => return None,
        })
    }
}

impl Row for Part {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "p_partkey" => (Int32, |row| int(row.key)),
            "p_category" => (Varchar, |row| text(&row.category)),
            "p_brand1" => (Varchar, |row| text(&row.brand)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cities_are_those_of_the_benchmark() {
        assert_eq!(city("UNITED KINGDOM", 1), "UNITED KI1");
        assert_eq!(city("PERU", 0), "PERU     0");
    }
}
