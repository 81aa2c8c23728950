//! What share of an input passes filters, by a sample.

use join_core::input::KeyColumn;

use super::filter::{Filter, Test, WithTest};
use super::keys::{InputKeys, KeyList, PlanKey};

/// Rows of a sample: a bit of a mask each.
const ROWS: usize = 64;

/// Rows of each input and their keys, once they are asked for, and which of them pass the filters that they were tested with
/// last. The same rows are tested by all keys, so that masks tell what passes several filters together.
pub(super) struct Samples {
    /// By input and key.
    keys: Vec<Vec<Option<Sample>>>,
}

/// Keys of a column.
struct Sample {
    keys: KeyList,
    /// The rows that have a key.
    valid: u64,
    /// The version of the filter that they were tested with, and who passed.
    version: u32,
    passed: u64,
}

impl Samples {
    /// Rows from which on an input is sampled.
    pub const MIN_ROWS: usize = 2048;

    pub fn new(inputs: usize) -> Samples {
        Samples {
            keys: (0..inputs).map(|_| Vec::new()).collect(),
        }
    }

    /// Which rows of an input's sample have a key that passes a filter.
    pub fn passed(
        &mut self,
        (input, key): (usize, usize),
        keys: &InputKeys<'_>,
        filter: &Filter,
        version: u32,
    ) -> u64 {
        let of_input = &mut self.keys[input];
        if of_input.len() <= key {
            of_input.resize_with(key + 1, || None);
        }
        let sample = of_input[key].get_or_insert_with(|| Sample::of(keys));
        if sample.version != version {
            let passed = match &sample.keys {
                KeyList::Int32(keys) => Filter::dispatch(Some(filter), Passing(keys)),
                KeyList::Int64(keys) => Filter::dispatch(Some(filter), Passing(keys)),
            };
            (sample.version, sample.passed) = (version, passed & sample.valid);
        }
        sample.passed
    }

    /// The share of rows that `passed` stands for, never quite 0.
    pub fn share(passed: u64) -> f64 {
        (f64::from(passed.count_ones()) + 0.25) / (ROWS as f64 + 0.25)
    }
}

impl Sample {
    fn of(keys: &InputKeys<'_>) -> Sample {
        let (keys, valid) = match keys {
            InputKeys::Int32(keys) => {
                let (keys, valid) = sampled(keys);
                (KeyList::Int32(keys), valid)
            }
            InputKeys::Int64(keys) => {
                let (keys, valid) = sampled(keys);
                (KeyList::Int64(keys), valid)
            }
        };
        Sample {
            keys,
            valid,
            version: 0,
            passed: valid,
        }
    }
}

/// Keys of rows all over a column, and which of these have one. An input's columns have as many rows, so they are the same
/// rows of each.
fn sampled<K: PlanKey>(column: &KeyColumn<'_, K>) -> (Vec<K>, u64) {
    let (mut keys, mut valid) = (vec![K::default(); ROWS], 0);
    let rows = column.len() as u64;
    if rows == 0 {
        return (keys, valid);
    }
    let mut seed = 0x9E37_79B9_u32;
    for nth in 0..ROWS as u64 {
        // Xorshift (Marsaglia 2003): anywhere in each of as many parts.
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        let (first, end) = (nth * rows / ROWS as u64, (nth + 1) * rows / ROWS as u64);
        let row = first + u64::from(seed) % (end - first).max(1);
        if let Some(key) = column.key(row as u32) {
            keys[nth as usize] = key;
            valid |= 1 << nth;
        }
    }
    (keys, valid)
}

struct Passing<'s, K>(&'s [K]);

impl<K: PlanKey> WithTest<K> for Passing<'_, K> {
    type Output = u64;

    fn with<T: Test<K>>(self, test: T) -> u64 {
        let keys = self.0.iter().enumerate();
        keys.fold(0, |passed, (nth, &key)| {
            passed | u64::from(test.test(key)) << nth
        })
    }
}
