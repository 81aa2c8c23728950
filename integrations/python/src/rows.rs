//! The pairs of a join as two columns of row numbers.

use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_buffer::{BooleanBuffer, Buffer as ArrowBuffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType};
use join_core::join::Side;
use join_core::kind::{NO_ROW, Truth};
use join_core::memory::{Buffer, Memory, OutOfMemory, UninitBuffer};
use join_core::output::{Pair, PairConsumer};
use join_core::parallel::Tasks;

use crate::error::Error;
use crate::work::Means;

/// Rows of a chunk at the least and at the most: small results cost little, and large chunks come from the pool of touched
/// memory.
const FIRST_CHUNK: usize = 1 << 12;
const LARGEST_CHUNK: usize = 1 << 18;

/// Pairs of rows, as two columns of row numbers in chunks.
pub(crate) struct RowPairs {
    pub(crate) chunks: Vec<RowChunk>,
    /// The side whose rows mostly follow one another.
    pub(crate) follows: Side,
}

/// Row numbers of both sides, [`NO_ROW`] where there is no row.
pub(crate) struct RowChunk {
    pub(crate) build: Buffer<u32>,
    pub(crate) probe: Buffer<u32>,
}

impl RowChunk {
    /// Pairs.
    pub(crate) fn len(&self) -> usize {
        self.build.len()
    }

    /// The row numbers of a side.
    pub(crate) fn of(&self, side: Side) -> &Buffer<u32> {
        side.of(&self.build, &self.probe)
    }

    fn swapped(self) -> Self {
        Self {
            build: self.probe,
            probe: self.build,
        }
    }
}

impl RowPairs {
    /// Pairs.
    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().map(RowChunk::len).sum()
    }

    /// The same with the sides exchanged.
    pub(crate) fn swapped(self) -> Self {
        Self {
            chunks: self.chunks.into_iter().map(RowChunk::swapped).collect(),
            follows: self.follows.other(),
        }
    }

    /// The pairs in one chunk.
    ///
    /// # Errors
    ///
    /// There is no memory for a second copy of them.
    pub(crate) fn whole(mut self, means: &Means) -> Result<RowChunk, Error> {
        if self.chunks.len() == 1
            && let Some(only) = self.chunks.pop()
        {
            return Ok(only);
        }
        let total = self.len();
        let mut build = means.memory.uninit::<u32>(total)?;
        let mut probe = means.memory.uninit::<u32>(total)?;
        let (mut build_left, mut probe_left): (&mut [_], &mut [_]) = (&mut build, &mut probe);
        let parts = Tasks::new(self.chunks.into_iter().map(|chunk| {
            let build = build_left.split_off_mut(..chunk.len());
            let probe = probe_left.split_off_mut(..chunk.len());
            let room = "room for every pair";
            (build.expect(room), probe.expect(room), chunk)
        }));
        let workers = means.team.workers_for(total);
        means.team.run(vec![(); workers], |_, ()| {
            while let Some((_, (build, probe, chunk))) = parts.take() {
                build.write_copy_of_slice(&chunk.build);
                probe.write_copy_of_slice(&chunk.probe);
            }
        });
        drop(parts);
        // SAFETY: the parts divide both buffers among the chunks, and each is written as long as its chunk is.
        let (build, probe) = unsafe { (build.assume_init(), probe.assume_init()) };
        Ok(RowChunk { build, probe })
    }

    /// The pairs by the rows of a side, of which there are so many; those of one row by the rows of the other side, and at
    /// last those without a row.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub(crate) fn ordered(self, side: Side, rows: usize, means: &Means) -> Result<Self, Error> {
        let total = self.len();
        let bucket = |row: u32| (row as usize).min(rows);
        // Where each row's pairs begin, and where they end once they are in their places.
        let mut ends = means.memory.zeroed::<u64>(rows + 2)?;
        for chunk in &self.chunks {
            let own = chunk.of(side).iter();
            own.for_each(|&row| ends[bucket(row) + 1] += 1);
        }
        let mut sum = 0;
        for end in ends.iter_mut() {
            sum += *end;
            *end = sum;
        }
        let mut others = means.memory.zeroed::<u32>(total)?;
        for chunk in self.chunks {
            let pairs = chunk.of(side).iter().zip(&**chunk.of(side.other()));
            for (&row, &other) in pairs {
                let place = &mut ends[bucket(row)];
                others[*place as usize] = other;
                *place += 1;
            }
        }
        let mut own = means.memory.zeroed::<u32>(total)?;
        let mut start = 0;
        for (row, &end) in ends[..=rows].iter().enumerate() {
            let places = start..end as usize;
            own[places.clone()].fill(if row < rows { row as u32 } else { NO_ROW });
            others[places].sort_unstable();
            start = end as usize;
        }
        let ordered = RowChunk {
            build: own,
            probe: others,
        };
        Ok(Self {
            chunks: vec![match side {
                Side::Build => ordered,
                Side::Probe => ordered.swapped(),
            }],
            follows: side,
        })
    }
}

/// Takes pairs from the workers of a join while they are in the cache, and keeps them as columns.
pub(crate) struct Collector {
    /// Each worker takes its own lock alone.
    workers: Vec<Mutex<Collected>>,
    memory: Memory,
}

/// What a worker has found.
#[derive(Default)]
struct Collected {
    full: Vec<RowChunk>,
    filling: Option<Filling>,
    error: Option<OutOfMemory>,
}

