//! What share of a column passes a filter, by a sample.

use join_core::input::KeyColumn;

use super::filter::{Filter, Test, WithTest};
use super::keys::{InputKeys, PlanKey, with_column};

/// Rows of a sample.
const ROWS: usize = 64;

/// Shares that were found, so that none is sought twice.
pub(super) struct Samples {
    /// Of each input and key: the filter's version, and the share that passes it.
    known: Vec<Vec<(u32, f64)>>,
}

impl Samples {
    /// Rows from which on an input is sampled.
    pub const MIN_ROWS: usize = 2048;

    pub fn new(inputs: usize) -> Samples {
        Samples {
            known: vec![Vec::new(); inputs],
        }
    }

    /// The share of a key column that passes a filter, never quite 0.
    pub fn share(
        &mut self,
        input: usize,
        key: usize,
        keys: &InputKeys<'_>,
        filter: &Filter,
        version: u32,
    ) -> f64 {
        let known = &mut self.known[input];
        if known.len() <= key {
            known.resize(key + 1, (0, 1.0));
        }
        if known[key].0 != version {
            let share = with_column!(keys, keys => Filter::dispatch(Some(filter), Sample(keys)));
            known[key] = (version, share);
        }
        known[key].1
    }
}

struct Sample<'s, K>(&'s KeyColumn<'s, K>);

impl<K: PlanKey> WithTest<K> for Sample<'_, K> {
    type Output = f64;

    fn with<T: Test<K>>(self, test: T) -> f64 {
        let chunks = self.0.chunk_count();
        if chunks == 0 {
            return 1.0;
        }
        let (mut passed, mut seed) = (0.0, 0x9E37_79B9_u32);
        for nth in 0..ROWS {
            // Xorshift (Marsaglia 2003): evenly over the chunks, anywhere in a chunk.
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let chunk = self.0.chunk(nth * chunks / ROWS);
            if chunk.keys.is_empty() {
                continue;
            }
            let place = seed as usize % chunk.keys.len();
            let is_key = match chunk.validity {
                Some(validity) if chunk.of_each_row => validity.is_valid(place),
                _ => true,
            };
            if is_key && test.test(chunk.keys[place]) {
                passed += chunk.keys.len() as f64 / chunk.rows() as f64;
            }
        }
        (passed + 0.25) / (ROWS as f64 + 0.25)
    }
}
