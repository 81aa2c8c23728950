//! Keys that are strings of bytes, read where they lie.

use arrow_data::ArrayData;
use arrow_schema::DataType;
use join_core::compound::{StringColumn, StringSlice};
use join_core::join::JoinError;

use super::outside;
use crate::error::Error;

/// The strings of a column.
pub(super) struct Strings<'a> {
    pub(super) called: &'a str,
    chunks: Vec<Chunk<'a>>,
}

/// Those of a chunk, and the buffers of the views among its own.
struct Chunk<'a> {
    data: &'a ArrayData,
    buffers: Vec<&'a [u8]>,
}

impl<'a> Strings<'a> {
    pub(super) fn of(chunks: &'a [ArrayData], called: &'a str) -> Self {
        let chunks = chunks.iter().map(|data| {
            let buffers = data.buffers().iter().skip(1);
            Chunk {
                data,
                buffers: buffers.map(|buffer| buffer.as_slice()).collect(),
            }
        });
        Self {
            called,
            chunks: chunks.collect(),
        }
    }

    pub(super) fn column(&self) -> Result<StringColumn<'_>, Error> {
        let slices = self.chunks.iter().map(Chunk::slice);
        let slices = slices.collect::<Option<Vec<_>>>();
        let column = StringColumn::of_slices(slices.ok_or_else(|| outside(self.called))?);
        column.ok_or_else(|| JoinError::TooManyRows.into())
    }
}

impl Chunk<'_> {
    /// The strings for the core; none where there are fewer bytes or bits than rows.
    fn slice(&self) -> Option<StringSlice<'_>> {
        let (data, rows) = (self.data, self.data.len());
        let slice = match data.data_type() {
            DataType::Utf8 | DataType::Binary => {
                let offsets = data.buffer::<i32>(0).get(..=rows)?;
                StringSlice::with_offsets(offsets, self.buffers.first()?)?
            }
            DataType::LargeUtf8 | DataType::LargeBinary => {
                let offsets = data.buffer::<i64>(0).get(..=rows)?;
                StringSlice::with_long_offsets(offsets, self.buffers.first()?)?
            }
            DataType::Utf8View | DataType::BinaryView => {
                let views = data.buffers()[0].as_slice().as_chunks().0;
                StringSlice::with_views(views.get(data.offset()..)?.get(..rows)?, &self.buffers)
            }
            other => {
                let width = match other {
                    DataType::FixedSizeBinary(width) => *width as usize,
                    other => other.primitive_width()?,
                };
                let bytes = data.buffers()[0].as_slice();
                let first = data.offset().checked_mul(width)?;
                StringSlice::of_equal_length(width, rows, bytes.get(first..)?)?
            }
        };
        match data.nulls() {
            None => Some(slice),
            Some(nulls) => slice.with_nulls(nulls.validity(), nulls.offset()),
        }
    }
}
