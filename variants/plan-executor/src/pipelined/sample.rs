//! What share of a column passes a filter, by a sample.

use join_core::table::PagedColumn;

use super::filter::{Filter, Test, WithTest};
use super::keys::{PlanKey, with_key};

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
        paged: &PagedColumn<'_>,
        filter: &Filter,
        version: u32,
    ) -> f64 {
        let known = &mut self.known[input];
        if known.len() <= key {
            known.resize(key + 1, (0, 1.0));
        }
        if known[key].0 != version {
            let share = with_key!(paged.data_type(), K => Filter::dispatch::<K, _>(
                Some(filter),
                Sample(paged),
            ));
            known[key] = (version, share);
        }
        known[key].1
    }
}

struct Sample<'s>(&'s PagedColumn<'s>);

impl<K: PlanKey> WithTest<K> for Sample<'_> {
    type Output = f64;

    fn with<T: Test<K>>(self, test: T) -> f64 {
        let pages = self.0.pages();
        if pages.is_empty() {
            return 1.0;
        }
        let (mut passed, mut seed) = (0.0, 0x9E37_79B9_u32);
        for nth in 0..ROWS {
            // Xorshift (Marsaglia 2003): evenly over the pages, anywhere in a page.
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let page = &pages[nth * pages.len() / ROWS];
            let values: &[K] = page.fixed();
            if !values.is_empty() && test.test(values[seed as usize % values.len()]) {
                passed += values.len() as f64 / page.rows() as f64;
            }
        }
        (passed + 0.25) / (ROWS as f64 + 0.25)
    }
}
