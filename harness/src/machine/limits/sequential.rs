//! Walks from one end to the other: the prefetchers and the bus set the pace.
//!
//! A plain store reads its cache line first (a read for ownership); a non-temporal one goes past
//! the caches in whole lines and does not.

use super::region::{LINE_WORDS, Line};

/// Wrapping sum of all words.
pub fn sum(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, &word| sum.wrapping_add(word))
}

/// Writes `value` everywhere with plain stores.
pub fn fill(words: &mut [u64], value: u64) {
    // A value whose bytes differ keeps the compiler from calling `memset`, which may choose
    // non-temporal stores.
    words.fill(value);
}

/// Copies with plain stores, adding `add` to each word.
///
/// With an `add` that the compiler cannot see it does not turn the loop into `memcpy`, which
/// chooses non-temporal stores for long copies.
pub fn copy(to: &mut [u64], from: &[u64], add: u64) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.wrapping_add(add);
    }
}

/// Writes `value` everywhere with non-temporal stores.
pub fn fill_streaming(lines: &mut [Line], value: u64) {
    let line = Line([value; LINE_WORDS]);
    for to in lines {
        stream(to, &line);
    }
    stream_done();
}

/// Copies with non-temporal stores.
pub fn copy_streaming(to: &mut [Line], from: &[Line]) {
    for (to, from) in to.iter_mut().zip(from) {
        stream(to, from);
    }
    stream_done();
}

/// Writes one cache line past the caches. Other threads may see it only after [`stream_done`].
/// A plain store where the processor family has none.
#[inline(always)]
pub fn stream(to: &mut Line, line: &Line) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_load_si128, _mm_stream_si128};
        let from = (&raw const *line).cast::<__m128i>();
        let to = (&raw mut *to).cast::<__m128i>();
        for part in 0..4 {
            // SAFETY: a `Line` is 64 bytes, aligned to 64, so its four 16-byte parts are valid
            // and aligned; SSE2 belongs to x86-64; `to` is borrowed mutably.
            unsafe { _mm_stream_si128(to.add(part), _mm_load_si128(from.add(part))) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        *to = *line;
    }
}

/// Waits until this thread's streamed lines have left for memory.
#[inline(always)]
pub fn stream_done() {
    // SAFETY: SSE belongs to x86-64, and a fence touches no memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
