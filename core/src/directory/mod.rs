//! The directory of the unchained table: where each slot's tuples end, and a tag that may rule the slot out.
//!
//! Slot s is the range [END(s-1), END(s)) of the tuple store (R7.2). Both layouts keep an entry before slot 0 that
//! holds 0, the contest engine's directory[-1] (R7.3), so no slot is special. A directory is written in disjoint parts, one
//! writer per part, in steps: [`DirectoryPart::clear`], [`DirectoryPart::count`] every tuple, [`DirectoryPart::prefix_sum`] the counts into
//! ENDs, then [`DirectoryPart::rewind`] each entry to the previous END, from where [`DirectoryPart::advance`] moves it
//! back to its own END as the tuples are copied into place (R7.1).

use std::ops::Range;

use crate::memory::{Memory, OutOfMemory};

mod packed;
mod split;
#[cfg(test)]
mod tests;

pub use packed::{Packed, PackedPart, PackedView};
pub use split::{Split, SplitPart, SplitView};

/// A directory layout.
pub trait DirectoryLayout: Send + Sync + Sized + 'static {
    /// Name in toggles and reports.
    const NAME: &'static str;

    /// Bytes that a slot takes.
    const SLOT_BYTES: usize;

    /// Whether tags lie apart from ranges, so that who asks for the one has yet to ask for the other.
    const TAGS_APART: bool;

    /// Room for a directory: its memory, whatever is in there.
    type Room: Send;

    /// Exclusive access to consecutive slots while the directory is built.
    type Part<'a>: DirectoryPart
    where
        Self: 'a;

    /// Shared access to all slots.
    type View<'a>: DirectoryView
    where
        Self: 'a;

    /// Room for a directory of `slots` slots.
    fn room(slots: usize, memory: &Memory) -> Result<Self::Room, OutOfMemory>;

    /// Divides the room into parts of `slots` slots each.
    fn parts(room: &mut Self::Room, slots: usize) -> Vec<Self::Part<'_>>;

    /// The directory in this room.
    ///
    /// # Safety
    ///
    /// Each of its parts has been cleared, and every slot that was counted into is at its END.
    unsafe fn finished(room: Self::Room) -> Self;

    /// Number of slots.
    fn slots(&self) -> usize;

    /// The range of a slot.
    fn range(&self, slot: usize) -> Range<usize>;

    /// The tag of a slot.
    fn tag(&self, slot: usize) -> u16;

    /// The directory as a probe sees it.
    fn view(&self) -> Self::View<'_>;

    /// Size in bytes.
    fn bytes(&self) -> usize;
}

/// A finished directory: pointers that a probe keeps in registers, whatever it writes meanwhile.
pub trait DirectoryView: Copy {
    /// The range of a slot.
    ///
    /// # Safety
    ///
    /// `slot` is below [`DirectoryLayout::slots`].
    unsafe fn range(self, slot: usize) -> Range<usize>;

    /// The range of a slot and whether its tag contains all bits of `tag`.
    ///
    /// # Safety
    ///
    /// As for [`Self::range`].
    unsafe fn lookup(self, slot: usize, tag: u16) -> (Range<usize>, bool);

    /// The tag of a slot.
    ///
    /// # Safety
    ///
    /// As for [`Self::range`].
    unsafe fn tag(self, slot: usize) -> u16;

    /// Asks for the cache line of the slot's range. Any slot number is allowed.
    fn prefetch_range(self, slot: usize);

    /// Asks for the cache line of the slot's tag. Any slot number is allowed.
    fn prefetch_tag(self, slot: usize);
}

/// Exclusive access to consecutive slots of a directory while it is built, counted from the part's first. They hold
/// anything until who counts into them clears them, in its own cache.
///
/// # Safety of all methods but [`Self::clear`]
///
/// The slots have been cleared.
#[allow(clippy::missing_safety_doc, reason = "it stands above, once for all")]
pub trait DirectoryPart: Send + Sized {
    /// The same slots, empty.
    #[must_use]
    fn clear(self) -> Self;

    /// Counts a tuple into `slot` and ORs its tag in.
    unsafe fn count(&mut self, slot: usize, tag: u16);

    /// Turns counts into ENDs, the part's first slot starting at `start`; returns the last END (R6.2).
    unsafe fn prefix_sum(&mut self, start: usize) -> usize;

    /// Moves every entry from its END to the previous END, the part's first to `start`: the write pointers (R7.1).
    unsafe fn rewind(&mut self, start: usize);

    /// The place for the next tuple of `slot`; moves its write pointer on.
    unsafe fn advance(&mut self, slot: usize) -> usize;
}

/// How many slots a directory gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// Slots wanted per tuple, before rounding up to a power of two.
    pub slots_per_tuple: f64,
    /// log2 of the fewest slots, at least 1.
    pub min_bits: u32,
    /// log2 of the most slots, at most 48.
    pub max_bits: u32,
}

impl Sizing {
    /// The contest engine's: next power of two of rows / 8, between 2^10 and 2^18.
    pub const CONTEST: Self = Self {
        slots_per_tuple: 0.125,
        min_bits: 10,
        max_bits: 18,
    };

    /// So many slots per tuple, without a cap that a join could reach.
    pub const fn per_tuple(slots_per_tuple: f64) -> Self {
        Self {
            slots_per_tuple,
            min_bits: 6,
            max_bits: 33,
        }
    }

    /// log2 of the slots for `tuples` tuples.
    pub fn bits(&self, tuples: usize) -> u32 {
        let wanted = (tuples as f64 * self.slots_per_tuple).ceil().max(1.0) as usize;
        wanted
            .next_power_of_two()
            .ilog2()
            .clamp(self.min_bits, self.max_bits)
    }
}

impl Default for Sizing {
    fn default() -> Self {
        Self::per_tuple(1.0)
    }
}
