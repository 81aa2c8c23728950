//! Copying past the caches.

#[cfg(target_arch = "x86_64")]
use join_core::prefetch::prefetch_read;

/// Less than this is copied as usual.
#[cfg(target_arch = "x86_64")]
const LEAST: usize = 2 << 10;
/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;
/// What is copied next is fetched meanwhile: the reads would else wait until it is parsed.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 12 << 10;

/// Copies `from` to memory that will not be read soon: whole cache lines go past the caches, so that they need not be
/// read before they are written, and push nothing out. Others may read them only after [`done`].
///
/// # Safety
/// `to` is valid for as many bytes, does not overlap `from`, and nobody else uses it at the same time.
pub(super) unsafe fn copy(to: *mut u8, from: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    if from.len() >= LEAST {
        let (head, rest) = from.split_at(to.align_offset(LINE));
        let (lines, tail) = rest.as_chunks::<LINE>();
        // SAFETY: the three parts lie one behind the other in the range that the caller vouches for, and the middle one
        // starts on a line.
        unsafe {
            to.copy_from_nonoverlapping(head.as_ptr(), head.len());
            let to = to.add(head.len());
            copy_lines(to, lines);
            let to = to.add(lines.len() * LINE);
            to.copy_from_nonoverlapping(tail.as_ptr(), tail.len());
        }
        return;
    }
    // SAFETY: the caller vouches for the range.
    unsafe { to.copy_from_nonoverlapping(from.as_ptr(), from.len()) };
}

/// # Safety
/// As [`copy`], and `to` is aligned to a line.
#[cfg(target_arch = "x86_64")]
unsafe fn copy_lines(to: *mut u8, lines: &[[u8; LINE]]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    for (line, from) in lines.iter().enumerate() {
        let from = from.as_ptr().cast::<__m128i>();
        // SAFETY: SSE2 belongs to x86-64; a line has four parts of 16 bytes, and those of `to` are aligned. A prefetch
        // of any address is harmless.
        unsafe {
            let to = to.add(line * LINE).cast::<__m128i>();
            prefetch_read(from.wrapping_byte_add(AHEAD));
            for part in 0..4 {
                _mm_stream_si128(to.add(part), _mm_loadu_si128(from.add(part)));
            }
        }
    }
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

    #[test]
    fn every_byte_arrives_and_none_beside_them_changes() {
        let from: Vec<u8> = (0..3 * 4096u32).map(|n| (n * 7 / 3) as u8 | 1).collect();
        for start in (0..70).chain([127, 128, 4095]) {
            for bytes in [0, 1, 63, 64, 2047, 2048, 2049, 2111, 2112, 5000, 8192] {
                let part = &from[start / 2..][..bytes];
                let mut to = vec![0u8; start + bytes + 64];
                // SAFETY: the range lies in `to`, which nobody else has.
                unsafe { copy(to[start..].as_mut_ptr(), part) };
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
