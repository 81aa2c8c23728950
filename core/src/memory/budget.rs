//! A budget of bytes that a join may hold at a time.

use std::fmt;
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

/// Whose memory a budget gives out, such as a pool that many queries share.
pub trait Lender: Send + Sync {
    /// Whether it lends so many bytes.
    fn lend(&self, bytes: usize) -> bool;

    /// Takes back so many of the bytes that it lent.
    fn take_back(&self, bytes: usize);
}

struct Account {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    lender: Option<Box<dyn Lender>>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("limit", &self.limit)
            .field("used", &self.used)
            .field("peak", &self.peak)
            .field("lent", &self.lender.is_some())
            .finish()
    }
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
        Self::new(limit, None)
    }

    /// A budget of what `lender` lends.
    pub fn lent(lender: impl Lender + 'static) -> Self {
        Self::new(usize::MAX, Some(Box::new(lender)))
    }

    fn new(limit: usize, lender: Option<Box<dyn Lender>>) -> Self {
        Self(Arc::new(Account {
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            lender,
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
        if account
            .lender
            .as_ref()
            .is_some_and(|lender| !lender.lend(bytes))
        {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(self.refused(bytes));
        }
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

    fn give_back(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(lender) = &self.0.lender {
            lender.take_back(bytes);
        }
    }

    /// The error for `requested` bytes that the process or the lender could not give.
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
        self.memory.give_back(self.bytes);
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

    struct Purse(Arc<AtomicUsize>);

    impl Lender for Purse {
        fn lend(&self, bytes: usize) -> bool {
            let left = |left: usize| left.checked_sub(bytes);
            self.0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
                .is_ok()
        }

        fn take_back(&self, bytes: usize) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_lender_is_asked_and_gets_back_what_it_lent() {
        let left = Arc::new(AtomicUsize::new(100));
        let memory = Memory::lent(Purse(left.clone()));
        let mut first = memory.reserve(40).unwrap();
        assert!(memory.reserve(61).is_err());
        first.grow(10).unwrap();
        assert_eq!((memory.used(), left.load(Ordering::Relaxed)), (50, 50));
        assert!(first.grow(51).is_err());
        drop(first);
        assert_eq!((memory.used(), left.load(Ordering::Relaxed)), (0, 100));
    }
}
