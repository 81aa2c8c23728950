//! Records of CSV files as PostgreSQL's COPY writes them with an escape character.
//!
//! Own code, because libraries do not tell whether an empty field was quoted, which is what tells text without characters
//! from NULL.

use std::io::{self, BufRead};

/// Bytes of a record at most: what a quote that is never closed would take of the memory.
const RECORD_BYTES: usize = 256 << 20;

/// Reads records.
pub(crate) struct Records<R> {
    input: R,
    escape: u8,
    /// The line that is being read, from 1.
    line: u64,
    /// Bytes of a record at most.
    most: usize,
}

/// The fields of a record.
#[derive(Default)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    /// The line that it begins on.
    pub line: u64,
}

#[derive(Clone, Copy)]
struct Field {
    end: usize,
    quoted: bool,
}

/// What cannot be read.
#[derive(Debug)]
pub(crate) enum RecordError {
    Io(io::Error),
    /// The line, and what is wrong with it.
    Malformed(u64, &'static str),
}

const QUOTE: u8 = b'"';

const OPEN_QUOTE: &str = "a quote is not closed; if quotes are doubled there, say --escape '\"'";
const STRAY_QUOTE: &str = "there is text beside quotes, which must be around all of a field; quotes inside of it stand behind \
     a backslash, or if they are doubled there, say --escape '\"'";
const STRAY_RETURN: &str = "a carriage return without a line feed; put the field into quotes, or end all lines with line feeds";
const TOO_LONG: &str = "a record of more than 256 MiB; look for a quote that is not closed";

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first character of a field.
    Begin,
    Plain,
    Quoted,
    /// After an escape character in quotes.
    Escaped,
    /// After the closing quote.
    Closed,
    /// After a carriage return outside of quotes.
    Return,
}

