//! The key columns of joins of TPC-H and of the Star Schema Benchmark, in the order of their rows.

use std::num::NonZeroUsize;
use std::ops::Range;

use generated::Day;
use generated::ssb::{self, FIRST_DAY};
use generated::tpch::{self, Counts, LINES_PER_ORDER, OFFERS_PER_PART, Share, day};
use join_core::join::Side;
use join_core::kind::Kind;
use join_core::output::Aggregate;
use join_core::page::{DataType, Fixed};
use join_core::parallel::{Tasks, assisted};
use join_core::table::Column;
use serde::Deserialize;

/// Lines of an order that came late, on average.
const LATE_LINES_PER_ORDER: f64 = 2.53;

/// The share of orders that have such a line.
const WITH_LATE_LINES: f64 = 0.917;

/// A join: the primary key of its first table builds, the foreign key in the second probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TpchJoin {
    /// `orders.o_orderkey` = `lineitem.l_orderkey`. Both sides are sorted by it.
    OrdersLineitem,
    /// `part.p_partkey` = `lineitem.l_partkey`.
    PartLineitem,
    /// As `OrdersLineitem`, of the line items that came later than agreed: of query 4.
    OrdersLateLineitem,
    /// `customer.c_custkey` = `orders.o_custkey`: of query 22. A third of the customers have no orders.
    CustomerOrders,
    /// (`ps_partkey`, `ps_suppkey`) = (`l_partkey`, `l_suppkey`).
    PartsuppLineitem,
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
            TpchJoin::OrdersLineitem | TpchJoin::OrdersLateLineitem => counts.orders,
            TpchJoin::PartLineitem | TpchJoin::PartLineorder => counts.parts,
            TpchJoin::PartsuppLineitem => counts.parts * OFFERS_PER_PART,
            TpchJoin::DateLineorder => ssb::DAYS as u64,
            TpchJoin::CustomerLineorder | TpchJoin::CustomerOrders => counts.customers,
            TpchJoin::SupplierLineorder => counts.suppliers,
        }
    }

    /// About how many rows the probe side has; the generator draws how many lines an order has.
    pub fn estimated_probe_rows(&self) -> u64 {
        let orders = Counts::at(self.scale_factor).orders;
        match self.join {
            TpchJoin::CustomerOrders => orders,
            TpchJoin::OrdersLateLineitem => (orders as f64 * LATE_LINES_PER_ORDER) as u64,
            _ => orders * LINES_PER_ORDER,
        }
    }

    /// About how many results the join of this kind has.
    pub fn estimated_results(&self, kind: Kind) -> u64 {
        let pairs = match kind.has_pairs() {
            true => self.estimated_probe_rows(),
            false => 0,
        };
        let found = match self.join {
            TpchJoin::CustomerOrders => 2.0 / 3.0,
            TpchJoin::OrdersLateLineitem => WITH_LATE_LINES,
            _ => 1.0,
        };
        let rest = |side: Side| {
            let (rows, found) = match side {
                Side::Build => (self.build_rows() as f64, found),
                Side::Probe => (self.estimated_probe_rows() as f64, 1.0),
            };
            match kind {
                Kind::Mark(_) => rows,
                Kind::Semi(_) => rows * found,
                _ => rows * (1.0 - found),
            }
        };
        let sides = [Side::Build, Side::Probe].into_iter();
        let rest: f64 = sides.filter(|&side| kind.has_rest(side)).map(rest).sum();
        pairs + rest as u64
    }

    /// The largest number in a key.
    pub fn largest_key(&self) -> i64 {
        match self.join {
            TpchJoin::PartsuppLineitem => Counts::at(self.scale_factor).parts as i64,
            _ => self.build_key(self.build_rows() as i64 - 1),
        }
    }

    /// Whether keys have two columns, INT32 each.
    pub fn is_composite(&self) -> bool {
        self.join == TpchJoin::PartsuppLineitem
    }

    /// The columns of the key, of the build and of the probe side, and the answer of the inner join. Every row that probes
    /// has one match, whose place among the rows follows from its number.
    pub fn generate(
        &self,
        key_type: DataType,
        threads: NonZeroUsize,
    ) -> (Vec<(Column, Column)>, Aggregate) {
        let (probe, answer) = self.probe_keys(threads);
        if self.is_composite() {
            let offers = tpch::offers(self.scale_factor);
            let build = offers.map(|offer| pair(offer.ps_partkey, offer.ps_suppkey));
            let build: Vec<i64> = build.collect();
            let of_side = |keys: &[i64], shift: u32| {
                column(keys.len(), threads, |row| (keys[row] >> shift) as i32)
            };
            let parts = [32, 0].map(|shift| (of_side(&build, shift), of_side(&probe, shift)));
            return (parts.into(), answer);
        }
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
        (vec![(build, probe)], answer)
    }

    /// The key of build row `row`, where it is one number.
    fn build_key(&self, row: i64) -> i64 {
        match self.join {
            TpchJoin::OrdersLineitem | TpchJoin::OrdersLateLineitem => tpch::order_key(row),
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
            TpchJoin::OrdersLateLineitem => {
                let late = lines.filter(|line| day(line.l_receiptdate) > day(line.l_commitdate));
                let keys = late.map(|line| line.l_orderkey);
                keys.map(|key| (key, tpch::order_row(key))).collect()
            }
            TpchJoin::CustomerOrders => {
                let orders = tpch::orders_of(self.scale_factor, share);
                orders.map(|order| numbered(order.o_custkey)).collect()
            }
            TpchJoin::PartsuppLineitem => {
                let keys = lines.map(|line| (line.l_partkey, line.l_suppkey));
                let suppliers = Counts::at(self.scale_factor).suppliers as i64;
                keys.map(|(part, supplier)| {
                    (
                        pair(part, supplier),
                        tpch::offer_row(part, supplier, suppliers),
                    )
                })
                .collect()
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

/// Two numbers as one.
fn pair(high: i64, low: i64) -> i64 {
    high << 32 | low
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
            let (columns, _) = tpch.generate(DataType::Int64, three);
            let [(build_column, probe_column)] = &columns[..] else {
                panic!("one column");
            };
            assert_eq!(build_column.pages(), Column::from_i64(&build).pages());
            assert_eq!(probe_column.pages(), Column::from_i64(&probe).pages());
            assert_eq!(tpch.largest_key(), *build.last().unwrap());
        }
    }
}
