//! TPC-H's rows, as the `tpchgen` crate makes them, in its order.
//!
//! At scale factor 1 there are 1.5 million orders, 6 million line items and 200 thousand parts.

use std::sync::OnceLock;

use tpchgen::dates::TPCHDate;
use tpchgen::distribution::Distributions;
pub use tpchgen::generators::{
    Customer, LineItem, Nation, Order, Part, PartSupp, Region, Supplier,
};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen::text::TextPool;

use crate::Day;

/// The average number of line items of an order.
pub const LINES_PER_ORDER: u64 = 4;

/// One of several shares of the orders. The rows of all shares one after the other are those of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Counted from 1.
    pub number: i32,
    /// How many there are; no more than orders.
    pub of: i32,
}

impl Share {
    /// All rows.
    pub const WHOLE: Share = Share { number: 1, of: 1 };
}

/// What comments are drawn from. No other column depends on it; the benchmark's own pool takes 300 MB and a second.
fn texts() -> &'static TextPool {
    static TEXTS: OnceLock<TextPool> = OnceLock::new();
    TEXTS.get_or_init(|| TextPool::new(1 << 20, distributions()))
}

fn distributions() -> &'static Distributions {
    Distributions::static_default()
}

/// The rows of a generator at a scale factor.
macro_rules! rows {
    ($generator:ident, $scale:expr, $share:expr) => {
        $generator::new_with_distributions_and_text_pool(
            $scale,
            $share.number,
            $share.of,
            distributions(),
            texts(),
        )
        .iter()
    };
}

/// All regions.
pub fn regions() -> impl Iterator<Item = Region<'static>> {
    RegionGenerator::new_with_distributions_and_text_pool(distributions(), texts()).iter()
}

/// All nations.
pub fn nations() -> impl Iterator<Item = Nation<'static>> {
    NationGenerator::new_with_distributions_and_text_pool(distributions(), texts()).iter()
}

/// All parts.
pub fn parts(scale: f64) -> impl Iterator<Item = Part<'static>> {
    rows!(PartGenerator, scale, Share::WHOLE)
}

/// All suppliers.
pub fn suppliers(scale: f64) -> impl Iterator<Item = Supplier> {
    rows!(SupplierGenerator, scale, Share::WHOLE)
}

/// All customers.
pub fn customers(scale: f64) -> impl Iterator<Item = Customer<'static>> {
    rows!(CustomerGenerator, scale, Share::WHOLE)
}

/// All offers of parts by suppliers.
pub fn offers(scale: f64) -> impl Iterator<Item = PartSupp<'static>> {
    PartSuppGenerator::new_with_text_pool(scale, 1, 1, texts()).iter()
}

/// All orders.
pub fn orders(scale: f64) -> impl Iterator<Item = Order<'static>> {
    rows!(OrderGenerator, scale, Share::WHOLE)
}

/// The orders of a share.
pub fn orders_of(scale: f64, share: Share) -> impl Iterator<Item = Order<'static>> {
    rows!(OrderGenerator, scale, share)
}

/// The line items of a share.
pub fn lines(scale: f64, share: Share) -> impl Iterator<Item = LineItem<'static>> {
    rows!(LineItemGenerator, scale, share)
}

/// The orders of a share, each with its line items.
pub fn orders_with_lines(
    scale: f64,
    share: Share,
) -> impl Iterator<Item = (Order<'static>, Vec<LineItem<'static>>)> {
    // Both come in the order of their keys.
    let mut lines = lines(scale, share).peekable();
    rows!(OrderGenerator, scale, share).map(move |order| {
        let own = |line: &LineItem<'_>| line.l_orderkey == order.o_orderkey;
        let of_order = std::iter::from_fn(|| lines.next_if(own)).collect();
        (order, of_order)
    })
}

/// How many rows tables have at a scale factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `orders`.
    pub orders: u64,
    /// Rows of `part`.
    pub parts: u64,
    /// Rows of `customer`.
    pub customers: u64,
    /// Rows of `supplier`.
    pub suppliers: u64,
}

impl Counts {
    /// Those of this scale factor.
    pub fn at(scale: f64) -> Counts {
        Counts {
            orders: OrderGenerator::calculate_row_count(scale, 1, 1) as u64,
            parts: PartGenerator::calculate_row_count(scale, 1, 1) as u64,
            customers: CustomerGenerator::calculate_row_count(scale, 1, 1) as u64,
            suppliers: SupplierGenerator::calculate_row_count(scale, 1, 1) as u64,
        }
    }
}

