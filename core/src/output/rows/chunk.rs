//! Rows of a result as a worker writes them: a chunk of plain buffers, or pages.

use std::mem::MaybeUninit;

use super::super::NO_ROW;
use super::column::{FixedColumn, RowColumn, Wanted, gather_strings};
use super::words::Words;
use crate::memory::{Buffer, Memory, OutOfMemory, Reservation, UninitBuffer};
use crate::page::{DataType, Fixed, FixedWriter, PAGE_BYTES, Page, VarcharWriter};

/// Rows that are gathered together.
pub(super) const BLOCK: usize = 1 << 11;

/// Values of some rows of a column.
#[derive(Debug)]
pub enum Values {
    /// Values of fixed width, side by side; 0 where one is NULL.
    Fixed {
        /// Bytes of a value.
        width: usize,
        /// The values, aligned to a cache line.
        bytes: Buffer<u8>,
        /// Which are not NULL, a bit each, the least significant of a byte first; none where all are not.
        valid: Option<Buffer<u8>>,
    },
    /// Strings, side by side.
    Strings {
        /// Where each begins, and where the last one ends.
        offsets: Vec<u64>,
        /// All of them.
        bytes: Vec<u8>,
        /// As of fixed values.
        valid: Option<Buffer<u8>>,
        /// The bytes of both vectors.
        held: Reservation,
    },
}

impl Values {
    /// Whether the value in place `at` is not NULL.
    pub fn is_valid(&self, at: usize) -> bool {
        let (Self::Fixed { valid, .. } | Self::Strings { valid, .. }) = self;
        let bit = |bits: &Buffer<u8>| bits[at / 8] >> (at % 8) & 1 == 1;
        valid.as_ref().is_none_or(bit)
    }

    /// The bytes of the value in place `at`, `None` where it is NULL.
    pub fn get(&self, at: usize) -> Option<&[u8]> {
        self.is_valid(at).then(|| match self {
            Self::Fixed { width, bytes, .. } => &bytes[at * width..][..*width],
            Self::Strings { offsets, bytes, .. } => {
                &bytes[offsets[at] as usize..offsets[at + 1] as usize]
            }
        })
    }
}

/// A column of a chunk that is being filled.
pub(super) struct Filling {
    values: Room,
    valid: Option<Buffer<u8>>,
    room: usize,
}

enum Room {
    Fixed(usize, UninitBuffer<u8>),
    Strings(Vec<u64>, Vec<u8>, Reservation),
}

