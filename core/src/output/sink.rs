//! Where one worker writes its matches: sums, or pairs of row ids.

use std::mem::MaybeUninit;

use bytemuck::{Pod, Zeroable};

use super::filter::{Enough, PairFilter};
use crate::checksum::{Checksum, checksum_int64_row};
use crate::memory::{Buffer, Memory, OutOfMemory, UninitBuffer};
use crate::parallel::look;

/// Something that takes matches. Generic, so that a table's inner loop is compiled for it.
pub trait Sink {
    /// Takes a match if `hit`; without a branch on it, so that a caller may compare without one.
    fn emit_if(&mut self, hit: bool, build_row: u32, probe_row: u32);

    /// Takes a match.
    #[inline(always)]
    fn emit(&mut self, build_row: u32, probe_row: u32) {
        self.emit_if(true, build_row, probe_row);
    }

    /// Takes a block of matches.
    fn emit_block(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            self.emit(pair.build, pair.probe);
        }
    }

    /// Takes rows that have matches, where one of each row of their side [is enough](Self::enough).
    fn emit_rows(&mut self, rows: &[u32]) {
        emit_alone(self, rows);
    }

    /// How many matches it cannot do without.
    fn enough(&self) -> Enough {
        Enough::All
    }

    /// What counts and sums the matches, if nothing else becomes of them: several may then be added at once.
    fn sums(&mut self) -> Option<&mut Aggregate> {
        None
    }
}

/// Emits rows of which one match is enough as pairs with no row of the other side.
fn emit_alone<S: Sink + ?Sized>(sink: &mut S, rows: &[u32]) {
    let enough = sink.enough();
    for pair in rows.iter().filter_map(|&row| enough.pair_of(row)) {
        sink.emit(pair.build, pair.probe);
    }
}

/// The consumer `aggregate`: count of results and wrapping sums of both row ids, so that nothing can be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aggregate {
    /// Results.
    pub rows: u64,
    /// Wrapping sum of the results' build rows.
    pub sum_build: u64,
    /// Wrapping sum of the results' probe rows.
    pub sum_probe: u64,
}

impl Aggregate {
    /// The checksum of the one result row (rows, sum_build, sum_probe) as INT64 columns.
    pub fn checksum(&self) -> Checksum {
        Checksum(checksum_int64_row(&[
            self.rows as i64,
            self.sum_build as i64,
            self.sum_probe as i64,
        ]))
    }

    /// Adds another worker's share.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.sum_build = self.sum_build.wrapping_add(other.sum_build);
        self.sum_probe = self.sum_probe.wrapping_add(other.sum_probe);
    }
}

impl Sink for Aggregate {
    #[inline(always)]
    fn emit_if(&mut self, hit: bool, build_row: u32, probe_row: u32) {
        let mask = u64::from(hit).wrapping_neg();
        self.rows += u64::from(hit);
        self.sum_build = self.sum_build.wrapping_add(u64::from(build_row) & mask);
        self.sum_probe = self.sum_probe.wrapping_add(u64::from(probe_row) & mask);
    }

    fn emit_block(&mut self, pairs: &[Pair]) {
        let sum = |row: fn(&Pair) -> u32| pairs.iter().map(|pair| u64::from(row(pair))).sum();
        self.merge(&Self {
            rows: pairs.len() as u64,
            sum_build: sum(|pair| pair.build),
            sum_probe: sum(|pair| pair.probe),
        });
    }

    #[inline(always)]
    fn sums(&mut self) -> Option<&mut Aggregate> {
        Some(self)
    }
}

/// A result: a build row and a probe row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct Pair {
    /// Row of the build side.
    pub build: u32,
    /// Row of the probe side.
    pub probe: u32,
}

/// Takes pairs as they are produced, a block at a time, from any worker.
pub trait PairConsumer: Sync {
    /// Takes a block of `worker`'s pairs.
    fn consume(&self, worker: usize, pairs: &[Pair]);

