//! A budget of bytes that a join may hold at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::Zeroable;

use super::buffer::{Buffer, UninitBuffer};

/// A reservation that the budget or the process could not give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "out of memory: {requested} bytes more were needed, {available} of the limit of {limit} were left; raise the memory limit or make the input smaller"
)]
pub struct OutOfMemory {
    /// Bytes that were asked for.
    pub requested: usize,
    /// Bytes that the budget still had.
    pub available: usize,
    /// The budget's limit, in bytes.
    pub limit: usize,
}

#[derive(Debug)]
struct Account {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

/// A shared budget of bytes. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Account>);

impl Default for Memory {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl Memory {
    /// A budget that only counts.
    pub fn unlimited() -> Self {
        Self::limited(usize::MAX)
    }

    /// A budget of `limit` bytes.
    pub fn limited(limit: usize) -> Self {
        Self(Arc::new(Account {
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }))
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most bytes held at a time.
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Takes `bytes` out of the budget until the reservation is dropped.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, OutOfMemory> {
        self.take(bytes)?;
        Ok(Reservation {
            memory: self.clone(),
            bytes,
        })
    }

    fn take(&self, bytes: usize) -> Result<(), OutOfMemory> {
        let account = &self.0;
        let before = account
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= account.limit)
            })
            .map_err(|used| OutOfMemory {
                requested: bytes,
                available: account.limit - used,
                limit: account.limit,
            })?;
        account.peak.fetch_max(before + bytes, Ordering::Relaxed);
        Ok(())
    }

    /// A buffer of zeroes.
    pub fn zeroed<T: Zeroable>(&self, len: usize) -> Result<Buffer<T>, OutOfMemory> {
        Buffer::zeroed(self, len)
    }

    /// A buffer to be written before it is read.
    pub fn uninit<T: Copy>(&self, len: usize) -> Result<UninitBuffer<T>, OutOfMemory> {
        UninitBuffer::new(self, len)
    }

    /// The error for `requested` bytes that the process could not give.
    pub fn refused(&self, requested: usize) -> OutOfMemory {
        OutOfMemory {
            requested,
            available: self.0.limit - self.used(),
            limit: self.0.limit,
        }
    }
}

/// Bytes taken out of a [`Memory`] budget; dropping gives them back.
#[derive(Debug)]
pub struct Reservation {
    memory: Memory,
    bytes: usize,
}

impl Reservation {
    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `bytes` to the reservation.
    pub fn grow(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        self.memory.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_gets_back_what_it_gave() {
        let memory = Memory::limited(100);
        let mut first = memory.reserve(40).unwrap();
        let second = memory.reserve(50).unwrap();
        let refused = memory.reserve(11).unwrap_err();
        assert_eq!(
            (refused.requested, refused.available, refused.limit),
            (11, 10, 100)
        );
        assert!(first.grow(11).is_err());
        first.grow(10).unwrap();
        assert_eq!((first.bytes(), memory.used()), (50, 100));
        drop(second);
        assert_eq!(memory.used(), 50);
        drop(first);
        assert_eq!((memory.used(), memory.peak()), (0, 100));
        assert_eq!(
            Arc::strong_count(&memory.0),
            1,
            "reservations let go of the budget"
        );
        assert!(memory.reserve(usize::MAX).is_err());
    }
}
