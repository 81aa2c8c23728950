//! What the tests share.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use join_core::page::DataType;
use join_core::table::Table;

/// Types and rows, with `NULL` for NULL.
pub fn shown(table: &Table) -> (Vec<DataType>, Vec<Vec<String>>) {
    let types = table.columns().iter().map(|named| named.column.data_type());
    let rows = (0..table.num_rows() as u32).map(|row| {
        let values = table
            .columns()
            .iter()
            .map(|named| named.column.value(row).to_string());
        values.collect()
    });
    (types.collect(), rows.collect())
}

/// Writes a file of one row group, whose columns `fill` writes.
pub fn write_parquet(
    file: &Path,
    schema: &str,
    fill: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>),
) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(file).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    fill(&mut group);
    group.close().unwrap();
    writer.close().unwrap();
}

/// Writes a file without rows.
pub fn write_empty(file: &Path, schema: &str) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(file).unwrap();
    let writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    writer.close().unwrap();
}
