//! The result of a plan: a table whose pages lie in several runs.

mod place;
mod writer;

use join_core::checksum::{Checksum, RowHasher};
use join_core::memory::Reservation;
use join_core::page::{DataType, Page};
use join_core::table::{Column, NamedColumn, Table, TableError, Value, Values};

pub(crate) use place::ValuePlace;
pub(crate) use writer::PageWriter;

/// A paged result. Row order is free, but the same in all columns.
#[derive(Debug)]
pub struct ResultTable {
    rows: u64,
    columns: Vec<ResultColumn>,
}

/// A column of a result.
#[derive(Debug)]
pub struct ResultColumn {
    data_type: DataType,
    runs: Vec<PageRun>,
}

/// Pages that lie together. A long string never goes on in the next run.
#[derive(Debug)]
pub(crate) struct PageRun {
    pages: Vec<Page>,
    /// Keeps the pages counted against the memory limit.
    _reservation: Reservation,
}

impl PageRun {
    pub(crate) fn new(pages: Vec<Page>, reservation: Reservation) -> PageRun {
        PageRun {
            pages,
            _reservation: reservation,
        }
    }
}

impl ResultTable {
    pub(crate) fn new(rows: u64, columns: Vec<ResultColumn>) -> ResultTable {
        ResultTable { rows, columns }
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns in order.
    pub fn columns(&self) -> &[ResultColumn] {
        &self.columns
    }

    /// Bytes of all pages.
    pub fn bytes(&self) -> u64 {
        let columns = self.columns.iter();
        let pages = columns.flat_map(ResultColumn::pages).count();
        (pages * size_of::<Page>()) as u64
    }

    /// The order-independent checksum, as of [`join_core::checksum`].
    pub fn checksum(&self) -> Checksum {
        const BLOCK: u64 = 1024;
        let mut columns: Vec<_> = self.columns.iter().map(ResultColumn::values).collect();
        let mut sum = Checksum::default();
        let mut left = self.rows;
        while left > 0 {
            let mut rows = [RowHasher::new(); BLOCK as usize];
            let rows = &mut rows[..left.min(BLOCK) as usize];
            for column in &mut columns {
                for (row, value) in rows.iter_mut().zip(column) {
                    row.value(&value);
                }
            }
            rows.iter().for_each(|row| sum += *row);
            left -= rows.len() as u64;
        }
        sum
    }

    /// A copy as one table, whose columns are called by their numbers.
    ///
    /// # Errors
    /// If there are more rows than a table can hold.
    pub fn to_table(&self, name: &str) -> Result<Table, TableError> {
        let columns = self.columns.iter().enumerate().map(|(number, column)| {
            let pages = column.pages().copied().collect();
            let pages = Column::from_trusted_pages(column.data_type, pages);
            NamedColumn::new(number.to_string(), pages)
        });
        Table::new(name, columns.collect())
    }
}

impl ResultColumn {
    pub(crate) fn new(data_type: DataType, runs: Vec<PageRun>) -> ResultColumn {
        ResultColumn { data_type, runs }
    }

    /// The type.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The pages in order.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.runs.iter().flat_map(|run| &run.pages)
    }

    /// The rows in order.
    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        let runs = self.runs.iter();
        runs.flat_map(|run| Values::new(self.data_type, &run.pages))
    }
}
