//! Comparing a slot's tuples with a key, several at a time and without a branch on what is found.
//!
//! A probe in the cache waits for nothing but its own mispredictions, and run lengths of 0 to 3 tuples are as hard to
//! predict as a coin. So a range is compared a vector at a time under a mask of its length, and matches are written to a
//! [`Matches`] buffer whose end moves on by as many as there were.
//!
//! The algorithm ([`Matches::extend`]) is written once over [`Lanes`]; who runs it is written once over
//! [`WithLanes`], and [`Compare::dispatch`] picks the lanes and compiles the whole kernel for their instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod matches;
mod portable;
mod ranges;

pub use matches::Matches;
pub use ranges::{Candidates, RangeGroup};

use std::fmt;

use crate::cpu::{has_avx2, has_avx512};
use crate::key::{Key, Tuple};
use crate::output::{Aggregate, Pair};

/// The most tuples that are compared at once: a tuple store has as many behind its last one, so that a probe may read
/// that far from any place without looking first.
pub const MAX_LANES: usize = 8;

/// How many tuples are compared at a time, and with which instructions.
///
/// # Safety
///
/// [`Self::compare`] writes the first of its pairs, as many as it returns.
pub unsafe trait Lanes: Copy {
    /// Tuples compared at a time, at most [`MAX_LANES`].
    const TUPLES: usize;

    /// Whether the comparison branches, so that looking at a tag first may spare it.
    const BRANCHES: bool = false;

    /// Writes the pairs of those of the first `len` tuples whose key is `key` to `pairs`, in order, and returns how many
    /// they are. Pairs behind them may be overwritten.
    ///
    /// # Safety
    ///
    /// `len` is at most [`Self::TUPLES`], so many tuples can be read and as many pairs written, and the machine has the
    /// instructions.
    unsafe fn compare<K: Key>(
        tuples: *const Tuple<K>,
        len: usize,
        key: K,
        probe: u32,
        pairs: *mut Pair,
    ) -> usize;

    /// Which of the first `len` tuples have the key `key`: a bit each, the first tuple's the lowest.
    ///
    /// # Safety
    ///
    /// `len` is at most [`Self::TUPLES`], so many tuples can be read, and the machine has the instructions.
    unsafe fn equal<K: Key>(tuples: *const Tuple<K>, len: usize, key: K) -> u32;

    /// Count and sums of matches, in registers.
    type Sums: Copy;

    /// Tuples that [`Self::add`] takes, at most [`MAX_LANES`].
    #[inline(always)]
    fn summed<K: Key>() -> usize {
        Self::TUPLES
    }

    /// The sums of nothing.
    ///
    /// # Safety
    ///
    /// The machine has the instructions.
    unsafe fn zero() -> Self::Sums;

    /// Adds the matches of a probe's tuple among the [`Self::summed`] tuples from `tuples` on.
    ///
    /// There is no mask: a range's last tuples are compared together with those behind it, which belong to other slots
    /// and so have other keys. Whoever calls this sees to it that what stands behind the last range matches no probe.
    ///
    /// # Safety
    ///
    /// So many tuples can be read, and the machine has the instructions.
    unsafe fn add<K: Key>(sums: &mut Self::Sums, tuples: *const Tuple<K>, probe: &Tuple<K>);

    /// The sums as the consumer wants them.
    ///
    /// # Safety
    ///
    /// The machine has the instructions.
    unsafe fn aggregate(sums: Self::Sums) -> Aggregate;
}

/// How a probe compares the tuples of a slot with its key. A table without such a loop uses its plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compare {
    /// One after the other, with a branch on each, to the end of the slot.
    Loop,
    /// Two at a time without a branch on what they hold, on any machine: the scalar twin of the vectors.
    BranchFree,
    /// Four at a time (AVX2), or [`Self::BranchFree`] where the machine cannot.
    ///
    /// The default, because the next wider vector is no faster in the cache and slower beyond: an unaligned 64-byte load
    /// spans two cache lines nearly always, one of 32 bytes every other time.
    #[default]
    Avx2,
    /// A 64-byte vector at a time (AVX-512), or [`Self::Avx2`] where the machine cannot.
    Avx512,
}

/// Work that is compiled for every kind of lanes.
pub trait WithLanes {
    /// Does it. Implementations are `#[inline(always)]`, so that they are compiled with the caller's instructions.
    fn run<L: Lanes>(self);
}

impl Compare {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Loop, Self::BranchFree, Self::Avx2, Self::Avx512];

    /// What this machine has of it.
    pub fn available(self) -> Self {
        match self {
            Self::Avx512 if has_avx512() => Self::Avx512,
            Self::Avx2 | Self::Avx512 if has_avx2() => Self::Avx2,
            Self::Avx2 | Self::Avx512 => Self::BranchFree,
            Self::Loop | Self::BranchFree => self,
        }
    }

    /// Tuples that a step of counting and summing matches compares on this machine.
    pub fn tuples<K: Key>(self) -> usize {
        match self.available() {
            Self::Loop => 1,
            Self::BranchFree => 2,
            Self::Avx2 => 4,
            Self::Avx512 => 64 / size_of::<Tuple<K>>(),
        }
    }

    /// Runs `work` with these lanes, or the widest narrower ones that the machine has.
    #[inline]
    pub fn dispatch(self, work: impl WithLanes) {
        match self.available() {
            Self::Loop => work.run::<portable::One>(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the machine has the instructions.
            Self::Avx2 => unsafe { avx2::run(work) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the machine has the instructions.
            Self::Avx512 => unsafe { avx512::run(work) },
            _ => work.run::<portable::Two>(),
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loop => "a loop",
            Self::BranchFree => "pairs",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
        })
    }
}

#[cfg(test)]
mod tests;
