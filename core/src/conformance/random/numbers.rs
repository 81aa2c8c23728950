//! Keys drawn at random, in two steps: which keys there are, numbered from 0 on, and the number of each row.

use std::fmt;

use crate::conformance::keys::{CaseKey, Random};
use crate::hash::{Crc32, Fibonacci, KeyHash, Murmur};

/// Which keys there are.
pub(super) enum Spread {
    /// So many neighbours from the first one on, and as many again from each step further on, over the end of the key
    /// type's range if need be.
    Line {
        first: u64,
        neighbours: u64,
        step: u64,
    },
    /// These, over and over.
    Listed { what: String, keys: Vec<u64> },
}

impl Spread {
    /// A spread of so many keys, or about.
    pub fn drawn<K: CaseKey>(keys: u64, random: &mut Random) -> Self {
        match random.below(16) {
            0 => Self::extremes::<K>(),
            1 => Self::colliding::<K, Fibonacci>(random),
            2 => Self::colliding::<K, Murmur>(random),
            3 => Self::colliding::<K, Crc32>(random),
            _ => Self::line::<K>(keys, random),
        }
    }

    fn line<K: CaseKey>(keys: u64, random: &mut Random) -> Self {
        let step = match random.below(8) {
            0..=3 => 1,
            4 => 2 + random.below(7),
            // Low bits are the same.
            5 => 1 << random.below(8 * size_of::<K>() as u64),
            // Odd, so that keys are all over the range and distinct.
            _ => random.bits() | 1,
        };
        let most_neighbours = 1 << random.below(8);
        let neighbours = match random.once_in(4) {
            true => 2 + random.below(most_neighbours),
            false => 1,
        };
        let span = (keys / neighbours).wrapping_mul(step);
        let (least, most, anywhere) = (K::MIN.bits(), K::MAX.bits(), random.bits());
        let first = *random.pick(&[
            0,
            1,
            u64::MAX,
            0_u64.wrapping_sub(span / 2),
            least,
            most.wrapping_sub(span).wrapping_add(step),
            most.wrapping_sub(span / 2),
            anywhere,
        ]);
        Self::Line {
            first,
            neighbours,
            step,
        }
    }

    /// Both ends of the range, and what is around 0.
    fn extremes<K: CaseKey>() -> Self {
        let (least, most) = (K::MIN.bits(), K::MAX.bits());
        Self::Listed {
            what: "extremes".to_owned(),
            keys: vec![least, least + 1, u64::MAX, 0, 1, most - 1, most],
        }
    }

    /// Some hundred keys whose hashes share their top bits.
    fn colliding<K: CaseKey, H: KeyHash>(random: &mut Random) -> Self {
        let bits = 1 + random.below(8) as u32;
        let wanted = 1 + random.below(300) as usize;
        let top = |bits_of_key| H::hash(K::from_bits(bits_of_key)) >> (64 - bits);
        let first = random.bits();
        let all = (0..).map(|number: u64| first.wrapping_add(number));
        let shared = all.filter(|&key| top(key) == top(first)).take(wanted);
        Self::Listed {
            what: format!("{wanted} whose {} hashes share {bits} top bits", H::NAME),
            keys: shared.collect(),
        }
    }

    pub fn key<K: CaseKey>(&self, number: u64) -> K {
        K::from_bits(match self {
            Self::Line {
                first,
                neighbours,
                step,
            } => first
                .wrapping_add((number / neighbours).wrapping_mul(*step))
                .wrapping_add(number % neighbours),
            Self::Listed { keys, .. } => keys[(number % keys.len() as u64) as usize],
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line {
                first,
                neighbours,
                step,
            } => write!(f, "{neighbours} from {first:#x} and each {step:#x} further"),
            Self::Listed { what, .. } => f.write_str(what),
        }
    }
}

/// In which order the rows of a side have the numbers of keys.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// 0, 1, 2 … and again.
    Ascending,
    /// As `Ascending`, shuffled.
    Shuffled,
    /// As many rows of 0, then of 1 and so on.
    Runs,
    /// Each drawn by itself.
    Drawn,
    /// Small ones far more often.
    Skewed,
    /// Two thirds of them 0.
    Heavy,
}

/// The numbers of a side's rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    order: Order,
    /// How many different numbers there are, at least one.
    distinct: u64,
    /// Per cent of the rows that have none of them, but a larger one.
    misses: u64,
    /// From the last row to the first.
    reversed: bool,
}

impl Numbers {
    /// Each number once, in so many rows: a key.
    pub fn key(rows: u64, random: &mut Random) -> Self {
        Self {
            order: *random.pick(&[Order::Ascending, Order::Shuffled]),
            distinct: rows.max(1),
            misses: 0,
            reversed: random.once_in(4),
        }
    }

    /// Below `distinct`, but for so many per cent.
    pub fn drawn(distinct: u64, misses: u64, random: &mut Random) -> Self {
        let orders = [
            Order::Ascending,
            Order::Shuffled,
            Order::Runs,
            Order::Drawn,
            Order::Drawn,
            Order::Skewed,
            Order::Heavy,
        ];
        Self {
            order: *random.pick(&orders),
            distinct,
            misses,
            reversed: random.once_in(4),
        }
    }

    pub fn of_rows(&self, rows: usize, random: &mut Random) -> Vec<u64> {
        let distinct = self.distinct;
        let number = |row: u64, random: &mut Random| match self.order {
            Order::Ascending | Order::Shuffled => row % distinct,
            Order::Runs => row * distinct / rows as u64,
            Order::Drawn => random.below(distinct),
            Order::Skewed => {
                let bits = random.below(u64::from(distinct.ilog2()) + 2);
                random.below(1 << bits) % distinct
            }
            Order::Heavy if random.below(3) < 2 => 0,
            Order::Heavy => random.below(distinct),
        };
        let mut numbers: Vec<u64> = (0..rows as u64)
            .map(|row| {
                let number = number(row, random);
                let misses = random.below(100) < self.misses;
                number + if misses { distinct } else { 0 }
            })
            .collect();
        if matches!(self.order, Order::Shuffled) {
            for last in (1..rows).rev() {
                numbers.swap(last, random.below(last as u64 + 1) as usize);
            }
        }
        if self.reversed {
            numbers.reverse();
        }
        numbers
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            order,
            distinct,
            misses,
            reversed,
        } = self;
        let reversed = if *reversed { ", reversed" } else { "" };
        write!(f, "{distinct} keys {order:?}{reversed}, {misses} % others")
    }
}

/// Pairs of equal keys.
pub(super) fn pairs<K: CaseKey>(build: &[Option<K>], probe: &[Option<K>]) -> u64 {
    let sorted = |side: &[Option<K>]| {
        let mut keys: Vec<K> = side.iter().copied().flatten().collect();
        keys.sort_unstable();
        keys
    };
    let (build, probe) = (sorted(build), sorted(probe));
    let mut left = &build[..];
    let mut pairs = 0;
    for equal in probe.chunk_by(|a, b| a == b) {
        left = &left[left.partition_point(|key| *key < equal[0])..];
        let matches = left.partition_point(|key| *key == equal[0]);
        pairs += matches as u64 * equal.len() as u64;
    }
    pairs
}
