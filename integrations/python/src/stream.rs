//! Large results are written past the caches: they do not stay there until somebody reads them, and a line that is written as
//! a whole need not be read first.

use std::iter;
use std::mem::MaybeUninit;

use arrow_buffer::{ArrowNativeType, ToByteSlice};
use join_core::streaming_store::{self, LINE};

/// Writes the values of all places as [`streaming_store::stream_copy`] does, so many together, which `values` makes from a
/// place on. Call [`streaming_store::fence`] before another thread reads.
pub(crate) fn fill<const GROUP: usize, T: ArrowNativeType>(
    to: &mut [MaybeUninit<T>],
    values: impl Fn(usize, &mut [T]),
) {
    // From there on each group begins at a line, if values ever do.
    let before = to.as_ptr().align_offset(LINE);
    let before = if before < GROUP { before } else { 0 };
    let (before, lines) = to.split_at_mut(before.min(to.len()));
    let mut group = [T::default(); GROUP];
    let mut first = 0;
    for to in iter::once(before).chain(lines.chunks_mut(GROUP)) {
        let group = &mut group[..to.len()];
        values(first, group);
        first += to.len();
        streaming_store::stream_copy(bytes(to), group.to_byte_slice());
    }
}

/// The bytes of places.
fn bytes<T: ArrowNativeType>(to: &mut [MaybeUninit<T>]) -> &mut [MaybeUninit<u8>] {
    let len = size_of_val(to);
    // SAFETY: the same memory, borrowed for as long; this module alone writes there, and writes values.
    unsafe { std::slice::from_raw_parts_mut(to.as_mut_ptr().cast(), len) }
}
