//! The Star Schema Benchmark's tables, derived from TPC-H's generator (S9's data).
//!
//! `lineorder` is `lineitem` joined with `orders`, one row a line item, 17 columns, money in cents, dates as yyyymmdd
//! (O'Neil, O'Neil, Chen: Star Schema Benchmark). The dimensions keep TPC-H's keys and sizes, so that every foreign
//! key finds its row; they have the columns that joins and simple filters use.

use std::io::{self, Write};

use tpchgen::distribution::Distributions;
use tpchgen::generators::{
    CustomerGenerator, LineItem, LineItemGenerator, Order, OrderGenerator, PartGenerator,
    SupplierGenerator,
};
use tpchgen::text::TextPool;

use crate::framing::{HEADER, RowEncoder, TRAILER};

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SsbTable {
    /// The facts.
    Lineorder,
    /// The days from 1992-01-01 to 1998-12-31.
    Date,
    /// Customers.
    Customer,
    /// Suppliers.
    Supplier,
    /// Parts.
    Part,
}

/// Days from 1970-01-01 to 1992-01-01, and to 2000-01-01, where PostgreSQL counts from.
const FIRST_DAY: i32 = 8035;
const POSTGRES_EPOCH: i32 = 10_957;
const DAYS: i32 = 2557;

impl SsbTable {
    /// All of them.
    pub const ALL: [SsbTable; 5] = [
        Self::Lineorder,
        Self::Date,
        Self::Customer,
        Self::Supplier,
        Self::Part,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lineorder => "lineorder",
            Self::Date => "date",
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Part => "part",
        }
    }

    /// Its columns, as `CREATE TABLE` has them.
    pub fn columns(self) -> &'static str {
        match self {
            Self::Lineorder => {
                "lo_orderkey int8, lo_linenumber int4, lo_custkey int4, lo_partkey int4, lo_suppkey int4, \
                 lo_orderdate int4, lo_orderpriority varchar(15), lo_shippriority char(1), lo_quantity int4, \
                 lo_extendedprice int4, lo_ordtotalprice int4, lo_discount int4, lo_revenue int4, \
                 lo_supplycost int4, lo_tax int4, lo_commitdate int4, lo_shipmode varchar(10)"
            }
            Self::Date => {
                "d_datekey int4, d_date date, d_year int4, d_yearmonthnum int4, d_daynuminweek int4"
            }
            Self::Customer => {
                "c_custkey int4, c_name varchar(25), c_nationkey int4, c_mktsegment varchar(10)"
            }
            Self::Supplier => "s_suppkey int4, s_name varchar(25), s_nationkey int4",
            Self::Part => {
                "p_partkey int4, p_name varchar(55), p_mfgr varchar(25), p_brand1 varchar(10), p_type varchar(25), \
                 p_size int4, p_container varchar(10)"
            }
        }
    }

    /// Writes the table as one COPY BINARY stream and returns its rows.
    ///
    /// # Errors
    /// If `out` refuses.
    pub fn write(self, scale_factor: f64, out: &mut impl Write) -> io::Result<u64> {
        let mut rows = Encoder {
            rows: RowEncoder::new(),
            count: 0,
            out,
        };
        rows.out.write_all(&HEADER)?;
        match self {
            Self::Lineorder => {
                for line in Lines::new(scale_factor).part(1, 1) {
                    line.write(&mut rows)?;
                }
            }
            Self::Date => date(&mut rows)?,
            Self::Customer => {
                for customer in CustomerGenerator::new(scale_factor, 1, 1).iter() {
                    rows.int(customer.c_custkey);
                    rows.text(customer.c_name);
                    rows.int(customer.c_nationkey);
                    rows.text(customer.c_mktsegment);
                    rows.end()?;
                }
            }
            Self::Supplier => {
                for supplier in SupplierGenerator::new(scale_factor, 1, 1).iter() {
                    rows.int(supplier.s_suppkey);
                    rows.text(supplier.s_name);
                    rows.int(supplier.s_nationkey);
                    rows.end()?;
                }
            }
            Self::Part => {
                for part in PartGenerator::new(scale_factor, 1, 1).iter() {
                    rows.int(part.p_partkey);
                    rows.text(&part.p_name);
                    rows.text(part.p_mfgr);
                    rows.text(part.p_brand);
                    rows.text(part.p_type);
                    rows.int(part.p_size.into());
                    rows.text(part.p_container);
                    rows.end()?;
                }
            }
        }
        rows.finish()
    }
}

