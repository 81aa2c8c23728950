//! CSV files to columns: one pass to find the types, where any is to be found, and one to read the values.

mod guess;
mod records;

use std::borrow::Cow;
use std::path::PathBuf;

use join_core::page::DataType;
use join_core::table::{ColumnBuilder, NamedColumn, Value};

use crate::selection::{Selected, select};
use crate::{Error, Options, Progress};
use guess::Guess;
use records::Records;

/// Reads the files one after the other.
pub fn read(
    files: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<NamedColumn>, Error> {
    let first = Records::open(&files[0], &options.csv)?;
    let columns = select(first.names(), options).map_err(|what| Error::file(&files[0], what))?;
    let names = first.names().to_vec();
    let mut walk = Walk {
        files,
        options,
        names,
        progress,
    };

    let mut guesses = vec![Guess::default(); columns.len()];
    if columns.iter().any(|column| column.asked.is_none()) {
        walk.all("finding the types", &columns, |number, _, field| {
            if let Some(field) = field {
                guesses[number].see(field);
            }
            Ok(())
        })?;
    }
    let types: Vec<DataType> = columns
        .iter()
        .zip(&guesses)
        .map(|(column, guess)| column.asked.unwrap_or_else(|| guess.data_type()))
        .collect();

    let mut builders: Vec<ColumnBuilder> = types.iter().copied().map(ColumnBuilder::new).collect();
    walk.all("reading", &columns, |number, column, field| {
        let value = match field {
            Some(field) => parse(field, types[number], &column.name)?,
            None => Value::Null,
        };
        builders[number]
            .push(&value)
            .map_err(|error| error.to_string())
    })?;
    let named = columns.into_iter().zip(builders);
    Ok(named
        .map(|(column, builder)| NamedColumn::new(column.name, builder.finish()))
        .collect())
}

/// A walk over all fields of all files.
struct Walk<'a> {
    files: &'a [PathBuf],
    options: &'a Options,
    /// The columns of the first file, which all others must have.
    names: Vec<String>,
    progress: &'a mut dyn FnMut(Progress),
}

impl Walk<'_> {
    /// Hands the fields of `columns` to `visit`, row by row, `None` for NULL.
    fn all(
        &mut self,
        what: &'static str,
        columns: &[Selected],
        mut visit: impl FnMut(usize, &Selected, Option<&str>) -> Result<(), String>,
    ) -> Result<(), Error> {
        let mut sizes = Vec::with_capacity(self.files.len());
        for file in self.files {
            let meta = std::fs::metadata(file).map_err(Error::io("read", file))?;
            sizes.push(meta.len());
        }
        let total = sizes.iter().sum();
        let mut before = 0;
        for (file, size) in self.files.iter().zip(&sizes) {
            let mut records = Records::open(file, &self.options.csv)?;
            if records.names() != self.names {
                return Err(Error::file(
                    file,
                    format!(
                        "the columns {} are not those of {}; give all files the same, or import them into two tables",
                        records.names().join(", "),
                        self.files[0].display()
                    ),
                ));
            }
            let mut rows = 0_u64;
            while records.next()? {
                for (number, column) in columns.iter().enumerate() {
                    let field = records.field(column.index)?;
                    let nulls = &self.options.csv.nulls;
                    let field = (!nulls.iter().any(|null| null == field)).then_some(field);
                    visit(number, column, field)
                        .map_err(|what| records.error(Some(column.index), what))?;
                }
                rows += 1;
                if rows.is_multiple_of(1 << 14) {
                    let done = before + records.byte();
                    (self.progress)(Progress { what, done, total });
                }
            }
            before += size;
            let done = before;
            (self.progress)(Progress { what, done, total });
        }
        Ok(())
    }
}

/// A field as a value, or what is wrong with it.
fn parse<'a>(field: &'a str, data_type: DataType, column: &str) -> Result<Value<'a>, String> {
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let beyond = |wider: &str| {
        format!("{field:?} is beyond {data_type}; say for instance --types {column}={wider}")
    };
    let wrong = || {
        format!(
            "{field:?} is no {data_type}; mend it, say --types {column}=VARCHAR, or name it with --null if it means NULL"
        )
    };
    match data_type {
        DataType::Int32 => field
            .parse()
            .map(Value::Int32)
            .map_err(|_| match is_integer {
                true => beyond("INT64"),
                false => wrong(),
            }),
        DataType::Int64 => field
            .parse()
            .map(Value::Int64)
            .map_err(|_| match is_integer {
                true => beyond("VARCHAR"),
                false => wrong(),
            }),
        DataType::Fp64 => match field.parse::<f64>() {
            Ok(number) if number.is_infinite() && field.contains(|c: char| c.is_ascii_digit()) => {
                Err(beyond("VARCHAR"))
            }
            Ok(number) => Ok(Value::Fp64(number)),
            Err(_) => Err(wrong()),
        },
        DataType::Varchar => Ok(Value::Varchar(Cow::Borrowed(field.as_bytes()))),
    }
}
