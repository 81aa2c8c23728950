//! Testing inputs again that were read before the filters of later ones were there.

use join_core::join::Phases;

use super::{Run, State};
use crate::ExecuteError;
use crate::pipelined::graph::InputKey;
use crate::pipelined::scan::{Reduced, refilter};
use crate::telemetry::{FilterTelemetry, Step};

/// Rows of inputs still to be read for each row that is tested again, at least: what is left of it may be a better filter for
/// them.
const ROWS_A_ROW: usize = 4;

/// Rows that are read in the time that testing an input again takes, however few rows it has, and making a filter of it.
const FEWEST: usize = 1 << 14;

/// The share of its rows up to which an input that was tested again leaves filters anew.
const FEWER: f64 = 0.9;

impl Run<'_> {
    /// Has inputs that were read pass the newer filters of their classes where that [narrows](Run::narrows) what is still to be
    /// read, from those that share a class with `input` on. Returns whether all of them have rows left.
    pub(super) fn narrow(&mut self, input: usize) -> Result<bool, ExecuteError> {
        let graph = self.graph;
        let keys = graph.inputs[input].keys.iter();
        let mut renewed: Vec<usize> = keys.map(|key| key.class).collect();
        while let Some(class) = renewed.pop() {
            for other in graph.classes[class].all() {
                if !self.narrows(other, class) {
                    continue;
                }
                let mut phases = Phases::start();
                let state = std::mem::replace(&mut self.states[other], State::Done);
                let State::Reduced(mut reduced) = state else {
                    unreachable!("only inputs that were read are tested again")
                };
                let before = reduced.len;
                let filters = self.again(other, &mut reduced)?;
                let left = reduced.len;
                self.states[other] = State::Reduced(reduced);
                if filters.is_empty() {
                    continue;
                }
                phases.lap("filter again");
                let step = Step {
                    name: format!("filter {}", self.name(other)),
                    children: vec![self.step_of[other]],
                    rows_in: before as u64,
                    rows_out: left as u64,
                    filters,
                    ..Step::default()
                };
                self.step(other, step.timed(&phases));
                if left == 0 {
                    return Ok(false);
                }
                if left as f64 > FEWER * before as f64 {
                    continue;
                }
                for (key, &InputKey { class, .. }) in graph.inputs[other].keys.iter().enumerate() {
                    // Those of more rows are likely to be less strict.
                    let newest = self.filters[class].as_ref();
                    if newest.is_none_or(|newest| newest.of == other || left < newest.rows) {
                        self.publish(other, key, class)?;
                        renewed.push(class);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Whether testing an input again by the filter of a class pays by what is still to be read in its other classes.
    pub(super) fn narrows(&self, input: usize, class: usize) -> bool {
        let State::Reduced(reduced) = &self.states[input] else {
            return false;
        };
        let keys = self.graph.inputs[input].keys.iter();
        let others = keys.filter(|key| key.class != class);
        let unread: usize = others.map(|key| self.unread_rows[key.class]).sum();
        let fewest = match self.options.small_alone {
            true => FEWEST,
            false => 1,
        };
        self.options.narrow && unread >= fewest && unread / ROWS_A_ROW >= reduced.len
    }

    /// Keeps the rows of an input that pass the filters that are newer than those that they passed.
    pub(super) fn again(
        &self,
        input: usize,
        reduced: &mut Reduced,
    ) -> Result<Vec<FilterTelemetry>, ExecuteError> {
        let mut filters = Vec::new();
        for (key, &InputKey { class, column, .. }) in
            self.graph.inputs[input].keys.iter().enumerate()
        {
            let Some(newest) = &self.filters[class] else {
                continue;
            };
            if newest.version > reduced.passed[key] && newest.of != input {
                let rows_in = reduced.len as u64;
                let hands = self.hands(reduced.len);
                refilter(reduced, key, &newest.filter, hands).map_err(self.memory(input))?;
                reduced.passed[key] = newest.version;
                filters.push(FilterTelemetry {
                    name: format!(
                        "{} {} {}",
                        self.source.column_name(input, column),
                        newest.filter.name(),
                        self.name(newest.of)
                    ),
                    rows_in,
                    rows_out: reduced.len as u64,
                });
            }
        }
        Ok(filters)
    }
}
