//! What is known of each row of a side.

use std::sync::atomic::{AtomicU8, Ordering};

use super::Truth;
use crate::memory::{Buffer, Memory, OutOfMemory};

/// A [`Truth`] per row: whether it has a partner. Bytes and not bits, since many workers set them, and a store costs less
/// than an atomic or.
pub struct Marks(Buffer<AtomicU8>);

impl Marks {
    /// No row has a partner.
    ///
    /// # Errors
    ///
    /// If there is no memory for a byte per row.
    pub fn new(rows: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self(memory.zeroed(rows)?))
    }

    /// Rows of the side.
    pub fn rows(&self) -> usize {
        self.0.len()
    }

    /// Says so of a row.
    ///
    /// # Panics
    ///
    /// If there is no such row; so does [`Self::get`].
    #[inline(always)]
    pub fn set(&self, row: u32, has_partner: Truth) {
        // Relaxed, as below: what is set in a phase is read in a later one.
        self.0[row as usize].store(has_partner as u8, Ordering::Relaxed);
    }

    /// What is known of a row.
    #[inline(always)]
    pub fn get(&self, row: u32) -> Truth {
        match self.0[row as usize].load(Ordering::Relaxed) {
            0 => Truth::False,
            1 => Truth::True,
            _ => Truth::Unknown,
        }
    }

    /// Whether a row is known to have a partner.
    #[inline(always)]
    pub fn has_partner(&self, row: u32) -> bool {
        self.0[row as usize].load(Ordering::Relaxed) == Truth::True as u8
    }

    /// What is known of all rows, a [`Truth`] each, once nobody marks any.
    pub(super) fn all(&mut self) -> &[u8] {
        self.0.values()
    }
}
