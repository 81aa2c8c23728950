//! A column row by row, where the type is only known at run time.

use super::{Column, Value};
use crate::page::{DataType, FixedWriter, VarcharWriter};

/// Builds a column of any type. Where the type is known at compile time, [`Column::from_options`] and
/// its sisters, or the writers of [`crate::page`], are shorter and faster.
pub struct ColumnBuilder(Writer);

enum Writer {
    Int32(FixedWriter<i32>),
    Int64(FixedWriter<i64>),
    Fp64(FixedWriter<f64>),
    Varchar(VarcharWriter),
}

/// A value of one type was given to a column of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a value of type {value} in an {column} column; convert it first, or declare the column {value}"
)]
pub struct TypeMismatch {
    /// The type of the column.
    pub column: DataType,
    /// The type of the value.
    pub value: DataType,
}

impl ColumnBuilder {
    /// A builder without rows.
    pub fn new(data_type: DataType) -> ColumnBuilder {
        ColumnBuilder(match data_type {
            DataType::Int32 => Writer::Int32(FixedWriter::new()),
            DataType::Int64 => Writer::Int64(FixedWriter::new()),
            DataType::Fp64 => Writer::Fp64(FixedWriter::new()),
            DataType::Varchar => Writer::Varchar(VarcharWriter::new()),
        })
    }

    /// The type of the column.
    pub fn data_type(&self) -> DataType {
        match self.0 {
            Writer::Int32(_) => DataType::Int32,
            Writer::Int64(_) => DataType::Int64,
            Writer::Fp64(_) => DataType::Fp64,
            Writer::Varchar(_) => DataType::Varchar,
        }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// If the value is not of the column's type. The row is not appended then.
    pub fn push(&mut self, value: &Value<'_>) -> Result<(), TypeMismatch> {
        match (&mut self.0, value) {
            (Writer::Int32(writer), Value::Int32(value)) => writer.push(Some(*value)),
            (Writer::Int64(writer), Value::Int64(value)) => writer.push(Some(*value)),
            (Writer::Fp64(writer), Value::Fp64(value)) => writer.push(Some(*value)),
            (Writer::Varchar(writer), Value::Varchar(value)) => writer.push(Some(value)),
            (_, value) => match value.data_type() {
                None => self.push_null(),
                Some(value) => {
                    let column = self.data_type();
                    return Err(TypeMismatch { column, value });
                }
            },
        }
        Ok(())
    }

    /// Appends a NULL.
    pub fn push_null(&mut self) {
        match &mut self.0 {
            Writer::Int32(writer) => writer.push(None),
            Writer::Int64(writer) => writer.push(None),
            Writer::Fp64(writer) => writer.push(None),
            Writer::Varchar(writer) => writer.push(None),
        }
    }

    /// The column.
    pub fn finish(self) -> Column {
        let data_type = self.data_type();
        let pages = match self.0 {
            Writer::Int32(writer) => writer.finish(),
            Writer::Int64(writer) => writer.finish(),
            Writer::Fp64(writer) => writer.finish(),
            Writer::Varchar(writer) => writer.finish(),
        };
        Column::from_trusted_pages(data_type, pages)
    }
}