impl Record {
    /// The number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field; `None` if it is NULL, which is empty and not quoted.
    pub fn field(&self, number: usize) -> Option<&[u8]> {
        let begin = number
            .checked_sub(1)
            .map_or(0, |last| self.fields[last].end);
        let Field { end, quoted } = self.fields[number];
        (quoted || begin < end).then(|| &self.bytes[begin..end])
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
    pub fn new(input: R, escape: u8) -> Records<R> {
        Records {
            input,
            escape,
            line: 1,
            most: RECORD_BYTES,
        }
    }

    /// Reads the next record; false at the end.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, RecordError> {
        record.bytes.clear();
        record.fields.clear();
        record.line = self.line;
        let (mut state, mut quoted, mut begun) = (State::Begin, false, false);
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RecordError::Io(error)),
            };
            if buffer.is_empty() {
                let closed = state == State::Escaped && self.escape == QUOTE;
                return match state {
                    State::Quoted | State::Escaped if !closed => {
                        Err(RecordError::Malformed(record.line, OPEN_QUOTE))
                    }
                    State::Return => Err(RecordError::Malformed(self.line, STRAY_RETURN)),
                    _ if !begun => Ok(false),
                    _ => {
                        record.end_field(&mut quoted);
                        Ok(true)
                    }
                };
            }
            if record.memory() > self.most {
                return Err(RecordError::Malformed(record.line, TOO_LONG));
            }
            begun = true;
            let mut used = 0;
            let mut ended = false;
            while let Some(&byte) = buffer.get(used) {
                used += 1;
                match state {
                    State::Quoted => match byte {
                        // An escape character that is the quote itself stands before another one, or ends the field.
                        _ if byte == self.escape => state = State::Escaped,
                        QUOTE => state = State::Closed,
                        _ => record.bytes.push(byte),
                    },
                    State::Escaped if byte == QUOTE || byte == self.escape => {
                        record.bytes.push(byte);
                        state = State::Quoted;
                    }
                    State::Escaped if self.escape != QUOTE => {
                        record.bytes.extend([self.escape, byte]);
                        state = State::Quoted;
                    }
                    State::Return if byte != b'\n' => {
                        return Err(RecordError::Malformed(self.line, STRAY_RETURN));
                    }
                    State::Begin if byte == QUOTE => (state, quoted) = (State::Quoted, true),
                    _ => match byte {
                        b',' => {
                            record.end_field(&mut quoted);
                            state = State::Begin;
                        }
                        b'\n' => {
                            record.end_field(&mut quoted);
                            ended = true;
                        }
                        b'\r' => state = State::Return,
                        QUOTE => return Err(RecordError::Malformed(self.line, STRAY_QUOTE)),
                        _ if quoted => return Err(RecordError::Malformed(self.line, STRAY_QUOTE)),
                        _ => {
                            record.bytes.push(byte);
                            state = State::Plain;
                        }
                    },
                }
                if byte == b'\n' {
                    self.line += 1;
                }
                if ended {
                    break;
                }
            }
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

    type Row = Vec<Option<Vec<u8>>>;

    fn rows(text: &[u8], escape: u8, buffer: usize) -> Result<Vec<(u64, Row)>, RecordError> {
        let mut records = Records::new(io::BufReader::with_capacity(buffer, text), escape);
        let (mut record, mut rows) = (Record::default(), Vec::new());
        while records.read(&mut record)? {
            let fields = (0..record.len()).map(|number| record.field(number).map(<[u8]>::to_vec));
            rows.push((record.line, fields.collect()));
        }
        Ok(rows)
    }

    fn one(text: &str) -> Vec<Option<String>> {
        let rows = rows(text.as_bytes(), b'\\', 8).unwrap();
        assert_eq!(rows.len(), 1, "{text:?}");
        let text = |field: &Option<Vec<u8>>| {
            let field = field.clone();
            field.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        rows[0].1.iter().map(text).collect()
    }

    #[test]
    fn fields_are_those_that_copy_wrote() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(one("1,,\"\",a\n"), [some("1"), None, some(""), some("a")]);
        assert_eq!(one("\"a,b\nc\""), [some("a,b\nc")]);
        assert_eq!(one(r#""say \"hi\" \\ \n""#), [some(r#"say "hi" \ \n"#)]);
        assert_eq!(one(r"a\b,\"), [some(r"a\b"), some(r"\")]);
        assert_eq!(one("a\r\n"), [some("a")]);
        assert_eq!(one("\"c\r\",\"\r\n\"\r\n"), [some("c\r"), some("\r\n")]);
        assert_eq!(one("\0,\"\0\""), [some("\0"), some("\0")]);
        assert_eq!(one(",\n"), [None, None]);
        assert_eq!(one("\n"), [None]);
        // Without an escape character of its own, a quote is doubled.
        let doubled = rows(b"\"a\"\"b\",\"\"\"\",\"\"\n", b'"', 8).unwrap();
        let expected = [b"a\"b".to_vec(), b"\"".to_vec(), Vec::new()].map(Some);
        assert_eq!(doubled[0].1, expected);
        // The last line need not end.
        for (text, escape) in [("1,\"a\"", b'"'), ("1,\"a\"", b'\\'), ("1,a", b'\\')] {
            let rows = rows(text.as_bytes(), escape, 8).unwrap();
            assert_eq!(rows[0].1, [b"1", b"a"].map(|text| Some(text.to_vec())));
        }
    }

    #[test]
    fn an_empty_line_is_a_row_of_one_field() {
        let fields = |text: &str| -> Vec<Row> {
            let rows = rows(text.as_bytes(), b'\\', 8).unwrap();
            rows.into_iter().map(|row| row.1).collect()
        };
        let one = Some(b"1".to_vec());
        assert_eq!(fields("1\n\n1\n"), [[one.clone()], [None], [one.clone()]]);
        assert_eq!(fields("\r\n1\r\n\r\n"), [[None], [one.clone()], [None]]);
        assert_eq!(fields("\n1"), [[None], [one]]);
    }

    #[test]
    fn what_does_not_fit_together_is_malformed() {
        for (text, escape, line, what) in [
            ("a\n\"b\"c\n", b'\\', 2, STRAY_QUOTE),
            ("a\nb\"c\"\n", b'\\', 2, STRAY_QUOTE),
            ("\"say \"\"hi\"\"\"\n", b'\\', 1, STRAY_QUOTE),
            ("\"\n\nsay \\\"hi\\\"\"\n", b'"', 3, STRAY_QUOTE),
            ("\"a\" ,b\n", b'\\', 1, STRAY_QUOTE),
            (" \"a\",b\n", b'"', 1, STRAY_QUOTE),
            ("a,b\rc,d\r", b'\\', 1, STRAY_RETURN),
            ("a\n\"b\"\r\r\n", b'\\', 2, STRAY_RETURN),
            ("a\nb\r", b'\\', 2, STRAY_RETURN),
            ("a\n\"b", b'\\', 2, OPEN_QUOTE),
            ("a\n\"b\\", b'\\', 2, OPEN_QUOTE),
            ("a\n\"\n\n", b'\\', 2, OPEN_QUOTE),
            ("a\n\"b\"\"", b'"', 2, OPEN_QUOTE),
        ] {
            for buffer in [1, 8] {
                let RecordError::Malformed(at, said) =
                    rows(text.as_bytes(), escape, buffer).unwrap_err()
                else {
                    panic!("{text:?}")
                };
                assert_eq!((at, said), (line, what), "{text:?}");
            }
        }
    }

    #[test]
    fn a_record_is_no_longer_than_memory_allows() {
        for text in [&b"\"a"[..], b"a", b","] {
            let endless = io::Read::chain(text, io::repeat(text[text.len() - 1]));
            let mut records = Records::new(io::BufReader::new(endless), b'\\');
            records.most = 1 << 20;
            let error = records.read(&mut Record::default()).unwrap_err();
            assert!(matches!(error, RecordError::Malformed(1, TOO_LONG)));
        }
    }

    #[test]
    fn records_know_their_lines() {
        let rows = rows(b"a\n\"b\n\nc\"\nd\n", b'\\', 8).unwrap();
        let lines: Vec<u64> = rows.iter().map(|row| row.0).collect();
        assert_eq!(lines, [1, 2, 5]);
        assert!(super::tests::rows(b"", b'\\', 8).unwrap().is_empty());
    }

    fn field() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[ab\"\\\\,\n\r]{0,5}")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec(field(), 3), 0..5),
            buffer in 1_usize..9,
            escape in prop::sample::select(vec![b'\\', b'"']),
        ) {
            let mut text = String::new();
            for row in &table {
                let fields: Vec<String> = row.iter().map(|field| match field {
                    None => String::new(),
                    Some(field) => {
                        let mut quoted = String::from("\"");
                        for c in field.chars() {
                            if c == '"' || c == char::from(escape) {
                                quoted.push(char::from(escape));
                            }
                            quoted.push(c);
                        }
                        quoted + "\""
                    }
                }).collect();
                text += &(fields.join(",") + "\n");
            }
            let read = rows(text.as_bytes(), escape, buffer).unwrap();
            let read: Vec<Row> = read.into_iter().map(|row| row.1).collect();
            let expected: Vec<Row> = table.iter().map(|row| {
                row.iter().map(|field| field.clone().map(String::into_bytes)).collect()
            }).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
