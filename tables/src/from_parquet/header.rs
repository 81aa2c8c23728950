//! What stands before a page.

use std::io::Read;

use parquet::basic::Encoding;

use super::thrift::{Compact, Fault, Kind};

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

/// The fields of a header, by their numbers in the format.
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
    pub fn read(input: impl Read) -> Result<(Header, u64), Fault> {
        let mut compact = Compact::new(input);
        let mut fields = Fields::default();
        compact.fields(|compact, number, kind| {
            match (number, kind) {
                (1, Kind::Integer) => fields.kind = Some(compact.int32()?),
                (2, Kind::Integer) => fields.unpacked = Some(compact.int32()?),
                (3, Kind::Integer) => fields.packed = Some(compact.int32()?),
                (4, Kind::Integer) => fields.crc = Some(compact.int32()?),
                (5 | 7 | 8, Kind::Struct) => fields.of_kind = Some((number, numbers(compact)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let header = Header {
            page: fields.page()?,
            unpacked: size(fields.unpacked)?,
            packed: size(fields.packed)?,
            crc: fields.crc.map(i32::cast_unsigned),
        };
        Ok((header, compact.read))
    }
}

/// The numbers and truth values among the fields of a struct.
fn numbers(compact: &mut Compact<impl Read>) -> Result<[Option<i32>; 8], Fault> {
    let mut numbers = [None; 8];
    compact.fields(|compact, number, kind| {
        let Some(place) = usize::try_from(number)
            .ok()
            .and_then(|n| numbers.get_mut(n))
        else {
            return Ok(false);
        };
        *place = match kind {
            Kind::Integer => Some(compact.int32()?),
            Kind::True => Some(1),
            Kind::False => Some(0),
            _ => return Ok(false),
        };
        Ok(true)
    })?;
    Ok(numbers)
}

impl Fields {
    fn page(&self) -> Result<PageKind, Fault> {
        let of = |place: i64| match self.of_kind {
            Some((number, numbers)) if number == place => Ok(numbers),
            _ => Err(Fault::Broken("a header lacks what its page needs")),
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
            _ => return Err(Fault::Broken("a page is of no known kind")),
        })
    }
}

fn count(number: Option<i32>) -> Result<u32, Fault> {
    let number = number.ok_or(Fault::Broken("a header lacks a number"))?;
    u32::try_from(number).map_err(|_| Fault::Broken("a number is negative"))
}

fn size(number: Option<i32>) -> Result<usize, Fault> {
    count(number).map(|size| size as usize)
}

#[expect(deprecated, reason = "old files have bit-packed levels")]
fn encoding(number: Option<i32>) -> Result<Encoding, Fault> {
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
        _ => return Err(Fault::Broken("an encoding is of no known kind")),
    })
}
