//! Copying past the caches.

#[cfg(target_arch = "x86_64")]
use join_core::prefetch::prefetch_read;

/// Less than this is copied as usual.
const LEAST: usize = 2 << 10;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Lines of a step. Always as many: a number that followed the lengths of rows would be mispredicted, which costs more than
/// steps gain.
const LINES: usize = 2;
/// What is copied next is fetched meanwhile: the reads would else wait until it is parsed.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 12 << 10;

/// Copies bytes to memory that will not be read soon, bit by bit, the rest when it is dropped: whole cache lines go past
/// the caches, so that they need not be read before they are written, and push nothing out. Others may read them only
/// after [`done`].
#[derive(Debug)]
pub struct Copying<'b> {
    /// Where the next line goes, aligned to a line.
    to: *mut u8,
    lines: &'b [[u8; LINE]],
    tail: &'b [u8],
}

impl<'b> Copying<'b> {
    /// Begins to copy `from`.
    ///
    /// # Safety
    /// `to` is valid for as many bytes, does not overlap `from`, and nobody else uses it before this is dropped.
    pub(super) unsafe fn new(to: *mut u8, from: &'b [u8]) -> Self {
        let head = if from.len() >= LEAST {
            to.align_offset(LINE)
        } else {
            from.len()
        };
        let (head, rest) = from.split_at(head);
        let (lines, tail) = rest.as_chunks::<LINE>();
        // SAFETY: the three parts lie one behind the other in the range that the caller vouches for, and the middle one
        // starts on a line.
        unsafe {
            to.copy_from_nonoverlapping(head.as_ptr(), head.len());
            Self {
                to: to.add(head.len()),
                lines,
                tail,
            }
        }
    }

    #[inline(always)]
    fn copy(&mut self, lines: &[[u8; LINE]]) {
        for line in lines {
            // SAFETY: the lines come one after the other, so `to` is where this one belongs in the range that the caller of
            // `new` vouches for, on a line.
            unsafe {
                copy_line(self.to, line);
                self.to = self.to.add(LINE);
            }
        }
    }
}

impl super::Writing for Copying<'_> {
    #[inline(always)]
    fn advance(&mut self) {
        if let Some((lines, rest)) = self.lines.split_first_chunk::<LINES>() {
            self.copy(lines);
            self.lines = rest;
        }
    }
}

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        self.copy(self.lines);
        // SAFETY: the tail belongs behind the lines, which have all been copied.
        unsafe {
            self.to
                .copy_from_nonoverlapping(self.tail.as_ptr(), self.tail.len())
        };
    }
}

/// # Safety
/// `to` is valid for a line, aligned to one, and nobody else uses it.
#[inline(always)]
unsafe fn copy_line(to: *mut u8, from: &[u8; LINE]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
        let (to, from) = (to.cast::<__m128i>(), from.as_ptr().cast::<__m128i>());
        prefetch_read(from.wrapping_byte_add(AHEAD));
        for part in 0..LINE / 16 {
            // SAFETY: SSE2 belongs to x86-64; a line has four parts of 16 bytes, and those of `to` are aligned.
            unsafe { _mm_stream_si128(to.add(part), _mm_loadu_si128(from.add(part))) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller vouches for a line.
    unsafe {
        to.copy_from_nonoverlapping(from.as_ptr(), LINE)
    };
}

/// What was copied before may be read by others afterwards.
pub(super) fn done() {
    // SAFETY: SSE belongs to x86-64, and a fence touches no memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Writing;

    #[test]
    fn every_byte_arrives_and_none_beside_them_changes() {
        let from: Vec<u8> = (0..3 * 4096u32).map(|n| (n * 7 / 3) as u8 | 1).collect();
        for start in (0..70).chain([127, 128, 4095]) {
            for bytes in [0, 1, 63, 64, 2047, 2048, 2049, 2111, 2112, 5000, 8192] {
                let part = &from[start / 2..][..bytes];
                let mut to = vec![0u8; start + bytes + 64];
                // SAFETY: the range lies in `to`, which nobody else has.
                let mut copying = unsafe { Copying::new(to[start..].as_mut_ptr(), part) };
                for _ in 0..start / 2 {
                    copying.advance();
                }
                drop(copying);
                done();
                assert_eq!(&to[start..][..bytes], part, "{bytes} bytes at {start}");
                assert!(
                    to[..start]
                        .iter()
                        .chain(&to[start + bytes..])
                        .all(|&byte| byte == 0)
                );
            }
        }
    }
}
