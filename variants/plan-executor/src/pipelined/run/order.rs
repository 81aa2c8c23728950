//! Which input is read next.

use std::collections::VecDeque;

use super::Run;
use crate::pipelined::sample::Samples;

/// What a row costs to read, where keeping one costs 1. Little, for every input must be read sooner or later, unless one
/// turns out to be empty.
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
            if rows * READ_COST >= best.1 {
                break;
            }
            let cost = rows * (READ_COST + self.selectivity(input));
            if cost < best.1 {
                best = (place, cost);
            }
        }
        best.0
    }

    /// The share of an input's rows that will pass the filters of its classes.
    fn selectivity(&mut self, input: usize) -> f64 {
        if self.rows(input) < Samples::MIN_ROWS {
            return 1.0;
        }
        let mut product = 1.0;
        for key in 0..self.graph.inputs[input].keys.len() {
            product *= self.key_selectivity(input, key);
        }
        product
    }

    pub(super) fn key_selectivity(&mut self, input: usize, key: usize) -> f64 {
        let (class, _) = self.graph.inputs[input].keys[key];
        if self.filters[class].is_none() {
            return 1.0;
        }
        self.open(input);
        let Some(newest) = &self.filters[class] else {
            return 1.0;
        };
        let keys = &self.columns[input][key];
        self.samples
            .share(input, key, keys, &newest.filter, newest.version)
    }
}
