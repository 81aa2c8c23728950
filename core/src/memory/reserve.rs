//! Memory that lies together and has been touched before it is wanted: where [`super::process`] takes a large block from
//! that its pool does not have.
//!
//! A block of fresh memory is paid for at its first touch: 512 faults for 2 MiB, or one and two mebibytes of zeroes where
//! the kernel has a huge page at hand. A block of 1 MiB that is mapped by itself never lies on a huge page. A process
//! that knows when its time does not count can touch a reserve then.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::process::HUGE_PAGE;

/// Least alignment of a block, and what is touched at a time.
pub(super) const PAGE: usize = 4096;

/// The reserve of the process. It is mapped once and never given back as a whole.
static RESERVE: Reserve = Reserve::none();

/// A range of addresses of which blocks are taken in order.
struct Reserve {
    start: AtomicUsize,
    /// Where the next block begins.
    next: AtomicUsize,
    /// 0 as long as there is no reserve. Written last.
    end: AtomicUsize,
}

/// Maps a reserve of `bytes` on huge pages where the system has them, and touches all of it. Returns how much was touched:
/// nothing where there is a reserve already, or where the system refuses.
pub fn reserve(bytes: usize) -> usize {
    RESERVE.fill(bytes)
}

/// A block of the reserve; none where there is no room for it.
pub(super) fn take(bytes: usize, align: usize) -> Option<*mut u8> {
    RESERVE.take(bytes, align)
}

/// Whether a block is one of the reserve.
pub(super) fn holds(block: *mut u8) -> bool {
    RESERVE.holds(block as usize)
}

impl Reserve {
    const fn none() -> Self {
        Self {
            start: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
        }
    }

    fn fill(&self, bytes: usize) -> usize {
        let bytes = bytes / HUGE_PAGE * HUGE_PAGE;
        let claimed = self
            .start
            .compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
        if bytes == 0 || claimed.is_err() {
            return 0;
        }
        let Some(start) = map(bytes) else {
            self.start.store(0, Ordering::Relaxed);
            return 0;
        };
        for page in (0..bytes).step_by(PAGE) {
            // SAFETY: it lies in the mapping, which nobody else knows yet.
            unsafe { start.add(page).write_volatile(0) };
        }
        let start = start as usize;
        self.start.store(start, Ordering::Relaxed);
        self.next.store(start, Ordering::Relaxed);
        // Whoever sees the end sees what stands before it.
        self.end.store(start + bytes, Ordering::Release);
        bytes
    }

    fn take(&self, bytes: usize, align: usize) -> Option<*mut u8> {
        let end = self.end.load(Ordering::Acquire);
        let place = |next: usize| next.next_multiple_of(align.max(PAGE));
        let after = |next: usize| {
            let after = place(next).checked_add(bytes)?;
            (after <= end).then_some(after)
        };
        let taken = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        taken.ok().map(|next| place(next) as *mut u8)
    }

    fn holds(&self, address: usize) -> bool {
        address < self.end.load(Ordering::Acquire) && address >= self.start.load(Ordering::Relaxed)
    }
}

/// Maps `bytes`, whole huge pages, on the boundary of one.
fn map(bytes: usize) -> Option<*mut u8> {
    let reserved = bytes.checked_add(HUGE_PAGE)?;
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nobody's memory; what is unmapped and
    // advised below lies within it.
    unsafe {
        let raw = libc::mmap(
            ptr::null_mut(),
            reserved,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        );
        if raw == libc::MAP_FAILED {
            return None;
        }
        let raw = raw.cast::<u8>();
        let skip = raw.align_offset(HUGE_PAGE);
        let start = raw.add(skip);
        if skip > 0 {
            libc::munmap(raw.cast(), skip);
        }
        libc::munmap(start.add(bytes).cast(), HUGE_PAGE - skip);
        libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE);
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_aligned_and_within_the_reserve() {
        let reserve = Reserve::none();
        assert!(reserve.take(1, 1).is_none() && !reserve.holds(0));
        assert_eq!(reserve.fill(HUGE_PAGE - 1), 0);
        let reserve = Reserve::none();
        assert_eq!(reserve.fill(2 * HUGE_PAGE + 5), 2 * HUGE_PAGE);
        assert_eq!(reserve.fill(HUGE_PAGE), 0, "there is one already");
        let mut end = 0;
        for (bytes, align) in [(HUGE_PAGE / 2, 64), (PAGE + 1, 64), (PAGE, HUGE_PAGE)] {
            let block = reserve.take(bytes, align).unwrap() as usize;
            assert!(block >= end && block.is_multiple_of(align.max(PAGE)));
            assert!(reserve.holds(block) && reserve.holds(block + bytes - 1));
            // SAFETY: the block was taken here, and nobody else has it.
            unsafe { std::slice::from_raw_parts_mut(block as *mut u8, bytes).fill(7) };
            end = block + bytes;
        }
        assert!(reserve.take(HUGE_PAGE, 64).is_none());
        assert!(reserve.take(usize::MAX, 64).is_none());
        assert!(reserve.take(PAGE, 64).is_some(), "what fits is still there");
    }
}
