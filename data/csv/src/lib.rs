//! The records of CSV files, one after the other. A reader of our own, because libraries take text behind a closing quote
//! as if nothing were wrong, do not tell an empty line from none, and do not tell whether an empty field was in quotes.

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
    /// Whether, as PostgreSQL's COPY writes them, quotes are around whole fields only, and outside of them a carriage return
    /// is part of a line end or an error. Without, a quote within a field is a character, and a carriage return ends a
    /// line.
    pub strict: bool,
}

/// Reads records.
pub struct Records<R> {
    input: R,
    format: Format,
    /// The most bytes of a record.
    most: usize,
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
    fields: Vec<Field>,
    /// The line that it begins on.
    pub line: u64,
    /// Whether there is nothing on its line.
    pub blank: bool,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    end: usize,
    quoted: bool,
}

/// What cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// The bytes cannot be had.
    Io(io::Error),
    /// A quote is opened in the record and never closed.
    OpenQuote,
    /// Something other than the end of the field follows a closing quote, or (strict) stands before an opening one.
    BesideQuote {
        /// The line.
        line: u64,
        /// The field, from 0.
        field: usize,
    },
    /// A carriage return ends no line (strict).
    StrayReturn,
    /// The record has more bytes than it may have.
    TooLong,
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
    /// Behind a carriage return that a line feed must follow.
    Return,
}

impl Record {
    /// The number of fields.
    #[expect(clippy::len_without_is_empty, reason = "a record has a field")]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field.
    pub fn field(&self, number: usize) -> &[u8] {
        let before = number.checked_sub(1).map(|before| self.fields[before]);
        &self.bytes[before.map_or(0, |before| before.end)..self.fields[number].end]
    }

    /// Whether a field was in quotes.
    pub fn is_quoted(&self, number: usize) -> bool {
        self.fields[number].quoted
    }

    fn end_field(&mut self, quoted: &mut bool) {
        let end = self.bytes.len();
        let quoted = std::mem::take(quoted);
        self.fields.push(Field { end, quoted });
    }

    fn memory(&self) -> usize {
        self.bytes.len() + size_of_val(&self.fields[..])
    }
}

impl<R: BufRead> Records<R> {
    /// The records of `input`, each of about `most` bytes at the most.
    pub fn new(input: R, format: Format, most: usize) -> Records<R> {
        Records {
            input,
            format,
            most,
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
    ///
    /// # Errors
    /// If the system refuses.
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
        record.fields.clear();
        let Format {
            delimiter,
            quote,
            escape,
            strict,
        } = self.format;
        let own_escape = escape.filter(|_| escape != quote);
        let (mut state, mut begun, mut quoted) = (State::Begin, false, false);
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
                    State::Return => return Err(Fault::StrayReturn),
                    _ if !begun => return Ok(false),
                    _ => record.end_field(&mut quoted),
                }
                return Ok(true);
            }
            if record.memory() > self.most {
                return Err(Fault::TooLong);
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
                    State::Return if byte != b'\n' => return Err(Fault::StrayReturn),
                    _ if strict && byte == b'\r' => state = State::Return,
                    _ if ends_line => {
                        record.end_field(&mut quoted);
                        ended = true;
                        break;
                    }
                    _ if byte == delimiter => {
                        record.end_field(&mut quoted);
                        state = State::Begin;
                    }
                    State::Begin if Some(byte) == quote => (state, quoted) = (State::Quoted, true),
                    State::Begin | State::Plain if !(strict && Some(byte) == quote) => {
                        record.bytes.push(byte);
                        let rest = &buffer[used..];
                        let ends = |byte: &u8| {
                            *byte == delimiter
                                || matches!(byte, b'\n' | b'\r')
                                || strict && Some(*byte) == quote
                        };
                        let plain = rest.iter().position(ends).unwrap_or(rest.len());
                        record.bytes.extend_from_slice(&rest[..plain]);
                        used += plain;
                        state = State::Plain;
                    }
                    _ => {
                        return Err(Fault::BesideQuote {
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
        strict: false,
    };
    const BACKSLASH: Format = Format {
        escape: Some(b'\\'),
        ..DOUBLED
    };
    const STRICT: Format = Format {
        strict: true,
        ..DOUBLED
    };
    const COPY: Format = Format {
        strict: true,
        ..BACKSLASH
    };

    type Rows = Vec<(u64, Vec<Vec<u8>>)>;

    fn rows(text: &[u8], format: Format, buffer: usize) -> Result<Rows, Fault> {
        let mut records = Records::new(io::BufReader::with_capacity(buffer, text), format, 1 << 20);
        let (mut record, mut rows) = (Record::default(), Vec::new());
        while records.read(&mut record)? {
            let fields = (0..record.len()).map(|number| {
                let field = record.field(number);
                assert!(record.is_quoted(number) || !field.contains(&format.delimiter));
                field.to_vec()
            });
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
            let Fault::BesideQuote { line: l, field: f } = fault else {
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

    #[test]
    fn a_strict_format_has_quotes_around_whole_fields_and_no_stray_returns() {
        for (text, format, line, field) in [
            ("a\n\"b\"c\n", COPY, 2, 0),
            ("a\nx,b\"c\"\n", COPY, 2, 1),
            ("\"say \"\"hi\"\"\"\n", COPY, 1, 0),
            ("\"\n\nsay \\\"hi\\\"\"\n", STRICT, 3, 0),
            ("\"a\" ,b\n", COPY, 1, 0),
            (" \"a\",b\n", STRICT, 1, 0),
        ] {
            for buffer in [1, 8] {
                let fault = rows(text.as_bytes(), format, buffer).unwrap_err();
                let Fault::BesideQuote { line: l, field: f } = fault else {
                    panic!("{text:?}: {fault:?}");
                };
                assert_eq!((l, f), (line, field), "{text:?}");
            }
        }
        for text in ["a,b\rc,d\r", "a\n\"b\"\r\r\n", "a\nb\r"] {
            let fault = rows(text.as_bytes(), COPY, 3).unwrap_err();
            assert!(matches!(fault, Fault::StrayReturn), "{text:?}");
        }
        assert_eq!(one("\"c\r\",\"\r\n\"\r\n", COPY), ["c\r", "\r\n"]);
        assert_eq!(one(r"a\b,\", COPY), [r"a\b", r"\"]);
    }

    #[test]
    fn quotes_tell_the_empty_field_from_none() {
        let mut records = Records::new(&b"1,,\"\",\"a\"\n\n"[..], COPY, 1 << 20);
        let mut record = Record::default();
        let mut quoted = Vec::new();
        while records.read(&mut record).unwrap() {
            quoted.extend((0..record.len()).map(|number| record.is_quoted(number)));
        }
        assert_eq!(quoted, [false, false, true, true, false]);
    }

    #[test]
    fn a_record_is_no_longer_than_it_may_be() {
        for text in [&b"\"a"[..], b"a", b","] {
            let endless = io::Read::chain(text, io::repeat(text[text.len() - 1]));
            let mut records = Records::new(io::BufReader::new(endless), COPY, 1 << 20);
            let fault = records.read(&mut Record::default()).unwrap_err();
            assert!(matches!(fault, Fault::TooLong), "{fault:?}");
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
            format in prop::sample::select(vec![DOUBLED, BACKSLASH, STRICT, COPY]),
            end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        ) {
            // Where the format is strict, this ends no line.
            let end = if format.strict && end == "\r" { "\n" } else { end };
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
