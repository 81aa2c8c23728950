//! Level 1: the process. Where large blocks come from, and on which page size.
//!
//! [`ProcessAllocator`] is a global allocator that a binary installs; the harness does. Small blocks are mimalloc's.
//! Blocks of [`LARGE`] bytes and more come from the [`Origin`] that is set at the time: every variant, ours or a
//! baseline on a library's hash map, then gets its tables from the same place on the same page size, and the
//! ablation can say what that place and size were worth. First touch of fresh memory costs as much as a pass of a
//! join over it, so [`Origin::Pool`], which reuses touched blocks, is the default. What it does not have comes from the
//! [`reserve`] of the process, if there is one, and then from the system.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crossbeam::queue::SegQueue;
use mimalloc::MiMalloc;

use super::reserve;
pub use super::reserve::reserve;

/// Blocks from this size on, in bytes, are served by the chosen [`Origin`].
pub const LARGE: usize = 1 << 20;

/// Size and alignment of a huge page, in bytes.
pub const HUGE_PAGE: usize = 2 << 20;

/// A block's last 4 KiB, behind what its user sees, say how it was mapped.
const FOOTER: usize = 4096;

/// Size classes: eight per power of two.
const CLASSES: usize = (usize::BITS as usize - LARGE.trailing_zeros() as usize) * 8;

/// Where large blocks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// Mapped once and reused: memory that has been touched stays with the process.
    Pool,
    /// mimalloc.
    Mimalloc,
    /// Mapped afresh from the system for each block, and given back at once.
    System,
}

static SOURCE: AtomicU8 = AtomicU8::new(Origin::Pool as u8);
static HUGE_PAGES: AtomicBool = AtomicBool::new(true);
static POOL: [[SegQueue<usize>; CLASSES]; 2] = [const { [const { SegQueue::new() }; CLASSES] }; 2];

/// Sets where large blocks come from and whether they ask for huge pages, for all blocks from now on.
pub fn set(source: Origin, huge_pages: bool) {
    SOURCE.store(source as u8, Ordering::Relaxed);
    HUGE_PAGES.store(huge_pages, Ordering::Relaxed);
}

/// What the environment of a process must say before it starts so that mimalloc asks for huge pages, too, and keeps the
/// memory of freed small blocks, as the pool does that of large ones.
pub const KEEPS_SMALL_BLOCKS: [(&str, &str); 2] = [
    ("MIMALLOC_ALLOW_LARGE_OS_PAGES", "1"),
    ("MIMALLOC_PURGE_DELAY", "-1"),
];

/// Touches `bytes` that small blocks come from. They stay with the process only under [`KEEPS_SMALL_BLOCKS`].
pub fn reserve_small(bytes: usize) {
    // Of this size mimalloc has no two in one of its own pages, so that all of it can become blocks of any size.
    let layout = Layout::from_size_align(LARGE * 3 / 4, 64).expect("64 is a power of two");
    let count = bytes / layout.size();
    // SAFETY: a non-zero layout; what is written lies inside.
    let touched = |_| unsafe {
        let block = MiMalloc.alloc(layout);
        if !block.is_null() {
            let pages = (0..layout.size()).step_by(reserve::PAGE);
            pages.for_each(|at| block.add(at).write_volatile(0));
        }
        block
    };
    let blocks: Vec<*mut u8> = (0..count).map(touched).collect();
    for block in blocks.into_iter().filter(|block| !block.is_null()) {
        // SAFETY: it was allocated above with this layout.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}

/// Gives all pooled blocks back to the system.
pub fn trim() {
    for (huge, classes) in POOL.iter().enumerate() {
        for (class, queue) in classes.iter().enumerate() {
            while let Some(start) = queue.pop() {
                let _ = huge;
                // SAFETY: pooled blocks were made with their class' size, and nobody else holds this one.
                unsafe { give_back(start as *mut u8, class_bytes(class)) }
            }
        }
    }
}

/// The global allocator of a measuring process; see the module.
pub struct ProcessAllocator;

/// The class of blocks of `bytes`, rounded up.
fn class_of(bytes: usize) -> usize {
    let bytes = bytes.max(LARGE);
    let log = (bytes - 1).ilog2() as usize;
    let eighth = ((bytes - 1) >> (log - 3)) & 7;
    (log + 1 - LARGE.trailing_zeros() as usize) * 8 + eighth - 7
}

/// The size of a class' blocks, without the footer.
fn class_bytes(class: usize) -> usize {
    let class = class + 7;
    let log = class / 8 + LARGE.trailing_zeros() as usize - 1;
    (1 << log) + ((class % 8 + 1) << (log - 3))
}

/// Maps `bytes` and a footer, aligned to a huge page.
fn map(bytes: usize, huge: bool) -> *mut u8 {
    let wanted = bytes + FOOTER;
    let reserved = wanted + HUGE_PAGE;
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nobody's memory; what is unmapped
    // and advised below lies within it.
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
            return ptr::null_mut();
        }
        let raw = raw.cast::<u8>();
        let skip = raw.align_offset(HUGE_PAGE);
        let start = raw.add(skip);
        if skip > 0 {
            libc::munmap(raw.cast(), skip);
        }
        libc::munmap(start.add(wanted).cast(), reserved - skip - wanted);
        let advice = if huge {
            libc::MADV_HUGEPAGE
        } else {
            libc::MADV_NOHUGEPAGE
        };
        libc::madvise(start.cast(), bytes, advice);
        start.add(bytes).write(u8::from(huge));
        start
    }
}

