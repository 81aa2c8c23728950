//! Values of a column, gathered for rows in any order: what other libraries call `take`.
//!
//! As the core's consumer of rows ([`join_core::output::RowsConsumer`]) does, but of many more rows at a time, so that those
//! which follow one another are slices, and places in chunks are found once for all columns; and types nest.

mod places;
mod shared;
mod view;

use std::ops::Range;

use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, IntervalDayTime, IntervalMonthDayNano, NullBuffer, i256,
};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, IntervalUnit};
use join_core::kind::NO_ROW;
use join_core::memory::process::LARGE;
use join_core::memory::{OutOfMemory, Reservation};
use join_core::prefetch::prefetch_read;
use join_core::streaming_store;

use crate::error::Error;
use crate::import::{Column, child};
use crate::stream;
use places::Places;
pub(crate) use places::{Place, Rows};
use shared::{Shared, shared_buffers, shared_dictionary};

/// Why rows are not gathered at once.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Their type cannot be, for a reason in words.
    Type(String),
    /// Their strings or lists are longer than their offsets count: fewer rows may do.
    TooLong,
    /// Offsets, views or keys of dictionaries that break the format.
    Outside,
    /// There is no memory for them.
    OutOfMemory(OutOfMemory),
    /// What was gathered is no array.
    Invalid(ArrowError),
}

impl Refusal {
    /// What Python is told of the column that is called so.
    pub(crate) fn of(self, called: &str) -> Error {
        match self {
            Self::Type(why) => Error::Type(format!("{called}: {why}")),
            Self::TooLong => Error::Value(format!(
                "{called}: its values are too long for one array of its type; cast it to a type of 64-bit offsets"
            )),
            Self::Outside => Error::Value(format!(
                "{called}: its offsets, views or dictionary keys point outside of its values"
            )),
            Self::OutOfMemory(error) => error.into(),
            Self::Invalid(error) => Error::Value(format!("{called}: {error}")),
        }
    }
}

impl From<OutOfMemory> for Refusal {
    fn from(error: OutOfMemory) -> Self {
        Self::OutOfMemory(error)
    }
}

/// A column to gather from.
#[derive(Debug)]
pub(crate) struct Source {
    data_type: DataType,
    chunks: Vec<ArrayData>,
    nulls: bool,
    shared: Shared,
    children: Vec<Source>,
}

impl Source {
    /// The values of a column; `what` is its frame. Dictionaries become one, whose bytes `reservation` grows by.
    ///
    /// # Errors
    ///
    /// Its type, or one inside of it, is not gathered, or its dictionaries do not fit into one, or into memory.
    pub(crate) fn of(
        column: &Column,
        what: &str,
        reservation: &mut Reservation,
    ) -> Result<Self, Error> {
        let (data_type, chunks) = (column.field.data_type(), column.chunks.clone());
        Self::new(data_type, chunks, reservation)
            .map_err(|refusal| refusal.of(&column.called(what)))
    }

    /// The values of chunks.
    ///
    /// # Errors
    ///
    /// As [`Source::of`].
    pub(crate) fn new(
        data_type: &DataType,
        chunks: Vec<ArrayData>,
        reservation: &mut Reservation,
    ) -> Result<Self, Refusal> {
        let mut shared = Shared::Nothing;
        let mut children = Vec::new();
        let mut of_child = |data_type: &DataType,
                            number: usize,
                            child: fn(&ArrayData, usize) -> ArrayData| {
            let chunks: Vec<ArrayData> = chunks.iter().map(|chunk| child(chunk, number)).collect();
            match chunks.iter().all(|chunk| chunk.len() < NO_ROW as usize) {
                true => Self::new(data_type, chunks, reservation),
                false => Err(Refusal::Type(
                    "a chunk has more than 4,294,967,294 values inside; give smaller chunks"
                        .to_owned(),
                )),
            }
        };
        let whole = |chunk: &ArrayData, number: usize| chunk.child_data()[number].clone();
        match data_type {
            DataType::Utf8View | DataType::BinaryView => shared = shared_buffers(&chunks),
            DataType::Dictionary(keys, values) => {
                shared = shared_dictionary(keys, values, &chunks, reservation)?
            }
            DataType::Struct(fields) => {
                let fields = fields.iter().enumerate();
                let of_fields =
                    fields.map(|(number, field)| of_child(field.data_type(), number, child));
                children = of_fields.collect::<Result<_, _>>()?;
            }
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::FixedSizeList(field, _)
            | DataType::Map(field, _) => children.push(of_child(field.data_type(), 0, whole)?),
            DataType::Union(..)
            | DataType::RunEndEncoded(..)
            | DataType::ListView(_)
            | DataType::LargeListView(_) => {
                return Err(Refusal::Type(format!(
                    "values of type {data_type} cannot be carried through a join; cast them, or leave the column out"
                )));
            }
            _ => {}
        }
        Ok(Self {
            data_type: data_type.clone(),
            nulls: chunks.iter().any(|chunk| chunk.null_count() > 0),
            chunks,
            shared,
            children,
        })
    }

