//! Parquet files to columns, one column at a time.

mod codec;
mod convert;
mod counts;
mod damage;
mod deltas;
mod footer;
mod guard;
mod header;
mod meaning;
mod pages;
mod schema;
mod shape;
mod source;
mod thrift;
mod values;

use std::path::PathBuf;

use join_core::table::{ColumnBuilder, NamedColumn};

use crate::{Error, Options, Progress};
use source::Source;

/// Reads the files one after the other. One at a time is open, as there may be more than a process can open.
pub fn read(
    files: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<NamedColumn>, Error> {
    let sources = files
        .iter()
        .map(|path| Source::open(path, options))
        .collect::<Result<Vec<_>, _>>()?;
    let first = &sources[0];
    sources[1..]
        .iter()
        .try_for_each(|other| other.check_like(first))?;
    let rows: u64 = sources.iter().map(Source::rows).sum();
    if rows > u32::MAX.into() {
        return Err(Error::file(
            &first.path,
            format!(
                "the files have {rows} rows, but a table at most {}; import them into several",
                u32::MAX
            ),
        ));
    }
    let total = rows * first.columns.len() as u64;
    let mut done = 0;
    let mut columns = Vec::with_capacity(first.columns.len());
    for (number, column) in first.columns.iter().enumerate() {
        let mut builder = ColumnBuilder::new(column.conversion.target);
        for source in &sources {
            source.read_column(number, &mut builder, &mut |rows| {
                done += rows;
                let what = "reading";
                progress(Progress { what, done, total });
            })?;
        }
        columns.push(NamedColumn::new(column.name.as_str(), builder.finish()));
    }
    Ok(columns)
}
