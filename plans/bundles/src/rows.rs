//! Tables out of rows of a benchmark's generator.

use join_core::page::DataType;
use join_core::table::{ColumnBuilder, NamedColumn, Table, TableError, Value};

/// Makes a table of these columns at a scale factor.
pub(crate) type TableMaker = Box<dyn Fn(f64, &[String]) -> Result<Table, TableError>>;

/// A row of a benchmark's table.
pub(crate) trait Row {
    /// The column of this name.
    fn column(name: &str) -> Option<RowColumn<Self>>;
}

/// The type of a column and how to get its value.
pub(crate) type RowColumn<R> = (DataType, Get<R>);

/// Gets the value of a column from a row.
type Get<R> = for<'r> fn(&'r R) -> Value<'r>;

/// A table that is filled row by row.
pub(crate) struct Filling<R> {
    name: &'static str,
    columns: Vec<(String, ColumnBuilder, Get<R>)>,
}

impl<R: Row> Filling<R> {
    /// An empty table of these columns.
    ///
    /// # Panics
    /// If there is no such column; which columns a query reads is part of this program.
    pub fn new(name: &'static str, columns: &[String]) -> Filling<R> {
        let columns = columns.iter().map(|column| {
            let found = R::column(column);
            let (data_type, value) = found.unwrap_or_else(|| panic!("{name} has no {column}"));
            (column.clone(), ColumnBuilder::new(data_type), value)
        });
        Filling {
            name,
            columns: columns.collect(),
        }
    }

    /// Appends a row.
    pub fn push(&mut self, row: &R) {
        for (name, builder, value) in &mut self.columns {
            if let Err(error) = builder.push(&value(row)) {
                panic!("{}.{name}: {error}", self.name);
            }
        }
    }

    /// The table.
    ///
    /// # Errors
    /// If it has more rows than row ids can count.
    pub fn finish(self) -> Result<Table, TableError> {
        let columns = self.columns.into_iter();
        let columns = columns.map(|(name, builder, _)| NamedColumn::new(name, builder.finish()));
        Table::new(self.name, columns.collect())
    }
}

/// A table of the rows that are kept.
pub(crate) fn kept<R: Row, I: Iterator<Item = R>>(
    name: &'static str,
    rows: impl Fn(f64) -> I + 'static,
    keep: impl Fn(&R) -> bool + 'static,
) -> TableMaker {
    Box::new(move |scale, columns| {
        let mut table = Filling::new(name, columns);
        let kept = rows(scale).filter(|row| keep(row));
        kept.for_each(|row| table.push(&row));
        table.finish()
    })
}

/// An INT32. Scale factors at which keys are larger are refused.
pub(crate) fn int(value: impl TryInto<i32>) -> Value<'static> {
    match value.try_into() {
        Ok(value) => Value::Int32(value),
        Err(_) => panic!("a key of a scale factor in range is an INT32"),
    }
}

/// Text that lies somewhere.
pub(crate) fn text(value: &str) -> Value<'_> {
    Value::Varchar(value.as_bytes().into())
}

/// Text that is made on the way.
pub(crate) fn shown(value: impl ToString) -> Value<'static> {
    Value::Varchar(value.to_string().into_bytes().into())
}
