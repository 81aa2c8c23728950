//! The bitmap, and the places in the array that its bits stand for.

use bytemuck::Zeroable;

/// 32 bits of the bitmap in the lower half, the number of bits set before them in the upper half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Zeroable)]
#[repr(transparent)]
pub(super) struct Group(u64);

/// The bit that a tuple gets whose own bit is taken: the following one in its group, around the end.
#[inline(always)]
fn following(bit: u32) -> u32 {
    (bit + 1) % 32
}

impl Group {
    /// log2 of a group's bits.
    pub(super) const BITS: u32 = 5;

    /// Whether a bit is set.
    #[inline(always)]
    pub(super) fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// Sets a bit, or the following one, for a tuple. Returns which of these two, if not both were set.
    #[inline(always)]
    pub(super) fn take(&mut self, bit: u32) -> Option<usize> {
        let free = [bit, following(bit)]
            .into_iter()
            .position(|bit| !self.has(bit))?;
        self.0 |= 1 << ((bit + free as u32) % 32);
        Some(free)
    }

    /// Bits that are set.
    pub(super) fn len(&self) -> usize {
        (self.0 as u32).count_ones() as usize
    }

    /// Says that `before` bits are set before this group, 2^32 − 1 at most, and returns how many are up to its end.
    pub(super) fn rank_from(&mut self, before: usize) -> usize {
        self.0 = self.0 << 32 >> 32 | (before as u64) << 32;
        before + self.len()
    }

    /// The places of a bit, which is set, and of the following one, whether it is set or not.
    #[inline(always)]
    pub(super) fn places(self, bit: u32) -> [u32; 2] {
        let (bits, before) = (self.0 as u32, (self.0 >> 32) as u32);
        let first = before + (bits & ((1 << bit) - 1)).count_ones();
        [first, if bit == 31 { before } else { first + 1 }]
    }

    /// Where the tuples are whose home is this bit, which is set.
    #[inline(always)]
    pub(super) fn rank(self, bit: u32) -> Rank {
        let [first, second] = self.places(bit);
        Rank {
            first,
            second: if self.has(following(bit)) {
                second
            } else {
                NONE
            },
        }
    }
}

/// No place: an array has at most 2^32 − 1 tuples.
const NONE: u32 = u32::MAX;

/// Where in the array the tuples of a home are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rank {
    /// The place of the first.
    pub(super) first: u32,
    /// The place of the second, or [`NONE`].
    pub(super) second: u32,
}

impl Rank {
    /// Whether there is a second tuple. Only then may there be more in the overflow table.
    #[inline(always)]
    pub(super) fn has_second(self) -> bool {
        self.second != NONE
    }
}

/// The ranks of bits, all of which are set; `ranks` are at least as many. Apart from the loops over keys, since an
/// instruction counts bits that not every x86-64 has: only this is compiled with it.
#[inline]
pub(super) fn look_up(bits: &[(Group, u32)], ranks: &mut [Rank]) {
    #[cfg(target_arch = "x86_64")]
    if join_core::cpu::has_avx2() {
        // SAFETY: the machine has the instruction.
        return unsafe { look_up_popcnt(bits, ranks) };
    }
    look_up_portable(bits, ranks);
}

/// # Safety
///
/// The machine has POPCNT.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
unsafe fn look_up_popcnt(bits: &[(Group, u32)], ranks: &mut [Rank]) {
    look_up_portable(bits, ranks);
}

#[inline(always)]
fn look_up_portable(bits: &[(Group, u32)], ranks: &mut [Rank]) {
    for (rank, &(group, bit)) in ranks.iter_mut().zip(bits) {
        *rank = group.rank(bit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_taken_bit_is_followed_by_the_next_and_then_by_none() {
        let mut group = Group::zeroed();
        let taken: Vec<_> = [4, 31, 31, 31, 0, 4, 5].map(|bit| group.take(bit)).into();
        let (own, next) = (Some(0), Some(1));
        assert_eq!(taken, [own, own, next, None, next, next, next]);
        assert_eq!(group.len(), 6);
    }

    proptest! {
        #[test]
        fn places_are_the_numbers_of_bits_before(bits: u32, before in 0_usize..1 << 31, bit in 0_u32..32) {
            let mut group = Group(u64::from(bits | 1 << bit) | 7 << 40);
            prop_assert_eq!(group.rank_from(before), before + group.len());
            let place = |bit| before + (0..bit).filter(|&below| group.has(below)).count();
            let rank = group.rank(bit);
            prop_assert_eq!(rank.first as usize, place(bit));
            let next = (bit + 1) % 32;
            prop_assert_eq!(rank.has_second(), group.has(next));
            prop_assert!(!rank.has_second() || rank.second as usize == place(next));
            let asked = [(group, bit); 5];
            let [mut by_instruction, mut portable] = [[Rank::default(); 5]; 2];
            look_up(&asked, &mut by_instruction);
            look_up_portable(&asked, &mut portable);
            prop_assert_eq!(by_instruction, [rank; 5]);
            prop_assert_eq!(portable, [rank; 5]);
        }
    }
}
