//! Parquet files to columns, one column at a time.

mod convert;
mod guard;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};

use join_core::table::{ColumnBuilder, NamedColumn, Value};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, Int96};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::error::one_line;
use crate::{Error, Options, Progress};
use guard::guarded;
use schema::Planned;

/// Rows that are decoded at once.
const BATCH: usize = 8192;

struct Source {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    columns: Vec<Planned>,
}

/// Reads the files one after the other.
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
    for other in &sources[1..] {
        for (column, expected) in other.columns.iter().zip(&first.columns) {
            if (&column.name, column.conversion.target)
                != (&expected.name, expected.conversion.target)
            {
                return Err(Error::file(
                    &other.path,
                    format!(
                        "column {:?} is {}, but {} has {:?} as {} there; choose with --columns and --types what they share",
                        column.name,
                        column.conversion.target,
                        first.path.display(),
                        expected.name,
                        expected.conversion.target
                    ),
                ));
            }
        }
        if other.columns.len() != first.columns.len() {
            return Err(Error::file(
                &other.path,
                format!(
                    "{} columns, but {} has {}; choose with --columns what they share",
                    other.columns.len(),
                    first.path.display(),
                    first.columns.len()
                ),
            ));
        }
    }
    let rows: i64 = sources
        .iter()
        .map(|source| source.reader.metadata().file_metadata().num_rows())
        .sum();
    let total = rows.max(0) as u64 * first.columns.len() as u64;
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

impl Source {
    fn open(path: &Path, options: &Options) -> Result<Source, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let reader = guarded(|| SerializedFileReader::new(file).map_err(broken))
            .map_err(|what| Error::file(path, what))?;
        let columns = schema::plan(reader.metadata().file_metadata().schema_descr(), options)
            .map_err(|what| Error::file(path, what))?;
        Ok(Source {
            path: path.to_owned(),
            reader,
            columns,
        })
    }

    /// Appends a column of all row groups to `builder`, and tells `done` of the rows after each.
    fn read_column(
        &self,
        number: usize,
        builder: &mut ColumnBuilder,
        done: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let column = &self.columns[number];
        for row_group in 0..self.reader.num_row_groups() {
            let at = |what| Error::RowGroup {
                file: self.path.clone(),
                row_group,
                column: column.name.clone(),
                what,
            };
            let rows = self
                .reader
                .metadata()
                .row_group(row_group)
                .num_rows()
                .max(0) as u64;
            guarded(|| {
                let chunks = self.reader.get_row_group(row_group).map_err(broken)?;
                let chunk = chunks.get_column_reader(column.index).map_err(broken)?;
                read_chunk(chunk, column, rows, builder)
            })
            .map_err(at)?;
            done(rows);
        }
        Ok(())
    }
}

fn broken(error: impl ToString) -> String {
    format!("{}; write or copy the file again", one_line(error))
}

/// Appends the rows of one column of one row group.
fn read_chunk(
    chunk: ColumnReader,
    column: &Planned,
    rows: u64,
    builder: &mut ColumnBuilder,
) -> Result<(), String> {
    let to = column.conversion;
    let unsigned = to.unsigned;
    let out = &mut |value: Result<Value<'_>, String>| {
        builder.push(&value?).map_err(|error| error.to_string())
    };
    match chunk {
        ColumnReader::BoolColumnReader(chunk) => {
            each(chunk, rows, out, |&value| to.number(value.into()))
        }
        ColumnReader::Int32ColumnReader(chunk) => each(chunk, rows, out, |&value| match unsigned {
            true => to.number(value.cast_unsigned().into()),
            false => to.number(value.into()),
        }),
        ColumnReader::Int64ColumnReader(chunk) => each(chunk, rows, out, |&value| match unsigned {
            true => to.number(value.cast_unsigned().into()),
            false => to.number(value.into()),
        }),
        ColumnReader::Int96ColumnReader(chunk) => {
            each(chunk, rows, out, |value| to.number(nanoseconds(value)))
        }
        ColumnReader::FloatColumnReader(chunk) => {
            each(chunk, rows, out, |&value| Ok(Value::Fp64(value.into())))
        }
        ColumnReader::DoubleColumnReader(chunk) => {
            each(chunk, rows, out, |&value| Ok(Value::Fp64(value)))
        }
        ColumnReader::ByteArrayColumnReader(chunk) => {
            each(chunk, rows, out, |value| to.bytes(value.data()))
        }
        ColumnReader::FixedLenByteArrayColumnReader(chunk) => {
            each(chunk, rows, out, |value| to.bytes(value.data()))
        }
    }
}

/// Takes a value or what is wrong with it.
type Out<'a> = dyn FnMut(Result<Value<'_>, String>) -> Result<(), String> + 'a;

/// Hands the values of a column chunk to `out`, each as `convert` has it; there must be `rows` of them with the NULLs.
fn each<T: DataType>(
    mut chunk: ColumnReaderImpl<T>,
    rows: u64,
    out: &mut Out<'_>,
    convert: impl Fn(&T::T) -> Result<Value<'_>, String>,
) -> Result<(), String> {
    let (mut values, mut levels) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let mut found = 0;
    loop {
        values.clear();
        levels.clear();
        let read = chunk.read_records(BATCH, Some(&mut levels), None, &mut values);
        let (records, ..) = read.map_err(broken)?;
        if records == 0 {
            break;
        }
        found += records as u64;
        if levels.is_empty() {
            values.iter().try_for_each(|value| out(convert(value)))?;
            continue;
        }
        // Level 1 is a value, level 0 is NULL: columns in columns are refused before.
        let mut values = values.iter();
        for level in &levels {
            if *level == 0 {
                out(Ok(Value::Null))?;
            } else {
                let value = values.next().ok_or_else(|| broken("a value is missing"))?;
                out(convert(value))?;
            }
        }
    }
    match found == rows {
        true => Ok(()),
        false => Err(broken(format!(
            "{found} rows, but the row group has {rows}"
        ))),
    }
}

/// Nanoseconds since 1970 of the outdated 96-bit timestamps: nanoseconds of the day, then the Julian day.
fn nanoseconds(value: &Int96) -> i128 {
    const JULIAN_DAY_OF_1970: i128 = 2_440_588;
    let [low, high, day] = [0, 1, 2].map(|word| i128::from(value.data()[word]));
    (day - JULIAN_DAY_OF_1970) * 86_400_000_000_000 + (high << 32 | low)
}
