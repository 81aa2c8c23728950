//! Non-temporal stores: lines that are written now and read much later go past the caches.

use std::mem::MaybeUninit;

/// A cache line, in bytes.
pub const LINE: usize = 64;

/// Copies `from` to `to`, past the caches where the machine can (x86-64) and `to` is aligned to 16 bytes. Call
/// [`fence`] before another thread reads.
///
/// # Panics
///
/// If the lengths differ.
#[inline(always)]
pub fn stream_copy<T: bytemuck::Pod>(to: &mut [MaybeUninit<T>], from: &[T]) {
    assert_eq!(to.len(), from.len(), "as many places as values");
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
        let bytes = size_of_val(from);
        let target = to.as_mut_ptr().cast::<u8>();
        if bytes.is_multiple_of(LINE)
            && target.addr().is_multiple_of(LINE)
            && crate::cpu::has_avx512()
        {
            // SAFETY: the instructions are there; both sides have `bytes` bytes.
            return unsafe { stream_lines(target, from.as_ptr().cast(), bytes) };
        }
        if bytes.is_multiple_of(16) && target.addr().is_multiple_of(16) {
            let source = from.as_ptr().cast::<u8>();
            for at in (0..bytes).step_by(16) {
                // SAFETY: both sides have `bytes` bytes, a multiple of 16; the target is aligned to 16. SSE2 is part
                // of x86-64.
                unsafe {
                    let value = _mm_loadu_si128(source.add(at).cast::<__m128i>());
                    _mm_stream_si128(target.add(at).cast::<__m128i>(), value);
                }
            }
            return;
        }
    }
    to.write_copy_of_slice(from);
}

/// Streams whole lines, one store per line.
///
/// # Safety
///
/// `bytes` bytes, whole lines, can be read from `source` and written to `target`, which stands at a line; the machine has
/// AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn stream_lines(target: *mut u8, source: *const u8, bytes: usize) {
    use std::arch::x86_64::{_mm512_loadu_si512, _mm512_stream_si512};
    for at in (0..bytes).step_by(LINE) {
        // SAFETY: the caller promises that a line can be read and written at each of these places, and the instructions.
        unsafe {
            let line = _mm512_loadu_si512(source.add(at).cast());
            _mm512_stream_si512(target.add(at).cast(), line);
        }
    }
}

/// Orders all streamed stores of this thread before what it does next.
#[inline]
pub fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a store fence; SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn streams_like_a_copy(values in proptest::collection::vec(any::<u32>(), 0..80), offset in 0_usize..5, lines in any::<bool>()) {
            // Whole lines to the start of one, or any number of values to anywhere.
            let len = if lines { values.len() / 16 * 16 } else { values.len() };
            let values = &values[..len];
            let mut to = vec![MaybeUninit::new(7_u32); len + 32];
            let start = to.as_ptr().align_offset(LINE) + if lines { 0 } else { offset };
            stream_copy(&mut to[start..start + len], values);
            fence();
            // SAFETY: every place was initialised.
            let got: Vec<u32> = to.iter().map(|place| unsafe { place.assume_init() }).collect();
            prop_assert_eq!(&got[start..start + len], values);
            prop_assert!(got[..start].iter().all(|&value| value == 7));
            prop_assert!(got[start + len..].iter().all(|&value| value == 7));
        }
    }
}
