//! The key columns of joins of TPC-H and of the Star Schema Benchmark, in the order of their rows.

use std::num::NonZeroUsize;
use std::ops::Range;

use generated::Day;
use generated::ssb::{self, FIRST_DAY};
use generated::tpch::{self, Counts, LINES_PER_ORDER, Share};
use join_core::output::Aggregate;
use join_core::page::{DataType, Fixed};
use join_core::parallel::{Tasks, assisted};
use join_core::table::Column;
use serde::Deserialize;

/// A join: the primary key of its first table builds, the foreign key in `lineitem` or `lineorder` probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TpchJoin {
    /// `orders.o_orderkey` = `lineitem.l_orderkey`. Both sides are sorted by it.
    OrdersLineitem,
    /// `part.p_partkey` = `lineitem.l_partkey`.
    PartLineitem,
    /// `date.d_datekey` = `lineorder.lo_orderdate`.
    DateLineorder,
    /// `customer.c_custkey` = `lineorder.lo_custkey`.
    CustomerLineorder,
    /// `supplier.s_suppkey` = `lineorder.lo_suppkey`.
    SupplierLineorder,
    /// `part.p_partkey` = `lineorder.lo_partkey`.
    PartLineorder,
}

/// A join at a scale factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tpch {
    /// Which join.
    pub join: TpchJoin,
    /// The scale factor: 1 has 1.5 million orders, 6 million line items, 200 thousand parts.
    pub scale_factor: f64,
}

impl Tpch {
    /// Bytes that the keys of a probe row take while they are drawn, at the most: in its share's list of keys and build
    /// rows, which is copied as it grows, and in the list of all keys.
    pub const EXTRA_BYTES_PER_ROW: u64 =
        2 * size_of::<(i64, i64)>() as u64 + size_of::<i64>() as u64;

    /// Rows of the build side.
    pub fn build_rows(&self) -> u64 {
        let counts = Counts::at(self.scale_factor);
        match self.join {
            TpchJoin::OrdersLineitem => counts.orders,
            TpchJoin::PartLineitem | TpchJoin::PartLineorder => counts.parts,
            TpchJoin::DateLineorder => ssb::DAYS as u64,
            TpchJoin::CustomerLineorder => counts.customers,
            TpchJoin::SupplierLineorder => counts.suppliers,
        }
    }

    /// About how many rows the probe side has; the generator draws how many lines an order has.
    pub fn estimated_probe_rows(&self) -> u64 {
        Counts::at(self.scale_factor).orders * LINES_PER_ORDER
    }

    /// The largest key.
    pub fn largest_key(&self) -> i64 {
        self.build_key(self.build_rows() as i64 - 1)
    }

    /// Build column, probe column and the answer of their join. Every row that probes has one match, whose place among
    /// the rows follows from its number.
    pub fn generate(
        &self,
        key_type: DataType,
        threads: NonZeroUsize,
    ) -> (Column, Column, Aggregate) {
        let (probe, answer) = self.probe_keys(threads);
        let build_rows = self.build_rows() as usize;
        let build_key = |row: usize| self.build_key(row as i64);
        let (build, probe) = match key_type {
            DataType::Int64 => (
                column(build_rows, threads, build_key),
                column(probe.len(), threads, |row| probe[row]),
            ),
            _ => (
                column(build_rows, threads, |row| build_key(row) as i32),
                column(probe.len(), threads, |row| probe[row] as i32),
            ),
        };
        (build, probe, answer)
    }

    /// The key of build row `row`.
    fn build_key(&self, row: i64) -> i64 {
        match self.join {
            TpchJoin::OrdersLineitem => tpch::order_key(row),
            TpchJoin::DateLineorder => Day(FIRST_DAY.0 + row as i32).yyyymmdd().into(),
            _ => row + 1,
        }
    }

    /// The keys of the probe rows of a share of the orders, each with the build row that it finds.
    fn share_of_keys(&self, share: Share) -> Vec<(i64, i64)> {
        let numbered = |key: i64| (key, key - 1);
        let lines = tpch::lines(self.scale_factor, share);
        let star = ssb::lineorders(self.scale_factor, share);
        match self.join {
            TpchJoin::OrdersLineitem => {
                let keys = lines.map(|line| line.l_orderkey);
                keys.map(|key| (key, tpch::order_row(key))).collect()
            }
            TpchJoin::PartLineitem => lines.map(|line| numbered(line.l_partkey)).collect(),
            TpchJoin::DateLineorder => {
                let days = star.map(|line| line.orderdate);
                days.map(|day| (day.yyyymmdd().into(), (day.0 - FIRST_DAY.0).into()))
                    .collect()
            }
            TpchJoin::CustomerLineorder => star.map(|line| numbered(line.custkey)).collect(),
            TpchJoin::SupplierLineorder => star.map(|line| numbered(line.suppkey)).collect(),
            TpchJoin::PartLineorder => star.map(|line| numbered(line.partkey)).collect(),
        }
    }

    /// The keys of all probe rows in order, and what they join with.
    fn probe_keys(&self, threads: NonZeroUsize) -> (Vec<i64>, Aggregate) {
        // No share may be without orders.
        let orders = Counts::at(self.scale_factor).orders.max(1);
        let of = (threads.get() as u64).min(orders) as i32;
        let mut shares: Vec<Vec<(i64, i64)>> = vec![Vec::new(); of as usize];
        let tasks = Tasks::new(&mut shares);
        assisted(tasks.len(), || {
            while let Some((number, keys)) = tasks.take() {
                let number = number as i32 + 1;
                *keys = self.share_of_keys(Share { number, of });
            }
        });
        drop(tasks);
        let mut keys = Vec::with_capacity(shares.iter().map(Vec::len).sum());
        let mut answer = Aggregate::default();
        for (key, build_row) in shares.into_iter().flatten() {
            answer.merge(&Aggregate {
                rows: 1,
                sum_build: build_row as u64,
                sum_probe: keys.len() as u64,
            });
            keys.push(key);
        }
        (keys, answer)
    }
}

fn column<T: Fixed>(
    rows: usize,
    threads: NonZeroUsize,
    value: impl Fn(usize) -> T + Sync,
) -> Column {
    Column::filled(rows, threads, |first, page: &mut [T]| {
        let rows: Range<usize> = first..first + page.len();
        for (slot, row) in page.iter_mut().zip(rows) {
            *slot = value(row);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_keys_of_the_rows_in_order() {
        let orders: Vec<_> = tpch::orders(0.001).map(|row| row.o_orderkey).collect();
        let parts: Vec<_> = tpch::parts(0.001).map(|row| row.p_partkey).collect();
        let lines: Vec<_> = tpch::lines(0.001, Share::WHOLE)
            .map(|line| (line.l_orderkey, line.l_partkey))
            .collect();
        for (join, build, probe) in [
            (
                TpchJoin::OrdersLineitem,
                orders,
                lines.iter().map(|line| line.0).collect::<Vec<_>>(),
            ),
            (
                TpchJoin::PartLineitem,
                parts,
                lines.iter().map(|line| line.1).collect(),
            ),
        ] {
            let tpch = Tpch {
                join,
                scale_factor: 0.001,
            };
            let three = NonZeroUsize::new(3).unwrap();
            let (build_column, probe_column, _) = tpch.generate(DataType::Int64, three);
            assert_eq!(build_column.pages(), Column::from_i64(&build).pages());
            assert_eq!(probe_column.pages(), Column::from_i64(&probe).pages());
            assert_eq!(tpch.largest_key(), *build.last().unwrap());
        }
    }
}
