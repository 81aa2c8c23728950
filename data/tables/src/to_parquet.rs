//! Table folders to Parquet files.

use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use join_core::page::DataType;
use join_core::table::{NamedColumn, Table, Value, Values, write_new_file};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType as Stored, DoubleType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::{Error, Progress};

/// Rows of a row group.
const ROW_GROUP: usize = 1 << 20;

/// Values that are handed to the writer at once.
const BATCH: usize = 8192;

/// Writes `table` to the new file `out`, which appears whole or not at all. Reading it back gives the same table: types,
/// NULLs, the bits of numbers and the bytes of strings. Strings are marked as text where all of a column are UTF-8, and as
/// binary otherwise.
///
/// # Errors
/// If `out` exists or the system refuses.
pub fn export(table: &Table, out: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    write_new_file(out, |file| {
        write(table, BufWriter::new(file), progress).map_err(|error| {
            Error::file(
                out,
                format!("{error}; check the disk, and the limit on file sizes"),
            )
        })
    })
}

fn write(
    table: &Table,
    out: impl std::io::Write + Send,
    progress: &mut dyn FnMut(Progress),
) -> parquet::errors::Result<()> {
    let fields = table
        .columns()
        .iter()
        .map(field)
        .collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("table")
        .with_fields(fields)
        .build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    let mut columns: Vec<Values<'_>> = table
        .columns()
        .iter()
        .map(|named| named.column.values())
        .collect();
    let total = (table.num_rows() * columns.len()) as u64;
    let mut done = 0;
    for first in (0..table.num_rows()).step_by(ROW_GROUP) {
        let rows = ROW_GROUP.min(table.num_rows() - first);
        let mut group = writer.next_row_group()?;
        for (values, named) in columns.iter_mut().zip(table.columns()) {
            let values = values.by_ref().take(rows);
            match named.column.data_type() {
                DataType::Int32 => {
                    write_column::<Int32Type, _>(&mut group, values, |value| match value {
                        Value::Int32(value) => Some(value),
                        _ => None,
                    })
                }
                DataType::Int64 => {
                    write_column::<Int64Type, _>(&mut group, values, |value| match value {
                        Value::Int64(value) => Some(value),
                        _ => None,
                    })
                }
                DataType::Fp64 => {
                    write_column::<DoubleType, _>(&mut group, values, |value| match value {
                        Value::Fp64(value) => Some(value),
                        _ => None,
                    })
                }
                DataType::Varchar => {
                    write_column::<ByteArrayType, _>(&mut group, values, |value| match value {
                        Value::Varchar(value) => Some(ByteArray::from(&*value)),
                        _ => None,
                    })
                }
            }?;
            done += rows as u64;
            let what = "writing";
            progress(Progress { what, done, total });
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn field(NamedColumn { name, column }: &NamedColumn) -> parquet::errors::Result<TypePtr> {
    let physical = match column.data_type() {
        DataType::Int32 => Physical::INT32,
        DataType::Int64 => Physical::INT64,
        DataType::Fp64 => Physical::DOUBLE,
        DataType::Varchar => Physical::BYTE_ARRAY,
    };
    let is_text = || {
        column.values().all(|value| match value {
            Value::Varchar(bytes) => std::str::from_utf8(&bytes).is_ok(),
            _ => true,
        })
    };
    let text = physical == Physical::BYTE_ARRAY && is_text();
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(text.then_some(LogicalType::String));
    Ok(Arc::new(field.build()?))
}

/// Writes the next column of a row group; `value` gives the values that are not NULL.
fn write_column<'a, T: Stored, W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Value<'a>>,
    value: impl Fn(Value<'a>) -> Option<T::T>,
) -> parquet::errors::Result<()> {
    let missing = || parquet::errors::ParquetError::General("a column is missing".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    let mut values = values.peekable();
    let (mut batch, mut levels) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    while values.peek().is_some() {
        batch.clear();
        levels.clear();
        for row in values.by_ref().take(BATCH) {
            let stored = value(row);
            levels.push(i16::from(stored.is_some()));
            batch.extend(stored);
        }
        column
            .typed::<T>()
            .write_batch(&batch, Some(&levels), None)?;
    }
    column.close()
}
