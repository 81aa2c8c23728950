//! The pairs of a join as two columns of row numbers.

use std::mem::MaybeUninit;
use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_buffer::{BooleanBuffer, Buffer as ArrowBuffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType};
use join_core::join::Side;
use join_core::kind::{NO_ROW, Truth};
use join_core::memory::{Buffer, Memory};
use join_core::output::Pair;
use join_core::parallel::Tasks;
use join_core::streaming_store;

use crate::error::Error;
use crate::stream;
use crate::work::Means;

/// The pairs of a join: row numbers of both sides, [`NO_ROW`] where there is no row.
pub(crate) struct RowPairs {
    pub(crate) build: Buffer<u32>,
    pub(crate) probe: Buffer<u32>,
}

impl RowPairs {
    /// The pairs of a join as its workers kept them.
    ///
    /// # Errors
    ///
    /// There is no memory for a second copy of them.
    pub(crate) fn of(chunks: Vec<Buffer<Pair>>, means: &Means) -> Result<Self, Error> {
        let total = chunks.iter().map(|chunk| chunk.len()).sum();
        let mut build = means.memory.uninit::<u32>(total)?;
        let mut probe = means.memory.uninit::<u32>(total)?;
        let (mut build_left, mut probe_left): (&mut [_], &mut [_]) = (&mut build, &mut probe);
        let parts = Tasks::new(chunks.into_iter().map(|chunk| {
            let build = build_left.split_off_mut(..chunk.len());
            let probe = probe_left.split_off_mut(..chunk.len());
            let room = "room for every pair";
            (chunk, build.expect(room), probe.expect(room))
        }));
        let workers = means.team.workers_for(total);
        means.team.run(vec![(); workers], |_, ()| {
            while let Some((_, (chunk, build, probe))) = parts.take() {
                split(&chunk, build, probe);
            }
            streaming_store::fence();
        });
        drop(parts);
        // SAFETY: the parts divide both buffers among the chunks, and each is written as long as its chunk is.
        let (build, probe) = unsafe { (build.assume_init(), probe.assume_init()) };
        Ok(Self { build, probe })
    }

    /// Pairs.
    pub(crate) fn len(&self) -> usize {
        self.build.len()
    }

    /// The pairs by the rows of a side, of which there are so many; those of one row by the rows of the other side, and at
    /// last those without a row.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub(crate) fn ordered(self, side: Side, rows: usize, means: &Means) -> Result<Self, Error> {
        let total = self.len();
        let (own, other) = match side {
            Side::Build => (self.build, self.probe),
            Side::Probe => (self.probe, self.build),
        };
        let bucket = |row: u32| (row as usize).min(rows);
        // Where each row's pairs begin, and where they end once they are in their places.
        let mut ends = means.memory.zeroed::<u64>(rows + 2)?;
        own.iter().for_each(|&row| ends[bucket(row) + 1] += 1);
        let mut sum = 0;
        for end in ends.iter_mut() {
            sum += *end;
            *end = sum;
        }
        let mut others = means.memory.zeroed::<u32>(total)?;
        for (&row, &other) in own.iter().zip(&*other) {
            let place = &mut ends[bucket(row)];
            others[*place as usize] = other;
            *place += 1;
        }
        drop(other);
        let mut own = own;
        let mut start = 0;
        for (row, &end) in ends[..=rows].iter().enumerate() {
            let places = start..end as usize;
            own[places.clone()].fill(if row < rows { row as u32 } else { NO_ROW });
            others[places].sort_unstable();
            start = end as usize;
        }
        let (build, probe) = match side {
            Side::Build => (own, others),
            Side::Probe => (others, own),
        };
        Ok(Self { build, probe })
    }
}

/// The rows of pairs, side by side.
fn split(pairs: &[Pair], build: &mut [MaybeUninit<u32>], probe: &mut [MaybeUninit<u32>]) {
    /// Pairs that stay in L1 until the rows of both sides have been written.
    const BLOCK: usize = 1 << 9;
    fn fill(to: &mut [MaybeUninit<u32>], pairs: &[Pair], row: impl Fn(&Pair) -> u32) {
        stream::fill::<BLOCK, u32>(to, |first, rows| {
            for (to, pair) in rows.iter_mut().zip(&pairs[first..]) {
                *to = row(pair);
            }
        });
    }
    let rows = build.chunks_mut(BLOCK).zip(probe.chunks_mut(BLOCK));
    for (pairs, (build, probe)) in pairs.chunks(BLOCK).zip(rows) {
        fill(build, pairs, |pair| pair.build);
        fill(probe, pairs, |pair| pair.probe);
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
