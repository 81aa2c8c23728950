//! The records of one CSV file, each checked for its number of fields and for UTF-8.

use std::fs::File;
use std::io::{BufReader, Chain, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::error::one_line;
use crate::{CsvOptions, Error};

/// What is read behind the end of each file: a record of our own. Where it does not arrive as one, a quote was left open
/// and has swallowed it, which the parser would not tell.
const END: &[u8] = b"\n0\n";

/// The records of a file, one at a time.
pub struct Records {
    file: PathBuf,
    reader: Reader<Chain<File, &'static [u8]>>,
    record: ByteRecord,
    names: Vec<String>,
    /// Whether `record`, the first one, is still to be handed out, because there is no header.
    ahead: bool,
    /// Bytes of the file.
    size: u64,
}

impl Records {
    /// Opens a file and reads its header.
    pub fn open(path: &Path, options: &CsvOptions) -> Result<Records, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        let tabs = path.extension().is_some_and(|extension| extension == "tsv");
        let delimiter = options.delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .quoting(options.quote.is_some())
            .quote(options.quote.unwrap_or(b'"'))
            .buffer_capacity(1 << 18)
            .from_reader(file.chain(END));
        let mut records = Records {
            file: path.to_owned(),
            reader,
            record: ByteRecord::new(),
            names: Vec::new(),
            ahead: false,
            size,
        };
        if !records.advance()? {
            return Err(Error::file(
                path,
                "the file is empty; a CSV file begins with the names of its columns",
            ));
        }
        for index in 0..records.record.len() {
            let name = records.field(index)?;
            let name = match options.header && !name.is_empty() {
                true => name.to_owned(),
                false => format!("column{}", index + 1),
            };
            records.names.push(name);
        }
        records.ahead = !options.header;
        Ok(records)
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Bytes read so far.
    pub fn byte(&self) -> u64 {
        self.reader.position().byte().min(self.size)
    }

    /// Goes to the next record; false where there is none.
    pub fn next(&mut self) -> Result<bool, Error> {
        if std::mem::take(&mut self.ahead) {
            return Ok(true);
        }
        if !self.advance()? {
            return Ok(false);
        }
        let (found, expected) = (self.record.len(), self.names.len());
        if found != expected {
            return Err(self.error(
                None,
                format!(
                    "{found} fields, but the first record has {expected}; mend the line, or check --delimiter and --quote"
                ),
            ));
        }
        Ok(true)
    }

    /// A field of the record at hand.
    pub fn field(&self, index: usize) -> Result<&str, Error> {
        std::str::from_utf8(&self.record[index]).map_err(|error| {
            let what = format!(
                "invalid UTF-8 at byte {} of the field; convert the file to UTF-8",
                error.valid_up_to()
            );
            self.error(Some(index), what)
        })
    }

    /// An error at the record at hand, in column `index` if it is one column's fault.
    pub fn error(&self, index: Option<usize>, what: impl ToString) -> Error {
        Error::Line {
            file: self.file.clone(),
            line: self.line(),
            column: index.and_then(|index| self.names.get(index).cloned()),
            what: one_line(what),
        }
    }

    /// The line on which the record at hand begins, from 1. Counted afresh, because the parser's own count is behind where
    /// lines end in CR LF or are empty.
    fn line(&self) -> u64 {
        let begin = self.record.position().map_or(0, |position| position.byte());
        let Ok(file) = File::open(&self.file) else {
            return 0;
        };
        let (mut line, mut after_cr) = (1, false);
        for (at, byte) in BufReader::new(file)
            .bytes()
            .map_while(Result::ok)
            .enumerate()
        {
            let ends_line = matches!(byte, b'\n' | b'\r');
            if at as u64 >= begin && !ends_line {
                break;
            }
            line += u64::from(ends_line && !(byte == b'\n' && after_cr));
            after_cr = byte == b'\r';
        }
        line
    }

    fn advance(&mut self) -> Result<bool, Error> {
        let more = self.reader.read_byte_record(&mut self.record);
        if !more.map_err(|error| Error::file(&self.file, error))? {
            return Ok(false);
        }
        if self.reader.position().byte() < self.size + END.len() as u64 {
            return Ok(true);
        }
        if self.record.len() == 1 && &self.record[0] == b"0" {
            return Ok(false);
        }
        Err(self.error(
            None,
            "a quote is opened and never closed; close it, or say --quote none if quotes mean nothing in this file",
        ))
    }
}
