//! A growing list that stays within the join's memory budget.

use std::ops::{Deref, DerefMut};

use join_core::memory::{Memory, OutOfMemory, Reservation};

/// A `Vec` whose capacity is reserved from the budget, and whose growth may fail.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    items: Vec<T>,
    reservation: Reservation,
    memory: Memory,
}

impl<T> Counted<T> {
    /// An empty list.
    pub(crate) fn new(memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            items: Vec::new(),
            reservation: memory.reserve(0)?,
            memory: memory.clone(),
        })
    }

    /// Adds an item.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T) -> Result<(), OutOfMemory> {
        if self.items.len() == self.items.capacity() {
            self.reserve(1)?;
        }
        self.items.push(item);
        Ok(())
    }

    /// Makes room for `more` items; at least doubles, so that pushing costs the same however long the list is.
    #[cold]
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let (len, capacity) = (self.items.len(), self.items.capacity());
        let Some(more) = more.checked_sub(capacity - len).filter(|&more| more > 0) else {
            return Ok(());
        };
        let more = more.max(capacity).max(16);
        let bytes = more.saturating_mul(size_of::<T>());
        self.reservation.grow(bytes)?;
        self.items
            .try_reserve_exact(capacity + more - len)
            .map_err(|_| self.memory.refused(bytes))
    }

    /// Size in bytes, unused capacity included.
    pub(crate) fn bytes(&self) -> usize {
        self.reservation.bytes()
    }
}

impl<T: Copy> Counted<T> {
    /// Adds a slice of items.
    pub(crate) fn extend(&mut self, items: &[T]) -> Result<(), OutOfMemory> {
        self.reserve(items.len())?;
        self.items.extend_from_slice(items);
        Ok(())
    }
}

impl<T> Deref for Counted<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for Counted<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}
