//! The Star Schema Benchmark's tables, derived from TPC-H's generator (S9's data).
//!
//! `lineorder` is `lineitem` joined with `orders`, one row a line item, 17 columns, money in cents, dates as yyyymmdd
//! (O'Neil, O'Neil, Chen: Star Schema Benchmark). The dimensions keep TPC-H's keys and sizes, so that every foreign
//! key finds its row; they have the columns that joins and simple filters use.

use std::io::{self, Write};

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, OrderGenerator, PartGenerator, SupplierGenerator,
};

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
            Self::Lineorder => lineorder(scale_factor, &mut rows)?,
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

fn lineorder<W: Write>(scale_factor: f64, rows: &mut Encoder<'_, W>) -> io::Result<()> {
    let orders = OrderGenerator::new(scale_factor, 1, 1);
    let lines = LineItemGenerator::new(scale_factor, 1, 1);
    let mut orders = orders.iter();
    let mut order = orders.next();
    for line in lines.iter() {
        // Both come in the order of their keys, and every order has lines.
        while order
            .as_ref()
            .is_some_and(|order| order.o_orderkey != line.l_orderkey)
        {
            order = orders.next();
        }
        let Some(order) = &order else { break };
        let price = line.l_extendedprice.into_inner();
        let discount = line.l_discount.into_inner();
        rows.rows.field(Some(&line.l_orderkey.to_be_bytes()));
        rows.int(line.l_linenumber.into());
        rows.int(order.o_custkey);
        rows.int(line.l_partkey);
        rows.int(line.l_suppkey);
        rows.int(day_key(order.o_orderdate.to_unix_epoch()));
        rows.text(order.o_orderpriority);
        rows.text(order.o_shippriority);
        rows.int(line.l_quantity);
        rows.int(price);
        rows.int(order.o_totalprice.into_inner());
        rows.int(discount);
        rows.int(price * (100 - discount) / 100);
        // Six tenths of the retail price.
        rows.int(price / line.l_quantity.max(1) * 6 / 10);
        rows.int(line.l_tax.into_inner());
        rows.int(day_key(line.l_commitdate.to_unix_epoch()));
        rows.text(line.l_shipmode);
        rows.end()?;
    }
    Ok(())
}

fn date<W: Write>(rows: &mut Encoder<'_, W>) -> io::Result<()> {
    for day in FIRST_DAY..FIRST_DAY + DAYS {
        let key = day_key(day);
        rows.int(key);
        rows.int((day - POSTGRES_EPOCH).into());
        rows.int(key / 10_000);
        rows.int(key / 100);
        // 1970-01-01 was a Thursday; Sunday is 1.
        rows.int(i64::from((day + 4) % 7 + 1));
        rows.end()?;
    }
    Ok(())
}

/// yyyymmdd of a day from 1992 on, counted from 1970-01-01.
fn day_key(day: i32) -> i64 {
    let (mut year, mut left) = (1992, i64::from(day - FIRST_DAY));
    let leap = |year: i64| year % 4 == 0;
    while left >= 365 + i64::from(leap(year)) {
        left -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for days in [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    year * 10_000 + month * 100 + left + 1
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
        assert_eq!(day_key(FIRST_DAY), 19_920_101);
        assert_eq!(day_key(FIRST_DAY + 59), 19_920_229);
        assert_eq!(day_key(FIRST_DAY + 60), 19_920_301);
        assert_eq!(day_key(FIRST_DAY + 366), 19_930_101);
        assert_eq!(day_key(FIRST_DAY + DAYS - 1), 19_981_231);
    }
}
