//! The answer of a join, known while its data is made: no hashing, no sorting, no comparing of keys.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use join_core::output::Aggregate;

/// The build rows of each key: how many, and the sum of their row ids.
pub enum BuildRows {
    /// Key k stands in row k and in no other.
    InTurn(u64),
    /// Summed up row by row.
    Summed {
        /// Rows of each key.
        counts: Vec<AtomicU32>,
        /// Sum of their row ids.
        sums: Vec<AtomicU64>,
    },
}

impl BuildRows {
    /// Of [`BuildRows::Summed`].
    pub const BYTES_PER_KEY: u64 = (size_of::<AtomicU32>() + size_of::<AtomicU64>()) as u64;

    /// No rows yet of keys 0..distinct.
    pub fn summed(distinct: u64) -> BuildRows {
        BuildRows::Summed {
            counts: (0..distinct).map(|_| AtomicU32::new(0)).collect(),
            sums: (0..distinct).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Adds a row of key number `key`, from any thread.
    #[inline]
    pub fn add(&self, key: u64, row: u64) {
        if let BuildRows::Summed { counts, sums } = self {
            counts[key as usize].fetch_add(1, Relaxed);
            sums[key as usize].fetch_add(row, Relaxed);
        }
    }

    /// Adds what a probe row with key number `key` joins with to `answer`.
    #[inline]
    pub fn probe(&self, key: u64, probe_row: u64, answer: &mut Aggregate) {
        let (count, sum) = match self {
            BuildRows::InTurn(distinct) => (u64::from(key < *distinct), key),
            BuildRows::Summed { counts, sums } => match counts.get(key as usize) {
                Some(count) => (
                    u64::from(count.load(Relaxed)),
                    sums[key as usize].load(Relaxed),
                ),
                None => (0, 0),
            },
        };
        if count > 0 {
            answer.merge(&Aggregate {
                rows: count,
                sum_build: sum,
                sum_probe: count.wrapping_mul(probe_row),
            });
        }
    }
}

/// An answer that threads add their shares to.
#[derive(Default)]
pub struct SharedAnswer {
    rows: AtomicU64,
    sum_build: AtomicU64,
    sum_probe: AtomicU64,
}

impl SharedAnswer {
    /// Adds a thread's share.
    pub fn merge(&self, share: &Aggregate) {
        self.rows.fetch_add(share.rows, Relaxed);
        self.sum_build.fetch_add(share.sum_build, Relaxed);
        self.sum_probe.fetch_add(share.sum_probe, Relaxed);
    }

    /// The whole.
    pub fn into_aggregate(self) -> Aggregate {
        Aggregate {
            rows: self.rows.into_inner(),
            sum_build: self.sum_build.into_inner(),
            sum_probe: self.sum_probe.into_inner(),
        }
    }
}
