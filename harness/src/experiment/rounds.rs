//! How many rounds each cell gets, and the order within a round.

use join_core::checksum::RowHasher;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::undecided::{Behind, HEADLINE, Need};

/// How many rounds there have been when the samples are looked at. After the last, more teach little.
pub const LOOKS: [u32; 4] = [4, 10, 20, 40];

/// Fewest samples of a cell that is far behind when time is short; one of what is farthest.
const LEAST: u32 = 2;

/// The share of the time that the first rounds may take: the rest is for what they leave undecided.
const FIRST: f64 = 0.5;

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
    /// So many seconds in all, for what is undecided; 1 sample of every cell at least, 40 at most.
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
            Self::Seconds(_) => (1, LOOKS[LOOKS.len() - 1]),
        }
    }

    /// Seconds that are left of a `share` of which some are `spent`.
    pub fn left(self, share: f64, spent: f64) -> f64 {
        (share - spent).max(self.least_seconds())
    }

    /// Seconds beyond its share that a workload may take until its headlines have their samples.
    pub fn grace(self, share: f64) -> f64 {
        share.min(8.0 * self.least_seconds())
    }

    /// Seconds of samples that a workload gets however long its data, engines and first round took: short joins of which
    /// there are few samples would look as different as noise makes them.
    fn least_seconds(self) -> f64 {
        match self {
            Self::Samples { .. } => 0.0,
            Self::Seconds(seconds) => seconds / 100.0,
        }
    }
}

/// The first rounds: as many of each cell as the first look wants, fewer of those that are `far_behind` where `seconds`
/// are short. A cell that failed its warm-up, which costs nothing, gets none.
pub fn first(costs: &[Option<f64>], far_behind: &[Behind], seconds: f64) -> Vec<u32> {
    let most = LOOKS[0];
    let plan = |usual: u32, far: u32| -> Vec<u32> {
        let cells = costs.iter().zip(far_behind);
        let rounds = cells.map(|(cost, behind)| match (cost, behind) {
            (None, _) => 0,
            (_, Behind::Near) => usual,
            (_, Behind::Far) => far,
            // The first to be cut, where anything is.
            (_, Behind::Farthest) => match far < most {
                true => far - 1,
                false => far,
            },
        });
        rounds.collect()
    };
    let cost = |plan: &[u32]| -> f64 {
        let cells = costs.iter().zip(plan);
        cells
            .map(|(cost, &rounds)| cost.unwrap_or(0.0) * f64::from(rounds))
            .sum()
    };
    let plans = (LEAST..=most).rev().map(|far| plan(most, far));
    let mut fit = plans.filter(|plan| cost(plan) <= seconds * FIRST);
    fit.next().unwrap_or_else(|| plan(LEAST + 1, LEAST))
}

/// A cell whose samples have been looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Looked {
    /// Seconds of a sample; none of one that failed.
    pub cost: Option<f64>,
    /// The rounds that it has had.
    pub rounds: u32,
    /// What more of them would tell.
    pub need: Need,
}

impl Looked {
    fn goes_on(&self) -> bool {
        self.cost.is_some() && (self.need.is_open || self.rounds < self.need.least)
    }
}

