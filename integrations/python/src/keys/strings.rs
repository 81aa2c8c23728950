//! Keys that are strings of bytes, read where they lie. The core wants offsets of 4 bytes, or views.

use std::ops::Range;

use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;
use join_core::compound::{StringColumn, StringSlice};
use join_core::join::JoinError;
use join_core::memory::Reservation;

use crate::error::Error;
use crate::gather::room;
use crate::work::Means;

/// The strings of a column.
pub(super) struct Strings<'a> {
    called: &'a str,
    pieces: Vec<Piece<'a>>,
    _reservation: Reservation,
}

/// Strings of some rows of a chunk.
struct Piece<'a> {
    place: Place<'a>,
    nulls: Option<(&'a NullBuffer, usize)>,
}

enum Place<'a> {
    Offsets(&'a [i32], &'a [u8]),
    /// Offsets of another width, or none, as some of 4 bytes.
    Made(Vec<i32>, &'a [u8]),
    Views(&'a [[u8; 16]], Vec<&'a [u8]>),
    /// Views of which those of NULL rows are empty.
    Cleaned(Vec<[u8; 16]>, Vec<&'a [u8]>),
}

impl<'a> Strings<'a> {
    pub(super) fn of(
        chunks: &'a [ArrayData],
        called: &'a str,
        means: &Means,
    ) -> Result<Self, Error> {
        let mut reservation = means.memory.reserve(0)?;
        let mut pieces = Vec::new();
        for chunk in chunks {
            let rows = 0..chunk.len();
            match chunk.data_type() {
                DataType::Utf8 | DataType::Binary => {
                    let offsets = chunk.buffer::<i32>(0);
                    pieces.push(Piece {
                        place: Place::Offsets(
                            &offsets[..=chunk.len()],
                            chunk.buffers()[1].as_slice(),
                        ),
                        nulls: chunk.nulls().map(|nulls| (nulls, 0)),
                    });
                }
                DataType::LargeUtf8 | DataType::LargeBinary => {
                    let offsets = chunk.buffer::<i64>(0);
                    let end = |row: usize| usize::try_from(offsets[row]).ok();
                    made(chunk, rows, 1, &end, &mut reservation, &mut pieces)
                        .map_err(|error| error.of(called))?;
                }
                DataType::Utf8View | DataType::BinaryView => {
                    pieces.push(of_views(chunk, &mut reservation)?);
                }
                other => {
                    let width = match other {
                        DataType::FixedSizeBinary(width) => *width as usize,
                        other => other.primitive_width().unwrap_or(0),
                    };
                    let end = |row: usize| (chunk.offset() + row).checked_mul(width);
                    made(chunk, rows, 0, &end, &mut reservation, &mut pieces)
                        .map_err(|error| error.of(called))?;
                }
            }
        }
        Ok(Self {
            called,
            pieces,
            _reservation: reservation,
        })
    }

    pub(super) fn column(&self) -> Result<StringColumn<'_>, Error> {
        let wrong = || Unfit::Rubbish.of(self.called);
        let slices = self
            .pieces
            .iter()
            .map(|piece| piece.slice().ok_or_else(wrong));
        let column = StringColumn::of_slices(slices.collect::<Result<_, _>>()?);
        column.ok_or_else(|| JoinError::TooManyRows.into())
    }
}

impl Piece<'_> {
    fn slice(&self) -> Option<StringSlice<'_>> {
        let slice = match &self.place {
            Place::Offsets(offsets, bytes) => StringSlice::with_offsets(offsets, bytes),
            Place::Made(offsets, bytes) => StringSlice::with_offsets(offsets, bytes),
            Place::Views(views, buffers) => StringSlice::with_views(views, buffers),
            Place::Cleaned(views, buffers) => StringSlice::with_views(views, buffers),
        };
        match self.nulls {
            None => slice,
            Some((nulls, first)) => slice?.with_nulls(nulls.validity(), nulls.offset() + first),
        }
    }
}

/// Why strings are no keys.
enum Unfit {
    Rubbish,
    TooLong,
    Refused(Error),
}

impl Unfit {
    fn of(self, called: &str) -> Error {
        match self {
            Self::Rubbish => Error::Value(format!(
                "{called}: its strings lie outside of their bytes, or in no order"
            )),
            Self::TooLong => Error::Value(format!(
                "{called}: a string of it is longer than 2 GiB, the longest that a key may be"
            )),
            Self::Refused(error) => error,
        }
    }
}

/// The strings of some rows of a chunk by offsets of 4 bytes, in two pieces where they are too long for these. `buffer` holds
/// the bytes, and the string of row r goes from `end(r)` to `end(r + 1)` there.
fn made<'a>(
    chunk: &'a ArrayData,
    rows: Range<usize>,
    buffer: usize,
    end: &dyn Fn(usize) -> Option<usize>,
    reservation: &mut Reservation,
    pieces: &mut Vec<Piece<'a>>,
) -> Result<(), Unfit> {
    let (first, last) = end(rows.start).zip(end(rows.end)).ok_or(Unfit::Rubbish)?;
    let bytes = chunk.buffers()[buffer]
        .as_slice()
        .get(first..last)
        .ok_or(Unfit::Rubbish)?;
    if i32::try_from(bytes.len()).is_err() {
        let half = rows.start + rows.len() / 2;
        if half == rows.start {
            return Err(Unfit::TooLong);
        }
        made(chunk, rows.start..half, buffer, end, reservation, pieces)?;
        return made(chunk, half..rows.end, buffer, end, reservation, pieces);
    }
    let offsets = room(rows.len() + 1, reservation);
    let mut offsets = offsets.map_err(|error| Unfit::Refused(error.into()))?;
    let offset = |row: usize| i32::try_from(end(row)?.checked_sub(first)?).ok();
    for row in rows.start..=rows.end {
        offsets.push(offset(row).ok_or(Unfit::Rubbish)?);
    }
    pieces.push(Piece {
        place: Place::Made(offsets, bytes),
        nulls: chunk.nulls().map(|nulls| (nulls, rows.start)),
    });
    Ok(())
}

fn of_views<'a>(chunk: &'a ArrayData, reservation: &mut Reservation) -> Result<Piece<'a>, Error> {
    let views = &chunk.buffers()[0].as_slice()[chunk.offset() * size_of::<u128>()..];
    let views = &views.as_chunks().0[..chunk.len()];
    let buffers: Vec<&[u8]> = chunk.buffers()[1..]
        .iter()
        .map(|buffer| buffer.as_slice())
        .collect();
    let nulls = chunk.nulls().map(|nulls| (nulls, 0));
    let is_rubbish = nulls.is_some() && StringSlice::with_views(views, &buffers).is_none();
    let place = match is_rubbish {
        false => Place::Views(views, buffers),
        // What stands in the place of a NULL may be anything.
        true => {
            let mut cleaned = room(views.len(), reservation)?;
            let views = views.iter().enumerate();
            cleaned
                .extend(views.map(|(row, view)| if chunk.is_null(row) { [0; 16] } else { *view }));
            Place::Cleaned(cleaned, buffers)
        }
    };
    Ok(Piece { place, nulls })
}
