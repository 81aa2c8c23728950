//! One pass over a table's CSV file, for all inputs that are made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use csv_records::{Fault, Format, Record, Records};
use join_core::page::DataType;
use join_core::table::open_file;
use plan_bundles::MakeError;
use plan_bundles::store::{Link, RowWriter, Store};

use crate::filter::Filter;
use crate::schema::{TableDef, integer};
use crate::sql::shown;

/// Rows of a batch, unless their text is long.
const BATCH_ROWS: usize = 8192;

/// Bytes of text after which a batch has no more rows.
const BATCH_BYTES: usize = 16 << 20;

/// Bytes of a record at most: what a quote that is never closed would take of the memory.
const RECORD_BYTES: usize = 256 << 20;

/// What inputs there are of a table: by filter, the columns that they read.
pub(crate) type Wanted = BTreeMap<Option<Filter>, BTreeSet<usize>>;

/// An input that was made: its rows and columns.
pub(crate) struct Kept {
    pub rows: u64,
    pub columns: BTreeMap<usize, Link>,
}

/// The rows that a filter keeps, on their way to the disk.
struct Output<'a> {
    filter: &'a Option<Filter>,
    rows: u64,
    columns: BTreeMap<usize, RowWriter>,
}

/// Reads `file` once and writes the columns of all inputs that are made of it. Returns the rows of the table, and the
/// inputs by filter.
pub(crate) fn read<'a>(
    file: &Path,
    table: &TableDef,
    escape: u8,
    wanted: &'a Wanted,
    store: &Store,
) -> Result<(u64, BTreeMap<&'a Option<Filter>, Kept>), MakeError> {
    let mut outputs = Vec::new();
    let mut needed = BTreeSet::new();
    for (filter, columns) in wanted {
        needed.extend(columns);
        if let Some(filter) = filter {
            filter.columns(&mut needed);
        }
        let writers = columns.iter().map(|&column| {
            let writer = store.begin(table.columns[column].data_type)?;
            Ok((column, writer))
        });
        outputs.push(Output {
            filter,
            rows: 0,
            columns: writers.collect::<Result<_, MakeError>>()?,
        });
    }
    let input = BufReader::with_capacity(1 << 20, open_file(file)?);
    let rows = batches(input, file, table, escape, &needed, |_, columns| {
        outputs
            .iter_mut()
            .try_for_each(|output| output.append(columns))
    })?;
    let kept = outputs.into_iter().map(|output| {
        let columns = output.columns.into_iter();
        let columns = columns.map(|(column, writer)| Ok((column, writer.end()?)));
        let kept = Kept {
            rows: output.rows,
            columns: columns.collect::<Result<_, MakeError>>()?,
        };
        Ok((output.filter, kept))
    });
    Ok((rows, kept.collect::<Result<_, MakeError>>()?))
}

/// The numbers of the rows of `csv` that a filter keeps.
pub(crate) fn kept(
    csv: &[u8],
    table: &TableDef,
    escape: u8,
    filter: &Option<Filter>,
) -> Result<Vec<u64>, MakeError> {
    let mut kept = Vec::new();
    let needed = (0..table.columns.len()).collect();
    let file = Path::new(&table.name);
    batches(csv, file, table, escape, &needed, |first, columns| {
        let rows = columns.iter().flatten().next().map_or(0, |c| c.len());
        let rows = true_of(filter, rows, columns).into_iter();
        kept.extend(rows.map(|row| first + row as u64));
        Ok(())
    })?;
    Ok(kept)
}

/// Reads `input`, that of `file`, and does `work` with each batch: the number of its first row, and the columns that are
/// needed. Returns the rows.
fn batches(
    input: impl BufRead,
    file: &Path,
    table: &TableDef,
    escape: u8,
    needed: &BTreeSet<usize>,
    mut work: impl FnMut(u64, &[Option<ArrayRef>]) -> Result<(), MakeError>,
) -> Result<u64, MakeError> {
    let format = Format {
        delimiter: b',',
        quote: Some(b'"'),
        escape: Some(escape),
        strict: true,
    };
    let mut records = Records::new(input, format, RECORD_BYTES);
    records.skip_mark().map_err(MakeError::read(file))?;
    let mut record = Record::default();
    let mut batch = Batch::new(table, needed);
    let mut rows = 0;
    loop {
        let more = records.read(&mut record);
        let more = more.map_err(|fault| refused(file, record.line, fault))?;
        if more {
            let line = record.line;
            let pushed = batch.push(&record);
            pushed.map_err(|what| MakeError::input(file, format!("line {line}{what}")))?;
            rows += 1;
        }
        if batch.is_full() || (!more && batch.rows > 0) {
            let first = rows - batch.rows as u64;
            work(first, &batch.take())?;
        }
        if !more {
            return Ok(rows);
        }
    }
}

