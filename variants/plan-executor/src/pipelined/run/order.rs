//! Which input is read next.

use std::collections::VecDeque;

use super::Run;
use crate::pipelined::filter::Filter;
use crate::pipelined::sample::Samples;

/// What a row costs to read and to test by a bitmap, where keeping one costs 1. Little, for every input must be read sooner
/// or later, unless one turns out to be empty.
const READ_COST: f64 = 0.02;

impl Run<'_> {
    /// The place in `order` of the input to read next: the one of which least will be left, by a sample.
    pub(super) fn cheapest(&mut self, order: &VecDeque<usize>) -> usize {
        let mut best = (0, f64::INFINITY);
        // In order of rows: of the inputs that are not sampled the first is the cheapest.
        let sampled = order.partition_point(|&input| self.rows(input) < Samples::MIN_ROWS);
        for place in [0].into_iter().chain(sampled.max(1)..order.len()) {
            let input = order[place];
            let rows = self.rows(input) as f64;
            // From here on reading alone costs more.
            if rows * READ_COST * Filter::CHEAPEST / Filter::USUAL >= best.1 {
                break;
            }
            let selectivity = self.selectivity(input);
            let cost = rows * (READ_COST * self.test_cost(input) + selectivity);
            if cost < best.1 {
                best = (place, cost);
            }
        }
        best.0
    }

    /// What a row of an input costs to test, where a bitmap costs 1: as much as the cheapest of the tests, which comes first if
    /// it removes much.
    fn test_cost(&self, input: usize) -> f64 {
        let keys = self.graph.inputs[input].keys.iter();
        let filters = keys.filter_map(|key| self.filters[key.class].as_ref());
        let cheapest = filters.map(|newest| newest.filter.cost()).reduce(f64::min);
        cheapest.unwrap_or(Filter::USUAL) / Filter::USUAL
    }

    /// The share of an input's rows that will pass the filters of its classes.
    fn selectivity(&mut self, input: usize) -> f64 {
        if self.rows(input) < Samples::MIN_ROWS {
            return 1.0;
        }
        let keys = 0..self.graph.inputs[input].keys.len();
        let passed = keys.filter_map(|key| self.passed(input, key));
        // Without a filter all pass, of which a sample is not needed.
        let passed = passed.reduce(|all, passed| all & passed);
        passed.map_or(1.0, Samples::share)
    }

    /// The share of an input's rows whose key passes the filter of its class: some, where there are too few rows for a sample.
    pub(super) fn key_selectivity(&mut self, input: usize, key: usize) -> f64 {
        if self.rows(input) < Samples::MIN_ROWS {
            return 0.5;
        }
        self.passed(input, key).map_or(1.0, Samples::share)
    }

    /// Which rows of an input's sample pass the filter of a key's class, if that has one.
    fn passed(&mut self, input: usize, key: usize) -> Option<u64> {
        let class = self.graph.inputs[input].keys[key].class;
        self.filters[class].as_ref()?;
        self.open(input);
        let newest = self.filters[class].as_ref()?;
        let keys = &self.columns[input][key];
        let at = (input, key);
        Some(
            self.samples
                .passed(at, keys, &newest.filter, newest.version),
        )
    }
}
