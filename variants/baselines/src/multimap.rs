//! What makes a map of unique keys a multimap: a key's first row stands in the map, further rows are linked in a list
//! while the map is built, and laid side by side when it is done. A build side without duplicates touches neither.

use join_core::memory::{Memory, OutOfMemory};
use join_core::output::Sink;

use crate::counted::Counted;

/// The build rows of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    first: u32,
    /// One more than the place of the key's further rows; 0 where it has none.
    rest: u32,
}

impl Rows {
    /// One row.
    #[inline(always)]
    pub(crate) fn one(row: u32) -> Self {
        Self {
            first: row,
            rest: 0,
        }
    }
}

/// The second and later rows of all keys of a map that is being built: each row is followed by the one added before.
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
            rest: rows.rest,
        })?;
        // Row ids are 32 bits wide and every key's first row is not here, so the length fits.
        rows.rest = self.0.len() as u32;
        Ok(())
    }

    /// Lays the rows of each key side by side. `all` are the rows of all keys that rows were added to.
    pub(crate) fn gather<'a>(
        &self,
        all: impl ExactSizeIterator<Item = &'a mut Rows>,
        memory: &Memory,
    ) -> Result<Gathered, OutOfMemory> {
        if self.0.is_empty() {
            return Gathered::new(memory);
        }
        let mut gathered = Counted::new(memory)?;
        // The rows, and a length for each key that has any here.
        gathered.reserve(self.0.len() + all.len().min(self.0.len()))?;
        for rows in all.filter(|rows| rows.rest != 0) {
            let mut next = rows.rest;
            let length = gathered.len();
            gathered.push(0)?;
            while next != 0 {
                let link = self.0[next as usize - 1];
                gathered.push(link.first)?;
                gathered[length] += 1;
                next = link.rest;
            }
            rows.rest = u32::try_from(length + 1).map_err(|_| memory.refused(gathered.bytes()))?;
        }
        Ok(Gathered(gathered))
    }
}

/// For each key with several rows the number of those after the first, and then these.
#[derive(Debug)]
pub(crate) struct Gathered(Counted<u32>);

impl Gathered {
    /// No rows.
    pub(crate) fn new(memory: &Memory) -> Result<Self, OutOfMemory> {
        Counted::new(memory).map(Self)
    }

    /// Emits a probe row with all of a key's rows.
    #[inline(always)]
    pub(crate) fn emit(&self, rows: Rows, probe_row: u32, sink: &mut impl Sink) {
        sink.emit(rows.first, probe_row);
        if rows.rest != 0 {
            let rest = &self.0[rows.rest as usize - 1..];
            for &row in &rest[1..][..rest[0] as usize] {
                sink.emit(row, probe_row);
            }
        }
    }

    /// Size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// Buckets of a hash map of hashbrown's kind (std's is one) with room for `capacity` entries: a power of two, at most 7/8
/// full.
pub(crate) fn map_buckets(capacity: usize) -> usize {
    (capacity.saturating_mul(8) / 7 + 1).next_power_of_two()
}

/// Bytes of such a map with entries of `entry` bytes: a control byte a bucket each and one group of 16 more.
pub(crate) fn map_bytes(capacity: usize, entry: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let buckets = map_buckets(capacity);
    buckets.saturating_mul(entry + 1).saturating_add(16)
}
