//! What is copied to the device at once: lanes, which are rows that one thread reads, up to a number of bytes.

use std::ops::Range;

use aligned_ingest::{Chunks, ChunksError, Piece, overlap};

use crate::GpuError;

/// Counts of a flight that one workgroup adds up: one of each lane and column of bytes.
const MOST_COUNTS: usize = 1 << 20;

/// Rows that one thread reads.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Number of their section.
    pub section: usize,
    /// Their bytes, from the section's first one; addresses where rows are looked for.
    pub range: Range<u64>,
    /// Whose share of the pages they are.
    pub share: usize,
}

impl Lane {
    /// Its bytes.
    pub fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// What a flight may hold.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Bytes of rows.
    pub bytes: u64,
    /// Bytes of a lane.
    pub lane: u64,
    /// Columns of bytes.
    pub texts: u64,
}

/// All rows in order, in flights. Shares are those of as many readers of
/// [`Chunks::pieces`], each of which has a contiguous part of the pieces.
pub fn flights(chunks: &Chunks, shares: usize, most: Most) -> Result<Vec<Vec<Lane>>, GpuError> {
    let of_shares = chunks.pieces(shares);
    let begins: Vec<(usize, u64)> = (0..shares)
        .filter_map(|share| of_shares.get(of_shares.len() * share / shares))
        .map(|piece| (piece.section, piece.range.start))
        .collect();
    let lanes = MOST_COUNTS / (most.texts as usize).max(1);
    let (mut flights, mut flight, mut bytes) = (Vec::new(), Vec::new(), 0);
    for piece in chunks.pieces(usize::MAX) {
        for piece in cut(chunks, piece, most.bytes.min(most.lane))? {
            let begin = (piece.section, piece.range.start);
            let lane = Lane {
                section: piece.section,
                range: piece.range,
                share: begins.partition_point(|&other| other <= begin) - 1,
            };
            if bytes + lane.bytes() > most.bytes || flight.len() == lanes {
                flights.push(std::mem::take(&mut flight));
                bytes = 0;
            }
            bytes += lane.bytes();
            flight.push(lane);
        }
    }
    flights.push(flight);
    flights.retain(|flight: &Vec<Lane>| !flight.is_empty());
    Ok(flights)
}

/// How rows are looked for where none is known to start.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Bytes of a section.
    pub section: u64,
    /// Rows that must follow one another for their first to be taken for one.
    pub confirm: u32,
    /// The longest row.
    pub longest: u64,
}

impl Search {
    /// Bytes behind a section that its reader may need.
    pub fn reach(&self) -> u64 {
        self.longest.saturating_mul(self.confirm.max(1).into())
    }

    /// Bytes that a lane takes: a section, and one row more, since rows that it finds may not be any.
    pub fn of_lane(&self) -> u64 {
        self.section.saturating_add(self.longest)
    }

    /// Sections of the addresses, in flights of what follows one another.
    pub fn flights(&self, chunks: &Chunks, most: Most) -> Result<Vec<Vec<Lane>>, GpuError> {
        let (sections, _) = overlap::sections(chunks, self.section);
        let lanes = MOST_COUNTS / (most.texts as usize).max(1);
        let (mut flights, mut flight): (Vec<Vec<Lane>>, Vec<Lane>) = (Vec::new(), Vec::new());
        let room = most.bytes.saturating_sub(self.reach());
        let of_lane = self.of_lane();
        for (number, range) in sections.into_iter().enumerate() {
            if of_lane > room || self.section > most.lane {
                return Err(GpuError::SectionTooLong {
                    bytes: self.section,
                    most: most.lane.min(room.saturating_sub(self.longest)),
                });
            }
            let follows = flight
                .last()
                .is_some_and(|last| last.range.end == range.start);
            let is_full = (flight.len() as u64 + 1) * of_lane > room || flight.len() == lanes;
            if !flight.is_empty() && (!follows || is_full) {
                flights.push(std::mem::take(&mut flight));
            }
            flight.push(Lane {
                section: number,
                range,
                share: 0,
            });
        }
        flights.push(flight);
        flights.retain(|flight| !flight.is_empty());
        Ok(flights)
    }
}

/// A piece, cut at rows if it is longer than a lane may be; nothing of an empty one.
fn cut(chunks: &Chunks, piece: Piece, most: u64) -> Result<Vec<Piece>, GpuError> {
    let (section, Range { start, end }) = (piece.section, piece.range.clone());
    if end - start <= most {
        return Ok(if start < end { vec![piece] } else { Vec::new() });
    }
    let (mut parts, mut from, mut row_at) = (Vec::new(), start, start);
    let read = chunks.piece(&piece);
    for row in read.rows() {
        let row = row.map_err(|error| ChunksError::Framing { section, error })?;
        let row_end = row_at + row.bytes.len() as u64;
        if row_end - from > most {
            parts.push(from..row_at);
            from = row_at;
        }
        if row_end - from > most {
            return Err(GpuError::RowTooLong {
                section,
                bytes: row_end - from,
                most,
            });
        }
        row_at = row_end;
    }
    parts.push(from..end);
    parts.retain(|range| !range.is_empty());
    let of = |range| Piece { section, range };
    Ok(parts.into_iter().map(of).collect())
}

/// Checks sections as their bytes pass by.
pub struct Checksums<'a> {
    chunks: &'a Chunks,
    section: usize,
    at: u64,
    crc: crc32fast::Hasher,
}

impl<'a> Checksums<'a> {
    /// Before the first section.
    pub fn new(chunks: &'a Chunks) -> Checksums<'a> {
        Checksums {
            chunks,
            section: 0,
            at: 0,
            crc: crc32fast::Hasher::new(),
        }
    }

    /// Goes on to `at` bytes into a section, or to the end of all.
    pub fn reach(&mut self, section: usize, at: u64) -> Result<(), ChunksError> {
        while self.section < section {
            let own = &self.chunks.manifest().sections[self.section];
            self.take(own.used);
            let found = std::mem::take(&mut self.crc).finalize();
            if found != own.crc32.0 {
                return Err(ChunksError::Changed {
                    section: self.section,
                    offset: own.offset,
                    used: own.used,
                    found,
                });
            }
            self.section += 1;
            self.at = 0;
        }
        self.take(at);
        Ok(())
    }

    fn take(&mut self, to: u64) {
        if to > self.at {
            let section = &self.chunks.manifest().sections[self.section];
            let bytes = self.chunks.bytes(section.offset + self.at, to - self.at);
            self.crc.update(&bytes);
            self.at = to;
        }
    }
}
