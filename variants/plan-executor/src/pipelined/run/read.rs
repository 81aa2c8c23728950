//! Reading an input, and the filters that it leaves.

use join_core::join::Phases;

use super::{ClassFilter, Run, State};
use crate::ExecuteError;
use crate::pipelined::filter::Filter;
use crate::pipelined::graph::InputKey;
use crate::pipelined::hands::SHARE;
use crate::pipelined::index::bounds_of;
use crate::pipelined::keys::{PlanKey, with_key};
use crate::pipelined::scan::{self, ScanColumn, scan};
use crate::telemetry::{FilterTelemetry, Step};

/// Of a filter, the share of its range that may be set before it is taken for one that everything passes.
const DENSE: f64 = 0.95;

impl Run<'_> {
    /// Reads what is left of an input, and leaves filters of its keys. Returns whether every input that was read has rows left.
    pub(super) fn read(&mut self, input: usize) -> Result<bool, ExecuteError> {
        let mut phases = Phases::start();
        self.open(input);
        let keys = self.graph.inputs[input].keys.clone();
        // Of each key that is tested, what the test removes for what it costs, and what a row costs if it comes first.
        let mut order: Vec<(usize, f64, f64)> = Vec::new();
        for (key, &InputKey { class, .. }) in keys.iter().enumerate() {
            let cost = self.filters[class]
                .as_ref()
                .map(|newest| newest.filter.cost());
            match cost {
                Some(cost) => {
                    let share = self.key_selectivity(input, key);
                    order.push((key, (1.0 - share) / cost, cost + share * Filter::AGAIN));
                }
                // A NULL joins nothing, whatever the filter.
                None if self.columns[input][key].has_nulls() => {
                    order.push((key, 0.0, Filter::AGAIN));
                }
                None => {}
            }
        }
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        let places = order.iter().enumerate();
        let first = places.min_by(|(_, a), (_, b)| a.2.total_cmp(&b.2));
        if let Some(first) = first.map(|(first, _)| first) {
            order[..=first].rotate_right(1);
        }
        if order.is_empty() && !keys.is_empty() {
            order.push((0, 0.0, 0.0));
        }
        let order: Vec<usize> = order.into_iter().map(|(key, ..)| key).collect();
        let columns: Vec<ScanColumn<'_>> = self.columns[input]
            .iter()
            .zip(&keys)
            .map(|(keys, key)| ScanColumn {
                keys,
                filter: self.filters[key.class]
                    .as_ref()
                    .map(|newest| &newest.filter),
            })
            .collect();
        let rows = self.rows(input);
        let memory = self.context.memory;
        phases.lap("plan");
        let (mut reduced, tested) = if keys.is_empty() {
            (
                scan::all(rows, memory).map_err(self.memory(input))?,
                Vec::new(),
            )
        } else {
            let bitmasks = self.options.bitmasks;
            scan(&columns, &order, bitmasks, self.hands(rows)).map_err(self.memory(input))?
        };
        phases.lap("scan");
        let version = |class: usize| self.filters[class].as_ref().map_or(0, |f| f.version);
        reduced.passed = keys.iter().map(|key| version(key.class)).collect();
        let filters = order.iter().filter_map(|&key| {
            let InputKey { class, column, .. } = keys[key];
            let newest = self.filters[class].as_ref()?;
            Some(FilterTelemetry {
                name: format!(
                    "{} {} {}",
                    self.source.column_name(input, column),
                    newest.filter.name(),
                    self.name(newest.of)
                ),
                rows_in: tested[key].seen,
                rows_out: tested[key].passed,
            })
        });
        let step = Step {
            name: format!("scan {}", self.name(input)),
            rows_in: rows as u64,
            rows_out: reduced.len as u64,
            bytes: reduced.bytes() as u64,
            filters: filters.collect(),
            ..Step::default()
        };
        let left = reduced.len;
        self.states[input] = State::Reduced(reduced);
        for key in &keys {
            self.unread[key.class] -= 1;
            self.unread_rows[key.class] -= rows;
        }
        if left > 0 && self.options.filters {
            for (key, &InputKey { class, .. }) in keys.iter().enumerate() {
                self.publish(input, key, class)?;
            }
            phases.lap("filters");
        }
        self.step(input, step.timed(&phases));
        if left > 0 && self.options.filters {
            return self.narrow(input);
        }
        Ok(left > 0)
    }

    /// Leaves a filter of an input's keys for the inputs of a class that are still to be read, and those that may be narrowed by
    /// it.
    pub(super) fn publish(
        &mut self,
        input: usize,
        key: usize,
        class: usize,
    ) -> Result<(), ExecuteError> {
        let State::Reduced(reduced) = &self.states[input] else {
            return Ok(());
        };
        let mut others = self.graph.classes[class].all();
        if self.unread[class] == 0 && !others.any(|other| self.narrows(other, class)) {
            return Ok(());
        }
        let hands = self.hands(reduced.len);
        let filter = with_key!(self.graph.classes[class].data_type, K => {
            let chunks = reduced.chunks.iter().flat_map(|chunk| K::of(&chunk.keys[key]).chunks(SHARE));
            let chunks: Vec<&[K]> = chunks.collect();
            let Some((min, max)) = bounds_of(&chunks, hands) else {
                return Ok(());
            };
            // Everything passes where nearly every key is there: not worth making.
            let range = max.wide().wrapping_sub(min.wide()) as u64 as f64 + 1.0;
            if range > 1.0 && reduced.len as f64 > DENSE * range && self.filters[class].is_none() {
                return Ok(());
            }
            Filter::new(&chunks, (min, max), self.options.constants, hands)
        });
        let filter = filter.map_err(self.memory(input))?;
        let rows = reduced.len;
        self.renew(class, filter, input, rows);
        Ok(())
    }

    /// Puts the filter of the keys of `rows` rows of the input `of` in the place of the class's last one.
    pub(super) fn renew(&mut self, class: usize, filter: Filter, of: usize, rows: usize) {
        self.versions += 1;
        self.filters[class] = Some(ClassFilter {
            filter,
            version: self.versions,
            of,
            rows,
        });
    }
}
