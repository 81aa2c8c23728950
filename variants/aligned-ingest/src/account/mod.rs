//! What a load of any size writes, splits and wastes, without moving a byte (S7).
//!
//! [`formula`] gives expectations in closed form, [`simulate`] draws every flush, [`claims`] compares both with the
//! figures of the page that the placements come from.

pub mod claims;
pub mod formula;
pub mod simulate;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use crate::space::Layout;

/// A load to be accounted for.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Bytes of all rows, with their framing.
    pub bytes: u64,
    /// Workers.
    pub workers: u32,
    /// Chunks, which the bytes fill evenly.
    pub chunks: u32,
    /// Bytes of a slot.
    pub slot: u64,
    /// Lengths of rows.
    pub rows: RowLengths,
    /// By how much a worker's share of the bytes may be off the mean, as a share of it. 0 is the page's world;
    /// workers that take ranges of a table as they come are some slots apart.
    pub uneven: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// How long rows are, in bytes with their framing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowLengths {
    /// All the same.
    Fixed(u64),
    /// Each length of a range as often as any other.
    Uniform(u64, u64),
    /// Exponential around a mean: many short rows and a few long ones.
    Exponential(u64),
}

impl RowLengths {
    /// The mean length.
    pub fn mean(self) -> f64 {
        match self {
            Self::Fixed(bytes) | Self::Exponential(bytes) => bytes as f64,
            Self::Uniform(low, high) => (low + high) as f64 / 2.0,
        }
    }

    /// The mean square of the length.
    fn mean_square(self) -> f64 {
        let mean = self.mean();
        match self {
            Self::Fixed(_) => mean * mean,
            Self::Uniform(low, high) => {
                let values = (high - low + 1) as f64;
                mean * mean + (values * values - 1.0) / 12.0
            }
            Self::Exponential(_) => 2.0 * mean * mean,
        }
    }

    /// The bytes that a flush cut at a row boundary leaves of a slot, on average: how far into a row a place is that
    /// was chosen without looking. Longer rows are hit more often, hence the square.
    fn mean_leftover(self, slot: u64) -> f64 {
        match self {
            Self::Fixed(bytes) => (slot % bytes) as f64,
            _ => (self.mean_square() / self.mean() - 1.0).max(0.0) / 2.0,
        }
    }

    /// The bytes by which a flush overruns its slot that waits until it is full: the rest of the row that is hit.
    fn mean_leftover_after_a_full_slot(self) -> f64 {
        (self.mean_square() / self.mean() - 1.0).max(0.0) / 2.0
    }

    /// One draw of what [`RowLengths::mean_leftover`] is the mean of.
    fn draw_leftover(self, slot: u64, random: &mut Random) -> u64 {
        let leftover = match self {
            Self::Fixed(bytes) => return slot % bytes,
            Self::Uniform(low, high) => {
                // A length with a probability in proportion to itself: the larger root of a uniform draw between the
                // squares.
                let (low, high) = (low as f64 - 0.5, high as f64 + 0.5);
                let square = low * low + random.unit() * (high * high - low * low);
                square.sqrt().round() * random.unit()
            }
            // Without memory: the same distribution again.
            Self::Exponential(mean) => -(mean as f64) * (1.0 - random.unit()).ln(),
        };
        (leftover as u64).min(slot - 1)
    }
}

/// A load that cannot be accounted for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CaseError(String);

impl Case {
    /// Workers whose shares are drawn.
    pub const MOST_WORKERS: u32 = 1 << 16;

    /// That of the page that the placements come from: 40 GB from 16 workers into 8 chunks with slots of 64 MiB. It does not say how long rows are.
    pub fn of_the_page() -> Case {
        Case {
            bytes: 40 << 30,
            workers: 16,
            chunks: 8,
            slot: Layout::DEFAULT_SLOT,
            rows: RowLengths::Fixed(150),
            uneven: 0.0,
            seed: 1,
        }
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// With what, and the remedy.
    pub fn check(&self) -> Result<(), CaseError> {
        let error = |text: String| Err(CaseError(text));
        let (shortest, longest) = match self.rows {
            RowLengths::Fixed(bytes) | RowLengths::Exponential(bytes) => (bytes, bytes),
            RowLengths::Uniform(low, high) => (low, high),
        };
        if self.workers == 0 || self.chunks == 0 || self.bytes == 0 {
            return error(
                "nothing to account for; bytes, workers and chunks must be at least 1".into(),
            );
        }
        let most = 1 << 60;
        if self.bytes.max(self.slot) >= most {
            return error(format!(
                "{} bytes in slots of {} are too many; at most 1 EiB",
                self.bytes, self.slot
            ));
        }
        if self.workers > Case::MOST_WORKERS {
            return error(format!(
                "{} workers are too many; at most {}",
                self.workers,
                Case::MOST_WORKERS
            ));
        }
        if shortest < 2 || longest < shortest {
            return error(
                "a row has at least 2 bytes, and a range goes from the shorter to the longer"
                    .into(),
            );
        }
        if longest > self.slot {
            return error(format!(
                "rows of {longest} bytes do not fit into a slot of {}; raise the slot",
                self.slot
            ));
        }
        if !(0.0..1.0).contains(&self.uneven) {
            return error(format!(
                "shares cannot be uneven by {}; give 0 to 0.99",
                self.uneven
            ));
        }
        Ok(())
    }

    /// Rows in all.
    pub fn row_count(&self) -> u64 {
        (self.bytes as f64 / self.rows.mean()).round() as u64
    }

    /// Bytes of a chunk.
    pub fn chunk_bytes(&self) -> u64 {
        self.bytes.div_ceil(self.chunks.into())
    }

    /// Bytes of each worker.
    fn shares(&self, random: &mut Random) -> Vec<u64> {
        let mean = self.bytes as f64 / f64::from(self.workers);
        let mut offs: Vec<f64> = (0..self.workers)
            .map(|_| random.unit() * 2.0 - 1.0)
            .collect();
        let middle = offs.iter().sum::<f64>() / offs.len() as f64;
        offs.iter_mut().for_each(|off| *off -= middle);
        let mut shares: Vec<u64> = offs
            .iter()
            .map(|off| (mean * (1.0 + off * self.uneven / 2.0)) as u64)
            .collect();
        // What rounding lost; fewer bytes than there are workers.
        let lost = self.bytes.saturating_sub(shares.iter().sum());
        let workers = shares.len() as u64;
        for (worker, share) in (0..).zip(&mut shares) {
            *share += lost / workers + u64::from(worker < lost % workers);
        }
        shares
    }
}

/// What a placement does with a case.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Account {
    /// Flushes.
    pub flushes: f64,
    /// Rows that end in another flush than they began in.
    pub split_rows: f64,
    /// Bytes left empty by flushes that were followed by another of the same worker.
    pub middle_waste: f64,
    /// Bytes left empty by the last flush of each worker.
    pub last_waste: f64,
    /// Bytes left empty at the ends of chunks.
    pub chunk_end_waste: f64,
}

impl Account {
    /// All bytes left empty.
    pub fn waste(&self) -> f64 {
        self.middle_waste + self.last_waste + self.chunk_end_waste
    }
}

/// A whole number with commas.
pub fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The draws of a simulation.
struct Random(Xoshiro256PlusPlus);

impl Random {
    fn new(seed: u64) -> Random {
        use rand_xoshiro::rand_core::SeedableRng;
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
