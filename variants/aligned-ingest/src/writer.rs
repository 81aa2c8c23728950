//! A worker's writer.

use std::io::{self, BufRead};
use std::marker::PhantomData;

use crate::framing::{Event, Framing, FramingError, Limits};
use crate::index::Marks;
use crate::manifest::{Crc, Section};
use crate::placement::Placement;
use crate::space::{Full, Space};
use crate::store::{Store, Writing};

/// Bytes of rows that are found before they are copied: few enough to be in the first-level cache still.
const RUN: usize = 12 << 10;

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The stream is not what it should be.
    #[error("the rows cannot be read: {0}")]
    Framing(#[from] FramingError),
    /// No place is left.
    #[error(transparent)]
    Full(#[from] Full),
    /// The reader or the store failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another worker failed.
    #[error("another worker failed")]
    Stopped,
    /// Anything else that the reader says.
    #[error("{0}")]
    Source(String),
}

/// Takes COPY BINARY streams and writes their rows, without header and trailer, to places that it takes from the
/// shared [`Space`]. Each worker has one.
#[derive(Debug)]
pub struct Writer<'a, P, S> {
    space: &'a Space<S>,
    worker: u32,
    limits: Limits,
    /// Bytes that are not in the store yet.
    buffer: Vec<u8>,
    /// The bytes so far of a row that came in pieces.
    carry: Vec<u8>,
    /// The slot being filled, where the placement is fixed.
    place: Option<u64>,
    /// The flush being filled. Its offset is known at its end.
    section: Section,
    crc: crc32fast::Hasher,
    /// Where its rows start.
    marks: Marks,
    done: Vec<Section>,
    /// Row starts of those that are done.
    starts: Vec<Vec<u32>>,
    placement: PhantomData<P>,
}

impl<'a, P: Placement, S: Store> Writer<'a, P, S> {
    /// A writer of rows with `fields` fields, where that is known.
    pub fn new(space: &'a Space<S>, worker: u32, fields: Option<u16>) -> Self {
        let mut limits = Limits {
            fields,
            ..Limits::default()
        };
        if P::WHOLE_ROWS {
            limits.row_bytes = limits.row_bytes.min(space.layout().slot);
        }
        Writer {
            space,
            worker,
            limits,
            buffer: Vec::new(),
            carry: Vec::new(),
            place: None,
            section: Section::empty(worker),
            crc: crc32fast::Hasher::new(),
            marks: Marks::new(space.stride()),
            done: Vec::new(),
            starts: Vec::new(),
            placement: PhantomData,
        }
    }

    /// The rows of one whole stream, header to trailer. Returns how many.
    ///
    /// # Errors
    /// If the stream is cut off or wrong, there is no room, or another worker failed. What was flushed before stays.
    pub fn copy(&mut self, source: &mut impl BufRead) -> Result<u64, WriteError> {
        let mut framing = Framing::new(self.limits);
        let mut rows = 0;
        self.carry.clear();
        loop {
            if self.space.is_stopped() {
                return Err(WriteError::Stopped);
            }
            let bytes = match source.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if bytes.is_empty() {
                framing.finish()?;
                return Ok(rows);
            }
            let taken = bytes.len();
            rows += self.piece(&mut framing, bytes)?;
            source.consume(taken);
        }
    }

    /// The rows that end in a piece of a stream.
    fn piece(&mut self, framing: &mut Framing, bytes: &[u8]) -> Result<u64, WriteError> {
        let (mut at, mut all_rows) = (0, 0);
        let mut writing: Option<S::Writing<'_>> = None;
        while at < bytes.len() {
            let most = self.room().min(RUN as u64) as usize;
            let (start, marks) = (self.section.used, &mut self.marks);
            marks.row(start);
            // Finding rows waits for one length after the other, copying for the memory: together they take little longer.
            let (taken, rows) = framing.rows_meanwhile(&bytes[at..], most, |end| {
                marks.row(start + end as u64);
                if let Some(writing) = &mut writing {
                    writing.advance();
                }
            });
            // The rest of it, before its slot may end.
            drop(writing.take());
            if rows > 0 {
                writing = self.rows(&bytes[at..at + taken], rows)?;
                at += taken;
                all_rows += rows;
                continue;
            }
            // The row that does not fit, one in pieces, header and trailer.
            let (taken, event) = framing.next(&bytes[at..])?;
            let part = &bytes[at..at + taken];
            at += taken;
            match event {
                Some(Event::Row) => {
                    all_rows += 1;
                    if self.carry.is_empty() {
                        writing = self.rows(part, 1)?;
                        continue;
                    }
                    let mut row = std::mem::take(&mut self.carry);
                    row.extend_from_slice(part);
                    drop(self.rows(&row, 1)?);
                    row.clear();
                    self.carry = row;
                }
                None if framing.is_in_row() => self.carry.extend_from_slice(part),
                Some(Event::End) => self.carry.clear(),
                Some(Event::Header) | None => {}
            }
        }
        Ok(all_rows)
    }

