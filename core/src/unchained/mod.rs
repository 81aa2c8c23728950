//! The unchained table (Birler, Schmidt, Fent, Neumann: "Simple, Efficient, and Robust Hash Tables for Join
//! Processing", DaMoN 2024): a directory of slots over one contiguous block of tuples ordered by hash prefix (R3.4).
//!
//! `docs/table-layout.md` has the byte pictures. Hash, tag scheme and directory layout are type parameters, bundled in a
//! [`Scheme`]; how many slots there are is a [`Sizing`]. Builds differ in how they fill the table through
//! [`UnchainedBuilder`]; what they leave is the same.

mod builder;
mod probe;
mod scheme;

pub use builder::{BlankSlots, SlotPart, StorePart, UnchainedBuilder};
pub use scheme::{DefaultScheme, Scheme, SchemeOf};

use crate::directory::DirectoryLayout;
use crate::key::{Key, Tuple};
use crate::memory::Buffer;
use crate::simd::MAX_LANES;
use crate::tag::TagScheme;

/// Tuples behind the last one, so that a probe may compare a vector of tuples from any place without looking first.
const PADDING: usize = MAX_LANES;

/// A finished unchained table.
pub struct Unchained<K: Key, S: Scheme> {
    directory: S::Directory,
    /// `tuples` ordered by slot, then [`PADDING`] zeroes.
    tuples: Buffer<Tuple<K>>,
    len: usize,
    prefix_bits: u32,
}

impl<K: Key, S: Scheme> Unchained<K, S> {
    /// Tuples in the table.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The directory.
    pub fn directory(&self) -> &S::Directory {
        &self.directory
    }

    /// The tuples, ordered by slot.
    pub fn tuples(&self) -> &[Tuple<K>] {
        &self.tuples[..self.len]
    }

    /// The slot of a hash.
    #[inline(always)]
    pub fn slot(&self, hash: u64) -> usize {
        slot(hash, self.prefix_bits)
    }

    /// The tag of a hash.
    #[inline(always)]
    pub fn tag(&self, hash: u64) -> u16 {
        S::Tags::tag(hash, self.prefix_bits)
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.directory.bytes() + self.tuples.bytes()
    }
}

/// The slot of a hash: its top bits.
#[inline(always)]
pub fn slot(hash: u64, prefix_bits: u32) -> usize {
    (hash >> (64 - prefix_bits)) as usize
}