    /// Bytes that it reads of the probe row of each pair. Those of rows in order lie side by side, so a join may do well to find
    /// the pairs in the order of the probe rows.
    fn probe_bytes(&self) -> usize {
        0
    }
}

/// Pairs a chunk of a worker's output holds at most: 1 MiB, so that large results lie in memory that has been touched before
/// ([`crate::memory::process`]). Chunks start small and double up to it, so that a small result costs little.
pub(super) const LARGEST_CHUNK: usize = 1 << 17;

/// Pairs that a worker's first chunk holds, and each one that is handed on: small enough to stay in L1 in between.
pub(super) const FIRST_CHUNK: usize = 1 << 11;

/// What becomes of a worker's full chunks.
enum Full<'a> {
    /// Kept for a merge.
    Kept(Vec<Buffer<Pair>>),
    /// Handed on as a worker's.
    Streamed(&'a dyn PairConsumer, usize),
    /// Counted and summed.
    Summed(Aggregate),
}

/// One worker's pairs: filtered, then kept for a merge, handed on or summed as chunks fill.
pub struct PairBuffer<'a> {
    chunk: UninitBuffer<Pair>,
    len: usize,
    /// Where the next pair is too many: the end of the chunk, or earlier where a filter is to see pairs while they are in L1.
    end: usize,
    /// Pairs of the chunk that the filter has seen.
    seen: usize,
    filter: Option<&'a dyn PairFilter>,
    full: Full<'a>,
    memory: Memory,
    error: Option<OutOfMemory>,
}

impl<'a> PairBuffer<'a> {
    fn new(
        memory: &Memory,
        filter: Option<&'a dyn PairFilter>,
        full: Full<'a>,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            chunk: memory.uninit(FIRST_CHUNK)?,
            len: 0,
            end: FIRST_CHUNK,
            seen: 0,
            filter,
            full,
            memory: memory.clone(),
            error: None,
        })
    }

    /// A buffer that keeps its pairs.
    pub fn keeping(
        memory: &Memory,
        filter: Option<&'a dyn PairFilter>,
    ) -> Result<Self, OutOfMemory> {
        Self::new(memory, filter, Full::Kept(Vec::new()))
    }

    /// A buffer that hands every full chunk to `consumer` as `worker`'s.
    pub fn streaming(
        memory: &Memory,
        filter: Option<&'a dyn PairFilter>,
        consumer: &'a dyn PairConsumer,
        worker: usize,
    ) -> Result<Self, OutOfMemory> {
        Self::new(memory, filter, Full::Streamed(consumer, worker))
    }

    /// A buffer that counts and sums the pairs that its filter keeps.
    pub fn summing(memory: &Memory, filter: &'a dyn PairFilter) -> Result<Self, OutOfMemory> {
        Self::new(memory, Some(filter), Full::Summed(Aggregate::default()))
    }

    /// Room for `pairs` more pairs, at most 2^11: for callers that write several at once and then say how many count.
    #[inline(always)]
    pub fn room(&mut self, pairs: usize) -> &mut [MaybeUninit<Pair>] {
        if self.end - self.len < pairs {
            self.flush();
        }
        &mut self.chunk[self.len..self.end]
    }

    /// Takes the first `pairs` pairs of the room.
    ///
    /// # Safety
    ///
    /// They have been written to the room that [`Self::room`] gave last, and no pair has been taken since.
    #[inline(always)]
    pub unsafe fn take(&mut self, pairs: usize) {
        debug_assert!(pairs <= self.end - self.len);
        self.len += pairs;
    }

    /// Has the filter see what it has not seen yet.
    fn sift(&mut self) {
        if let Some(filter) = self.filter {
            // SAFETY: the first `len` pairs of the chunk have been written.
            let new = unsafe { self.chunk[self.seen..self.len].assume_init_mut() };
            self.len = self.seen + filter.keep(new).min(new.len());
            self.seen = self.len;
        }
    }

    /// Makes room for [`FIRST_CHUNK`] pairs.
    #[cold]
    fn flush(&mut self) {
        look();
        self.sift();
        // SAFETY: the first `len` pairs of the chunk have been written.
        let pairs = unsafe { self.chunk[..self.len].assume_init_ref() };
        match &mut self.full {
            Full::Streamed(consumer, worker) if !pairs.is_empty() => {
                consumer.consume(*worker, pairs);
            }
            Full::Streamed(..) => {}
            Full::Summed(sums) => sums.emit_block(pairs),
            Full::Kept(_) if self.chunk.len() - self.len >= FIRST_CHUNK => {
                self.end = self.len + FIRST_CHUNK;
                return;
            }
            // Once memory has run out, pairs are dropped and `finish` says so.
            Full::Kept(full) => match self
                .memory
                .uninit((self.chunk.len() * 2).min(LARGEST_CHUNK))
            {
                Ok(next) if self.error.is_none() => {
                    let chunk = std::mem::replace(&mut self.chunk, next);
                    // SAFETY: as above.
                    full.push(unsafe { chunk.assume_init_first(self.len) });
                }
                Ok(_) => {}
                Err(error) => self.error = Some(error),
            },
        }
        (self.len, self.seen) = (0, 0);
        self.end = match self.filter {
            None => self.chunk.len(),
            Some(_) => FIRST_CHUNK,
        };
    }

    /// The kept chunks, in order, and the sums of a buffer that sums.
    pub fn finish(mut self) -> Result<(Vec<Buffer<Pair>>, Aggregate), OutOfMemory> {
        self.sift();
        if self.len > 0 {
            match &mut self.full {
                // SAFETY: the first `len` pairs of the chunk have been written.
                Full::Kept(full) => full.push(unsafe { self.chunk.assume_init_first(self.len) }),
                _ => self.flush(),
            }
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        Ok(match self.full {
            Full::Kept(full) => (full, Aggregate::default()),
            Full::Summed(sums) => (Vec::new(), sums),
            Full::Streamed(..) => (Vec::new(), Aggregate::default()),
        })
    }
}

