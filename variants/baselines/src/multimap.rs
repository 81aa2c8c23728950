//! What makes a map of unique keys a multimap: a key's first row stands in the map, further rows are linked in a list
//! beside it. A build side without duplicates never touches the list.

use join_core::join::Sink;
use join_core::memory::{Memory, OutOfMemory};

use crate::counted::Counted;

/// The build rows of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    first: u32,
    /// One more than the place of the next row's link; 0 is the end.
    next: u32,
}

impl Rows {
    /// One row.
    #[inline(always)]
    pub(crate) fn one(row: u32) -> Self {
        Self {
            first: row,
            next: 0,
        }
    }
}

/// The second and later rows of all keys.
#[derive(Debug)]
pub(crate) struct Links(Counted<Rows>);

impl Links {
    /// No rows.
    pub(crate) fn new(memory: &Memory) -> Result<Self, OutOfMemory> {
        Counted::new(memory).map(Self)
    }

    /// Adds a row to a key's rows.
    #[inline]
    pub(crate) fn add(&mut self, rows: &mut Rows, row: u32) -> Result<(), OutOfMemory> {
        self.0.push(Rows {
            first: row,
            next: rows.next,
        })?;
        // Row ids are 32 bits wide and every key's first row is not here, so the length fits.
        rows.next = self.0.len() as u32;
        Ok(())
    }

    /// Emits a probe row with all of a key's rows.
    #[inline(always)]
    pub(crate) fn emit(&self, mut rows: Rows, probe_row: u32, sink: &mut impl Sink) {
        sink.emit(rows.first, probe_row);
        while rows.next != 0 {
            rows = self.0[rows.next as usize - 1];
            sink.emit(rows.first, probe_row);
        }
    }

    /// Size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// Bytes of a hash map of hashbrown's kind (std's is one) with room for `capacity` entries of `entry` bytes: a power of
/// two of buckets, at most 7/8 full, a control byte each and one group of 16 more.
pub(crate) fn map_bytes(capacity: usize, entry: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let buckets = (capacity.saturating_mul(8) / 7 + 1).next_power_of_two();
    buckets.saturating_mul(entry + 1).saturating_add(16)
}
