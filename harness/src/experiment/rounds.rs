//! How many rounds each cell gets, and the order within a round.

use join_core::checksum::RowHasher;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Fewest samples of a cell when time is short: with fewer there is no interval.
const LEAST: u32 = 3;

/// Samples after which more teach little.
const MOST: u32 = 15;

/// How much measuring a run may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// So many samples of every cell.
    Samples {
        /// Of a variant.
        variant: u32,
        /// Of a peer.
        peer: u32,
    },
    /// So many seconds in all; 3 samples of every cell at least, 15 at most.
    Seconds(f64),
}

impl Budget {
    /// The fewest and the most samples of a cell.
    pub fn samples(self, of_peer: bool) -> (u32, u32) {
        match self {
            Self::Samples { variant, peer } => {
                let samples = if of_peer { peer } else { variant };
                (samples, samples)
            }
            Self::Seconds(_) => (LEAST, MOST),
        }
    }

    /// Seconds of samples that a workload gets however long its data, engines and first round took: short joins of which
    /// there are few samples would look as different as noise makes them.
    pub fn least_seconds(self) -> f64 {
        match self {
            Self::Samples { .. } => 0.0,
            Self::Seconds(seconds) => seconds / 100.0,
        }
    }
}

/// Divides `seconds` among cells that cost `costs` seconds a sample: all cells get the same time, and at least the
/// fewest and at most the most samples. A cell that failed its warm-up costs nothing and gets none.
pub fn divide(costs: &[Option<f64>], seconds: f64, bounds: &[(u32, u32)]) -> Vec<u32> {
    let cells = || costs.iter().zip(bounds);
    let rounds = |time: f64, (cost, &(fewest, most)): (&Option<f64>, &(u32, u32))| {
        cost.map_or(0, |cost| {
            ((time / cost.max(1e-9)) as u32).clamp(fewest, most)
        })
    };
    let total = |time: f64| -> f64 {
        cells()
            .map(|cell| cell.0.unwrap_or(0.0) * f64::from(rounds(time, cell)))
            .sum()
    };
    let longest = cells().map(|(cost, &(_, most))| cost.unwrap_or(0.0) * f64::from(most));
    let (mut low, mut high) = (0.0, longest.fold(0.0, f64::max));
    if total(high) <= seconds {
        low = high;
    }
    while high - low > 1e-4 {
        let middle = (low + high) / 2.0;
        if total(middle) <= seconds {
            low = middle;
        } else {
            high = middle;
        }
    }
    cells().map(|cell| rounds(low, cell)).collect()
}

/// The order of `cells` things in a round: the same for the same seed, workload and round.
pub fn order(cells: usize, seed: u64, workload: &str, round: u32) -> Vec<usize> {
    let mut name = RowHasher::new();
    name.string(workload.as_bytes());
    let name = name.finish();
    let mut order: Vec<usize> = (0..cells).collect();
    let seed = seed ^ name.rotate_left(17) ^ u64::from(round).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_cell_within_bounds_and_the_time_kept(
            costs in proptest::collection::vec(proptest::option::of(0.001_f64..2.0), 1..40),
            seconds in 0.0_f64..100.0,
        ) {
            let rounds = divide(&costs, seconds, &vec![(LEAST, MOST); costs.len()]);
            let mut spent = 0.0;
            for (cost, &rounds) in costs.iter().zip(&rounds) {
                match cost {
                    Some(cost) => {
                        prop_assert!((LEAST..=MOST).contains(&rounds));
                        spent += cost * f64::from(rounds);
                    }
                    None => prop_assert_eq!(rounds, 0),
                }
            }
            let least: f64 = costs.iter().flatten().map(|cost| cost * f64::from(LEAST)).sum();
            prop_assert!(spent <= seconds.max(least) + 1e-6);
        }
    }

    #[test]
    fn cheap_cells_get_more_samples() {
        let rounds = divide(&[Some(0.01), Some(1.0)], 4.0, &[(LEAST, MOST); 2]);
        assert_eq!(rounds, [15, 3]);
        assert_eq!(divide(&[Some(1.0); 2], 0.0, &[(7, 7), (5, 5)]), [7, 5]);
    }

    #[test]
    fn orders_are_permutations_that_differ_by_round_and_repeat_by_seed() {
        let first = order(20, 1, "pk-fk-1m", 1);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..20));
        assert_eq!(first, order(20, 1, "pk-fk-1m", 1));
        assert_ne!(first, order(20, 1, "pk-fk-1m", 2));
        assert_ne!(first, order(20, 2, "pk-fk-1m", 1));
        assert_ne!(first, order(20, 1, "pk-fk-16m", 1));
    }
}