/// # Safety
///
/// `start` came from [`map`] with the same `bytes`, and nobody uses the block any more.
unsafe fn unmap(start: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(start.cast(), bytes + FOOTER) };
}

/// Gives a pooled block back to the system; one of the reserve without a footer, which it does not have.
///
/// # Safety
///
/// `start` came from [`map`] or from the reserve with the same `bytes`, and nobody uses the block any more.
unsafe fn give_back(start: *mut u8, bytes: usize) {
    match reserve::holds(start) {
        // SAFETY: the block is whole pages of the reserve, which nobody else was given.
        true => unsafe {
            libc::munmap(start.cast(), bytes);
        },
        // SAFETY: the caller's promise.
        false => unsafe { unmap(start, bytes) },
    }
}

fn allocate(layout: Layout, zeroed: bool) -> *mut u8 {
    let huge = HUGE_PAGES.load(Ordering::Relaxed);
    let source = SOURCE.load(Ordering::Relaxed);
    if source == Origin::Mimalloc as u8 {
        return allocate_mimalloc(layout, huge, zeroed);
    }
    let class = class_of(layout.size());
    if source == Origin::Pool as u8
        && let Some(start) = POOL[usize::from(huge)][class].pop()
    {
        let start = start as *mut u8;
        if zeroed {
            // SAFETY: a block of this class holds at least `layout.size()` bytes and is ours alone.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        return start;
    }
    if source == Origin::Pool as u8
        && huge
        && let Some(start) = reserve::take(class_bytes(class), layout.align())
    {
        // Nobody had it before: it is as the system gave it, zeroes.
        return start;
    }
    map(class_bytes(class), huge)
}

fn allocate_mimalloc(layout: Layout, huge: bool, zeroed: bool) -> *mut u8 {
    let align = if layout.size() >= HUGE_PAGE {
        HUGE_PAGE
    } else {
        layout.align()
    };
    let Ok(layout) = Layout::from_size_align(layout.size(), align) else {
        return ptr::null_mut();
    };
    // SAFETY: the size is that of a large block, so not 0.
    let start = unsafe {
        if zeroed {
            MiMalloc.alloc_zeroed(layout)
        } else {
            MiMalloc.alloc(layout)
        }
    };
    if !start.is_null() && layout.size() >= HUGE_PAGE {
        let whole = layout.size() / HUGE_PAGE * HUGE_PAGE;
        let advice = if huge {
            libc::MADV_HUGEPAGE
        } else {
            libc::MADV_NOHUGEPAGE
        };
        // SAFETY: advice on whole huge pages inside the block.
        unsafe { libc::madvise(start.cast(), whole, advice) };
    }
    start
}

/// # Safety
///
/// `start` came from [`allocate`] with a layout of the same size and is not used any more.
unsafe fn release(start: *mut u8, layout: Layout) {
    // SAFETY: the call only compares addresses.
    if unsafe { libmimalloc_sys::mi_is_in_heap_region(start.cast()) } {
        // SAFETY: a block in mimalloc's heap came from it.
        unsafe { libmimalloc_sys::mi_free(start.cast()) };
        return;
    }
    let class = class_of(layout.size());
    let bytes = class_bytes(class);
    if reserve::holds(start) {
        POOL[usize::from(true)][class].push(start as usize);
    } else if SOURCE.load(Ordering::Relaxed) == Origin::Pool as u8 {
        // SAFETY: the footer was written when the block was mapped.
        let huge = unsafe { start.add(bytes).read() };
        POOL[usize::from(huge)][class].push(start as usize);
    } else {
        // SAFETY: the caller's promise; the class follows from the size.
        unsafe { unmap(start, bytes) };
    }
}

// SAFETY: small blocks are mimalloc's. Large ones are mimalloc's or mapped here, at least as large as asked for and
// aligned to 2 MiB; a block is freed into where its address says that it came from.
unsafe impl GlobalAlloc for ProcessAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE || layout.align() > HUGE_PAGE {
            // SAFETY: the caller's promise.
            return unsafe { MiMalloc.alloc(layout) };
        }
        allocate(layout, false)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE || layout.align() > HUGE_PAGE {
            // SAFETY: the caller's promise.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        }
        allocate(layout, true)
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if layout.size() < LARGE || layout.align() > HUGE_PAGE {
            // SAFETY: the caller's promise.
            return unsafe { MiMalloc.dealloc(start, layout) };
        }
        // SAFETY: the caller's promise.
        unsafe { release(start, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.size() < LARGE && new_size < LARGE || layout.align() > HUGE_PAGE {
            // SAFETY: the caller's promise.
            return unsafe { MiMalloc.realloc(start, layout, new_size) };
        }
        if layout.size() >= LARGE && class_of(new_size) == class_of(layout.size()) {
            // SAFETY: the call only compares addresses.
            let mapped = unsafe { !libmimalloc_sys::mi_is_in_heap_region(start.cast()) };
            if mapped && new_size >= LARGE {
                return start;
            }
        }
        // SAFETY: the new layout is valid by the caller's promise; both blocks hold the smaller of the two sizes.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(start, new, layout.size().min(new_size));
                self.dealloc(start, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_their_sizes() {
        for bytes in [
            LARGE,
            LARGE + 1,
            LARGE * 9 / 8,
            LARGE * 9 / 8 + 1,
            3 << 20,
            (5 << 30) + 7,
        ] {
            let class = class_of(bytes);
            assert!(class_bytes(class) >= bytes, "{bytes}");
            assert!(class == 0 || class_bytes(class - 1) < bytes, "{bytes}");
            assert!(class_bytes(class) <= bytes + bytes / 4, "{bytes}");
        }
    }

    #[test]
    fn blocks_are_reused_zeroed_when_asked_and_freed_from_any_source() {
        let layout = Layout::from_size_align(3 * LARGE, 64).unwrap();
        for source in [Origin::Pool, Origin::Mimalloc, Origin::System] {
            for huge in [false, true] {
                set(source, huge);
                for _ in 0..3 {
                    // SAFETY: a non-zero layout; what is read and written lies inside; each block is freed once.
                    unsafe {
                        let block = ProcessAllocator.alloc_zeroed(layout);
                        assert_eq!(block.add(layout.size() - 1).read(), 0);
                        block.add(layout.size() - 1).write(7);
                        let block = ProcessAllocator.realloc(block, layout, 9 * LARGE);
                        assert_eq!(block.add(layout.size() - 1).read(), 7);
                        let larger = Layout::from_size_align(9 * LARGE, 64).unwrap();
                        set(Origin::Pool, huge);
                        ProcessAllocator.dealloc(block, larger);
                        set(source, huge);
                    }
                }
            }
        }
        trim();
        set(Origin::Pool, true);
        assert_eq!(reserve(8 * LARGE), 8 * LARGE);
        let mut first = None;
        for _ in 0..2 {
            // SAFETY: as above.
            unsafe {
                let block = ProcessAllocator.alloc_zeroed(layout);
                assert!(reserve::holds(block));
                assert_eq!(*first.get_or_insert(block), block);
                assert_eq!(block.add(layout.size() - 1).read(), 0);
                block.add(layout.size() - 1).write(7);
                ProcessAllocator.dealloc(block, layout);
            }
        }
        trim();
    }
}
