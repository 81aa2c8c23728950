//! Columns that come back become tables.

use aligned_ingest::pages::{
    ColumnReader, NumericAs, Paged, PagesError, readers, table_of, table_types,
};
use join_core::table::Value;

use crate::layout::Kind;
use crate::reader::{Landed, LandedColumn};
use crate::{GpuError, Reader};

/// The rows of chunks as a table: the same pages as those of `aligned_ingest::pages::to_table` with a team of `shares`
/// threads, for which the reader was made.
///
/// # Errors
/// What is wrong with the chunks or the device.
pub fn to_table(
    reader: &Reader<'_>,
    name: &str,
    numeric: NumericAs,
    shares: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Paged, GpuError> {
    let manifest = reader.chunks().manifest();
    let types = table_types(manifest, numeric)?;
    let mut all: Vec<_> = (0..shares).map(|_| readers(&types)).collect();
    let mut land = |landed: &Landed<'_>| {
        for (number, column) in landed.columns.iter().enumerate() {
            let mut row = 0;
            for (lane, &rows) in landed.lanes.iter().zip(landed.rows) {
                let to = &mut all[lane.share][number];
                for row in row..row + rows as usize {
                    append(to, column, row, landed.text).map_err(|what| PagesError::Value {
                        section: lane.section,
                        column: manifest.columns[number].name.clone(),
                        what,
                    })?;
                }
                row += rows as usize;
            }
        }
        Ok(())
    };
    reader.read_back(&mut land, progress)?;
    Ok(table_of(manifest, name, &types, all)?)
}

/// Appends a row's value.
fn append(
    to: &mut ColumnReader,
    column: &LandedColumn<'_>,
    row: usize,
    text: &[u8],
) -> Result<(), String> {
    if column.valid[row / 32] >> (row % 32) & 1 == 0 {
        return to.push(None);
    }
    let wide = || u64::from(column.words[2 * row + 1]) << 32 | u64::from(column.words[2 * row]);
    let value = match column.kind {
        Kind::Bytes => {
            let (from, end) = (column.words[row], column.words[row + 1]);
            return to.push(Some(&text[from as usize..end as usize]));
        }
        Kind::Int2 | Kind::Int4 | Kind::Bool | Kind::Date => Value::Int32(column.words[row] as i32),
        Kind::Int8 | Kind::Timestamp => Value::Int64(wide() as i64),
        Kind::Float4 | Kind::Float8 => Value::Fp64(f64::from_bits(wide())),
    };
    to.push_value(&value).map_err(|error| error.to_string())
}
