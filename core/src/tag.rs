//! Tags: 16 bits per directory slot that answer "surely not here" before a tuple is read.
//!
//! A slot's tag is the OR of its tuples' tags. A probe passes when its own tag's bits are all set. It may pass
//! wrongly, never fail wrongly.

/// How a tag is taken from a hash.
pub trait TagScheme: Copy + Send + Sync + 'static {
    /// Name in toggles and reports.
    const NAME: &'static str;

    /// Whether tags are kept and tested at all.
    const ENABLED: bool = true;

    /// The tag of a hash whose top `prefix_bits` (1 to 48) choose the slot. At least one and at most four bits are set.
    fn tag(hash: u64, prefix_bits: u32) -> u16;
}

/// No tags.
#[derive(Debug, Clone, Copy)]
pub struct NoTags;

impl TagScheme for NoTags {
    const NAME: &'static str = "off";
    const ENABLED: bool = false;

    #[inline(always)]
    fn tag(_: u64, _: u32) -> u16 {
        0
    }
}

/// Four bits chosen by hash bits 4–7, 12–15, 20–23 and 28–31: the contest engine's positions. Under Fibonacci hashing the low
/// bits of the hash depend on the low bits of the key alone.
#[derive(Debug, Clone, Copy)]
pub struct ContestBits;

impl TagScheme for ContestBits {
    const NAME: &'static str = "low-bits";

    #[inline(always)]
    fn tag(hash: u64, _: u32) -> u16 {
        let bit = |shift: u32| 1_u16 << ((hash >> shift) & 15);
        bit(4) | bit(12) | bit(20) | bit(28)
    }
}

/// Four bits chosen by the four nibbles just under the directory prefix.
#[derive(Debug, Clone, Copy)]
pub struct BelowPrefix;

impl TagScheme for BelowPrefix {
    const NAME: &'static str = "below-prefix";

    #[inline(always)]
    fn tag(hash: u64, prefix_bits: u32) -> u16 {
        let below = hash << prefix_bits;
        let bit = |shift: u32| 1_u16 << ((below >> shift) & 15);
        bit(60) | bit(56) | bit(52) | bit(48)
    }
}

/// One of 2048 masks with four of sixteen bits set, chosen by the eleven bits just under the directory prefix
/// (Birler et al., DaMoN 2024).
#[derive(Debug, Clone, Copy)]
pub struct MaskTable;

/// The 1820 masks with four of sixteen bits set, in order of value; the first 228 stand twice.
static MASKS: [u16; 2048] = {
    let mut masks = [0; 2048];
    let mut filled = 0;
    while filled < 2048 {
        let mut mask: u32 = 0;
        while mask <= 0xFFFF && filled < 2048 {
            if mask.count_ones() == 4 {
                masks[filled] = mask as u16;
                filled += 1;
            }
            mask += 1;
        }
    }
    masks
};

impl TagScheme for MaskTable {
    const NAME: &'static str = "mask-table";

    #[inline(always)]
    fn tag(hash: u64, prefix_bits: u32) -> u16 {
        MASKS[((hash << prefix_bits) >> 53) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mask_table_holds_every_mask_of_four() {
        let mut masks = MASKS.to_vec();
        assert!(masks.iter().all(|mask| mask.count_ones() == 4));
        masks.sort_unstable();
        masks.dedup();
        assert_eq!(masks.len(), 1820);
    }

    proptest! {
        #[test]
        fn one_to_four_bits(hash: u64, prefix_bits in 1_u32..=48) {
            for tag in [
                ContestBits::tag(hash, prefix_bits),
                BelowPrefix::tag(hash, prefix_bits),
                MaskTable::tag(hash, prefix_bits),
            ] {
                prop_assert!((1..=4).contains(&tag.count_ones()));
            }
        }
    }
}