    /// The values of these rows, whose bytes `reservation` grows by.
    ///
    /// # Errors
    ///
    /// They are too many for one array, or for memory.
    pub(crate) fn gather(
        &self,
        rows: Rows<'_>,
        reservation: &mut Reservation,
    ) -> Result<ArrayData, Refusal> {
        let len = rows.len();
        if self.data_type == DataType::Null {
            return Ok(ArrayData::new_null(&DataType::Null, len));
        }
        if let Places::Run(first, len) = rows.places
            && self.is_sliced()
        {
            let slice = self.chunks[first.chunk as usize].slice(first.row as usize, len);
            return self.checked(slice);
        }
        let (mut buffers, mut children) = (Vec::new(), Vec::new());
        match &self.data_type {
            DataType::Boolean => buffers.push(self.bits(rows)),
            DataType::Interval(IntervalUnit::DayTime) => {
                buffers.push(self.fixed::<IntervalDayTime>(rows, reservation)?);
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                buffers.push(self.fixed::<IntervalMonthDayNano>(rows, reservation)?);
            }
            DataType::FixedSizeBinary(width) => {
                buffers.push(self.bytes(rows, *width as usize, reservation)?)
            }
            DataType::Utf8 | DataType::Binary => {
                buffers.extend(self.strings::<i32>(rows, reservation)?)
            }
            DataType::LargeUtf8 | DataType::LargeBinary => {
                buffers.extend(self.strings::<i64>(rows, reservation)?);
            }
            DataType::Utf8View | DataType::BinaryView => {
                buffers.push(self.views(rows, reservation)?);
                if let Shared::Buffers(all, _) = &self.shared {
                    buffers.extend(all.iter().cloned());
                }
            }
            DataType::Dictionary(keys, _) => {
                buffers.push(self.keys(keys, rows, reservation)?);
                if let Shared::Dictionary(values, _) = &self.shared {
                    children.push(values.clone());
                }
            }
            DataType::Struct(_) => {
                for child in &self.children {
                    children.push(child.gather(rows, reservation)?);
                }
            }
            DataType::FixedSizeList(_, size) => {
                children.push(self.equal_lists(rows, *size as usize, reservation)?);
            }
            DataType::List(_) | DataType::Map(..) => {
                let (offsets, values) = self.lists::<i32>(rows, reservation)?;
                buffers.push(offsets);
                children.push(values);
            }
            DataType::LargeList(_) => {
                let (offsets, values) = self.lists::<i64>(rows, reservation)?;
                buffers.push(offsets);
                children.push(values);
            }
            other => buffers.push(match other.primitive_width() {
                Some(1) => self.fixed::<u8>(rows, reservation)?,
                Some(2) => self.fixed::<u16>(rows, reservation)?,
                Some(4) => self.fixed::<u32>(rows, reservation)?,
                Some(8) => self.fixed::<u64>(rows, reservation)?,
                Some(16) => self.fixed::<u128>(rows, reservation)?,
                _ => self.fixed::<i256>(rows, reservation)?,
            }),
        }
        let gathered = ArrayData::builder(self.data_type.clone())
            .len(len)
            .nulls(self.validity(rows))
            .buffers(buffers)
            .child_data(children);
        // SAFETY: what is made here, that is lengths, offsets and bitmaps, is made to the format. Values are as they came, and
        // nobody here reads them by what they say without looking.
        let gathered = unsafe { gathered.skip_validation(true) };
        let gathered = gathered.build().map_err(Refusal::Invalid)?;
        gathered.validate().map_err(Refusal::Invalid)?;
        Ok(gathered)
    }

