//! The records of one CSV file. A reader of our own, because libraries take text behind a closing quote as if nothing were
//! wrong, and do not tell an empty line from none.

use std::io::{self, BufRead};

/// How records are written.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The byte between fields.
    pub delimiter: u8,
    /// The byte around fields, if any.
    pub quote: Option<u8>,
    /// What stands before a quote, or before itself, inside of quotes; the quote itself where it is doubled.
    pub escape: Option<u8>,
}

/// Reads records.
pub struct Records<R> {
    input: R,
    format: Format,
    /// The line that is being read, from 1.
    line: u64,
    /// Bytes that were read.
    byte: u64,
    /// Whether the last byte was a carriage return, of which a line feed is a part.
    after_return: bool,
}

/// The fields of a record.
#[derive(Debug, Default)]
pub struct Record {
    bytes: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
    /// The line that it begins on.
    pub line: u64,
    /// Whether there is nothing on its line.
    pub blank: bool,
}

/// What cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// The bytes cannot be had.
    Io(io::Error),
    /// A quote is opened in the record and never closed.
    OpenQuote,
    /// Something other than the end of the field follows a closing quote, on this line and in this field, from 0.
    BehindQuote { line: u64, field: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a field.
    Begin,
    Plain,
    Quoted,
    /// Behind an escape character in quotes, or behind a quote that may be one.
    Escaped,
    /// Behind a closing quote.
    Closed,
}

