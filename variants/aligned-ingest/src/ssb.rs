//! The Star Schema Benchmark's tables as COPY BINARY streams.
//!
//! `lineorder` has 17 columns, money in cents, dates as yyyymmdd. The dimensions have the columns of TPC-H's tables that
//! joins and simple filters use.

use std::io::{self, Write};

use generated::Day;
use generated::ssb::{Date, Lineorder, dates, lineorders};
use generated::tpch::{self, Share};

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

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const POSTGRES_EPOCH: i32 = Day::of(2000, 1, 1).0;

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
                for line in lineorders(scale_factor, Share::WHOLE) {
                    rows.lineorder(&line)?;
                }
            }
            Self::Date => {
                for date in dates() {
                    rows.date(&date)?;
                }
            }
            Self::Customer => {
                for customer in tpch::customers(scale_factor) {
                    rows.int(customer.c_custkey);
                    rows.text(customer.c_name);
                    rows.int(customer.c_nationkey);
                    rows.text(customer.c_mktsegment);
                    rows.end()?;
                }
            }
            Self::Supplier => {
                for supplier in tpch::suppliers(scale_factor) {
                    rows.int(supplier.s_suppkey);
                    rows.text(supplier.s_name);
                    rows.int(supplier.s_nationkey);
                    rows.end()?;
                }
            }
            Self::Part => {
                for part in tpch::parts(scale_factor) {
                    rows.int(part.p_partkey);
                    rows.text(&part.p_name);
                    rows.text(part.p_mfgr);
                    rows.text(part.p_brand);
                    rows.text(part.p_type);
                    rows.int(part.p_size);
                    rows.text(part.p_container);
                    rows.end()?;
                }
            }
        }
        rows.finish()
    }
}

struct Encoder<'a, W> {
    rows: RowEncoder,
    count: u64,
    out: &'a mut W,
}

impl<W: Write> Encoder<'_, W> {
    fn lineorder(&mut self, line: &Lineorder) -> io::Result<()> {
        self.rows.field(Some(&line.orderkey.to_be_bytes()));
        self.int(line.linenumber);
        self.int(line.custkey);
        self.int(line.partkey);
        self.int(line.suppkey);
        self.int(line.orderdate.yyyymmdd());
        self.text(line.orderpriority);
        self.text(line.shippriority);
        self.int(line.quantity);
        self.int(line.extendedprice);
        self.int(line.ordtotalprice);
        self.int(line.discount);
        self.int(line.revenue);
        self.int(line.supplycost);
        self.int(line.tax);
        self.int(line.commitdate.yyyymmdd());
        self.text(line.shipmode);
        self.end()
    }

    fn date(&mut self, date: &Date) -> io::Result<()> {
        self.int(date.day.yyyymmdd());
        self.int(date.day.0 - POSTGRES_EPOCH);
        self.int(date.year);
        self.int(date.year * 100 + date.month);
        self.int(date.day.weekday());
        self.end()
    }

    /// An `int4`. Scale factors at which keys or money are larger are far beyond what row ids can count.
    fn int(&mut self, value: impl Into<i64>) {
        self.rows.field(Some(&(value.into() as i32).to_be_bytes()));
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

    #[test]
    fn tables_have_the_rows_and_columns_that_they_should() {
        for (table, expected, checksum) in [
            (SsbTable::Lineorder, 60_175, 0x0f22_692e),
            (SsbTable::Date, 2557, 0x278a_4fa3),
            (SsbTable::Customer, 1500, 0xf7cb_db6a),
            (SsbTable::Supplier, 100, 0x7dba_7d4a),
            (SsbTable::Part, 2000, 0xc119_a03c),
        ] {
            let mut bytes = Vec::new();
            let written = table.write(0.01, &mut bytes).unwrap();
            let limits = Limits {
                fields: u16::try_from(table.columns().split(", ").count()).ok(),
                ..Limits::default()
            };
            let rows = &bytes[HEADER.len()..bytes.len() - TRAILER.len()];
            let found = Rows::new(rows, limits, 0).map(Result::unwrap).count() as u64;
            assert_eq!((written, found), (expected, expected), "{table:?}");
            assert_eq!(
                crc32fast::hash(&bytes),
                checksum,
                "{table:?}: tables that people have are no longer those that this program makes"
            );
        }
        assert_eq!(SsbTable::Lineorder.columns().split(", ").count(), 17);
    }
}
