//! The key columns of joins of TPC-H and of the Star Schema Benchmark, which is derived from it, by the `tpchgen` crate, in
//! the order of its rows.

use std::num::NonZeroUsize;
use std::ops::Range;

use aligned_ingest::ssb::{Day, Lines};
use join_core::output::Aggregate;
use join_core::page::{DataType, Fixed};
use join_core::parallel::{Tasks, assisted};
use join_core::table::Column;
use serde::Deserialize;
use tpchgen::distribution::Distributions;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, OrderGenerator, PartGenerator, SupplierGenerator,
};
use tpchgen::text::TextPool;

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

/// The average number of line items of an order.
const LINES_PER_ORDER: u64 = 4;

impl Tpch {
    /// Bytes that the keys of a probe row take while they are drawn, at the most: in its part's list of keys and build
    /// rows, which is copied as it grows, and in the list of all keys.
    pub const EXTRA_BYTES_PER_ROW: u64 =
        2 * size_of::<(i64, i64)>() as u64 + size_of::<i64>() as u64;

    /// Rows of the build side.
    pub fn build_rows(&self) -> u64 {
        let count = |of: fn(f64, i32, i32) -> i64| of(self.scale_factor, 1, 1);
        let rows = match self.join {
            TpchJoin::OrdersLineitem => self.orders(),
            TpchJoin::PartLineitem | TpchJoin::PartLineorder => {
                count(PartGenerator::calculate_row_count)
            }
            TpchJoin::DateLineorder => Day::all().len() as i64,
            TpchJoin::CustomerLineorder => count(CustomerGenerator::calculate_row_count),
            TpchJoin::SupplierLineorder => count(SupplierGenerator::calculate_row_count),
        };
        rows as u64
    }

    /// About how many rows the probe side has; the generator draws how many lines an order has.
    pub fn estimated_probe_rows(&self) -> u64 {
        self.orders() as u64 * LINES_PER_ORDER
    }

    /// The largest key.
    pub fn largest_key(&self) -> i64 {
        self.build_key(self.build_rows() as i64)
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
        let build_key = |row: usize| self.build_key(row as i64 + 1);
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

    fn orders(&self) -> i64 {
        OrderGenerator::calculate_row_count(self.scale_factor, 1, 1)
    }

    /// The key of build row `number`, counted from 1.
    fn build_key(&self, number: i64) -> i64 {
        match self.join {
            TpchJoin::OrdersLineitem => OrderGenerator::make_order_key(number),
            TpchJoin::DateLineorder => Day(number as i32 - 1).key(),
            _ => number,
        }
    }

    /// The keys of all line items in order, and what they join with.
    fn probe_keys(&self, threads: NonZeroUsize) -> (Vec<i64>, Aggregate) {
        // A part of the generator's are its orders divided by the number of parts, so no part may be without any.
        let parts = (threads.get() as i64).clamp(1, self.orders().max(1)) as i32;
        // The keys do not depend on the pool of texts; the full one takes 300 MB and a second.
        let distributions = Distributions::static_default();
        let texts = TextPool::new(1 << 16, distributions);
        let star = Lines::new(self.scale_factor);
        let part = |part: i32| -> Vec<(i64, i64)> {
            let lines = || {
                LineItemGenerator::new_with_distributions_and_text_pool(
                    self.scale_factor,
                    part,
                    parts,
                    distributions,
                    &texts,
                )
            };
            let numbered = |key: i64| (key, key - 1);
            let star = star.part(part, parts);
            match self.join {
                TpchJoin::OrdersLineitem => {
                    let keys = lines().iter().map(|line| line.l_orderkey);
                    keys.map(|key| (key, order_row(key))).collect()
                }
                TpchJoin::PartLineitem => lines()
                    .iter()
                    .map(|line| numbered(line.l_partkey))
                    .collect(),
                TpchJoin::DateLineorder => star
                    .map(|line| (line.orderdate.key(), line.orderdate.0.into()))
                    .collect(),
                TpchJoin::CustomerLineorder => star.map(|line| numbered(line.custkey)).collect(),
                TpchJoin::SupplierLineorder => star.map(|line| numbered(line.suppkey)).collect(),
                TpchJoin::PartLineorder => star.map(|line| numbered(line.partkey)).collect(),
            }
        };
        let mut parts: Vec<Vec<(i64, i64)>> = vec![Vec::new(); parts as usize];
        let tasks = Tasks::new(&mut parts);
        assisted(tasks.len(), || {
            while let Some((number, keys)) = tasks.take() {
                *keys = part(number as i32 + 1);
            }
        });
        drop(tasks);
        let mut keys = Vec::with_capacity(parts.iter().map(Vec::len).sum());
        let mut answer = Aggregate::default();
        for (key, build_row) in parts.into_iter().flatten() {
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

/// The row of an order, from its key: of 32 keys in a row, TPC-H uses the first 8.
fn order_row(key: i64) -> i64 {
    ((key >> 5) << 3 | (key & 7)) - 1
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
    fn an_order_key_leads_to_its_row() {
        for row in 0..1000 {
            assert_eq!(order_row(OrderGenerator::make_order_key(row + 1)), row);
        }
    }

    #[test]
    fn a_small_pool_of_texts_gives_the_same_orders_and_keys() {
        let orders: Vec<_> = OrderGenerator::new(0.001, 1, 1)
            .iter()
            .map(|o| o.o_orderkey)
            .collect();
        let parts: Vec<_> = PartGenerator::new(0.001, 1, 1)
            .iter()
            .map(|p| p.p_partkey)
            .collect();
        let lines: Vec<_> = LineItemGenerator::new(0.001, 1, 1)
            .iter()
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
