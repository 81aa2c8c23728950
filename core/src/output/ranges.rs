//! Matches that stay where they lie in a table: per probe row the range of its tuples, and no pair.
//!
//! To find a row's matches and to make pairs of them are two steps, *lookup* and *expand* (Birler, Kemper, Neumann: "Robust
//! Join Processing with Diamond Hardened Joins", PVLDB 17, 2024). Who counts, or drops rows before their pairs matter, needs
//! no second step; and who takes it after the first knows how many pairs there will be and where each belongs.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::sink::{FIRST_CHUNK, LARGEST_CHUNK, Pair};
use crate::memory::{Buffer, Memory, OutOfMemory, UninitBuffer};
use crate::prefetch::prefetch_read;

/// Ranges whose build rows are asked for ahead, where pairs are made of them.
const AHEAD: usize = 16;

/// Ranges of which one worker makes the pairs at a time.
const PIECE: usize = 1 << 12;

/// Consecutive tuples of a table, all of which a probe row matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MatchRange {
    /// Row of the probe side.
    pub probe: u32,
    /// The first of the tuples: a place among [`Ranges::build_rows`].
    pub first: u32,
    /// How many they are, at least one.
    pub len: u32,
}

impl MatchRange {
    /// The lowest bits that stand side by side, of matches among the 64 tuples from `at` on: a bit each, the first tuple's the
    /// lowest. Of no tuple where there is none.
    #[inline(always)]
    pub fn lowest(probe: u32, at: usize, matches: u64) -> Self {
        let first = matches.trailing_zeros();
        Self {
            probe,
            first: (at as u32).wrapping_add(first),
            len: matches.unbounded_shr(first).trailing_ones(),
        }
    }

    fn places(&self) -> Range<usize> {
        let first = self.first as usize;
        first..first + self.len as usize
    }
}

/// What probe rows found in a table.
///
/// A probe row with matches has one range, and several only where tuples of other keys of the same slot stand between its own.
#[derive(Debug)]
pub struct Ranges {
    build_rows: Buffer<u32>,
    chunks: Vec<Buffer<MatchRange>>,
}

impl Ranges {
    /// The `chunks` of all workers, whose places are among `build_rows`.
    pub fn new(build_rows: Buffer<u32>, chunks: Vec<Buffer<MatchRange>>) -> Self {
        Self { build_rows, chunks }
    }

    /// The build rows of the table's tuples, in their order.
    pub fn build_rows(&self) -> &[u32] {
        &self.build_rows
    }

    /// The ranges, in no order that means anything; their lengths are the counts of matches.
    pub fn iter(&self) -> impl Iterator<Item = &MatchRange> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The build rows of a range.
    ///
    /// # Panics
    ///
    /// If the range is of another table.
    pub fn of(&self, range: &MatchRange) -> &[u32] {
        &self.build_rows[range.places()]
    }

    /// The pairs, made one by one.
    pub fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        self.iter().flat_map(|range| {
            let probe = range.probe;
            let build = self.of(range).iter();
            build.map(move |&build| Pair { build, probe })
        })
    }

    /// The ranges in pieces of which a worker makes the pairs.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let ranges = self.chunks.iter().flat_map(|chunk| chunk.chunks(PIECE));
        ranges.map(|ranges| Piece {
            build_rows: &self.build_rows,
            ranges,
        })
    }
}

/// Some ranges of a table.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    build_rows: &'a [u32],
    ranges: &'a [MatchRange],
}

impl Piece<'_> {
    /// How many pairs they are.
    pub(super) fn pairs(&self) -> usize {
        self.ranges.iter().map(|range| range.len as usize).sum()
    }

    /// Writes the pairs to a place of that many.
    ///
    /// # Panics
    ///
    /// If it is another number.
    pub(super) fn expand(&self, mut place: &mut [MaybeUninit<Pair>]) {
        for (at, range) in self.ranges.iter().enumerate() {
            if let Some(ahead) = self.ranges.get(at + AHEAD) {
                prefetch_read(self.build_rows.as_ptr().wrapping_add(ahead.first as usize));
            }
            let build = &self.build_rows[range.places()];
            let pairs = place.split_off_mut(..build.len()).expect("room for each");
            let probe = range.probe;
            for (pair, &build) in pairs.iter_mut().zip(build) {
                pair.write(Pair { build, probe });
            }
        }
        assert!(place.is_empty(), "a pair for each place");
    }
}

/// One worker's ranges, kept as it finds them.
pub struct RangeBuffer {
    chunk: UninitBuffer<MatchRange>,
    len: usize,
    full: Vec<Buffer<MatchRange>>,
    memory: Memory,
    error: Option<OutOfMemory>,
}

