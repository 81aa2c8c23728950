//! A reader that takes a stream in any pieces.

use super::shape::Shape;
use super::{FramingError, SIGNATURE};

/// What a reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a row, with its framing. A length that lies is refused here, before its bytes are waited for.
    pub row_bytes: u64,
    /// Fields of every row, where they are known.
    pub fields: Option<u16>,
}

impl Limits {
    /// Bytes of a header extension. The format defines none so far.
    pub const MOST_EXTENSION_BYTES: i32 = 1 << 20;
}

impl Default for Limits {
    /// Rows below 2 GiB, of any number of fields.
    fn default() -> Self {
        Limits {
            row_bytes: 1 << 31,
            fields: None,
        }
    }
}

/// What ended with the last byte that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The header. The next row begins here.
    Header,
    /// A row.
    Row,
    /// The trailer.
    End,
}

/// Finds the rows of a stream in the pieces in which it comes, and keeps no bytes of it: a caller who wants the rows
/// has the piece, and knows from [`Framing::next`] where in it a row ends.
#[derive(Clone, Debug)]
pub struct Framing {
    limits: Limits,
    /// Offset in the stream of the next byte.
    at: u64,
    /// Offset of the row that is being read, or of the next one.
    row_at: u64,
    state: State,
    /// Bytes of an integer that came so far, and how many.
    integer: u32,
    integer_bytes: u8,
    /// How the rows so far were laid out.
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Signature,
    Flags,
    ExtensionLength,
    Extension {
        left: u32,
    },
    /// Between two rows, or inside of a row's number of fields.
    Count,
    Length {
        fields: u16,
    },
    Value {
        fields: u16,
        left: u32,
    },
    End,
}