impl Filling {
    /// Room for so many values of `column`.
    pub fn new(column: &RowColumn<'_>, room: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        let values = match column {
            RowColumn::Fixed(fixed) => {
                Room::Fixed(fixed.width(), memory.uninit(room * fixed.width())?)
            }
            RowColumn::Truth => Room::Fixed(1, memory.uninit(room)?),
            RowColumn::Strings(_) => {
                let held = memory.reserve((room + 1) * size_of::<u64>())?;
                let mut offsets = Vec::with_capacity(room + 1);
                offsets.push(0);
                Room::Strings(offsets, Vec::new(), held)
            }
        };
        Ok(Self {
            values,
            valid: None,
            room,
        })
    }

    /// Adds the values of at most [`BLOCK`] rows to the `len` that are there; past the caches, if `stream`.
    fn add(
        &mut self,
        column: &RowColumn<'_>,
        rows: &SideRows<'_>,
        len: usize,
        stream: bool,
        memory: &Memory,
    ) -> Result<(), OutOfMemory> {
        let mut flags = [true; BLOCK];
        let flags = &mut flags[..rows.ids.len()];
        let may = rows.missing || column.has_nulls();
        match (&mut self.values, column) {
            (Room::Fixed(width, bytes), RowColumn::Fixed(fixed)) => {
                let to = &mut bytes[len * *width..][..rows.ids.len() * *width];
                fixed.gather(&rows.wanted, to, may.then_some(&mut *flags), stream);
            }
            (Room::Fixed(_, bytes), _) => {
                truths(rows.ids, &mut bytes[len..][..rows.ids.len()], flags);
            }
            (Room::Strings(offsets, bytes, held), RowColumn::Strings(strings)) => {
                let mut refused = None;
                let mut at = 0;
                gather_strings(strings, rows.ids, |string| {
                    flags[at] = string.is_some();
                    at += 1;
                    let string = string.unwrap_or_default();
                    if refused.is_none() {
                        refused = grow(bytes, string.len(), held).err();
                    }
                    if refused.is_none() {
                        bytes.extend_from_slice(string);
                    }
                    offsets.push(bytes.len() as u64);
                });
                if let Some(error) = refused {
                    return Err(error);
                }
            }
            (Room::Strings(..), _) => unreachable!("room is made for the column"),
        }
        match may || self.valid.is_some() {
            true => self.flag(flags, len, memory),
            false => Ok(()),
        }
    }

    /// Adds to the `len` that are there which of these values are not NULL.
    fn flag(&mut self, flags: &[bool], len: usize, memory: &Memory) -> Result<(), OutOfMemory> {
        if self.valid.is_none() && flags.contains(&false) {
            let mut bits = memory.zeroed::<u8>(self.room.div_ceil(8))?;
            bits[..len / 8].fill(0xff);
            (len / 8 * 8..len).for_each(|at| bits[at / 8] |= 1 << (at % 8));
            self.valid = Some(bits);
        }
        if let Some(bits) = &mut self.valid {
            for (at, &flag) in (len..).zip(flags) {
                bits[at / 8] |= u8::from(flag) << (at % 8);
            }
        }
        Ok(())
    }

    /// The first `len` values.
    pub fn finish(self, len: usize) -> Values {
        let mut valid = self.valid;
        if let Some(bits) = &mut valid {
            bits.truncate(len.div_ceil(8));
        }
        match self.values {
            Room::Fixed(width, bytes) => Values::Fixed {
                width,
                // SAFETY: `add` has written all values up to the `len` that its callers count.
                bytes: unsafe { bytes.assume_init_first(len * width) },
                valid,
            },
            Room::Strings(offsets, bytes, held) => Values::Strings {
                offsets,
                bytes,
                valid,
                held,
            },
        }
    }
}

/// Rows of a side that a block of pairs is of.
pub(super) struct SideRows<'r> {
    ids: &'r [u32],
    wanted: Wanted<'r>,
    /// Whether some row is not there.
    missing: bool,
}

impl<'r> SideRows<'r> {
    /// These rows, to be written after `before` others.
    pub fn new(ids: &'r [u32], before: usize) -> Self {
        Self {
            ids,
            wanted: Wanted::new(ids, before),
            // Without a branch per row.
            missing: ids
                .iter()
                .fold(false, |found, &row| found | (row == NO_ROW)),
        }
    }
}

