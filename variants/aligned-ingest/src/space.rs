//! The place that all workers share: chunks one behind the other, and a cursor.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use serde::{Deserialize, Serialize};

use crate::index::RowIndex;
use crate::store::Store;

/// The chunks and slots of a load. Addresses run through all chunks as if they were one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Bytes of a slot: the most that one flush writes.
    pub slot: u64,
    /// Chunks.
    pub chunks: u32,
    /// Bytes of a chunk, a multiple of the slot.
    pub chunk_bytes: u64,
}

/// Sizes that make no sense together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A size of zero, or so large that addresses overflow.
    #[error(
        "{chunks} chunks of {chunk_bytes} bytes with slots of {slot} are no layout; each must be at least 1 and all of it below 2^62 bytes"
    )]
    Size {
        /// Chunks.
        chunks: u32,
        /// Bytes of a chunk.
        chunk_bytes: u64,
        /// Bytes of a slot.
        slot: u64,
    },
    /// The last slot of a chunk would reach into the next chunk.
    #[error(
        "a chunk of {chunk_bytes} bytes is no multiple of the slot of {slot}; {rounded} is the next"
    )]
    Multiple {
        /// Bytes of a chunk.
        chunk_bytes: u64,
        /// Bytes of a slot.
        slot: u64,
        /// The next size of a chunk that is.
        rounded: u64,
    },
}

impl Layout {
    /// The chunk loader's slot.
    pub const DEFAULT_SLOT: u64 = 64 << 20;

    /// A layout, if it is one.
    ///
    /// # Errors
    /// See [`LayoutError`].
    pub fn new(slot: u64, chunks: u32, chunk_bytes: u64) -> Result<Layout, LayoutError> {
        let all = chunk_bytes.checked_mul(chunks.into());
        if slot == 0 || all.is_none_or(|all| all == 0 || all >= 1 << 62) || slot > chunk_bytes {
            return Err(LayoutError::Size {
                chunks,
                chunk_bytes,
                slot,
            });
        }
        if !chunk_bytes.is_multiple_of(slot) {
            return Err(LayoutError::Multiple {
                chunk_bytes,
                slot,
                rounded: chunk_bytes.next_multiple_of(slot),
            });
        }
        Ok(Layout {
            slot,
            chunks,
            chunk_bytes,
        })
    }

    /// A layout with room for `bytes` of rows, none longer than a slot, from `workers` workers in `chunks` chunks,
    /// whatever the placement.
    ///
    /// # Errors
    /// If it would be too large.
    pub fn for_bytes(
        slot: u64,
        chunks: u32,
        bytes: u64,
        workers: u32,
    ) -> Result<Layout, LayoutError> {
        // A flush is at least half full or is followed by one with which it fills more than a slot; a worker's last
        // buffer may be nearly empty; at the end of a chunk nearly a slot may stay free.
        let slots = (bytes / slot.max(1)).saturating_mul(2) + u64::from(workers) + 1;
        let a_chunk = slots.div_ceil(chunks.max(1).into()) + 1;
        Layout::new(slot, chunks, a_chunk.saturating_mul(slot))
    }

    /// Addresses.
    pub fn bytes(&self) -> u64 {
        self.chunk_bytes * u64::from(self.chunks)
    }

    /// The chunk of an address.
    pub fn chunk_of(&self, at: u64) -> usize {
        (at / self.chunk_bytes) as usize
    }

    /// `bytes` from address `at` on, cut at the ends of chunks: chunk, offset in it, bytes.
    pub fn cut(&self, at: u64, bytes: u64) -> impl Iterator<Item = (usize, u64, u64)> + use<> {
        let layout = *self;
        let mut next = at;
        std::iter::from_fn(move || {
            let left = at + bytes - next;
            let offset = next % layout.chunk_bytes;
            let chunk = layout.chunk_of(next);
            let part = left.min(layout.chunk_bytes - offset);
            next += part;
            (part > 0).then_some((chunk, offset, part))
        })
    }
}

