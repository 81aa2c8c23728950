//! What stands before a page.

use std::io::Read;

use parquet::basic::Encoding;

use super::shape::{Event, PAGE_HEADER, StructWalk};
use super::thrift::ThriftError;

/// The header of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub page: PageKind,
    /// Bytes of the page once unpacked.
    pub unpacked: usize,
    /// Bytes of the page in the file.
    pub packed: usize,
    /// CRC-32 of the bytes in the file.
    pub crc: Option<u32>,
}

/// What kind of page it is, and what only such a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    Dictionary {
        values: u32,
        encoding: Encoding,
    },
    Data {
        values: u32,
        encoding: Encoding,
        /// How it is told which rows are NULL.
        levels: Encoding,
    },
    DataV2 {
        values: u32,
        nulls: u32,
        rows: u32,
        encoding: Encoding,
        /// Bytes of the definition levels, and of the repetition levels before them; neither is packed.
        definition: u32,
        repetition: u32,
        packed: bool,
    },
    /// A page of an index, which is passed over.
    Index,
}

/// The numbers of a header, by the fields of the format.
#[derive(Default)]
struct Fields {
    kind: Option<i32>,
    unpacked: Option<i32>,
    packed: Option<i32>,
    crc: Option<i32>,
    /// The numbers of the header of this kind of page.
    of_kind: Option<(i64, [Option<i32>; 8])>,
}

impl Header {
    /// Reads the header of the next page, and its own length.
    ///
    /// # Errors
    /// If it breaks the format, or the system refuses.
    pub fn read(input: impl Read) -> Result<(Header, u64), ThriftError> {
        let mut fields = Fields::default();
        let length = StructWalk::over(input, &PAGE_HEADER, &mut |place, event| {
            if let Event::Number(number) = event {
                // All of them have 32 bits.
                fields.set(place, number as i32);
            }
        })?;
        let header = Header {
            page: fields.page()?,
            unpacked: size(fields.unpacked)?,
            packed: size(fields.packed)?,
            crc: fields.crc.map(i32::cast_unsigned),
        };
        Ok((header, length))
    }
}

impl Fields {
    fn set(&mut self, place: &[i64], number: i32) {
        match *place {
            [1] => self.kind = Some(number),
            [2] => self.unpacked = Some(number),
            [3] => self.packed = Some(number),
            [4] => self.crc = Some(number),
            [kind @ (5 | 7 | 8), field @ 0..8] => {
                let (of, numbers) = self.of_kind.get_or_insert((kind, [None; 8]));
                if *of == kind {
                    numbers[field as usize] = Some(number);
                }
            }
            _ => {}
        }
    }

    fn page(&self) -> Result<PageKind, ThriftError> {
        let of = |place: i64| match self.of_kind {
            Some((number, numbers)) if number == place => Ok(numbers),
            _ => Err(ThriftError::Broken("a header lacks what its page needs")),
        };
        Ok(match self.kind {
            Some(0) => {
                let [_, values, encoding, levels, ..] = of(5)?;
                PageKind::Data {
                    values: count(values)?,
                    encoding: self::encoding(encoding)?,
                    levels: self::encoding(levels)?,
                }
            }
            Some(1) => PageKind::Index,
            Some(2) => {
                let [_, values, encoding, ..] = of(7)?;
                PageKind::Dictionary {
                    values: count(values)?,
                    encoding: self::encoding(encoding)?,
                }
            }
            Some(3) => {
                let [
                    _,
                    values,
                    nulls,
                    rows,
                    encoding,
                    definition,
                    repetition,
                    packed,
                ] = of(8)?;
                PageKind::DataV2 {
                    values: count(values)?,
                    nulls: count(nulls)?,
                    rows: count(rows)?,
                    encoding: self::encoding(encoding)?,
                    definition: count(definition)?,
                    repetition: count(repetition)?,
                    packed: packed != Some(0),
                }
            }
            _ => return Err(ThriftError::Broken("a page is of no known kind")),
        })
    }
}

fn count(number: Option<i32>) -> Result<u32, ThriftError> {
    let number = number.ok_or(ThriftError::Broken("a header lacks a number"))?;
    u32::try_from(number).map_err(|_| ThriftError::Broken("a number is negative"))
}

fn size(number: Option<i32>) -> Result<usize, ThriftError> {
    count(number).map(|size| size as usize)
}

#[expect(deprecated, reason = "old files have bit-packed levels")]
fn encoding(number: Option<i32>) -> Result<Encoding, ThriftError> {
    Ok(match number {
        Some(0) => Encoding::PLAIN,
        Some(2) => Encoding::PLAIN_DICTIONARY,
        Some(3) => Encoding::RLE,
        Some(4) => Encoding::BIT_PACKED,
        Some(5) => Encoding::DELTA_BINARY_PACKED,
        Some(6) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Some(7) => Encoding::DELTA_BYTE_ARRAY,
        Some(8) => Encoding::RLE_DICTIONARY,
        Some(9) => Encoding::BYTE_STREAM_SPLIT,
        Some(10) => Encoding::ALP,
        _ => return Err(ThriftError::Broken("an encoding is of no known kind")),
    })
}