impl RangeBuffer {
    /// An empty buffer.
    ///
    /// # Errors
    ///
    /// If there is no memory for a first chunk.
    pub fn new(memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            chunk: memory.uninit(FIRST_CHUNK)?,
            len: 0,
            full: Vec::new(),
            memory: memory.clone(),
            error: None,
        })
    }

    /// Room for so many ranges, at most 2^11: for callers that write several at once and then say how many count.
    #[inline]
    pub fn room(&mut self, ranges: usize) -> &mut [MaybeUninit<MatchRange>] {
        if self.chunk.len() - self.len < ranges {
            self.flush();
        }
        &mut self.chunk[self.len..]
    }

    /// Takes the first `ranges` ranges of the room.
    ///
    /// # Safety
    ///
    /// They have been written to the room that [`Self::room`] gave last, and nothing has been added since.
    #[inline]
    pub unsafe fn take(&mut self, ranges: usize) {
        debug_assert!(ranges <= self.chunk.len() - self.len);
        self.len += ranges;
    }

    /// Adds a probe row's matches among the 64 tuples from `at` on: a bit each, the first tuple's the lowest.
    pub fn add(&mut self, probe: u32, at: usize, mut matches: u64) {
        while matches != 0 {
            let range = MatchRange::lowest(probe, at, matches);
            self.room(1)[0].write(range);
            self.len += 1;
            matches = without_lowest_run(matches);
        }
    }

    /// As [`Self::add`], of the tuples behind those of the last call: a run that goes on stays one range.
    pub fn go_on(&mut self, probe: u32, at: usize, matches: u64) {
        let going_on = matches.trailing_ones();
        if let Some(last) = self.last_mut()
            && going_on > 0
            && last.probe == probe
            && last.places().end == at
        {
            last.len += going_on;
            self.add(probe, at, without_lowest_run(matches));
        } else {
            self.add(probe, at, matches);
        }
    }

    fn last_mut(&mut self) -> Option<&mut MatchRange> {
        let last = self.len.checked_sub(1)?;
        // SAFETY: the first `len` ranges of the chunk have been written.
        Some(unsafe { self.chunk[last].assume_init_mut() })
    }

    /// Once memory has run out, ranges are dropped and [`Self::finish`] says so.
    #[cold]
    fn flush(&mut self) {
        let wanted = (self.chunk.len() * 2).min(LARGEST_CHUNK);
        match self.memory.uninit(wanted) {
            Ok(next) if self.error.is_none() => {
                let chunk = std::mem::replace(&mut self.chunk, next);
                // SAFETY: the first `len` ranges of the chunk have been written.
                self.full.push(unsafe { chunk.assume_init_first(self.len) });
            }
            Ok(_) => {}
            Err(error) => self.error = Some(error),
        }
        self.len = 0;
    }

    /// Whether memory has run out, so that a worker may as well stop.
    pub fn is_exhausted(&self) -> bool {
        self.error.is_some()
    }

    /// The chunks.
    ///
    /// # Errors
    ///
    /// If memory ran out for one.
    pub fn finish(mut self) -> Result<Vec<Buffer<MatchRange>>, OutOfMemory> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.len > 0 {
            // SAFETY: the first `len` ranges of the chunk have been written.
            self.full
                .push(unsafe { self.chunk.assume_init_first(self.len) });
        }
        Ok(self.full)
    }
}

/// The bits without the lowest ones that stand side by side: a carry clears them and sets the bit behind them, which was clear.
#[inline(always)]
pub fn without_lowest_run(bits: u64) -> u64 {
    bits & bits.wrapping_add(bits & bits.wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of a probe row's ranges, and how many ranges they are.
    fn places(found: RangeBuffer) -> (Vec<u32>, usize) {
        let chunks = found.finish().unwrap();
        let ranges: Vec<_> = chunks.iter().flat_map(|chunk| chunk.iter()).collect();
        assert!(ranges.iter().all(|range| range.probe == 7 && range.len > 0));
        let places = ranges
            .iter()
            .flat_map(|range| range.first..range.first + range.len);
        (places.collect(), ranges.len())
    }

    #[test]
    fn runs_of_bits_are_ranges() {
        for (bits, runs) in [
            (0, 0),
            (1, 1),
            (1 << 63, 1),
            (u64::MAX, 1),
            (0b1011_0111, 3),
            (u64::MAX << 1, 1),
            (0x8000_0000_0000_0001, 2),
            (0x5555_5555_5555_5555, 32),
        ] {
            let mut found = RangeBuffer::new(&Memory::unlimited()).unwrap();
            found.add(7, 100, bits);
            let expected: Vec<u32> = (0..64).filter(|bit| bits >> bit & 1 == 1).collect();
            let expected = expected.into_iter().map(|bit| 100 + bit).collect();
            assert_eq!(places(found), (expected, runs), "{bits:x}");
        }
    }

    #[test]
    fn a_run_that_goes_on_stays_one_range() {
        let mut found = RangeBuffer::new(&Memory::unlimited()).unwrap();
        found.add(7, 0, u64::MAX << 60);
        found.go_on(7, 64, u64::MAX);
        found.go_on(7, 128, 0b1011);
        found.go_on(7, 192, 0b1);
        let expected = (60..130).chain([131, 192]).collect();
        assert_eq!(places(found), (expected, 3));
    }

    #[test]
    fn more_ranges_than_a_chunk_holds_are_kept_in_order() {
        let memory = Memory::unlimited();
        let mut found = RangeBuffer::new(&memory).unwrap();
        let many = 3 * FIRST_CHUNK as u32;
        (0..many).for_each(|at| found.add(7, 2 * at as usize, 1));
        let expected = (0..many).map(|at| 2 * at).collect();
        assert_eq!(places(found), (expected, many as usize));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn memory_that_runs_out_is_an_error() {
        let memory = Memory::limited(2 * FIRST_CHUNK * size_of::<MatchRange>());
        let mut found = RangeBuffer::new(&memory).unwrap();
        (0..=FIRST_CHUNK).for_each(|at| found.add(7, at, 1));
        assert!(found.is_exhausted());
        assert!(found.finish().is_err());
        assert_eq!(memory.used(), 0);
    }
}
