//! The compact protocol of Thrift, as far as headers need it. No size is believed: nothing is allocated, and what nests too
//! deep is refused.

use std::io::{self, Read};

/// Structs and lists within one another; those of Parquet are a handful.
const DEEPEST: usize = 32;

/// What cannot be read.
#[derive(Debug)]
pub enum ThriftError {
    /// The bytes cannot be had.
    Io(io::Error),
    /// The bytes break the protocol.
    Broken(&'static str),
}

/// What stands in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    True,
    False,
    Byte,
    Int16,
    Int32,
    Int64,
    Double,
    Binary,
    List,
    Set,
    Map,
    Struct,
}

/// Reads values one after the other.
pub struct Compact<R> {
    input: R,
    /// Bytes that were read.
    pub read: u64,
    depth: usize,
}

impl<R: Read> Compact<R> {
    pub fn new(input: R) -> Compact<R> {
        Compact {
            input,
            read: 0,
            depth: 0,
        }
    }

    fn byte(&mut self) -> Result<u8, ThriftError> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(of_io)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64, ThriftError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ThriftError::Broken("a number is too long"))
    }

    /// An integer of more than a byte.
    pub fn integer(&mut self) -> Result<i64, ThriftError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// The kind and the number of the elements of a list.
    pub fn list(&mut self) -> Result<(Kind, u64), ThriftError> {
        let byte = self.byte()?;
        let elements = match byte >> 4 {
            15 => self.varint()?,
            few => few.into(),
        };
        let kind = match elements {
            // Of nothing, the kind is not always told.
            0 => Kind::Struct,
            _ => kind(byte & 15)?,
        };
        Ok((kind, elements))
    }

    /// Begins a struct: the number before that of its first field.
    pub fn begin(&mut self) -> Result<i64, ThriftError> {
        self.deeper()?;
        Ok(0)
    }

    /// The next field of a struct, whose value must be read or skipped; `last` is the number of the one before.
    pub fn field(&mut self, last: &mut i64) -> Result<Option<(i64, Kind)>, ThriftError> {
        let byte = self.byte()?;
        if byte == 0 {
            self.depth -= 1;
            return Ok(None);
        }
        *last = match byte >> 4 {
            0 => self.integer()?,
            step => last.saturating_add(step.into()),
        };
        Ok(Some((*last, kind(byte & 15)?)))
    }

    /// Passes over a value of a field.
    pub fn skip(&mut self, value: Kind) -> Result<(), ThriftError> {
        match value {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.byte().map(drop),
            Kind::Int16 | Kind::Int32 | Kind::Int64 => self.varint().map(drop),
            Kind::Double => self.pass(8),
            Kind::Binary => {
                let bytes = self.varint()?;
                self.pass(bytes)
            }
            Kind::List | Kind::Set => {
                let (kind, elements) = self.list()?;
                self.elements(elements, |elements| elements.element(kind))
            }
            Kind::Map => {
                let elements = self.varint()?;
                if elements == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (kind(kinds >> 4)?, kind(kinds & 15)?);
                self.elements(elements, |elements| {
                    elements.element(key)?;
                    elements.element(value)
                })
            }
            Kind::Struct => {
                let mut last = self.begin()?;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind)?;
                }
                Ok(())
            }
        }
    }

    fn elements(
        &mut self,
        elements: u64,
        mut skip: impl FnMut(&mut Self) -> Result<(), ThriftError>,
    ) -> Result<(), ThriftError> {
        self.deeper()?;
        for _ in 0..elements {
            skip(self)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes over an element of a list, where even a truth value has a byte.
    fn element(&mut self, kind: Kind) -> Result<(), ThriftError> {
        match kind {
            Kind::True | Kind::False => self.byte().map(drop),
            kind => self.skip(kind),
        }
    }

    fn deeper(&mut self) -> Result<(), ThriftError> {
        self.depth += 1;
        match self.depth <= DEEPEST {
            true => Ok(()),
            false => Err(ThriftError::Broken("structs are nested too deep")),
        }
    }

    fn pass(&mut self, bytes: u64) -> Result<(), ThriftError> {
        let passed = io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink());
        let passed = passed.map_err(ThriftError::Io)?;
        self.read += passed;
        match passed == bytes {
            true => Ok(()),
            false => Err(of_io(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

fn of_io(error: io::Error) -> ThriftError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ThriftError::Broken("it is cut off"),
        _ => ThriftError::Io(error),
    }
}

fn kind(code: u8) -> Result<Kind, ThriftError> {
    Ok(match code {
        1 => Kind::True,
        2 => Kind::False,
        3 => Kind::Byte,
        4 => Kind::Int16,
        5 => Kind::Int32,
        6 => Kind::Int64,
        7 => Kind::Double,
        8 => Kind::Binary,
        9 => Kind::List,
        10 => Kind::Set,
        11 => Kind::Map,
        12 => Kind::Struct,
        _ => return Err(ThriftError::Broken("a value is of no known kind")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_passed_over() {
        // 1: 300, 2: true, 3: a list of two binaries, 5: a struct of a double, 20: a map of one, 21: -1.
        let mut bytes = vec![0x15, 0xd8, 0x04, 0x11, 0x19, 0x28, 1, b'a', 0, 0x2c, 0x17];
        bytes.extend([0; 8]);
        bytes.extend([
            0x00, 0x0b, 0x28, 1, 0x58, 2, 1, b'x', 0x15, 0x01, 0x00, 0xff,
        ]);
        let mut compact = Compact::new(&bytes[..]);
        let mut seen = Vec::new();
        let mut last = compact.begin().unwrap();
        while let Some((number, kind)) = compact.field(&mut last).unwrap() {
            let value = match kind {
                Kind::Int32 => compact.integer().unwrap(),
                kind => {
                    compact.skip(kind).unwrap();
                    0
                }
            };
            seen.push((number, kind, value));
        }
        let expected = [
            (1, Kind::Int32, 300),
            (2, Kind::True, 0),
            (3, Kind::List, 0),
            (5, Kind::Struct, 0),
            (20, Kind::Map, 0),
            (21, Kind::Int32, -1),
        ];
        assert_eq!(seen, expected);
        assert_eq!(compact.read, bytes.len() as u64 - 1);
    }

    #[test]
    fn no_size_is_believed() {
        for bytes in [
            // Binaries, lists and maps that claim more than there is.
            &[0x18, 0xff, 0xff, 0xff, 0xff, 0x7f, 0][..],
            &[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x7f, 0],
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x55, 0],
            // A number that never ends, and a kind that is none.
            &[
                0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
            ],
            &[0x1d, 0],
            &[0x1c; 10_000],
            &[0x19; 10_000],
            &[],
        ] {
            let fault = Compact::new(bytes).skip(Kind::Struct);
            assert!(matches!(fault, Err(ThriftError::Broken(_))), "{bytes:?}");
        }
    }
}