/// Adds the values of at most [`BLOCK`] rows to the `len` that are there in each column of a side; past the caches, if
/// `stream`.
pub(super) fn add_columns(
    columns: &[RowColumn<'_>],
    fillings: &mut [Filling],
    rows: &SideRows<'_>,
    len: usize,
    stream: bool,
    memory: &Memory,
) -> Result<(), OutOfMemory> {
    let mut at = 0;
    while at < columns.len() {
        at += match FixedColumn::words(&columns[at..]) {
            Some(words) if words.columns > 1 && !rows.missing => {
                let fillings = &mut fillings[at..][..words.columns];
                add_words(words, fillings, rows.ids, len, stream, memory)?;
                words.columns
            }
            _ => {
                fillings[at].add(&columns[at], rows, len, stream, memory)?;
                1
            }
        };
    }
    Ok(())
}

/// Adds the values of rows that are all there to columns whose words stand side by side in these rows.
fn add_words(
    words: Words<'_>,
    fillings: &mut [Filling],
    rows: &[u32],
    len: usize,
    stream: bool,
    memory: &Memory,
) -> Result<(), OutOfMemory> {
    let rooms = fillings
        .iter_mut()
        .map(|filling| match &mut filling.values {
            Room::Fixed(width, bytes) => &mut bytes[len * *width..][..rows.len() * *width],
            Room::Strings(..) => unreachable!("room is made for the column"),
        });
    let mut rooms: Vec<&mut [MaybeUninit<u8>]> = rooms.collect();
    words.gather(rows, &mut rooms, stream);
    for filling in fillings
        .iter_mut()
        .filter(|filling| filling.valid.is_some())
    {
        filling.flag(&[true; BLOCK][..rows.len()], len, memory)?;
    }
    Ok(())
}

/// Room for so many bytes more.
fn grow(bytes: &mut Vec<u8>, more: usize, held: &mut Reservation) -> Result<(), OutOfMemory> {
    let (len, room) = (bytes.len() + more, bytes.capacity());
    if len > room {
        let wanted = len.max(2 * room).max(1 << 12);
        held.grow(wanted - room)?;
        bytes.reserve_exact(wanted - bytes.len());
    }
    Ok(())
}

/// What stands in place of partners' rows, as bytes.
fn truths(rows: &[u32], to: &mut [MaybeUninit<u8>], flags: &mut [bool]) {
    for ((&row, to), flag) in rows.iter().zip(to).zip(flags) {
        *flag = row < 2;
        to.write(u8::from(row == 1));
    }
}

/// A column of pages that is being filled.
pub(super) struct PageFilling {
    writer: Writer,
    pages: Vec<Page>,
    held: Reservation,
}

enum Writer {
    Int32(FixedWriter<i32>),
    Int64(FixedWriter<i64>),
    Fp64(FixedWriter<f64>),
    Varchar(VarcharWriter),
}

impl PageFilling {
    pub fn new(data_type: DataType, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            writer: match data_type {
                DataType::Int32 => Writer::Int32(FixedWriter::new()),
                DataType::Int64 => Writer::Int64(FixedWriter::new()),
                DataType::Fp64 => Writer::Fp64(FixedWriter::new()),
                DataType::Varchar => Writer::Varchar(VarcharWriter::new()),
            },
            pages: Vec::new(),
            // The page at hand.
            held: memory.reserve(PAGE_BYTES)?,
        })
    }

    /// Adds the values of at most [`BLOCK`] rows.
    pub fn add(&mut self, column: &RowColumn<'_>, rows: &SideRows<'_>) -> Result<(), OutOfMemory> {
        let full = match (&mut self.writer, column) {
            (Writer::Varchar(writer), RowColumn::Strings(strings)) => {
                gather_strings(strings, rows.ids, |string| writer.push(string));
                writer.take_pages()
            }
            (Writer::Int32(writer), column) => push(column, rows, writer),
            (Writer::Int64(writer), column) => push(column, rows, writer),
            (Writer::Fp64(writer), column) => push(column, rows, writer),
            (Writer::Varchar(_), _) => unreachable!("the writer is made for the column"),
        };
        self.held.grow(full.len() * PAGE_BYTES)?;
        self.pages.extend(full);
        Ok(())
    }

    /// All pages, and their bytes.
    pub fn finish(mut self) -> (Vec<Page>, Reservation) {
        self.pages.extend(match self.writer {
            Writer::Int32(writer) => writer.finish(),
            Writer::Int64(writer) => writer.finish(),
            Writer::Fp64(writer) => writer.finish(),
            Writer::Varchar(writer) => writer.finish(),
        });
        (self.pages, self.held)
    }
}

/// Has a writer take the values of these rows, and takes its full pages.
fn push<T: Fixed>(
    column: &RowColumn<'_>,
    rows: &SideRows<'_>,
    writer: &mut FixedWriter<T>,
) -> Vec<Page> {
    let RowColumn::Fixed(fixed) = column else {
        unreachable!("the writer is made for the column");
    };
    let mut values = [T::zeroed(); BLOCK];
    let mut flags = [true; BLOCK];
    let may = rows.missing || column.has_nulls();
    let values = &mut values[..rows.ids.len()];
    let flags = &mut flags[..rows.ids.len()];
    {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        // SAFETY: bytes may be seen as such that may be uninitialised, and `gather` writes values alone.
        let bytes = unsafe { &mut *(bytes as *mut [u8] as *mut [MaybeUninit<u8>]) };
        fixed.gather(&rows.wanted, bytes, may.then_some(&mut *flags), false);
    }
    for (&value, &flag) in values.iter().zip(&*flags) {
        writer.push(flag.then_some(value));
    }
    writer.take_pages()
}