/// A row of `lineorder`, in the order of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineorder<'a> {
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
    pub orderpriority: &'a str,
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
    pub shipmode: &'a str,
}

/// Where the rows of `lineorder` come from, at a scale factor: 1 has 6 million.
pub struct Lines {
    scale_factor: f64,
    texts: TextPool,
}

impl Lines {
    /// Ready to make rows.
    pub fn new(scale_factor: f64) -> Lines {
        // No column of `lineorder` depends on the pool of texts; the full one takes 300 MB and a second.
        let texts = TextPool::new(1 << 16, Distributions::static_default());
        Lines {
            scale_factor,
            texts,
        }
    }

    /// Orders; each has 4 lines on average.
    pub fn orders(&self) -> i64 {
        OrderGenerator::calculate_row_count(self.scale_factor, 1, 1)
    }

    /// The rows of part `part`, counted from 1, of `parts`, of which there are no more than orders. The rows of all parts
    /// one after the other are those of one part in all.
    pub fn part(&self, part: i32, parts: i32) -> impl Iterator<Item = Lineorder<'_>> {
        let distributions = Distributions::static_default();
        let (scale_factor, texts) = (self.scale_factor, &self.texts);
        let orders = OrderGenerator::new_with_distributions_and_text_pool(
            scale_factor,
            part,
            parts,
            distributions,
            texts,
        );
        let lines = LineItemGenerator::new_with_distributions_and_text_pool(
            scale_factor,
            part,
            parts,
            distributions,
            texts,
        );
        let mut orders = orders.iter();
        let mut order = None::<Order<'_>>;
        lines.iter().map_while(move |line| {
            // Both come in the order of their keys, and every order has lines.
            while order
                .as_ref()
                .is_none_or(|order| order.o_orderkey != line.l_orderkey)
            {
                order = Some(orders.next()?);
            }
            order.as_ref().map(|order| Lineorder::new(order, &line))
        })
    }
}

impl<'a> Lineorder<'a> {
    fn new(order: &Order<'a>, line: &LineItem<'a>) -> Lineorder<'a> {
        let price = line.l_extendedprice.into_inner();
        let discount = line.l_discount.into_inner();
        Lineorder {
            orderkey: line.l_orderkey,
            linenumber: line.l_linenumber,
            custkey: order.o_custkey,
            partkey: line.l_partkey,
            suppkey: line.l_suppkey,
            orderdate: Day(order.o_orderdate.to_unix_epoch() - FIRST_DAY),
            orderpriority: order.o_orderpriority,
            shippriority: order.o_shippriority,
            quantity: line.l_quantity,
            extendedprice: price,
            ordtotalprice: order.o_totalprice.into_inner(),
            discount,
            revenue: price * (100 - discount) / 100,
            supplycost: price / line.l_quantity.max(1) * 6 / 10,
            tax: line.l_tax.into_inner(),
            commitdate: Day(line.l_commitdate.to_unix_epoch() - FIRST_DAY),
            shipmode: line.l_shipmode,
        }
    }

    fn write<W: Write>(&self, rows: &mut Encoder<'_, W>) -> io::Result<()> {
        rows.rows.field(Some(&self.orderkey.to_be_bytes()));
        rows.int(self.linenumber.into());
        rows.int(self.custkey);
        rows.int(self.partkey);
        rows.int(self.suppkey);
        rows.int(self.orderdate.key());
        rows.text(self.orderpriority);
        rows.text(self.shippriority);
        rows.int(self.quantity);
        rows.int(self.extendedprice);
        rows.int(self.ordtotalprice);
        rows.int(self.discount);
        rows.int(self.revenue);
        rows.int(self.supplycost);
        rows.int(self.tax);
        rows.int(self.commitdate.key());
        rows.text(self.shipmode);
        rows.end()
    }
}

fn date<W: Write>(rows: &mut Encoder<'_, W>) -> io::Result<()> {
    for day in Day::all() {
        let (key, since_1970) = (day.key(), day.0 + FIRST_DAY);
        rows.int(key);
        rows.int((since_1970 - POSTGRES_EPOCH).into());
        rows.int(key / 10_000);
        rows.int(key / 100);
        // 1970-01-01 was a Thursday; Sunday is 1.
        rows.int(i64::from((since_1970 + 4) % 7 + 1));
        rows.end()?;
    }
    Ok(())
}