/// All addresses are given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks are full: {chunks} of {chunk_bytes} bytes; raise --chunk-size or --chunks")]
pub struct Full {
    /// Chunks.
    pub chunks: u32,
    /// Bytes of a chunk.
    pub chunk_bytes: u64,
}

/// Chunks that many workers write to at once.
///
/// A worker gets a range of addresses by one `fetch_add` on the cursor (S1). Ranges never overlap, so the writes need
/// no lock and no order among them; that they are seen by whoever reads comes from the joining of the workers.
#[derive(Debug)]
pub struct Space<S> {
    layout: Layout,
    cursor: CachePadded<AtomicU64>,
    stopped: AtomicBool,
    stride: u64,
    store: S,
}

impl<S: Store> Space<S> {
    /// Empty chunks.
    pub fn new(layout: Layout, store: S) -> Self {
        Space {
            layout,
            cursor: CachePadded::new(AtomicU64::new(0)),
            stopped: AtomicBool::new(false),
            stride: RowIndex::DEFAULT_STRIDE,
            store,
        }
    }

    /// The same, with a row start noted for each `stride` bytes of a section, at least one.
    #[must_use]
    pub fn with_stride(self, stride: u64) -> Self {
        Space {
            stride: stride.max(1),
            ..self
        }
    }

    /// For how many bytes of a section a row start is noted.
    pub(crate) fn stride(&self) -> u64 {
        self.stride
    }

    /// The layout.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Addresses given away so far.
    pub fn reserved(&self) -> u64 {
        self.cursor.load(Ordering::Relaxed).min(self.layout.bytes())
    }

    /// Where the bytes are kept.
    pub fn into_store(self) -> S {
        self.store
    }

    /// A worker failed: the rows of the others are for nothing.
    pub(crate) fn stop(&self) {
        // Relaxed here and below: nothing else is told by it.
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether a worker failed.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes `bytes` addresses and returns the first.
    pub(crate) fn take(&self, bytes: u64) -> Result<u64, Full> {
        // Relaxed: only the number matters. It cannot wrap: a layout is below 2^62, a flush at most a slot, and a
        // worker stops at the first refusal.
        let at = self.cursor.fetch_add(bytes, Ordering::Relaxed);
        if at + bytes <= self.layout.bytes() {
            return Ok(at);
        }
        Err(Full {
            chunks: self.layout.chunks,
            chunk_bytes: self.layout.chunk_bytes,
        })
    }

    /// Makes sure that the store has room for the range.
    pub(crate) fn prepare(&self, at: u64, bytes: u64) -> io::Result<()> {
        self.layout
            .cut(at, bytes)
            .try_for_each(|(chunk, offset, part)| self.store.prepare(chunk, offset, part))
    }

    /// Gives the room of a range back that stays empty.
    pub(crate) fn release(&self, at: u64, bytes: u64) {
        for (chunk, offset, part) in self.layout.cut(at, bytes) {
            self.store.release(chunk, offset, part);
        }
    }

    /// What this thread wrote can be read by others from here on.
    pub(crate) fn settle(&self) {
        self.store.settle();
    }

    /// Begins to write `bytes` to address `at`; `None` if there are none. See [`Space::settle`].
    ///
    /// # Safety
    /// The range must be part of one that the caller [took](Space::take), and nobody else may write to it.
    pub(crate) unsafe fn write<'b>(
        &'b self,
        at: u64,
        bytes: &'b [u8],
    ) -> io::Result<Option<S::Writing<'b>>> {
        let (mut rest, mut last) = (bytes, None);
        for (chunk, offset, part) in self.layout.cut(at, bytes.len() as u64) {
            let (bytes, after) = rest.split_at(part as usize);
            rest = after;
            // SAFETY: the caller alone writes to this range.
            last = Some(unsafe { self.store.write(chunk, offset, bytes)? });
        }
        Ok(last)
    }
}
