//! Where kernels put what they find.

use std::mem::MaybeUninit;

use super::{Lanes, MAX_LANES};
use crate::input::BlockRows;
use crate::key::{Key, Tuple};
use crate::output::{Enough, Pair, Sink};

/// Pairs that are kept before the sink gets them: 4 KiB, which stay in L1 beside a small table.
const ROOM: usize = 512;

/// Matches on their way to a sink, which gets them a block at a time: so a kernel is compiled once and not once a sink,
/// and pays for each match one store.
pub struct Matches<'s> {
    pairs: [MaybeUninit<Pair>; ROOM],
    end: usize,
    rows: BlockRows<'s>,
    /// Whether a key's first match will do.
    is_first_enough: bool,
    sink: &'s mut dyn Sink,
}

impl<'s> Matches<'s> {
    /// An empty buffer for the matches of a block's keys. Call [`Self::flush`] at the end.
    #[inline]
    pub fn new(rows: BlockRows<'s>, sink: &'s mut dyn Sink) -> Self {
        Self {
            pairs: [const { MaybeUninit::uninit() }; ROOM],
            end: 0,
            rows,
            is_first_enough: sink.enough() == Enough::OnePerProbeRow,
            sink,
        }
    }

    /// What the first of the block's keys is called, the second by one more and so on: its row, or 0 where rows are
    /// listed and looked up as the sink gets the matches.
    #[inline(always)]
    pub fn first(&self) -> u32 {
        match self.rows {
            BlockRows::From(row) => row,
            BlockRows::List(_) => 0,
        }
    }

    /// Adds the matches of a key, called `probe`, among `len` tuples of `store` from `start` on. Where the first of them is
    /// as good as all, those behind the comparison that finds it are left out.
    ///
    /// `end` is where the buffer ends, and the new end is returned: a kernel keeps it in a register from
    /// [`Self::end`] to [`Self::set_end`], because a store and a load of it for every key would be its longest chain.
    ///
    /// # Safety
    ///
    /// `end` is the buffer's end, `store` goes on for [`MAX_LANES`] tuples at least behind `start + len`, and the
    /// machine has the instructions of `L`.
    #[inline(always)]
    #[must_use]
    pub unsafe fn extend<L: Lanes, K: Key>(
        &mut self,
        mut end: usize,
        store: &[Tuple<K>],
        start: usize,
        len: usize,
        key: K,
        probe: u32,
    ) -> usize {
        debug_assert!(start + len + MAX_LANES <= store.len());
        let (mut at, mut left) = (start, len);
        while left > L::TUPLES {
            // SAFETY: the caller promises that this is the buffer's end.
            let from = unsafe { self.with_room(end) };
            // SAFETY: there is room, and the caller promises the instructions and these tuples, of which one comparison
            // takes so many.
            end = unsafe { self.compare::<L, K>(from, store, at, L::TUPLES, key, probe) };
            if self.is_first_enough && end > from {
                return end;
            }
            at += L::TUPLES;
            left -= L::TUPLES;
        }
        // SAFETY: the caller promises that this is the buffer's end.
        let from = unsafe { self.with_room(end) };
        // SAFETY: there is room, and the caller promises the instructions and these tuples, of which one comparison takes so
        // many.
        unsafe { self.compare::<L, K>(from, store, at, left, key, probe) }
    }

    /// Where the buffer ends once there is room for [`MAX_LANES`] pairs behind it.
    ///
    /// # Safety
    ///
    /// `end` is the buffer's end.
    #[inline(always)]
    unsafe fn with_room(&mut self, end: usize) -> usize {
        match end > ROOM - MAX_LANES {
            // SAFETY: the caller promises that this is the buffer's end.
            true => unsafe { self.hand_on(end) },
            false => end,
        }
    }

    /// As [`Self::extend`], of `len` tuples that one comparison takes.
    ///
    /// # Safety
    ///
    /// As there, `len` is at most [`Lanes::TUPLES`], and there is room for [`MAX_LANES`] pairs behind the end.
    #[inline(always)]
    unsafe fn compare<L: Lanes, K: Key>(
        &mut self,
        end: usize,
        store: &[Tuple<K>],
        at: usize,
        len: usize,
        key: K,
        probe: u32,
    ) -> usize {
        debug_assert!(end <= ROOM - MAX_LANES);
        // SAFETY: the caller promises tuples, instructions and room.
        unsafe {
            let pairs = self.pairs.as_mut_ptr().add(end).cast::<Pair>();
            end + L::compare(store.as_ptr().add(at), len, key, probe, pairs)
        }
    }

    /// Where the buffer ends.
    #[inline(always)]
    pub fn end(&self) -> usize {
        self.end
    }

    /// Moves the end.
    ///
    /// # Safety
    ///
    /// It is what [`Self::extend`] returned last.
    #[inline(always)]
    pub unsafe fn set_end(&mut self, end: usize) {
        self.end = end;
    }

    /// As [`Sink::enough`] of the sink.
    pub fn enough(&self) -> Enough {
        self.sink.enough()
    }

    /// Hands all matches to the sink.
    pub fn flush(&mut self) {
        // SAFETY: the end is 0, or what a kernel set it to.
        self.end = unsafe { self.hand_on(self.end) };
    }

    /// Hands the first `end` pairs to the sink. Returns the new end.
    ///
    /// # Safety
    ///
    /// `end` is the buffer's end: lanes have written all pairs before it.
    #[cold]
    unsafe fn hand_on(&mut self, end: usize) -> usize {
        // SAFETY: the caller promises that they have been written.
        let pairs = unsafe { self.pairs[..end].assume_init_mut() };
        if let BlockRows::List(rows) = self.rows {
            for pair in &mut *pairs {
                pair.probe = rows[pair.probe as usize];
            }
        }
        self.sink.emit_block(pairs);
        0
    }
}