/// The rounds after a look, in all, and whether they are the last: those that need samples go on together to the next
/// look, or as far as `seconds` allow, and then they are the last. What headlines rest on has its least before others get
/// more, and may take `grace` seconds longer for it.
pub fn next(cells: &[Looked], seconds: f64, grace: f64) -> (Vec<u32>, bool) {
    let had = cells.iter().filter(|cell| cell.goes_on());
    let Some(had) = had.map(|cell| cell.rounds).max() else {
        return (cells.iter().map(|cell| cell.rounds).collect(), true);
    };
    let plan = |rounds: u32, of_headlines: u32| -> Vec<u32> {
        let more = cells.iter().map(|cell| match cell.goes_on() {
            false => cell.rounds,
            true => {
                let least = of_headlines.min(cell.need.least);
                cell.rounds.max(rounds).max(least)
            }
        });
        more.collect()
    };
    let cost = |plan: &[u32]| -> f64 {
        let cells = cells.iter().zip(plan);
        cells
            .map(|(cell, &rounds)| cell.cost.unwrap_or(0.0) * f64::from(rounds - cell.rounds))
            .sum()
    };
    let mut looks = LOOKS[1..].iter().copied();
    let look = looks.find(|&look| look > had).unwrap_or(had);
    let all = plan(look, 0);
    if cost(&all) <= seconds {
        return (all, Some(&look) == LOOKS.last());
    }
    let most = |upto: u32, fits: &dyn Fn(u32) -> bool| {
        let rounds = (0..=upto).rev().find(|&rounds| fits(rounds));
        rounds.unwrap_or(0)
    };
    let headlines = most(HEADLINE, &|rounds| {
        cost(&plan(0, rounds)) <= seconds + grace
    });
    let left = seconds.max(cost(&plan(0, headlines)));
    let rounds = most(look, &|rounds| cost(&plan(rounds, headlines)) <= left);
    (plan(rounds, headlines), true)
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

    fn cost(cells: &[Looked], rounds: &[u32]) -> f64 {
        let cells = cells.iter().zip(rounds);
        cells
            .map(|(cell, &rounds)| cell.cost.unwrap_or(0.0) * f64::from(rounds - cell.rounds))
            .sum()
    }

    fn looked() -> impl Strategy<Value = Looked> {
        let cost = proptest::option::of(0.001_f64..2.0);
        let least = prop_oneof![Just(0), Just(HEADLINE)];
        (cost, 2_u32..=20, proptest::bool::ANY, least).prop_map(|(cost, rounds, is_open, least)| {
            Looked {
                cost,
                rounds,
                need: Need { is_open, least },
            }
        })
    }

    fn behind() -> impl Strategy<Value = Behind> {
        prop_oneof![
            Just(Behind::Near),
            Just(Behind::Far),
            Just(Behind::Farthest)
        ]
    }

    proptest! {
        #[test]
        fn first_rounds_are_within_bounds_and_only_those_far_behind_get_fewer(
            cells in proptest::collection::vec(
                (proptest::option::of(0.001_f64..2.0), behind()), 1..40),
            seconds in 0.0_f64..100.0,
        ) {
            let (costs, behind): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
            let rounds = first(&costs, &behind, seconds);
            let spent: f64 = costs.iter().zip(&rounds).map(|(c, &r)| c.unwrap_or(0.0) * f64::from(r)).sum();
            let least: f64 = costs.iter().flatten().map(|cost| cost * f64::from(LEAST + 1)).sum();
            prop_assert!(spent <= (seconds * FIRST).max(least) + 1e-6);
            let usual = rounds.iter().zip(&behind).filter(|(_, behind)| **behind == Behind::Near);
            let usual: Vec<u32> = usual.map(|(&rounds, _)| rounds).filter(|&rounds| rounds > 0).collect();
            prop_assert!(usual.windows(2).all(|pair| pair[0] == pair[1]));
            for (cost, &rounds) in costs.iter().zip(&rounds) {
                match cost {
                    Some(_) => prop_assert!((1..=LOOKS[0]).contains(&rounds)),
                    None => prop_assert_eq!(rounds, 0),
                }
            }
        }

        #[test]
        fn the_time_goes_to_what_is_undecided_and_is_kept(
            cells in proptest::collection::vec(looked(), 1..40),
            seconds in 0.0_f64..100.0,
            grace in 0.0_f64..20.0,
        ) {
            let (rounds, is_last) = next(&cells, seconds, grace);
            prop_assert_eq!((rounds.clone(), is_last), next(&cells, seconds, grace));
            prop_assert!(cost(&cells, &rounds) <= seconds + grace + 1e-6);
            for (cell, &rounds) in cells.iter().zip(&rounds) {
                prop_assert!(rounds >= cell.rounds && rounds <= LOOKS[3]);
                if !cell.goes_on() {
                    prop_assert_eq!(rounds, cell.rounds);
                }
            }
            // Headlines have their least where the time allows for that alone.
            let is_headline = |cell: &Looked| cell.cost.is_some() && cell.need.least > 0;
            let least: Vec<u32> = cells.iter().map(|c| match is_headline(c) {
                true => c.rounds.max(HEADLINE),
                false => c.rounds,
            }).collect();
            if cost(&cells, &least) <= seconds + grace {
                for (cell, &rounds) in cells.iter().zip(&rounds) {
                    prop_assert!(!is_headline(cell) || rounds >= HEADLINE, "{:?} {}", cell, rounds);
                }
            }
        }

        #[test]
        fn looking_comes_to_an_end(
            cells in proptest::collection::vec(looked(), 1..20),
            seconds in 0.0_f64..100.0,
        ) {
            let mut cells = cells;
            for look in 0..=LOOKS.len() {
                prop_assert!(look < LOOKS.len());
                let (rounds, is_last) = next(&cells, seconds, 0.0);
                if is_last {
                    break;
                }
                for (cell, rounds) in cells.iter_mut().zip(rounds) {
                    cell.rounds = rounds;
                }
            }
        }
    }

    #[test]
    fn what_is_far_behind_gets_fewer_rounds_where_time_is_short() {
        let costs = [Some(0.1), Some(0.5), Some(1.0), None];
        let behind = [Behind::Near, Behind::Far, Behind::Farthest, Behind::Near];
        assert_eq!(first(&costs, &behind, 20.0), [4, 4, 4, 0]);
        assert_eq!(first(&costs, &behind, 9.0), [4, 3, 2, 0]);
        assert_eq!(first(&costs, &behind, 5.0), [4, 2, 1, 0]);
        assert_eq!(first(&costs, &behind, 0.0), [3, 2, 1, 0]);
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