    /// Whether rows that follow one another are a slice. Those of offsets and dictionaries are gathered: offsets are read once
    /// either way, and dictionaries of chunks become one.
    pub(crate) fn is_sliced(&self) -> bool {
        match &self.data_type {
            DataType::Struct(_) => self.children.iter().all(Self::is_sliced),
            DataType::Boolean
            | DataType::FixedSizeBinary(_)
            | DataType::Utf8View
            | DataType::BinaryView => true,
            other => other.primitive_width().is_some(),
        }
    }

    /// A slice whose views lie where they say.
    fn checked(&self, slice: ArrayData) -> Result<ArrayData, Refusal> {
        for (number, source) in self.children.iter().enumerate() {
            source.checked(child(&slice, number))?;
        }
        if let Shared::Buffers(..) = self.shared {
            let views = slice.buffer::<u128>(0)[..slice.len()].iter().enumerate();
            let buffers = &slice.buffers()[1..];
            let mut inside = views.map(|(row, &view)| {
                view::is_inline(view) || view::is_inside(view, buffers) || slice.is_null(row)
            });
            if !inside.all(|inside| inside) {
                return Err(Refusal::Outside);
            }
        }
        Ok(slice)
    }

    fn validity(&self, rows: Rows<'_>) -> Option<NullBuffer> {
        if !(self.nulls || rows.missing) {
            return None;
        }
        let nulls: Vec<Option<&NullBuffer>> = self.chunks.iter().map(ArrayData::nulls).collect();
        let is_valid =
            |(chunk, row): (usize, usize)| nulls[chunk].is_none_or(|nulls| nulls.is_valid(row));
        let valid = BooleanBuffer::collect_bool(rows.len(), |at| rows.at(at).is_some_and(is_valid));
        Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
    }

    fn bits(&self, rows: Rows<'_>) -> Buffer {
        let chunk = |data: &ArrayData| {
            BooleanBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
        };
        let chunks: Vec<BooleanBuffer> = self.chunks.iter().map(chunk).collect();
        let value = |(chunk, row): (usize, usize)| chunks[chunk].value(row);
        BooleanBuffer::collect_bool(rows.len(), |at| rows.at(at).is_some_and(value)).into_inner()
    }

    fn typed<T: ArrowNativeType>(&self) -> Vec<&[T]> {
        self.chunks.iter().map(|chunk| chunk.buffer(0)).collect()
    }

    fn fixed<T: ArrowNativeType>(
        &self,
        rows: Rows<'_>,
        reservation: &mut Reservation,
    ) -> Result<Buffer, Refusal> {
        let chunks = self.typed::<T>();
        let values = room::<T>(rows.len(), reservation)?;
        Ok(match (rows.places, chunks.as_slice()) {
            (Places::One(rows), [only]) => filled(values, rows.len(), |first, values| {
                // Those of the next group, so that their cache misses overlap.
                let next = rows[first + values.len()..].iter().take(values.len());
                next.for_each(|&row| prefetch_read(only.as_ptr().wrapping_add(row as usize)));
                for (value, &row) in values.iter_mut().zip(&rows[first..]) {
                    // No chunk has a value at `NO_ROW`.
                    *value = only.get(row as usize).copied().unwrap_or_default();
                }
            }),
            _ => filled(values, rows.len(), |first, values| {
                for (value, at) in values.iter_mut().zip(first..) {
                    let place = rows.at(at);
                    *value = place.map_or(T::default(), |(chunk, row)| chunks[chunk][row]);
                }
            }),
        })
    }

