//! One CSV file: its columns, and its records, each checked for its number of fields and for UTF-8.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use csv_records::{Fault, Format, Record, Records};

use crate::error::one_line;
use crate::{CsvOptions, Error};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// The records of a file, one at a time.
pub struct CsvFile {
    path: PathBuf,
    records: Records<BufReader<File>>,
    record: Record,
    names: Vec<String>,
    /// The empty lines before the first record that are still to be handed out: records where the file has one column and
    /// no header.
    blanks: u64,
    /// Whether such a line is the record at hand.
    at_blank: bool,
    /// Whether `record`, the first one, is still to be handed out, because there is no header.
    ahead: bool,
}

impl CsvFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// If it cannot be read, or is empty.
    pub fn open(path: &Path, options: &CsvOptions) -> Result<CsvFile, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let tabs = path.extension().is_some_and(|extension| extension == "tsv");
        let format = Format {
            delimiter: options.delimiter.unwrap_or(if tabs { b'\t' } else { b',' }),
            quote: options.quote,
            escape: options.escape.or(options.quote),
            strict: false,
        };
        let records = Records::new(BufReader::with_capacity(BUFFER, file), format, usize::MAX);
        let mut file = CsvFile {
            path: path.to_owned(),
            records,
            record: Record::default(),
            names: Vec::new(),
            blanks: 0,
            at_blank: false,
            ahead: false,
        };
        file.records.skip_mark().map_err(Error::io("read", path))?;
        while file.advance()? && file.record.blank {
            file.blanks += 1;
        }
        if file.record.len() == 0 {
            return Err(Error::file(
                path,
                "the file is empty; a CSV file begins with the names of its columns",
            ));
        }
        file.names = file.find_names(options.header)?;
        file.ahead = !options.header;
        if options.header || file.names.len() > 1 {
            file.blanks = 0;
        }
        Ok(file)
    }

    /// The names in the record at hand. A column without one gets one that no other column has.
    fn find_names(&self, header: bool) -> Result<Vec<String>, Error> {
        let fields = 0..self.record.len();
        let mut names: Vec<String> = match header {
            true => fields
                .map(|index| self.field(index).map(str::to_owned))
                .collect::<Result<_, _>>()?,
            false => fields.map(|_| String::new()).collect(),
        };
        let mut taken: HashSet<String> = names.iter().cloned().collect();
        for (number, name) in (1..).zip(&mut names) {
            if name.is_empty() {
                *name = format!("column{number}");
                while !taken.insert(name.clone()) {
                    name.push('_');
                }
            }
        }
        Ok(names)
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Bytes read so far.
    pub fn byte(&self) -> u64 {
        self.records.byte()
    }

    /// Goes to the next record; false where there is none.
    ///
    /// # Errors
    /// If the file breaks the format or cannot be read.
    pub fn next(&mut self) -> Result<bool, Error> {
        self.at_blank = self.blanks > 0;
        if self.at_blank {
            self.blanks -= 1;
            return Ok(true);
        }
        if !std::mem::take(&mut self.ahead) && !self.advance_past_blanks()? {
            return Ok(false);
        }
        let (found, expected) = (self.record.len(), self.names.len());
        if found != expected {
            return Err(self.error(
                None,
                format!(
                    "{found} fields, but the first record has {expected}; correct the line, or check --delimiter and --quote"
                ),
            ));
        }
        Ok(true)
    }

    /// A field of the record at hand.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn field(&self, index: usize) -> Result<&str, Error> {
        if self.at_blank {
            return Ok("");
        }
        std::str::from_utf8(self.record.field(index)).map_err(|error| {
            let what = format!(
                "invalid UTF-8 at byte {} of the field; convert the file to UTF-8",
                error.valid_up_to()
            );
            self.error(Some(index), what)
        })
    }

    /// An error at the record at hand, in column `index` if it is one column's fault.
    pub fn error(&self, index: Option<usize>, what: impl ToString) -> Error {
        self.at(self.record.line, index, what)
    }

    fn at(&self, line: u64, index: Option<usize>, what: impl ToString) -> Error {
        Error::Line {
            file: self.path.clone(),
            line,
            column: index.and_then(|index| self.names.get(index).cloned()),
            what: one_line(what),
        }
    }

    /// Goes to the next record that is one: an empty line is only where there is one column, whose field is empty then.
    fn advance_past_blanks(&mut self) -> Result<bool, Error> {
        while self.advance()? {
            if !self.record.blank || self.names.len() == 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn advance(&mut self) -> Result<bool, Error> {
        self.records.read(&mut self.record).map_err(|fault| match fault {
            Fault::Io(error) => Error::io("read", &self.path)(error),
            Fault::OpenQuote => self.at(
                self.record.line,
                None,
                "a quote is opened and never closed; close it, or say --quote none if quotes mean nothing in this file",
            ),
            Fault::BesideQuote { line, field } => self.at(
                line,
                Some(field),
                "something follows a closing quote; a quote inside of quotes is doubled, or has before it what --escape says",
            ),
            Fault::StrayReturn | Fault::TooLong => {
                unreachable!("the format is not strict, and a record may have any length")
            }
        })
    }
}
