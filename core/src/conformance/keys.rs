//! Keys of the cases, and columns of hand-filled pages.

use super::small;
use crate::key::Key;
use crate::page::{FixedWriter, Page};
use crate::table::Column;

/// Rows of a page, or keys of a block, that catch what round numbers hide.
pub(super) const ODD_FILLS: [usize; 7] = [1, 2, 7, 49, 50, 51, 100];

/// [`ODD_FILLS`], or two of them where the suite is thinned.
pub(super) fn odd_fills() -> &'static [usize] {
    if small() { &[7, 51] } else { &ODD_FILLS }
}

/// A key type with what the cases need to know of it.
pub(super) trait CaseKey: Key {
    const MIN: Self;
    const MAX: Self;
}

impl CaseKey for i32 {
    const MIN: Self = Self::MIN;
    const MAX: Self = Self::MAX;
}

impl CaseKey for i64 {
    const MIN: Self = Self::MIN;
    const MAX: Self = Self::MAX;
}

/// SplitMix64 (Steele, Lea, Flood): a seed means the same numbers for ever.
#[derive(Debug, Clone)]
pub struct Random(pub(super) u64);

impl Random {
    /// The numbers of a seed for one purpose, which those for another do not depend on.
    pub fn of(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed, |seed, byte| {
            Self(seed.wrapping_add(u64::from(byte))).bits()
        });
        Self(mixed)
    }

    /// The next number.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// Yes, once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these, of which there is one at least.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// How a side's keys are spread.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys {
    /// Drawn from so many values, all over the key type's range.
    Drawn(u64),
    /// One key for all.
    Equal,
    /// 0, 1, 2 …
    Dense,
    /// As `Dense`, from here on.
    DenseFrom(u64),
    /// All distinct, all over the key type's range.
    Sparse,
    /// All distinct, their low half is the same.
    SharedLow,
    /// All distinct, their high bits are the same and not 0.
    SharedHigh,
    /// Two thirds of them one key.
    Heavy,
    /// Both ends of the range, and what is around 0.
    Extremes,
}

impl Keys {
    fn key<K: CaseKey>(self, row: usize, random: &mut Random) -> K {
        // Odd, so different numbers stay different in any number of low bits.
        const SPREAD: u64 = 0x2545_F491_4F6C_DD1D;
        let row = row as u64;
        K::from_bits(match self {
            Self::Drawn(values) => random.below(values).wrapping_mul(SPREAD),
            Self::Equal => 42,
            Self::Dense => row,
            Self::DenseFrom(first) => first + row,
            Self::Sparse => row.wrapping_mul(SPREAD),
            Self::SharedLow => row << (size_of::<K>() * 4) | 5,
            Self::SharedHigh => row | 0xA5 << (size_of::<K>() * 8 - 8),
            Self::Heavy if random.below(3) < 2 => 42,
            Self::Heavy => random.below(1000),
            Self::Extremes => {
                let (min, max) = (K::MIN.bits(), K::MAX.bits());
                [min, min + 1, u64::MAX, 0, 1, max - 1, max][random.below(7) as usize]
            }
        })
    }

    /// So many rows, `nulls` per cent of them NULL.
    pub fn rows<K: CaseKey>(self, rows: usize, nulls: u64, random: &mut Random) -> Vec<Option<K>> {
        (0..rows)
            .map(|row| {
                let key = self.key(row, random);
                (random.below(100) >= nulls).then_some(key)
            })
            .collect()
    }
}

/// A column whose pages hold as many rows as `fills` says, over and over; as many as fit where `fills` is empty.
pub(super) fn column<K: CaseKey>(rows: &[Option<K>], fills: &[usize]) -> Column {
    if fills.is_empty() {
        return Column::from_options(rows.iter().copied());
    }
    let mut left = rows;
    let mut pages = Vec::new();
    for &fill in fills.iter().cycle() {
        if left.is_empty() {
            break;
        }
        if fill == 0 {
            pages.push(Page::EMPTY);
            continue;
        }
        let page = left
            .split_off(..fill.min(left.len()))
            .expect("within bounds");
        let mut writer = FixedWriter::<K>::new();
        page.iter().for_each(|&row| writer.push(row));
        pages.extend(writer.finish());
    }
    Column::from_pages(K::DATA_TYPE, pages).expect("the pages follow the format")
}
