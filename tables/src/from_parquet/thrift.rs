//! The compact protocol of Thrift, as far as headers need it. No size is believed: nothing is allocated, and what nests too
//! deep is refused.

use std::io::{self, Read};

/// Structs and lists within one another; those of Parquet are a handful.
const DEEPEST: usize = 32;

/// What cannot be read.
#[derive(Debug)]
pub enum Fault {
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
    /// An integer of 16, 32 or 64 bits.
    Integer,
    Double,
    Binary,
    /// A list or a set.
    List,
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

    fn byte(&mut self) -> Result<u8, Fault> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(of_io)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Broken("a number is too long"))
    }

    /// An integer of any width.
    pub fn integer(&mut self) -> Result<i64, Fault> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// An integer of 32 bits.
    pub fn int32(&mut self) -> Result<i32, Fault> {
        let value = self.integer()?;
        value
            .try_into()
            .map_err(|_| Fault::Broken("a number is too large"))
    }

    /// The kind and the number of the elements of a list.
    pub fn list(&mut self) -> Result<(Kind, u64), Fault> {
        let byte = self.byte()?;
        let elements = match byte >> 4 {
            15 => self.varint()?,
            few => few.into(),
        };
        Ok((kind(byte & 15)?, elements))
    }

    /// Hands the fields of a struct to `visit`, by number; it reads the value, or says that it did not.
    pub fn fields(
        &mut self,
        mut visit: impl FnMut(&mut Self, i64, Kind) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.deeper()?;
        let mut number = 0;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                break;
            }
            number = match byte >> 4 {
                0 => self.integer()?,
                step => i64::from(step).saturating_add(number),
            };
            let kind = kind(byte & 15)?;
            if !visit(self, number, kind)? {
                self.skip(kind)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes over a value of a field.
    pub fn skip(&mut self, value: Kind) -> Result<(), Fault> {
        match value {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.byte().map(drop),
            Kind::Integer => self.varint().map(drop),
            Kind::Double => self.pass(8),
            Kind::Binary => {
                let bytes = self.varint()?;
                self.pass(bytes)
            }
            Kind::List => {
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
            Kind::Struct => self.fields(|_, _, _| Ok(false)),
        }
    }

    fn elements(
        &mut self,
        elements: u64,
        mut skip: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.deeper()?;
        for _ in 0..elements {
            skip(self)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes over an element of a list, where even a truth value has a byte.
    fn element(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::True | Kind::False => self.byte().map(drop),
            kind => self.skip(kind),
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        match self.depth <= DEEPEST {
            true => Ok(()),
            false => Err(Fault::Broken("structs are nested too deep")),
        }
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Fault> {
        let passed = io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink());
        let passed = passed.map_err(Fault::Io)?;
        self.read += passed;
        match passed == bytes {
            true => Ok(()),
            false => Err(of_io(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

fn of_io(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Broken("it is cut off"),
        _ => Fault::Io(error),
    }
}

fn kind(code: u8) -> Result<Kind, Fault> {
    Ok(match code {
        1 => Kind::True,
        2 => Kind::False,
        3 => Kind::Byte,
        4..=6 => Kind::Integer,
        7 => Kind::Double,
        8 => Kind::Binary,
        9 | 10 => Kind::List,
        11 => Kind::Map,
        12 => Kind::Struct,
        _ => return Err(Fault::Broken("a value is of no known kind")),
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
        compact
            .fields(|compact, number, kind| {
                let value = match kind {
                    Kind::Integer => compact.integer()?,
                    kind => {
                        seen.push((number, kind, 0));
                        return Ok(false);
                    }
                };
                seen.push((number, kind, value));
                Ok(true)
            })
            .unwrap();
        let expected = [
            (1, Kind::Integer, 300),
            (2, Kind::True, 0),
            (3, Kind::List, 0),
            (5, Kind::Struct, 0),
            (20, Kind::Map, 0),
            (21, Kind::Integer, -1),
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
            assert!(matches!(fault, Err(Fault::Broken(_))), "{bytes:?}");
        }
    }
}