impl Sink for PairBuffer<'_> {
    #[inline(always)]
    fn emit_if(&mut self, hit: bool, build_row: u32, probe_row: u32) {
        if self.len == self.end {
            self.flush();
        }
        self.chunk[self.len].write(Pair {
            build: build_row,
            probe: probe_row,
        });
        self.len += usize::from(hit);
    }

    fn emit_block(&mut self, mut pairs: &[Pair]) {
        while !pairs.is_empty() {
            let room = self.room(1);
            let (now, later) = pairs.split_at(pairs.len().min(room.len()));
            room[..now.len()].write_copy_of_slice(now);
            self.len += now.len();
            pairs = later;
        }
    }

    fn emit_rows(&mut self, rows: &[u32]) {
        look();
        if !self.filter.is_some_and(|filter| filter.take_rows(rows)) {
            emit_alone(self, rows);
        }
    }

    fn enough(&self) -> Enough {
        match self.error {
            Some(_) => Enough::None,
            None => self.filter.map_or(Enough::All, PairFilter::enough),
        }
    }
}

/// A sink behind a table's object-safe interface.
pub enum SinkRef<'s, 'a> {
    /// Sums.
    Aggregate(&'s mut Aggregate),
    /// Pairs.
    Pairs(&'s mut PairBuffer<'a>),
}

impl<'a> SinkRef<'_, 'a> {
    /// The same sink, for one block.
    #[inline]
    pub fn reborrow(&mut self) -> SinkRef<'_, 'a> {
        match self {
            Self::Aggregate(sums) => SinkRef::Aggregate(sums),
            Self::Pairs(pairs) => SinkRef::Pairs(pairs),
        }
    }

    /// Whether memory has run out or a filter is done, so that further matches are dropped and a worker may as well stop.
    #[inline]
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::Pairs(pairs) if pairs.enough() == Enough::None)
    }
}
