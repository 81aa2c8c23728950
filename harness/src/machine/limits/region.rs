//! Memory straight from the kernel, so that the page size is known.

use std::io;
use std::ptr::{self, NonNull};
use std::slice;

/// Size of a huge page; mappings start on such a boundary.
const HUGE_PAGE: usize = 2 << 20;

/// Words of a cache line.
pub const LINE_WORDS: usize = 8;

/// One cache line of 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u64; LINE_WORDS]);

/// An anonymous private mapping, zero until it is written. Its pages are not there before the
/// first write to each (that fault is what `first touch` measures).
#[derive(Debug)]
pub struct Region {
    mapping: NonNull<u8>,
    mapping_bytes: usize,
    offset: usize,
    bytes: usize,
}

impl Region {
    /// Maps `bytes`, rounded up to whole cache lines, and asks the kernel to back them with huge
    /// pages, or not to. The kernel may lack the memory for huge pages: see [`Region::is_huge`].
    ///
    /// # Errors
    /// When there is not enough address space or memory.
    pub fn map(bytes: usize, huge_pages: bool) -> io::Result<Self> {
        let bytes = bytes.max(1).next_multiple_of(size_of::<Line>());
        let mapping_bytes = bytes.next_multiple_of(HUGE_PAGE) + HUGE_PAGE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory
        // that anybody else holds.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapping_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mapping = NonNull::new(mapping.cast::<u8>())
            .ok_or_else(|| io::Error::other("mapped at address 0"))?;
        let region = Self {
            mapping,
            mapping_bytes,
            offset: mapping.as_ptr().align_offset(HUGE_PAGE),
            bytes,
        };
        region.advise(huge_pages);
        Ok(region)
    }

    #[cfg(target_os = "linux")]
    fn advise(&self, huge_pages: bool) {
        let advice = if huge_pages {
            libc::MADV_HUGEPAGE
        } else {
            libc::MADV_NOHUGEPAGE
        };
        // A kernel without transparent huge pages refuses; then the pages are small, as
        // `is_huge` reports.
        // SAFETY: the range is this mapping's own, and the advice changes no contents.
        unsafe {
            libc::madvise(self.mapping.as_ptr().cast(), self.mapping_bytes, advice);
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn advise(&self, _huge_pages: bool) {}

    /// Whether at least nine tenths of this region, which must have been written, lie in huge
    /// pages. False where the system does not say.
    pub fn is_huge(&self) -> bool {
        let Ok(maps) = std::fs::read_to_string("/proc/self/smaps") else {
            return false;
        };
        let address = self.start() as usize;
        let mut inside = false;
        for line in maps.lines() {
            let first = line.split(' ').next().unwrap_or("");
            if let Some((from, to)) = first.split_once('-') {
                let bound = |text| usize::from_str_radix(text, 16);
                inside = matches!((bound(from), bound(to)),
                    (Ok(from), Ok(to)) if (from..to).contains(&address));
            } else if inside && first == "AnonHugePages:" {
                let kib = line.split_whitespace().nth(1).and_then(|n| n.parse().ok());
                return kib.is_some_and(|kib: usize| kib << 10 >= self.bytes / 10 * 9);
            }
        }
        false
    }

    fn start(&self) -> *mut u8 {
        // The offset is below one huge page, by which the mapping is longer than the region.
        self.mapping.as_ptr().wrapping_add(self.offset)
    }

    /// The region as cache lines.
    pub fn lines(&self) -> &[Line] {
        // SAFETY: `start` is 2 MiB aligned, `bytes` from there, a multiple of a line, lie in the
        // mapping, which lives as long as `self`; any bits are a `Line`; writers need `&mut self`.
        unsafe { slice::from_raw_parts(self.start().cast(), self.bytes / size_of::<Line>()) }
    }

    /// The region as cache lines to write.
    pub fn lines_mut(&mut self) -> &mut [Line] {
        // SAFETY: `start` is 2 MiB aligned, `bytes` from there, a multiple of a line, lie in the
        // mapping, which lives as long as `self`; any bits are a `Line`; `&mut self` makes this the only view.
        unsafe { slice::from_raw_parts_mut(self.start().cast(), self.bytes / size_of::<Line>()) }
    }
}

/// The words of some lines.
pub fn words(lines: &[Line]) -> &[u64] {
    // SAFETY: a `Line` is eight words and nothing else, and stricter aligned than a word.
    unsafe { slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE_WORDS) }
}

/// The words of some lines, to write.
pub fn words_mut(lines: &mut [Line]) -> &mut [u64] {
    // SAFETY: a `Line` is eight words and nothing else, stricter aligned than a word, and the lines are borrowed mutably.
    unsafe { slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE_WORDS) }
}

const _: () = assert!(size_of::<Line>() == LINE_WORDS * size_of::<u64>());

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: this is the whole mapping that `map` made, and no view outlives `self`.
        unsafe {
            libc::munmap(self.mapping.as_ptr().cast(), self.mapping_bytes);
        }
    }
}
