//! Strings of Arrow's view types, 16 bytes each: the length in the lowest 32 bits; beyond 12 bytes, the number of a buffer in
//! those from 64 on and the place in it in those from 96 on.

use arrow_buffer::Buffer;

/// The longest string that stands in the view itself.
const INLINE: u32 = 12;
const BUFFER: u32 = 64;
const PLACE: u32 = 96;

/// Whether the string stands in the view itself.
#[inline(always)]
pub(super) fn is_inline(view: u128) -> bool {
    view as u32 <= INLINE
}

/// Whether a string that does not lies in one of these buffers.
#[inline(always)]
pub(super) fn is_inside(view: u128, buffers: &[Buffer]) -> bool {
    let (len, place) = (view as u32 as usize, (view >> PLACE) as u32 as usize);
    let buffer = buffers.get((view >> BUFFER) as u32 as usize);
    buffer.is_some_and(|buffer| place + len <= buffer.len())
}

/// The same with `by` buffers before its own.
#[inline(always)]
pub(super) fn moved(view: u128, by: u32) -> u128 {
    view.wrapping_add(u128::from(by) << BUFFER)
}
