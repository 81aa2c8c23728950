//! A random order of the numbers 0..n that needs no memory.

use super::draws::Stream;

const ROUNDS: usize = 4;
/// Odd, so that multiplying by them modulo a power of two loses nothing. The first two are those of Chris Wellons's
/// `lowbias32`, found by search for an even avalanche.
const FACTORS: [u64; ROUNDS] = [
    0xd6e8_feb8_7feb_352d,
    0xc2b2_ae3d_846c_a68b,
    0x9e37_79b1_85eb_ca6b,
    0xff51_afd7_ed55_8ccd,
];

/// A bijection on 0..n, chosen by a seed.
///
/// Rounds of adding, multiplying by an odd number and folding the upper half onto the lower are each invertible modulo
/// a power of two; where n is none, numbers that fall outside of 0..n go round again ("cycle walking", Black and
/// Rogaway 2002), at most once on average.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    last: u64,
    mask: u64,
    shift: u32,
    add: [u64; ROUNDS],
}

impl Permutation {
    /// A bijection on `0..=last`.
    pub fn through(last: u64, seed: Stream) -> Permutation {
        let bits = u64::BITS - last.leading_zeros();
        let mut draws = seed.row(0);
        Permutation {
            last,
            mask: u64::MAX.checked_shr(last.leading_zeros()).unwrap_or(0),
            shift: bits.div_ceil(2).max(1),
            add: std::array::from_fn(|_| draws.bits()),
        }
    }

    /// Where number `i` goes. `i` is in the range.
    #[inline]
    pub fn of(&self, mut i: u64) -> u64 {
        debug_assert!(i <= self.last);
        loop {
            for (add, factor) in self.add.iter().zip(FACTORS) {
                i = i.wrapping_add(*add).wrapping_mul(factor) & self.mask;
                i ^= i >> self.shift;
            }
            if i <= self.last {
                return i;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_number_once(last in 0_u64..5000, seed: u64) {
            let order = Permutation::through(last, Stream::new(seed, 0));
            let mut seen = vec![false; last as usize + 1];
            for i in 0..=last {
                prop_assert!(!std::mem::replace(&mut seen[order.of(i) as usize], true));
            }
        }
    }

    #[test]
    fn spread_over_the_whole_range() {
        for last in [u64::from(u32::MAX), u64::MAX] {
            let order = Permutation::through(last, Stream::new(7, 0));
            let mut by_top_bits = [0_u32; 64];
            for i in 0..64 * 1000 {
                let top = u128::from(order.of(i)) * 64 / (u128::from(last) + 1);
                by_top_bits[top as usize] += 1;
            }
            // The standard deviation of a count is 31.
            assert!(
                by_top_bits.iter().all(|count| (800..1200).contains(count)),
                "{by_top_bits:?}"
            );
        }
    }

    #[test]
    fn seeds_give_different_orders() {
        let [a, b] = [1, 2].map(|seed| Permutation::through(999, Stream::new(seed, 0)));
        let same = (0..1000).filter(|&i| a.of(i) == b.of(i)).count();
        assert!(same < 20, "{same} of 1000 stay");
    }
}