impl Record {
    /// The number of fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field.
    pub fn field(&self, number: usize) -> &[u8] {
        let begin = number.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.bytes[begin..self.ends[number]]
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

impl<R: BufRead> Records<R> {
    pub fn new(input: R, format: Format) -> Records<R> {
        Records {
            input,
            format,
            line: 1,
            byte: 0,
            after_return: false,
        }
    }

    /// Bytes that were read.
    pub fn byte(&self) -> u64 {
        self.byte
    }

    /// Passes over a byte order mark.
    pub fn skip_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.input.fill_buf()?.starts_with(MARK) {
            self.input.consume(MARK.len());
            self.byte = MARK.len() as u64;
        }
        Ok(())
    }

    /// Reads the next record, which is blank where its line is empty; false at the end.
    ///
    /// # Errors
    /// If the system refuses, or quotes are not where they may be.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, Fault> {
        record.bytes.clear();
        record.ends.clear();
        let Format {
            delimiter,
            quote,
            escape,
        } = self.format;
        let own_escape = escape.filter(|_| escape != quote);
        let (mut state, mut begun) = (State::Begin, false);
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Io(error)),
            };
            if buffer.is_empty() {
                match state {
                    State::Quoted => return Err(Fault::OpenQuote),
                    State::Escaped if own_escape.is_some() => return Err(Fault::OpenQuote),
                    _ if !begun => return Ok(false),
                    _ => record.end_field(),
                }
                return Ok(true);
            }
            let mut used = 0;
            let mut ended = false;
            while let Some(&byte) = buffer.get(used) {
                used += 1;
                let ends_line = matches!(byte, b'\n' | b'\r');
                if ends_line {
                    let continues = byte == b'\n' && self.after_return;
                    self.after_return = byte == b'\r';
                    if continues && !begun {
                        continue;
                    }
                    self.line += u64::from(!continues);
                } else {
                    self.after_return = false;
                }
                if !begun {
                    begun = true;
                    record.blank = ends_line;
                    record.line = self.line - u64::from(ends_line);
                }
                if state == State::Escaped && own_escape.is_none() && Some(byte) != quote {
                    state = State::Closed;
                }
                match state {
                    State::Quoted if Some(byte) == own_escape => state = State::Escaped,
                    State::Quoted if Some(byte) == quote => {
                        state = match own_escape {
                            Some(_) => State::Closed,
                            None => State::Escaped,
                        };
                    }
                    State::Quoted => {
                        record.bytes.push(byte);
                        let rest = &buffer[used..];
                        let special = |byte: &u8| {
                            Some(*byte) == quote
                                || Some(*byte) == own_escape
                                || matches!(byte, b'\n' | b'\r')
                        };
                        let plain = rest.iter().position(special).unwrap_or(rest.len());
                        record.bytes.extend_from_slice(&rest[..plain]);
                        used += plain;
                        self.after_return &= plain == 0;
                    }
                    State::Escaped => {
                        // Before anything else, an escape character stands for itself.
                        if Some(byte) != quote && Some(byte) != own_escape {
                            record.bytes.extend(own_escape);
                        }
                        record.bytes.push(byte);
                        state = State::Quoted;
                    }
                    _ if ends_line => {
                        record.end_field();
                        ended = true;
                        break;
                    }
                    _ if byte == delimiter => {
                        record.end_field();
                        state = State::Begin;
                    }
                    State::Begin if Some(byte) == quote => state = State::Quoted,
                    State::Begin | State::Plain => {
                        record.bytes.push(byte);
                        let rest = &buffer[used..];
                        let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r');
                        let plain = rest.iter().position(ends).unwrap_or(rest.len());
                        record.bytes.extend_from_slice(&rest[..plain]);
                        used += plain;
                        state = State::Plain;
                    }
                    State::Closed => {
                        return Err(Fault::BehindQuote {
                            line: self.line,
                            field: record.len(),
                        });
                    }
                }
            }
            self.byte += used as u64;
            self.input.consume(used);
            if ended {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOUBLED: Format = Format {
        delimiter: b',',
        quote: Some(b'"'),
        escape: Some(b'"'),
    };
    const BACKSLASH: Format = Format {
        escape: Some(b'\\'),
        ..DOUBLED
    };

    type Rows = Vec<(u64, Vec<Vec<u8>>)>;

    fn rows(text: &[u8], format: Format, buffer: usize) -> Result<Rows, Fault> {
        let mut records = Records::new(io::BufReader::with_capacity(buffer, text), format);
        let (mut record, mut rows) = (Record::default(), Vec::new());
        while records.read(&mut record)? {
            let fields = (0..record.len()).map(|number| record.field(number).to_vec());
            rows.push((record.line, fields.collect()));
            assert!(!record.blank || record.len() == 1 && record.field(0).is_empty());
        }
        assert_eq!(records.byte(), text.len() as u64);
        Ok(rows)
    }

    fn read(text: &str, format: Format) -> Vec<(u64, Vec<String>)> {
        let rows = rows(text.as_bytes(), format, 3).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        rows.into_iter()
            .map(|(line, fields)| (line, fields.into_iter().map(text).collect()))
            .collect()
    }

    fn one(text: &str, format: Format) -> Vec<String> {
        let mut rows = read(text, format);
        assert_eq!(rows.len(), 1, "{text:?}");
        rows.remove(0).1
    }

    #[test]
    fn quotes_mean_what_the_format_says() {
        assert_eq!(one("a,,\"b,\"\"c\n\"\n", DOUBLED), ["a", "", "b,\"c\n"]);
        assert_eq!(one("\"\"\"\",\"\",\\", DOUBLED), ["\"", "", "\\"]);
        assert_eq!(one("5\" pipe, \"x\"", DOUBLED), ["5\" pipe", " \"x\""]);
        assert_eq!(
            one(r#""a\"b\\c\n",\"x"#, BACKSLASH),
            ["a\"b\\c\\n", "\\\"x"]
        );
        let none = Format {
            quote: None,
            escape: None,
            ..DOUBLED
        };
        assert_eq!(one("\"a,b\"\"\n", none), ["\"a", "b\"\""]);
    }

    #[test]
    fn records_know_their_lines() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["a", "\"b", "", "c\"", "", "d", ""].join(end);
            let rows = read(&text, DOUBLED);
            let lines: Vec<u64> = rows.iter().map(|row| row.0).collect();
            assert_eq!(lines, [1, 2, 5, 6], "{text:?}");
            assert_eq!(rows[1].1, [format!("b{end}{end}c")]);
        }
        assert_eq!(read("\n\r\r\n\n", DOUBLED).len(), 4);
        assert!(read("", DOUBLED).is_empty());
    }

    #[test]
    fn quotes_that_are_misplaced_are_told() {
        for (text, format, line, field) in [
            ("a\n1,\"b\"x\n", DOUBLED, 2, 1),
            ("\"a\" ,b\n", DOUBLED, 1, 0),
            ("\"a\nb\"c", DOUBLED, 2, 0),
            ("\"say \\\"hi\\\"\"\n", DOUBLED, 1, 0),
            ("\"a\"\"b\"\n", BACKSLASH, 1, 0),
        ] {
            let fault = rows(text.as_bytes(), format, 4).unwrap_err();
            let Fault::BehindQuote { line: l, field: f } = fault else {
                panic!("{fault:?}");
            };
            assert_eq!((l, f), (line, field), "{text:?}");
        }
        for (text, format) in [
            ("a\n\"b", DOUBLED),
            ("\"b\"\"", DOUBLED),
            ("\"b\\\"", BACKSLASH),
            ("\"b\\", BACKSLASH),
        ] {
            let fault = rows(text.as_bytes(), format, 4).unwrap_err();
            assert!(matches!(fault, Fault::OpenQuote), "{text:?}");
        }
    }

    /// A field in quotes, or as it is where that says the same.
    fn written(field: &str, format: Format, quoted: bool) -> String {
        let special = field.contains(['"', ',', '\n', '\r']) || !quoted && field.is_empty();
        if !special && !quoted {
            return field.to_owned();
        }
        let mut text = String::from("\"");
        for c in field.chars() {
            if format.escape == Some(c as u8) || c == '"' {
                text.push(format.escape.unwrap_or(b'"').into());
            }
            text.push(c);
        }
        text + "\""
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec(("[ab\"\\\\,\n\r]{0,5}", any::<bool>()), 1..4), 0..6),
            buffer in 1_usize..9,
            format in prop::sample::select(vec![DOUBLED, BACKSLASH]),
            end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        ) {
            let mut text = String::new();
            for row in &table {
                let fields: Vec<String> = row.iter().map(|(field, quoted)| written(field, format, *quoted)).collect();
                text += &(fields.join(",") + end);
            }
            let read = rows(text.as_bytes(), format, buffer).unwrap();
            let read: Vec<_> = read.into_iter().map(|row| row.1).collect();
            let fields = |row: &Vec<(String, bool)>| row.iter().map(|(field, _)| field.clone().into_bytes()).collect();
            let expected: Vec<Vec<_>> = table.iter().map(fields).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
