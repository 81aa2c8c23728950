//! CSV files to columns: one pass to find the types, where any is to be found, and one to read the values.

mod file;
mod guess;

use std::borrow::Cow;
use std::path::PathBuf;

use join_core::page::DataType;
use join_core::table::{ColumnBuilder, NamedColumn, Value};

use crate::selection::{Selected, listed, select};
use crate::{CsvOptions, Decimals, Error, Options, Progress, exact, names};
use file::CsvFile;
use guess::Guess;

/// Reads the files one after the other.
pub fn read(
    files: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<NamedColumn>, Error> {
    check(&options.csv)?;
    let first = CsvFile::open(&files[0], &options.csv)?;
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
            Some(field) => parse(field, types[number], &column.name, options.decimals)?,
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

/// Checks that the bytes with a meaning are told apart.
fn check(options: &CsvOptions) -> Result<(), Error> {
    let delimiter = options.delimiter.unwrap_or(b',');
    for (option, byte) in [("--quote", options.quote), ("--escape", options.escape)] {
        if byte == Some(delimiter) {
            return Err(Error::Options(format!(
                "{option} and --delimiter are the same character; say another for one of them"
            )));
        }
    }
    match (options.quote, options.escape) {
        (None, Some(_)) => Err(Error::Options(
            "--escape is for what is inside of quotes, and --quote none says that there are none; leave out one of them"
                .to_owned(),
        )),
        _ => Ok(()),
    }
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
            let mut records = CsvFile::open(file, &self.options.csv)?;
            if records.names() != self.names {
                return Err(Error::file(
                    file,
                    format!(
                        "the columns {} are not those of {}; give all files the same, or import them into two tables",
                        listed(records.names()),
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
fn parse<'a>(
    field: &'a str,
    data_type: DataType,
    column: &str,
    decimals: Decimals,
) -> Result<Value<'a>, String> {
    let column = || names::argument([column]);
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let beyond = |wider: &str| {
        format!(
            "{field:?} is beyond {data_type}; say for instance --types {}={wider}",
            column()
        )
    };
    let wrong = || {
        format!(
            "{field:?} is no {data_type}; correct it, say --types {}=VARCHAR, or name it with --null if it means NULL",
            column()
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
            Ok(number) if !field.contains(|c: char| c.is_ascii_digit()) => Ok(Value::Fp64(number)),
            Ok(number) if number.is_infinite() => Err(beyond("VARCHAR")),
            Ok(number)
                if decimals == Decimals::Rounded
                    || is_integer && field.parse().is_ok_and(exact::has_integer)
                    || exact::gives_back(field, number) =>
            {
                Ok(Value::Fp64(number))
            }
            Ok(_) => Err(format!(
                "{field:?} has more digits than FP64; say --types {}=VARCHAR, or --decimals rounded for the nearest FP64",
                column()
            )),
            Err(_) => Err(wrong()),
        },
        DataType::Varchar => Ok(Value::Varchar(Cow::Borrowed(field.as_bytes()))),
    }
}