/// What is wrong with a record that begins on `line`.
fn refused(file: &Path, line: u64, fault: Fault) -> MakeError {
    let (line, what) = match fault {
        Fault::Io(source) => return MakeError::read(file)(source),
        Fault::OpenQuote => (
            line,
            "a quote is not closed; if quotes are doubled there, say --escape '\"'",
        ),
        Fault::BesideQuote { line, .. } => (
            line,
            "there is text beside quotes, which must be around all of a field; quotes inside of it stand behind a \
             backslash, or if they are doubled there, say --escape '\"'",
        ),
        Fault::StrayReturn => (
            line,
            "a carriage return without a line feed; put the field into quotes, or end all lines with line feeds",
        ),
        Fault::TooLong => (
            line,
            "a record of more than 256 MiB; look for a quote that is not closed",
        ),
    };
    MakeError::input(file, format!("line {line}: {what}"))
}

impl Output<'_> {
    fn append(&mut self, columns: &[Option<ArrayRef>]) -> Result<(), MakeError> {
        let all = columns
            .iter()
            .flatten()
            .next()
            .map_or(0, |column| column.len());
        let kept = true_of(self.filter, all, columns);
        self.rows += kept.len() as u64;
        for (column, writer) in &mut self.columns {
            let column = columns[*column].as_ref().expect("a column that is read");
            if let Some(values) = column.as_string_opt::<i32>() {
                for &row in &kept {
                    writer.text(values.is_valid(row).then(|| values.value(row).as_bytes()))?;
                }
            } else {
                let values = column.as_primitive::<Int32Type>();
                for &row in &kept {
                    writer.int(values.is_valid(row).then(|| values.value(row)))?;
                }
            }
        }
        Ok(())
    }
}

/// The rows of a batch that a filter keeps.
fn true_of(filter: &Option<Filter>, rows: usize, columns: &[Option<ArrayRef>]) -> Vec<usize> {
    let Some(filter) = filter else {
        return (0..rows).collect();
    };
    let says = filter.evaluate(columns);
    // What is not known to be true is not kept.
    let is_true = |&row: &usize| says.is_valid(row) && says.value(row);
    (0..rows).filter(is_true).collect()
}

/// Rows that are being read.
struct Batch<'a> {
    table: &'a TableDef,
    columns: Vec<Option<Builder>>,
    rows: usize,
    bytes: usize,
}

enum Builder {
    Int32(Int32Builder),
    Varchar(StringBuilder),
}

impl<'a> Batch<'a> {
    fn new(table: &'a TableDef, needed: &BTreeSet<usize>) -> Batch<'a> {
        let columns = table.columns.iter().enumerate();
        let columns = columns.map(|(number, column)| {
            needed.contains(&number).then(|| match column.data_type {
                DataType::Int32 => Builder::Int32(Int32Builder::new()),
                _ => Builder::Varchar(StringBuilder::new()),
            })
        });
        Batch {
            table,
            columns: columns.collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Appends a record; an error goes on where the number of the line ends.
    fn push(&mut self, record: &Record) -> Result<(), String> {
        let (found, expected) = (record.len(), self.columns.len());
        if found != expected {
            return Err(format!(
                ": {found} fields, but {} has {expected} columns; compare the file with the schema",
                self.table.name
            ));
        }
        for (number, builder) in self.columns.iter_mut().enumerate() {
            let Some(builder) = builder else { continue };
            let at = |what: &str| format!(", column {:?}: {what}", self.table.columns[number].name);
            // What is empty and not in quotes is NULL.
            let field = Some(record.field(number));
            let field = field.filter(|field| record.is_quoted(number) || !field.is_empty());
            let text = field.map(std::str::from_utf8).transpose();
            let text = text.map_err(|_| at("not UTF-8; convert the file first"))?;
            match builder {
                Builder::Varchar(builder) => {
                    self.bytes += text.map_or(0, str::len);
                    builder.append_option(text);
                }
                Builder::Int32(builder) => {
                    let value = text.map(|text| integer(text).ok_or(text)).transpose();
                    let value = value.map_err(|text| {
                        let text = shown(&text);
                        at(&format!("{text:?} is not an INT32; correct it, or compare the file with the schema"))
                    })?;
                    builder.append_option(value);
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// The rows, after which there are none.
    fn take(&mut self) -> Vec<Option<ArrayRef>> {
        (self.rows, self.bytes) = (0, 0);
        let columns = self.columns.iter_mut();
        columns
            .map(|builder| {
                builder.as_mut().map(|builder| match builder {
                    Builder::Int32(builder) => Arc::new(builder.finish()) as ArrayRef,
                    Builder::Varchar(builder) => Arc::new(builder.finish()) as ArrayRef,
                })
            })
            .collect()
    }
}
