//! The rows of a piece of memory, and their fields, where they lie.

use super::{Event, Framing, FramingError, Limits};

/// A row where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Offset of the row in the piece.
    pub offset: usize,
    /// Its bytes, with their framing.
    pub bytes: &'a [u8],
}

impl<'a> Row<'a> {
    /// The fields in order.
    pub fn fields(&self) -> Fields<'a> {
        let (count, rest) = self.bytes.split_first_chunk().unwrap_or((&[0; 2], &[]));
        Fields {
            left: u16::from_be_bytes(*count),
            bytes: rest,
        }
    }
}

/// The fields of a row: bytes, or `None` for NULL.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    left: u16,
    bytes: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (length, rest) = self.bytes.split_first_chunk()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.bytes = rest;
            return Some(None);
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.bytes = rest;
        Some(Some(value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// The rows of a piece of memory that consists of whole rows, without header and trailer: a section of a chunk.
/// After an error there are no more.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    framing: Framing,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `bytes`. Offsets in errors count from `offset`.
    pub fn new(bytes: &'a [u8], limits: Limits, offset: u64) -> Self {
        Rows {
            framing: Framing::at_row(limits, offset),
            bytes,
            at: 0,
        }
    }

    /// Where the next row starts.
    pub fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, FramingError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return None;
        }
        let offset = self.at;
        let error = match self.framing.next(rest) {
            Ok((length, Some(Event::Row))) => {
                self.at += length;
                let bytes = &rest[..length];
                return Some(Ok(Row { offset, bytes }));
            }
            Ok((2, _)) if rest.starts_with(&super::TRAILER) => FramingError::FieldCount {
                at: self.framing.row_offset(),
                count: -1,
                expected: None,
            },
            Ok(_) => FramingError::Truncated {
                at: self.framing.offset(),
                where_: "inside of a row",
            },
            Err(error) => error,
        };
        self.at = self.bytes.len();
        Some(Err(error))
    }
}