/// A chunk that is not full.
struct Filling {
    build: UninitBuffer<u32>,
    probe: UninitBuffer<u32>,
    len: usize,
}

impl Collector {
    /// A collector of so many workers.
    pub(crate) fn new(means: &Means) -> Self {
        Self {
            workers: (0..means.team.threads())
                .map(|_| Mutex::default())
                .collect(),
            memory: means.memory.clone(),
        }
    }

    /// All pairs, worker after worker.
    ///
    /// # Errors
    ///
    /// There was no memory for them.
    pub(crate) fn finish(self) -> Result<RowPairs, Error> {
        let mut chunks = Vec::new();
        for worker in self.workers {
            let mut collected = worker.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = collected.error {
                return Err(error.into());
            }
            chunks.append(&mut collected.full);
            chunks.extend(collected.filling.map(Filling::finish));
        }
        Ok(RowPairs {
            chunks,
            follows: Side::Probe,
        })
    }
}

impl PairConsumer for Collector {
    fn consume(&self, worker: usize, pairs: &[Pair]) {
        let own = self.workers[worker].lock();
        let mut own = own.unwrap_or_else(PoisonError::into_inner);
        // Once memory has run out, pairs are dropped and `finish` says so.
        if own.error.is_none()
            && let Err(error) = own.add(pairs, &self.memory)
        {
            own.error = Some(error);
        }
    }
}

impl Collected {
    fn add(&mut self, mut pairs: &[Pair], memory: &Memory) -> Result<(), OutOfMemory> {
        while !pairs.is_empty() {
            let mut filling = match self.filling.take() {
                Some(filling) => filling,
                None => Filling::new(self.full.last().map_or(FIRST_CHUNK, next_len), memory)?,
            };
            pairs = filling.take(pairs);
            match filling.len == filling.build.len() {
                true => self.full.push(filling.finish()),
                false => self.filling = Some(filling),
            }
        }
        Ok(())
    }
}

/// The length of the chunk after this one.
fn next_len(last: &RowChunk) -> usize {
    (last.len() * 4).min(LARGEST_CHUNK)
}

impl Filling {
    fn new(len: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            build: memory.uninit(len)?,
            probe: memory.uninit(len)?,
            len: 0,
        })
    }

    /// Takes as many pairs as there is room for, and returns the others.
    fn take<'p>(&mut self, pairs: &'p [Pair]) -> &'p [Pair] {
        let room = self.build.len() - self.len;
        let (taken, others) = pairs.split_at(pairs.len().min(room));
        let places = self.len..self.len + taken.len();
        let build = self.build[places.clone()].iter_mut();
        let places = build.zip(&mut self.probe[places]);
        for (pair, (build, probe)) in taken.iter().zip(places) {
            build.write(pair.build);
            probe.write(pair.probe);
        }
        self.len += taken.len();
        others
    }

    fn finish(self) -> RowChunk {
        // SAFETY: `take` has written the first `len` numbers of both.
        unsafe {
            RowChunk {
                build: self.build.assume_init_first(self.len),
                probe: self.probe.assume_init_first(self.len),
            }
        }
    }
}

/// Row numbers as an array, NULL where there may be no row.
pub(crate) fn numbers(rows: Buffer<u32>, missing: bool) -> Result<ArrayData, Error> {
    let nulls = missing.then(|| BooleanBuffer::collect_bool(rows.len(), |at| rows[at] != NO_ROW));
    let nulls = nulls
        .map(NullBuffer::new)
        .filter(|nulls| nulls.null_count() > 0);
    let array = ArrayData::builder(DataType::UInt32)
        .len(rows.len())
        .nulls(nulls)
        .add_buffer(shared(rows));
    array.build().map_err(Error::value)
}

/// No rows at all, as an array.
pub(crate) fn no_numbers(len: usize, memory: &Memory) -> Result<ArrayData, Error> {
    // Whoever keeps the array has the bytes, not the join.
    drop(memory.reserve(len * size_of::<u32>())?);
    Ok(ArrayData::new_null(&DataType::UInt32, len))
}

/// What stands in place of a partner's row in a mark join, as truths.
///
/// # Errors
///
/// None that is known of.
pub(crate) fn truths(marks: &[u32]) -> Result<ArrayData, ArrowError> {
    let known = BooleanBuffer::collect_bool(marks.len(), |at| marks[at] != Truth::Unknown as u32);
    let true_ones = BooleanBuffer::collect_bool(marks.len(), |at| marks[at] == Truth::True as u32);
    let array = ArrayData::builder(DataType::Boolean)
        .len(marks.len())
        .nulls(Some(NullBuffer::new(known)).filter(|nulls| nulls.null_count() > 0))
        .add_buffer(true_ones.into_inner());
    array.build()
}

/// A buffer of the core as one of Arrow, without a copy.
fn shared(rows: Buffer<u32>) -> ArrowBuffer {
    let (bytes, start) = (rows.bytes(), NonNull::from(&*rows).cast::<u8>());
    // SAFETY: the buffer's values lie in a block of their own, which stays where it is until the owner, that is the buffer,
    // is dropped; and nobody else has it.
    unsafe { ArrowBuffer::from_custom_allocation(start, bytes, Arc::new(AssertUnwindSafe(rows))) }
}