    /// Bytes that still fit into the flush being filled.
    fn room(&self) -> u64 {
        self.space.layout().slot - self.section.used
    }

    /// Begins to write whole rows: at most a slot of them, or just one.
    fn rows<'b>(&mut self, bytes: &'b [u8], rows: u64) -> Result<Option<S::Writing<'b>>, WriteError>
    where
        'a: 'b,
    {
        if P::WHOLE_ROWS {
            if bytes.len() as u64 > self.room() {
                self.flush()?;
            }
            let writing = self.append(bytes)?;
            self.section.rows += rows;
            return Ok(writing);
        }
        debug_assert!(rows == 1 || bytes.len() as u64 <= self.room());
        let mut rest = bytes;
        while rest.len() as u64 > self.room() {
            let (part, after) = rest.split_at(self.room() as usize);
            let begins_here = rest.len() == bytes.len();
            drop(self.append(part)?);
            if begins_here {
                self.section.tail = part.len() as u64;
            } else {
                self.section.head = part.len() as u64;
            }
            rest = after;
            self.flush()?;
        }
        let writing = self.append(rest)?;
        if rest.len() == bytes.len() {
            self.section.rows += rows;
        } else {
            self.section.head = rest.len() as u64;
        }
        Ok(writing)
    }

    /// Begins to write bytes that fit; `None` where they were kept.
    fn append<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<S::Writing<'b>>, WriteError>
    where
        'a: 'b,
    {
        self.crc.update(bytes);
        if !P::FIXED {
            self.buffer.extend_from_slice(bytes);
            self.section.used += bytes.len() as u64;
            return Ok(None);
        }
        if self.place.is_none() {
            let slot = self.space.layout().slot;
            let at = self.space.take(slot)?;
            self.space.prepare(at, slot)?;
            self.place = Some(at);
        }
        self.section.used += bytes.len() as u64;
        if self.buffer.is_empty() && bytes.len() >= S::BLOCK {
            return self.write_before(self.section.used, bytes);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= S::BLOCK {
            self.write_buffer()?;
        }
        Ok(None)
    }

    fn write_buffer(&mut self) -> Result<(), WriteError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = self.write_before(self.section.used, &buffer).map(drop);
        buffer.clear();
        self.buffer = buffer;
        written
    }

    /// Begins to write `bytes` so that they end `end` bytes into the place that this worker holds.
    fn write_before<'b>(
        &self,
        end: u64,
        bytes: &'b [u8],
    ) -> Result<Option<S::Writing<'b>>, WriteError>
    where
        'a: 'b,
    {
        let place = self
            .place
            .expect("a place is taken before bytes are written");
        let at = place + end - bytes.len() as u64;
        // SAFETY: the range is part of what this worker took, and a worker has one writer.
        Ok(unsafe { self.space.write(at, bytes)? })
    }

    /// Ends the flush being filled. Its entry is made last: a worker that dies before leaves its place known as empty.
    ///
    /// # Errors
    /// If there is no room.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        if self.section.used == 0 {
            return Ok(());
        }
        let place = match self.place {
            Some(place) => place,
            None => self.place_for(self.section.used)?,
        };
        self.place = Some(place);
        if !self.buffer.is_empty() {
            self.write_buffer()?;
        }
        if P::FIXED {
            let used = self.section.used;
            self.space
                .release(place + used, self.space.layout().slot - used);
        }
        self.place = None;
        self.space.settle();
        let mut section = std::mem::replace(&mut self.section, Section::empty(self.worker));
        section.offset = place;
        section.crc32 = Crc(std::mem::take(&mut self.crc).finalize());
        self.starts
            .push(self.marks.finish(section.used - section.tail));
        self.done.push(section);
        Ok(())
    }

    /// Takes a place for a flush whose length is known. Whole rows do not go over the end of a chunk: the at most one
    /// range that does is left empty.
    fn place_for(&self, bytes: u64) -> Result<u64, WriteError> {
        let layout = self.space.layout();
        loop {
            let at = self.space.take(bytes)?;
            if !P::WHOLE_ROWS || layout.chunk_of(at) == layout.chunk_of(at + bytes - 1) {
                self.space.prepare(at, bytes)?;
                return Ok(at);
            }
        }
    }

    /// The sections that were flushed, in the order in which they were written, and for each where its rows start, for
    /// an index.
    pub fn into_sections(self) -> (Vec<Section>, Vec<Vec<u32>>) {
        self.space.settle();
        (self.done, self.starts)
    }
}
