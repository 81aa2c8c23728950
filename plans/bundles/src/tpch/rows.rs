//! TPC-H's rows, by the `tpchgen` crate, as tables of some of their columns.
//!
//! Keys and numbers are INT32, money FP64, dates INT32 (days since 1970), all else VARCHAR. `ps_key` and `l_pskey` are
//! part and supplier in one INT64, so that a plan, whose joins compare one column, can join on both.

use std::sync::OnceLock;

use join_core::page::DataType::{Fp64, Int32, Int64, Varchar};
use join_core::table::Value;
use tpchgen::distribution::Distributions;
use tpchgen::generators::{
    Customer, CustomerGenerator, LineItem, LineItemGenerator, Nation, NationGenerator, Order,
    OrderGenerator, Part, PartGenerator, PartSupp, PartSuppGenerator, Region, RegionGenerator,
    Supplier, SupplierGenerator,
};
use tpchgen::text::TextPool;

use crate::rows::{Filling, Row, RowColumn, Rows, int, shown, text};

/// What comments are drawn from. The benchmark's own pool takes 300 MB and a second, and no filter here looks at a
/// comment.
pub(crate) fn texts() -> &'static TextPool {
    static TEXTS: OnceLock<TextPool> = OnceLock::new();
    TEXTS.get_or_init(|| TextPool::new(1 << 20, distributions()))
}

pub(crate) fn distributions() -> &'static Distributions {
    Distributions::static_default()
}

/// A generator of the whole table.
macro_rules! generator {
    ($generator:ident, $scale:expr) => {
        $generator::new_with_distributions_and_text_pool($scale, 1, 1, distributions(), texts())
    };
}
pub(crate) use generator;

/// A table of the rows of a generator that are kept.
fn of_rows<R: Row, I: Iterator<Item = R>>(
    name: &'static str,
    rows: impl Fn(f64) -> I + 'static,
    keep: impl Fn(&R) -> bool + 'static,
) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new(name, columns);
        let kept = rows(scale).filter(|row| keep(row));
        kept.for_each(|row| table.push(&row));
        table.finish()
    })
}

/// All regions.
pub(crate) fn all_regions() -> impl Iterator<Item = Region<'static>> {
    RegionGenerator::new_with_distributions_and_text_pool(distributions(), texts()).iter()
}

/// All nations.
pub(crate) fn all_nations() -> impl Iterator<Item = Nation<'static>> {
    NationGenerator::new_with_distributions_and_text_pool(distributions(), texts()).iter()
}

/// The regions that are kept.
pub(crate) fn regions(keep: impl Fn(&Region<'static>) -> bool + 'static) -> Rows {
    of_rows("region", |_| all_regions(), keep)
}

/// The nations that are kept.
pub(crate) fn nations(keep: impl Fn(&Nation<'static>) -> bool + 'static) -> Rows {
    of_rows("nation", |_| all_nations(), keep)
}

/// The parts that are kept.
pub(crate) fn parts(keep: impl Fn(&Part<'static>) -> bool + 'static) -> Rows {
    of_rows(
        "part",
        |scale| generator!(PartGenerator, scale).iter(),
        keep,
    )
}

/// The customers that are kept.
pub(crate) fn customers(keep: impl Fn(&Customer<'static>) -> bool + 'static) -> Rows {
    of_rows(
        "customer",
        |scale| generator!(CustomerGenerator, scale).iter(),
        keep,
    )
}

/// The orders that are kept.
pub(crate) fn orders(keep: impl Fn(&Order<'static>) -> bool + 'static) -> Rows {
    of_rows(
        "orders",
        |scale| generator!(OrderGenerator, scale).iter(),
        keep,
    )
}

/// All suppliers.
pub(crate) fn suppliers() -> Rows {
    of_rows(
        "supplier",
        |scale| generator!(SupplierGenerator, scale).iter(),
        |_| true,
    )
}

/// All offers of parts by suppliers.
pub(crate) fn offers() -> Rows {
    let rows = |scale| PartSuppGenerator::new_with_text_pool(scale, 1, 1, texts()).iter();
    of_rows("partsupp", rows, |_| true)
}

/// The line items that are kept; the others of the order are there to be looked at.
pub(crate) fn lines(keep: impl Fn(&LineItem<'_>, &[LineItem<'_>]) -> bool + 'static) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("lineitem", columns);
        each_order(scale, |_, lines| {
            let kept = lines.iter().filter(|line| keep(line, lines));
            kept.for_each(|line| table.push(line));
        });
        table.finish()
    })
}

/// The orders that are kept for their line items.
pub(crate) fn orders_by_lines(keep: impl Fn(&[LineItem<'_>]) -> bool + 'static) -> Rows {
    Box::new(move |scale, columns| {
        let mut table = Filling::new("orders", columns);
        each_order(scale, |order, lines| {
            if keep(lines) {
                table.push(order);
            }
        });
        table.finish()
    })
}

/// Every order with its line items.
pub(crate) fn each_order(scale: f64, mut take: impl FnMut(&Order<'static>, &[LineItem<'static>])) {
    let orders = generator!(OrderGenerator, scale);
    let lines = generator!(LineItemGenerator, scale);
    // Both come in the order of their keys.
    let mut lines = lines.iter().peekable();
    let mut of_order = Vec::new();
    for order in orders.iter() {
        of_order.clear();
        let own = |line: &LineItem<'_>| line.l_orderkey == order.o_orderkey;
        while let Some(line) = lines.next_if(own) {
            of_order.push(line);
        }
        take(&order, &of_order);
    }
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
            "o_orderdate" => (Int32, |row| int(row.o_orderdate.to_unix_epoch())),
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
            "l_shipdate" => (Int32, |row| int(row.l_shipdate.to_unix_epoch())),
            _ => return None,
        })
    }
}
