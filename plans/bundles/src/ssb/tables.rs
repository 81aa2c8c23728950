//! The Star Schema Benchmark's rows as tables of some of their columns.
//!
//! Keys, numbers and dates (as yyyymmdd) are INT32; money FP64; all else VARCHAR.

use generated::ssb::{self, Date, Lineorder, Part, Party};
use generated::tpch::Share;
use join_core::page::DataType::{Fp64, Int32, Varchar};
use join_core::table::Value;

use crate::rows::{Row, RowColumn, TableMaker, int, kept, text};

/// The lines that are kept.
pub(crate) fn lineorders(keep: impl Fn(&Lineorder) -> bool + 'static) -> TableMaker {
    kept(
        "lineorder",
        |scale| ssb::lineorders(scale, Share::WHOLE),
        keep,
    )
}

/// The days that are kept.
pub(crate) fn dates(keep: impl Fn(&Date) -> bool + 'static) -> TableMaker {
    kept("date", |_| ssb::dates(), keep)
}

/// The customers that are kept.
pub(crate) fn customers(keep: impl Fn(&Party) -> bool + 'static) -> TableMaker {
    kept("customer", ssb::customers, keep)
}

/// The suppliers that are kept.
pub(crate) fn suppliers(keep: impl Fn(&Party) -> bool + 'static) -> TableMaker {
    kept("supplier", ssb::suppliers, keep)
}

/// The parts that are kept.
pub(crate) fn parts(keep: impl Fn(&Part) -> bool + 'static) -> TableMaker {
    kept("part", ssb::parts, keep)
}

impl Row for Lineorder {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "lo_custkey" => (Int32, |row| int(row.custkey)),
            "lo_partkey" => (Int32, |row| int(row.partkey)),
            "lo_suppkey" => (Int32, |row| int(row.suppkey)),
            "lo_orderdate" => (Int32, |row| int(row.orderdate.yyyymmdd())),
            "lo_discount" => (Int32, |row| int(row.discount)),
            "lo_extendedprice" => (Fp64, |row| money(row.extendedprice)),
            "lo_revenue" => (Fp64, |row| money(row.revenue)),
            "lo_supplycost" => (Fp64, |row| money(row.supplycost)),
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
            "d_datekey" => (Int32, |row| int(row.day.yyyymmdd())),
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