impl Framing {
    /// At the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Framing {
            limits,
            at: 0,
            row_at: 0,
            state: State::Signature,
            integer: 0,
            integer_bytes: 0,
            shape: Shape::default(),
        }
    }

    /// At the start of a row at `offset`, as in a section of a chunk.
    pub fn at_row(limits: Limits, offset: u64) -> Self {
        Framing {
            at: offset,
            row_at: offset,
            state: State::Count,
            ..Framing::new(limits)
        }
    }

    /// Offset in the stream of the next byte.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// Offset of the row that is being read, or of the next one.
    pub fn row_offset(&self) -> u64 {
        self.row_at
    }

    /// Whether the last byte taken ended a row or the header.
    pub fn is_between_rows(&self) -> bool {
        self.state == State::Count && self.integer_bytes == 0
    }

    /// Whether a row, or the trailer, has begun and not ended.
    pub fn is_in_row(&self) -> bool {
        match self.state {
            State::Count => self.integer_bytes > 0,
            State::Length { .. } | State::Value { .. } => true,
            _ => false,
        }
    }

    /// Takes bytes up to and including the next event, or all of them: returns how many, and the event.
    ///
    /// # Errors
    /// What is wrong, and at which offset of the stream. The reader is of no use then.
    #[inline]
    pub fn next(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), FramingError> {
        if self.is_between_rows()
            && let Some(length) = self.whole_row(bytes)
        {
            self.at += length as u64;
            self.row_at = self.at;
            return Ok((length, Some(Event::Row)));
        }
        self.step_by_step(bytes)
    }

    /// Takes the whole rows at the start of `bytes` that end within its first `most` bytes: returns their bytes, and how
    /// many they are. Much faster than one after the other by [`Framing::next`], which says what comes then.
    pub fn rows(&mut self, bytes: &[u8], most: usize) -> (usize, u64) {
        self.rows_meanwhile(bytes, most, |_| ())
    }

    /// As [`Framing::rows`]; calls `meanwhile` with where each row ends in `bytes`.
    pub(crate) fn rows_meanwhile(
        &mut self,
        bytes: &[u8],
        most: usize,
        mut meanwhile: impl FnMut(usize),
    ) -> (usize, u64) {
        let (mut at, mut rows) = (0, 0);
        while self.is_between_rows() {
            let limit = self.limits.row_bytes;
            let mut of_row = |end| meanwhile(at + end);
            let (taken, found) = self.shape.rows(&bytes[at..], most - at, limit, &mut of_row);
            at += taken;
            rows += found;
            match self.whole_row(&bytes[at..]) {
                Some(length) if length <= most - at => {
                    self.shape.learn(&bytes[at..][..length]);
                    at += length;
                    rows += 1;
                    meanwhile(at);
                }
                _ => break,
            }
        }
        self.at += at as u64;
        self.row_at += at as u64;
        (at, rows)
    }

    /// The length of the row that `bytes` start with, if all of it is there and nothing is wrong.
    #[inline]
    fn whole_row(&self, bytes: &[u8]) -> Option<usize> {
        let fields = u16::from_be_bytes(*bytes.first_chunk()?);
        if fields > i16::MAX as u16 || self.limits.fields.is_some_and(|n| n != fields) {
            return None;
        }
        let mut at = 2usize;
        for _ in 0..fields {
            let length = i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
            at += 4;
            if length > 0 {
                at = at.checked_add(length as usize)?;
            } else if length < -1 {
                return None;
            }
        }
        (at <= bytes.len() && at as u64 <= self.limits.row_bytes).then_some(at)
    }

    #[cold]
    fn step_by_step(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), FramingError> {
        let mut used = 0;
        while used < bytes.len() {
            let (taken, event) = self.step(&bytes[used..])?;
            used += taken;
            if event.is_some() {
                return Ok((used, event));
            }
        }
        Ok((used, None))
    }

    /// Takes at least one byte of `bytes`, which are not empty.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), FramingError> {
        match self.state {
            State::Signature => {
                if bytes[0] != SIGNATURE[self.at as usize] {
                    return Err(FramingError::Signature { at: self.at });
                }
                self.at += 1;
                if self.at == SIGNATURE.len() as u64 {
                    self.state = State::Flags;
                }
                Ok((1, None))
            }
            State::Flags => Ok(match self.integer(bytes, 4) {
                (taken, None) => (taken, None),
                (taken, Some(flags)) => {
                    if flags >> 16 != 0 {
                        let at = self.at - 4;
                        return Err(FramingError::Flags { at, flags });
                    }
                    self.state = State::ExtensionLength;
                    (taken, None)
                }
            }),
            State::ExtensionLength => match self.integer(bytes, 4) {
                (taken, None) => Ok((taken, None)),
                (taken, Some(length)) => {
                    let length = length as i32;
                    if !(0..=Limits::MOST_EXTENSION_BYTES).contains(&length) {
                        let at = self.at - 4;
                        return Err(FramingError::Extension { at, length });
                    }
                    let left = length as u32;
                    self.state = State::Extension { left };
                    Ok((taken, self.end_of_extension(left)))
                }
            },
            State::Extension { left } => {
                let taken = bytes.len().min(left as usize);
                self.at += taken as u64;
                let left = left - taken as u32;
                self.state = State::Extension { left };
                Ok((taken, self.end_of_extension(left)))
            }
            State::Count => match self.integer(bytes, 2) {
                (taken, None) => Ok((taken, None)),
                (taken, Some(count)) => Ok((taken, self.count(count as u16 as i16)?)),
            },
            State::Length { fields } => match self.integer(bytes, 4) {
                (taken, None) => Ok((taken, None)),
                (taken, Some(length)) => Ok((taken, self.length(fields, length as i32)?)),
            },
            State::Value { fields, left } => {
                let taken = bytes.len().min(left as usize);
                self.at += taken as u64;
                let left = left - taken as u32;
                Ok((taken, self.value(fields, left)))
            }
            State::End => Err(FramingError::Trailing { at: self.at }),
        }
    }

    /// Takes bytes of a big-endian integer `width` bytes long; gives it once it is whole.
    fn integer(&mut self, bytes: &[u8], width: u8) -> (usize, Option<u32>) {
        let taken = bytes.len().min(usize::from(width - self.integer_bytes));
        for &byte in &bytes[..taken] {
            self.integer = self.integer << 8 | u32::from(byte);
        }
        self.at += taken as u64;
        self.integer_bytes += taken as u8;
        if self.integer_bytes < width {
            return (taken, None);
        }
        self.integer_bytes = 0;
        (taken, Some(std::mem::take(&mut self.integer)))
    }

    fn end_of_extension(&mut self, left: u32) -> Option<Event> {
        if left > 0 {
            return None;
        }
        self.state = State::Count;
        self.row_at = self.at;
        Some(Event::Header)
    }

    fn count(&mut self, count: i16) -> Result<Option<Event>, FramingError> {
        if count == -1 {
            self.state = State::End;
            return Ok(Some(Event::End));
        }
        let expected = self.limits.fields;
        let fields = match u16::try_from(count) {
            Ok(fields) if expected.is_none_or(|n| n == fields) => fields,
            _ => {
                let at = self.row_at;
                return Err(FramingError::FieldCount {
                    at,
                    count,
                    expected,
                });
            }
        };
        self.fits(u64::from(fields) * 4)?;
        Ok(self.value_or_next(fields))
    }

    fn length(&mut self, fields: u16, length: i32) -> Result<Option<Event>, FramingError> {
        match u32::try_from(length) {
            Ok(left) => {
                self.fits(u64::from(left) + u64::from(fields - 1) * 4)?;
                Ok(self.value(fields, left))
            }
            Err(_) if length == -1 => Ok(self.value(fields, 0)),
            Err(_) => {
                let at = self.at - 4;
                Err(FramingError::FieldLength { at, length })
            }
        }
    }

    /// Inside of a value of which `left` bytes are to come; it and those after it are `fields`.
    fn value(&mut self, fields: u16, left: u32) -> Option<Event> {
        if left > 0 {
            self.state = State::Value { fields, left };
            return None;
        }
        self.value_or_next(fields - 1)
    }

    fn value_or_next(&mut self, fields: u16) -> Option<Event> {
        if fields > 0 {
            self.state = State::Length { fields };
            return None;
        }
        self.state = State::Count;
        self.row_at = self.at;
        Some(Event::Row)
    }

    /// Whether the row stays within the limit when at least `more` bytes are still to come.
    fn fits(&self, more: u64) -> Result<(), FramingError> {
        let (at, limit) = (self.row_at, self.limits.row_bytes);
        let bytes = self.at - at + more;
        if bytes <= limit {
            return Ok(());
        }
        Err(FramingError::RowTooLong { at, bytes, limit })
    }

    /// The stream has no more bytes.
    ///
    /// # Errors
    /// If it should have had.
    pub fn finish(&self) -> Result<(), FramingError> {
        let where_ = match self.state {
            State::End => return Ok(()),
            State::Signature | State::Flags => "inside of the header",
            State::ExtensionLength | State::Extension { .. } => "inside of the header",
            State::Count if self.integer_bytes == 0 => "without a trailer",
            _ => "inside of a row",
        };
        Err(FramingError::Truncated {
            at: self.at,
            where_,
        })
    }
}
