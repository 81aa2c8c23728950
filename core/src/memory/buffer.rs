//! Fixed-length arrays on a cache line boundary (of a page at least where [`super::process`] serves them).

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU32};

use bytemuck::Zeroable;

use super::budget::{Memory, OutOfMemory, Reservation};

/// Cache line size that buffers are aligned to.
const LINE: usize = 64;

/// A block from the process allocator, given back on drop.
struct Block {
    start: NonNull<u8>,
    layout: Layout,
    _reservation: Reservation,
}

impl Block {
    fn new<T>(memory: &Memory, len: usize, zeroed: bool) -> Result<Self, OutOfMemory> {
        let bytes = len.saturating_mul(size_of::<T>()).max(1);
        let layout = Layout::from_size_align(bytes, LINE.max(align_of::<T>()))
            .map_err(|_| memory.refused(bytes))?;
        let reservation = memory.reserve(bytes)?;
        // SAFETY: the layout's size is at least 1.
        let start = unsafe {
            if zeroed {
                alloc_zeroed(layout)
            } else {
                alloc(layout)
            }
        };
        let start = NonNull::new(start).ok_or_else(|| memory.refused(bytes))?;
        Ok(Self {
            start,
            layout,
            _reservation: reservation,
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `start` came from the global allocator with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// A fixed-length array of initialised values.
pub struct Buffer<T> {
    block: Block,
    len: usize,
    marker: std::marker::PhantomData<T>,
}

// SAFETY: a buffer owns its block, like a Vec.
unsafe impl<T: Send> Send for Buffer<T> {}
// SAFETY: a buffer owns its block, like a Vec, and shared access only reads.
unsafe impl<T: Sync> Sync for Buffer<T> {}

impl<T: Zeroable> Buffer<T> {
    /// `len` zeroes.
    pub fn zeroed(memory: &Memory, len: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            block: Block::new::<T>(memory, len, true)?,
            len,
            marker: std::marker::PhantomData,
        })
    }
}

impl<T> Buffer<T> {
    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    /// The first `len` values alone.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Buffer<u32> {
    /// The values, for several writers.
    pub fn atomics(&mut self) -> &[AtomicU32] {
        let values: *const [u32] = &raw mut **self;
        // SAFETY: an atomic has the layout of its integer and is aligned as the buffer is, and the exclusive borrow keeps
        // everyone else away meanwhile.
        unsafe { &*(values as *const [AtomicU32]) }
    }
}

impl Buffer<AtomicU8> {
    /// The values, once nobody writes them.
    pub fn values(&mut self) -> &[u8] {
        let values: *const [AtomicU8] = &raw mut **self;
        // SAFETY: an atomic has the layout of its integer, and the exclusive borrow keeps writers away meanwhile.
        unsafe { &*(values as *const [u8]) }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the block holds `len` initialised values.
        unsafe { slice::from_raw_parts(self.block.start.as_ptr().cast(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: the block holds `len` initialised values, and the borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.block.start.as_ptr().cast(), self.len) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A fixed-length array that is yet to be written.
pub struct UninitBuffer<T>(Buffer<MaybeUninit<T>>);

impl<T: Copy> UninitBuffer<T> {
    /// Room for `len` values.
    pub fn new(memory: &Memory, len: usize) -> Result<Self, OutOfMemory> {
        Ok(Self(Buffer {
            block: Block::new::<T>(memory, len, false)?,
            len,
            marker: std::marker::PhantomData,
        }))
    }

    /// The buffer, now readable.
    ///
    /// # Safety
    ///
    /// Every value has been written.
    pub unsafe fn assume_init(self) -> Buffer<T> {
        let len = self.0.len;
        // SAFETY: the caller promises every value.
        unsafe { self.assume_init_first(len) }
    }

    /// The first `len` values of the buffer, now readable.
    ///
    /// # Panics
    ///
    /// If there is no room for so many.
    ///
    /// # Safety
    ///
    /// They have been written.
    pub unsafe fn assume_init_first(self, len: usize) -> Buffer<T> {
        assert!(len <= self.0.len, "{len} values of {}", self.0.len);
        Buffer {
            len,
            block: self.0.block,
            marker: std::marker::PhantomData,
        }
    }
}

/// Room of which a prefix is there, zeroes at first: a worker that writes no more than it needs touches no more, and
/// whoever makes the room for all workers touches none of it.
pub struct OnDemand<T> {
    room: UninitBuffer<T>,
    /// Values that have been written.
    there: usize,
}

impl<T: Copy + Zeroable> OnDemand<T> {
    /// Room for `len` values, none of which is there.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub fn new(memory: &Memory, len: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            room: memory.uninit(len)?,
            there: 0,
        })
    }

    /// Size of the room in bytes.
    pub fn bytes(&self) -> usize {
        self.room.0.bytes()
    }

    /// The first `len` values: zeroes, where they have not been there before.
    ///
    /// # Panics
    ///
    /// If there is no room for so many.
    #[inline]
    pub fn first(&mut self, len: usize) -> &mut [T] {
        if self.there < len {
            self.room[self.there..len].fill(MaybeUninit::zeroed());
            self.there = len;
        }
        // SAFETY: all values below `there` have been written, and nobody takes one away.
        unsafe { self.room[..len].assume_init_mut() }
    }
}

/// The values that are there.
impl<T> Deref for OnDemand<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: all values below `there` have been written.
        unsafe { self.room[..self.there].assume_init_ref() }
    }
}

impl<T> Deref for UninitBuffer<T> {
    type Target = [MaybeUninit<T>];

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> DerefMut for UninitBuffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_zero_until_they_are_written() {
        let mut values = OnDemand::<u32>::new(&Memory::unlimited(), 9).unwrap();
        assert!(values.is_empty());
        values.first(2).copy_from_slice(&[1, 2]);
        assert_eq!(values.first(4), [1, 2, 0, 0]);
        assert_eq!(values.first(1), [1]);
        assert_eq!((&values[..], values.bytes()), (&[1, 2, 0, 0][..], 36));
    }
}
