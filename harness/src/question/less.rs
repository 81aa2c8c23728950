//! A condition besides equal keys: the build row's value is less than the probe row's.

use std::sync::Arc;

use join_core::output::{Pair, PairFilter};
use join_core::prefetch::prefetch_read;

/// Pairs whose values are asked for ahead.
const AHEAD: usize = 32;

/// A value of each row, and the condition that the build row's is less than the probe row's. A clone shares the values.
#[derive(Clone, Debug)]
pub struct Less {
    /// Of the build side's rows.
    pub build: Arc<[i32]>,
    /// Of the probe side's rows.
    pub probe: Arc<[i32]>,
}

impl Less {
    /// The condition as records and peers have it.
    pub const SQL: &str = "build.value < probe.value";

    /// As joins ask it.
    pub fn as_filter(&self) -> &dyn PairFilter {
        self
    }
}

impl PairFilter for Less {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        let mut kept = 0;
        for at in 0..pairs.len() {
            if let Some(ahead) = pairs.get(at + AHEAD) {
                prefetch_read(self.build.as_ptr().wrapping_add(ahead.build as usize));
                prefetch_read(self.probe.as_ptr().wrapping_add(ahead.probe as usize));
            }
            let pair = pairs[at];
            pairs[kept] = pair;
            let holds = self.build[pair.build as usize] < self.probe[pair.probe as usize];
            kept += usize::from(holds);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_fulfil_it_move_to_the_front_in_order() {
        let values = |values: &[i32]| Arc::from(values);
        let less = Less {
            build: values(&[5, -3, i32::MAX]),
            probe: values(&[5, 6, i32::MIN]),
        };
        let mut pairs: Vec<Pair> = (0..900)
            .map(|at| Pair {
                build: at / 3 % 3,
                probe: at % 3,
            })
            .collect();
        let kept = less.keep(&mut pairs);
        let kept = pairs[..kept].iter().map(|pair| (pair.build, pair.probe));
        let expected = [(0, 1), (1, 0), (1, 1)].repeat(100);
        assert!(kept.eq(expected));
    }
}