/// A day from 1992-01-01 on, which is 0: its row in `date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub i32);

impl Day {
    /// Those of `date`, to 1998-12-31.
    pub fn all() -> impl ExactSizeIterator<Item = Day> {
        (0..DAYS).map(Day)
    }

    /// yyyymmdd.
    pub fn key(self) -> i64 {
        let leap = |year: i64| i64::from(year % 4 == 0);
        let (mut year, mut left) = (1992, i64::from(self.0));
        while left >= 365 + leap(year) {
            left -= 365 + leap(year);
            year += 1;
        }
        let mut month = 1;
        let february = 28 + leap(year);
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if left < days {
                break;
            }
            left -= days;
            month += 1;
        }
        year * 10_000 + month * 100 + left + 1
    }
}

struct Encoder<'a, W> {
    rows: RowEncoder,
    count: u64,
    out: &'a mut W,
}

impl<W: Write> Encoder<'_, W> {
    /// An `int4`. Scale factors at which keys or money are larger are far beyond what row ids can count.
    fn int(&mut self, value: i64) {
        self.rows.field(Some(&(value as i32).to_be_bytes()));
    }

    fn text(&mut self, value: impl ToString) {
        self.rows.field(Some(value.to_string().as_bytes()));
    }

    fn end(&mut self) -> io::Result<()> {
        self.rows.end_row();
        self.count += 1;
        if self.rows.rows().len() > 64 << 10 {
            self.out.write_all(self.rows.rows())?;
            self.rows.clear();
        }
        Ok(())
    }

    fn finish(self) -> io::Result<u64> {
        self.out.write_all(self.rows.rows())?;
        self.out.write_all(&TRAILER)?;
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{Limits, Rows};

    fn rows(table: SsbTable, scale_factor: f64) -> (u64, Vec<u8>) {
        let mut bytes = Vec::new();
        let count = table.write(scale_factor, &mut bytes).unwrap();
        (count, bytes[HEADER.len()..bytes.len() - 2].to_vec())
    }

    #[test]
    fn tables_have_the_rows_and_columns_that_they_should() {
        for (table, count) in [
            (SsbTable::Lineorder, 6005),
            (SsbTable::Date, 2557),
            (SsbTable::Customer, 150),
            (SsbTable::Supplier, 10),
            (SsbTable::Part, 200),
        ] {
            let (written, bytes) = rows(table, 0.001);
            let fields = table.columns().split(", ").count();
            let limits = Limits {
                fields: u16::try_from(fields).ok(),
                ..Limits::default()
            };
            let found = Rows::new(&bytes, limits, 0).map(Result::unwrap).count() as u64;
            assert_eq!((written, found), (count, count), "{table:?}");
        }
        assert_eq!(SsbTable::Lineorder.columns().split(", ").count(), 17);
    }

    #[test]
    fn days_have_their_keys() {
        for (day, key) in [
            (0, 19_920_101),
            (59, 19_920_229),
            (60, 19_920_301),
            (365, 19_921_231),
            (366, 19_930_101),
            (DAYS - 1, 19_981_231),
        ] {
            assert_eq!(Day(day).key(), key);
        }
    }

    #[test]
    fn parts_are_the_whole_and_join_with_their_orders() {
        let lines = Lines::new(0.001);
        let whole: Vec<Lineorder<'_>> = lines.part(1, 1).collect();
        let parts: Vec<Lineorder<'_>> = (1..=7).flat_map(|part| lines.part(part, 7)).collect();
        assert_eq!(whole, parts);
        // As the generator has them, whose texts are of another pool.
        let orders: Vec<_> = OrderGenerator::new(0.001, 1, 1).iter().collect();
        let items: Vec<_> = LineItemGenerator::new(0.001, 1, 1).iter().collect();
        assert_eq!(items.len(), whole.len());
        for (item, line) in items.iter().zip(&whole) {
            let order = orders
                .iter()
                .find(|order| order.o_orderkey == item.l_orderkey);
            assert_eq!(Lineorder::new(order.unwrap(), item), *line);
        }
    }
}