/// The key of the order in row `row`: of every 32 numbers, the first 8 are keys.
pub fn order_key(row: i64) -> i64 {
    OrderGenerator::make_order_key(row + 1)
}

/// The row of an order, from its key.
pub fn order_row(key: i64) -> i64 {
    ((key >> 5) << 3 | (key & 7)) - 1
}

/// The day of a date of a row.
pub fn day(date: TPCHDate) -> Day {
    Day(date.to_unix_epoch())
}

/// Suppliers that offer a part.
pub const OFFERS_PER_PART: u64 = 4;

/// The row of the offer of a part by one of its suppliers, of whom there are so many in all.
pub fn offer_row(part: i64, supplier: i64, suppliers: i64) -> i64 {
    let offers = OFFERS_PER_PART as i64;
    let of =
        |nth: i64| (part + nth * (suppliers / offers + (part - 1) / suppliers)) % suppliers + 1;
    let nth = (0..offers).find(|&nth| of(nth) == supplier);
    (part - 1) * offers + nth.expect("a supplier of this part")
}

/// The names of the regions.
pub const REGIONS: [&str; 5] = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"];

/// The names of the nations.
pub fn nation_names() -> &'static [&'static str] {
    distributions().nations().get_values()
}

/// The types that parts have.
pub fn part_types() -> &'static [&'static str] {
    distributions().part_types().get_values()
}

/// The colours that names of parts are made of.
pub fn part_colors() -> &'static [&'static str] {
    distributions().part_colors().get_values()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: f64 = 0.001;

    #[test]
    fn an_order_key_leads_to_its_row() {
        assert_eq!([6, 7].map(order_key), [7, 32]);
        assert!((0..1000).all(|row| order_row(order_key(row)) == row));
    }

    #[test]
    fn an_offer_leads_to_its_row() {
        // Of fewer suppliers some part names one twice.
        let scale = 0.01;
        let suppliers = Counts::at(scale).suppliers as i64;
        let mut rows = 0;
        for (row, offer) in (0..).zip(offers(scale)) {
            assert_eq!(
                offer_row(offer.ps_partkey, offer.ps_suppkey, suppliers),
                row
            );
            rows += 1;
        }
        assert_eq!(rows, Counts::at(scale).parts * OFFERS_PER_PART);
    }

    #[test]
    fn shares_are_the_whole() {
        let whole: Vec<_> = orders_with_lines(SCALE, Share::WHOLE).collect();
        let shares = (1..=7).flat_map(|number| orders_with_lines(SCALE, Share { number, of: 7 }));
        assert_eq!(whole, shares.collect::<Vec<_>>());
        let of_orders = whole.iter().flat_map(|(_, lines)| lines);
        assert!(of_orders.eq(lines(SCALE, Share::WHOLE).collect::<Vec<_>>().iter()));
        assert!(
            whole
                .iter()
                .map(|(order, _)| order)
                .eq(orders(SCALE).collect::<Vec<_>>().iter())
        );
        let expected = whole.len() as u64 * LINES_PER_ORDER;
        assert!(
            lines(SCALE, Share::WHOLE)
                .count()
                .abs_diff(expected as usize)
                < 100
        );
    }

    /// Beside the benchmark's own pool of texts, only comments differ.
    #[test]
    fn a_small_pool_of_texts_gives_the_same_rows() {
        let orders = orders(SCALE).zip(OrderGenerator::new(SCALE, 1, 1).iter());
        assert!(orders.into_iter().all(|(own, mut row)| {
            row.o_comment = own.o_comment;
            own == row
        }));
        let lines = lines(SCALE, Share::WHOLE).zip(LineItemGenerator::new(SCALE, 1, 1).iter());
        assert!(lines.into_iter().all(|(own, mut row)| {
            row.l_comment = own.l_comment;
            own == row
        }));
        let parts = parts(SCALE).zip(PartGenerator::new(SCALE, 1, 1).iter());
        assert!(parts.into_iter().all(|(own, mut row)| {
            row.p_comment = own.p_comment;
            own == row
        }));
        let customers = customers(SCALE).zip(CustomerGenerator::new(SCALE, 1, 1).iter());
        assert!(customers.into_iter().all(|(own, mut row)| {
            row.c_comment = own.c_comment;
            own == row
        }));
        let suppliers = suppliers(SCALE).zip(SupplierGenerator::new(SCALE, 1, 1).iter());
        assert!(suppliers.into_iter().all(|(own, mut row)| {
            row.s_comment.clone_from(&own.s_comment);
            own == row
        }));
    }
}
