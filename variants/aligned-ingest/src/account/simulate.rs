//! Flush by flush, without the bytes.

use super::formula::splitting;
use super::{Account, Case, Random, RowLengths};
use crate::placement::PlacementKind;

/// Flushes that are drawn. Of more, the first of each worker count as the mean.
const MOST_DRAWS: u64 = 1 << 21;

/// A simulated load.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// What it did.
    pub account: Account,
    /// Whether every flush was drawn.
    pub all_drawn: bool,
}

/// Draws a load. The workers flush in turn.
pub fn simulate(case: &Case, placement: PlacementKind) -> Simulated {
    let mut random = Random::new(case.seed);
    let shares = case.shares(&mut random);
    simulate_shares(case, placement, &shares)
}

/// Draws a load whose workers have these bytes.
pub fn simulate_shares(case: &Case, placement: PlacementKind, shares: &[u64]) -> Simulated {
    let mut random = Random::new(case.seed ^ 0x5eed);
    let mut workers: Vec<Worker> = shares.iter().map(|&left| Worker { left, at: 0 }).collect();
    let mut load = Load {
        case,
        placement,
        cursor: 0,
        chunk_bytes: case.chunk_bytes().next_multiple_of(case.slot),
        account: Account::default(),
    };
    let most = (MOST_DRAWS / shares.len().max(1) as u64).max(2);
    let mut all_drawn = true;
    for worker in &mut workers {
        let flushes = (worker.left as f64 / load.mean_flush()) as u64;
        if flushes > most {
            all_drawn = false;
            load.skip(worker, flushes - most);
        }
    }
    while !workers.is_empty() {
        workers.retain_mut(|worker| load.flush(worker, &mut random));
    }
    Simulated {
        account: load.account,
        all_drawn,
    }
}

struct Worker {
    /// Bytes still to be written.
    left: u64,
    /// Bytes written.
    at: u64,
}

struct Load<'a> {
    case: &'a Case,
    placement: PlacementKind,
    cursor: u64,
    chunk_bytes: u64,
    account: Account,
}

impl Load<'_> {
    /// The next flush of a worker; whether more follow.
    fn flush(&mut self, worker: &mut Worker, random: &mut Random) -> bool {
        let slot = self.case.slot;
        if worker.left == 0 {
            return false;
        }
        self.account.flushes += 1.0;
        if worker.left <= slot {
            if self.placement == PlacementKind::Aligned {
                self.account.last_waste += (slot - worker.left) as f64;
            }
            self.place(worker.left);
            return false;
        }
        let leftover = match self.placement {
            PlacementKind::Packed => {
                self.account.split_rows += self.splits(worker.at + slot, random);
                0
            }
            _ => self.case.rows.draw_leftover(slot, random),
        };
        if self.placement == PlacementKind::Aligned {
            self.account.middle_waste += leftover as f64;
        }
        self.place(slot - leftover);
        worker.left -= slot - leftover;
        worker.at += slot - leftover;
        true
    }

    /// Whether a cut `at` bytes into a worker's rows splits one: 1 or 0.
    fn splits(&self, at: u64, random: &mut Random) -> f64 {
        let splits = match self.case.rows {
            RowLengths::Fixed(bytes) => !at.is_multiple_of(bytes),
            rows => random.unit() >= 1.0 / rows.mean(),
        };
        f64::from(u8::from(splits))
    }

    /// Moves the cursor over a flush.
    fn place(&mut self, bytes: u64) {
        if self.placement != PlacementKind::PackedRows {
            return;
        }
        let chunk = |at: u64| at / self.chunk_bytes;
        if chunk(self.cursor) != chunk(self.cursor + bytes - 1) {
            self.account.chunk_end_waste += bytes as f64;
            self.cursor += bytes;
        }
        self.cursor += bytes;
    }

    /// Bytes of a flush that is not a worker's last, on average.
    fn mean_flush(&self) -> f64 {
        let leftover = match self.placement {
            PlacementKind::Packed => 0.0,
            _ => self.case.rows.mean_leftover(self.case.slot),
        };
        self.case.slot as f64 - leftover
    }

    /// The next `flushes` of a worker, none of which is its last, at the mean.
    fn skip(&mut self, worker: &mut Worker, flushes: u64) {
        let (count, flush) = (flushes as f64, self.mean_flush());
        let leftover = self.case.slot as f64 - flush;
        let bytes = (count * flush) as u64;
        self.account.flushes += count;
        match (self.placement, self.case.rows) {
            (PlacementKind::Aligned, _) => self.account.middle_waste += count * leftover,
            (PlacementKind::Packed, RowLengths::Fixed(row)) => {
                self.account.split_rows += count * splitting(self.case.slot, row);
            }
            (PlacementKind::Packed, rows) => {
                self.account.split_rows += count * (1.0 - 1.0 / rows.mean());
            }
            (PlacementKind::PackedRows, _) => {
                let ends =
                    (self.cursor + bytes) / self.chunk_bytes - self.cursor / self.chunk_bytes;
                self.account.chunk_end_waste += ends as f64 * flush / 2.0;
                self.cursor += bytes;
            }
        }
        worker.left -= bytes;
        worker.at += bytes;
    }
}
