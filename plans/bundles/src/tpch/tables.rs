//! TPC-H's rows as tables of some of their columns.
//!
//! Keys and numbers are INT32, money FP64, dates INT32 (days since 1970), all else VARCHAR. `ps_key` and `l_pskey` are
//! part and supplier in one INT64, so that a plan, whose joins compare one column, can join on both.

use generated::tpch::{
    self, Customer, LineItem, Nation, Order, Part, PartSupp, Region, Share, Supplier, day,
};
use join_core::page::DataType::{Fp64, Int32, Int64, Varchar};
use join_core::table::Value;

use crate::rows::{Filling, Row, RowColumn, TableMaker, int, kept, shown, text};

/// The regions that are kept.
pub(crate) fn regions(keep: impl Fn(&Region<'static>) -> bool + 'static) -> TableMaker {
    kept("region", |_| tpch::regions(), keep)
}

/// The nations that are kept.
pub(crate) fn nations(keep: impl Fn(&Nation<'static>) -> bool + 'static) -> TableMaker {
    kept("nation", |_| tpch::nations(), keep)
}

/// The parts that are kept.
pub(crate) fn parts(keep: impl Fn(&Part<'static>) -> bool + 'static) -> TableMaker {
    kept("part", tpch::parts, keep)
}

/// The customers that are kept.
pub(crate) fn customers(keep: impl Fn(&Customer<'static>) -> bool + 'static) -> TableMaker {
    kept("customer", tpch::customers, keep)
}

/// The orders that are kept.
pub(crate) fn orders(keep: impl Fn(&Order<'static>) -> bool + 'static) -> TableMaker {
    kept("orders", tpch::orders, keep)
}

/// All suppliers.
pub(crate) fn suppliers() -> TableMaker {
    kept("supplier", tpch::suppliers, |_| true)
}

/// All offers of parts by suppliers.
pub(crate) fn offers() -> TableMaker {
    kept("partsupp", tpch::offers, |_| true)
}

/// The line items that are kept; the others of the order are there to be looked at.
pub(crate) fn lines(keep: impl Fn(&LineItem<'_>, &[LineItem<'_>]) -> bool + 'static) -> TableMaker {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("lineitem", columns);
        for (_, lines) in tpch::orders_with_lines(scale, Share::WHOLE) {
            let kept = lines.iter().filter(|line| keep(line, &lines));
            kept.for_each(|line| table.push(line));
        }
        table.finish()
    })
}

/// The orders that are kept by their line items.
pub(crate) fn orders_by_lines(keep: impl Fn(&[LineItem<'_>]) -> bool + 'static) -> TableMaker {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("orders", columns);
        for (order, lines) in tpch::orders_with_lines(scale, Share::WHOLE) {
            if keep(&lines) {
                table.push(&order);
            }
        }
        table.finish()
    })
}

fn part_and_supplier(part: i64, supplier: i64) -> Value<'static> {
    Value::Int64(part << 32 | supplier)
}

impl Row for Region<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "r_regionkey" => (Int32, |row| int(row.r_regionkey)),
            "r_name" => (Varchar, |row| text(row.r_name)),
            _ => return None,
        })
    }
}

impl Row for Nation<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "n_nationkey" => (Int32, |row| int(row.n_nationkey)),
            "n_name" => (Varchar, |row| text(row.n_name)),
            "n_regionkey" => (Int32, |row| int(row.n_regionkey)),
            _ => return None,
        })
    }
}

impl Row for Part<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "p_partkey" => (Int32, |row| int(row.p_partkey)),
            "p_mfgr" => (Varchar, |row| shown(row.p_mfgr)),
            _ => return None,
        })
    }
}

impl Row for Supplier {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "s_suppkey" => (Int32, |row| int(row.s_suppkey)),
            "s_name" => (Varchar, |row| shown(row.s_name)),
            "s_address" => (Varchar, |row| shown(&row.s_address)),
            "s_nationkey" => (Int32, |row| int(row.s_nationkey)),
            "s_phone" => (Varchar, |row| shown(&row.s_phone)),
            "s_acctbal" => (Fp64, |row| Value::Fp64(row.s_acctbal.as_f64())),
            "s_comment" => (Varchar, |row| text(&row.s_comment)),
            _ => return None,
        })
    }
}

impl Row for Customer<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "c_custkey" => (Int32, |row| int(row.c_custkey)),
            "c_name" => (Varchar, |row| shown(row.c_name)),
            "c_address" => (Varchar, |row| shown(&row.c_address)),
            "c_nationkey" => (Int32, |row| int(row.c_nationkey)),
            "c_phone" => (Varchar, |row| shown(&row.c_phone)),
            "c_acctbal" => (Fp64, |row| Value::Fp64(row.c_acctbal.as_f64())),
            "c_comment" => (Varchar, |row| text(row.c_comment)),
            _ => return None,
        })
    }
}

impl Row for PartSupp<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "ps_partkey" => (Int32, |row| int(row.ps_partkey)),
            "ps_suppkey" => (Int32, |row| int(row.ps_suppkey)),
            "ps_key" => (Int64, |row| {
                part_and_supplier(row.ps_partkey, row.ps_suppkey)
            }),
            "ps_supplycost" => (Fp64, |row| Value::Fp64(row.ps_supplycost.as_f64())),
            _ => return None,
        })
    }
}

impl Row for Order<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "o_orderkey" => (Int32, |row| int(row.o_orderkey)),
            "o_custkey" => (Int32, |row| int(row.o_custkey)),
            "o_totalprice" => (Fp64, |row| Value::Fp64(row.o_totalprice.as_f64())),
            "o_orderdate" => (Int32, |row| int(day(row.o_orderdate).0)),
            "o_shippriority" => (Int32, |row| int(row.o_shippriority)),
            _ => return None,
        })
    }
}

impl Row for LineItem<'static> {
    fn column(name: &str) -> Option<RowColumn<Self>> {
        Some(match name {
            "l_orderkey" => (Int32, |row| int(row.l_orderkey)),
            "l_partkey" => (Int32, |row| int(row.l_partkey)),
            "l_suppkey" => (Int32, |row| int(row.l_suppkey)),
            "l_pskey" => (Int64, |row| part_and_supplier(row.l_partkey, row.l_suppkey)),
            "l_quantity" => (Int32, |row| int(row.l_quantity)),
            "l_extendedprice" => (Fp64, |row| Value::Fp64(row.l_extendedprice.as_f64())),
            "l_discount" => (Fp64, |row| Value::Fp64(row.l_discount.as_f64())),
            "l_shipdate" => (Int32, |row| int(day(row.l_shipdate).0)),
            _ => return None,
        })
    }
}