    fn bytes(
        &self,
        rows: Rows<'_>,
        width: usize,
        reservation: &mut Reservation,
    ) -> Result<Buffer, Refusal> {
        let mut values = room::<u8>(rows.len() * width, reservation)?;
        for at in 0..rows.len() {
            match rows.at(at) {
                Some((chunk, row)) => {
                    let chunk = &self.chunks[chunk];
                    let first = (chunk.offset() + row) * width;
                    values.extend_from_slice(&chunk.buffers()[0][first..first + width]);
                }
                None => values.resize(values.len() + width, 0),
            }
        }
        Ok(Buffer::from_vec(values))
    }

    fn strings<O: ArrowNativeType>(
        &self,
        rows: Rows<'_>,
        reservation: &mut Reservation,
    ) -> Result<[Buffer; 2], Refusal> {
        let chunks = self.typed::<O>();
        let characters: Vec<&[u8]> = self
            .chunks
            .iter()
            .map(|chunk| chunk.buffers()[1].as_slice())
            .collect();
        let range = |(chunk, row): (usize, usize)| {
            range(&chunks[chunk][row..row + 2], characters[chunk].len())
        };
        let (offsets, end) = offsets::<O>(rows, range, reservation)?;
        let mut bytes = room::<u8>(end, reservation)?;
        for place in (0..rows.len()).filter_map(|at| rows.at(at)) {
            bytes.extend_from_slice(&characters[place.0][range(place).unwrap_or_default()]);
        }
        Ok([offsets, Buffer::from_vec(bytes)])
    }

    fn views(&self, rows: Rows<'_>, reservation: &mut Reservation) -> Result<Buffer, Refusal> {
        let Shared::Buffers(_, firsts) = &self.shared else {
            return self.fixed::<u128>(rows, reservation);
        };
        let chunks = self.typed::<u128>();
        let mut views = room::<u128>(rows.len(), reservation)?;
        let mut is_inside = true;
        let mut view = |(chunk, row): (usize, usize)| {
            let (of_chunk, view) = (&self.chunks[chunk], chunks[chunk][row]);
            // That of a NULL may be anything.
            match (of_chunk.is_null(row), view::is_inline(view)) {
                (true, _) => 0,
                (false, true) => view,
                (false, false) => {
                    is_inside &= view::is_inside(view, &of_chunk.buffers()[1..]);
                    view::moved(view, firsts[chunk])
                }
            }
        };
        views.extend((0..rows.len()).map(|at| rows.at(at).map_or(0, &mut view)));
        is_inside
            .then(|| Buffer::from_vec(views))
            .ok_or(Refusal::Outside)
    }

    fn keys(
        &self,
        keys: &DataType,
        rows: Rows<'_>,
        reservation: &mut Reservation,
    ) -> Result<Buffer, Refusal> {
        match keys {
            DataType::Int8 => self.keys_of::<i8>(rows, reservation),
            DataType::Int16 => self.keys_of::<i16>(rows, reservation),
            DataType::Int32 => self.keys_of::<i32>(rows, reservation),
            DataType::UInt8 => self.keys_of::<u8>(rows, reservation),
            DataType::UInt16 => self.keys_of::<u16>(rows, reservation),
            DataType::UInt32 => self.keys_of::<u32>(rows, reservation),
            DataType::UInt64 => self.keys_of::<u64>(rows, reservation),
            _ => self.keys_of::<i64>(rows, reservation),
        }
    }

    fn keys_of<K: ArrowNativeType>(
        &self,
        rows: Rows<'_>,
        reservation: &mut Reservation,
    ) -> Result<Buffer, Refusal> {
        let Shared::Dictionary(_, firsts) = &self.shared else {
            return self.fixed::<K>(rows, reservation);
        };
        let chunks = self.typed::<K>();
        let mut keys = room::<K>(rows.len(), reservation)?;
        let mut is_inside = true;
        let mut key = |(chunk, row): (usize, usize)| {
            let (of_chunk, key) = (&self.chunks[chunk], chunks[chunk][row].as_usize());
            match (key < of_chunk.child_data()[0].len(), of_chunk.is_null(row)) {
                (true, _) => K::from_usize(key + firsts[chunk]).unwrap_or_default(),
                // That of a NULL may be anything.
                (false, is_null) => {
                    is_inside &= is_null;
                    K::default()
                }
            }
        };
        keys.extend((0..rows.len()).map(|at| rows.at(at).map_or(K::default(), &mut key)));
        is_inside
            .then(|| Buffer::from_vec(keys))
            .ok_or(Refusal::Outside)
    }

    fn lists<O: ArrowNativeType>(
        &self,
        rows: Rows<'_>,
        reservation: &mut Reservation,
    ) -> Result<(Buffer, ArrayData), Refusal> {
        let chunks = self.typed::<O>();
        let items = &self.children[0];
        let range = |(chunk, row): (usize, usize)| {
            range(&chunks[chunk][row..row + 2], items.chunks[chunk].len())
        };
        let (offsets, end) = offsets::<O>(rows, range, reservation)?;
        let mut places = room::<Place>(end, reservation)?;
        for place in (0..rows.len()).filter_map(|at| rows.at(at)) {
            places.extend(range(place).unwrap_or_default().map(|row| Place {
                chunk: place.0 as u32,
                row: row as u32,
            }));
        }
        let values = items.gather(Rows::of_many(&places, false), reservation)?;
        Ok((offsets, values))
    }

    fn equal_lists(
        &self,
        rows: Rows<'_>,
        size: usize,
        reservation: &mut Reservation,
    ) -> Result<ArrayData, Refusal> {
        let mut places = room::<Place>(rows.len() * size, reservation)?;
        for at in 0..rows.len() {
            match rows.at(at) {
                Some((chunk, row)) => {
                    let first = (self.chunks[chunk].offset() + row) * size;
                    places.extend((first..first + size).map(|row| Place {
                        chunk: chunk as u32,
                        row: row as u32,
                    }));
                }
                None => places.resize(places.len() + size, Place::NOWHERE),
            }
        }
        self.children[0].gather(Rows::of_many(&places, rows.missing), reservation)
    }
}

/// Room for so many values, whose bytes `reservation` grows by.
///
/// # Errors
///
/// There is not so much memory.
pub(crate) fn room<T>(len: usize, reservation: &mut Reservation) -> Result<Vec<T>, OutOfMemory> {
    let bytes = len.saturating_mul(size_of::<T>());
    reservation.grow(bytes)?;
    let mut room = Vec::new();
    match room.try_reserve_exact(len) {
        Ok(()) => Ok(room),
        Err(_) => Err(OutOfMemory {
            requested: bytes,
            available: 0,
            limit: reservation.bytes(),
        }),
    }
}

/// Values that are gathered together: as many cache misses overlap.
const GROUP: usize = 64;

/// So many values in room for them; `values` makes those from a place on.
fn filled<T: ArrowNativeType>(
    mut room: Vec<T>,
    len: usize,
    values: impl Fn(usize, &mut [T]),
) -> Buffer {
    if len * size_of::<T>() < LARGE {
        room.resize(len, T::default());
        values(0, &mut room);
        return Buffer::from_vec(room);
    }
    stream::fill::<GROUP, T>(&mut room.spare_capacity_mut()[..len], values);
    streaming_store::fence();
    // SAFETY: there is room for so many, and all of them have been written.
    unsafe { room.set_len(len) };
    Buffer::from_vec(room)
}

/// What lies between two offsets, if it is among so many values.
fn range<O: ArrowNativeType>(offsets: &[O], values: usize) -> Option<Range<usize>> {
    let (start, end) = (offsets[0].as_usize(), offsets[1].as_usize());
    (start <= end && end <= values).then_some(start..end)
}

/// The offsets of what lies in these ranges, and the end of the last.
fn offsets<O: ArrowNativeType>(
    rows: Rows<'_>,
    range: impl Fn((usize, usize)) -> Option<Range<usize>>,
    reservation: &mut Reservation,
) -> Result<(Buffer, usize), Refusal> {
    let mut offsets = room::<O>(rows.len() + 1, reservation)?;
    let mut end = 0_usize;
    offsets.push(O::default());
    for at in 0..rows.len() {
        if let Some(place) = rows.at(at) {
            let len = range(place).ok_or(Refusal::Outside)?.len();
            end = end.checked_add(len).ok_or(Refusal::TooLong)?;
        }
        offsets.push(O::from_usize(end).ok_or(Refusal::TooLong)?);
    }
    Ok((Buffer::from_vec(offsets), end))
}
