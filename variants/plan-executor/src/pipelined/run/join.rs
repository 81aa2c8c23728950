//! Leaves become tables, the last input the root.

use join_core::join::Phases;
use join_core::memory::OutOfMemory;

use super::{Run, State};
use crate::ExecuteError;
use crate::pipelined::filter::Filter;
use crate::pipelined::graph::{InputKey, Role};
use crate::pipelined::hands::SHARE;
use crate::pipelined::index::bounds_of;
use crate::pipelined::keys::{KeyList, PlanKey};
use crate::pipelined::resolve::{Probe, Resolved, resolve};
use crate::pipelined::table::{Entries, ReducedTable, Wanted};
use crate::telemetry::Step;

impl Run<'_> {
    /// Joins an input with the tables of its classes. It becomes a table for its class `above`, or, without one, the
    /// root, which is returned. `None`: nothing is left of it.
    pub(super) fn join(
        &mut self,
        input: usize,
        above: Option<usize>,
    ) -> Result<Option<Option<Entries>>, ExecuteError> {
        let mut phases = Phases::start();
        let State::Reduced(mut reduced) = std::mem::replace(&mut self.states[input], State::Done)
        else {
            unreachable!("an input is read before it is joined")
        };
        let keys = self.graph.inputs[input].keys.clone();
        let mut step = Step {
            name: match above {
                Some(_) => format!("table {}", self.name(input)),
                None => format!("join {}", self.name(input)),
            },
            rows_in: reduced.len as u64,
            children: vec![self.step_of[input]],
            ..Step::default()
        };
        step.filters = self.again(input, &mut reduced)?;
        phases.lap("filter again");
        // Each class had something, but no row had something of all.
        if reduced.len == 0 {
            self.step(input, step.timed(&phases));
            return Ok(None);
        }
        let mut probes: Vec<Probe<'_>> = Vec::new();
        for (key, &InputKey { class, joins, .. }) in keys.iter().enumerate() {
            if joins && Some(key) != above {
                for &number in &self.tables_of[class] {
                    let table = &self.tables[number];
                    probes.push(Probe { number, table, key });
                    step.children.push(self.step_of[table.input]);
                }
            }
        }
        // Small tables are likely to be in the cache, and to remove more.
        probes.sort_by_key(|probe| probe.table.bytes());
        let hands = self.hands(reduced.len);
        let resolved = resolve(reduced, &probes, above, hands).map_err(self.memory(input))?;
        self.shown[input] |= probes.iter().any(|probe| self.shown[probe.table.input]);
        phases.lap("probe");
        step.rows_out = resolved.rows.len() as u64;
        if resolved.rows.is_empty() {
            self.step(input, step.timed(&phases));
            return Ok(None);
        }
        let root = match above {
            None => {
                let hands = self.hands(resolved.rows.len());
                let entries = Entries::of_root(resolved, &self.tables, hands);
                let entries = entries.map_err(self.memory(input))?;
                step.detail = "root".to_owned();
                step.bytes = entries.bytes() as u64;
                Some(entries)
            }
            Some(above) => {
                let class = keys[above].class;
                if self.is_filter(input, class, &resolved) {
                    step.detail = "only a filter".to_owned();
                } else if let Some(filter) = self.as_filter(input, &resolved)? {
                    step.detail = format!("only a filter: {}", filter.name());
                    self.renew(class, filter, input, resolved.rows.len());
                } else {
                    let content = match (self.shown[input], self.graph.inputs[input].role) {
                        (true, _) => Wanted::Rows,
                        (false, Role::Required) => Wanted::Whether,
                        (false, _) => Wanted::Counts,
                    };
                    let hands = self.hands(resolved.rows.len());
                    let table = ReducedTable::new(
                        input,
                        resolved,
                        content,
                        self.options,
                        &self.tables,
                        hands,
                    )
                    .map_err(self.memory(input))?;
                    step.detail = table.name();
                    step.bytes = table.bytes() as u64;
                    self.tables_of[class].push(self.tables.len());
                    self.tables.push(table);
                }
                None
            }
        };
        phases.lap("build");
        self.step(input, step.timed(&phases));
        Ok(Some(root))
    }

    /// Whether the filter that an input has left already says all of it, as of [`Run::as_filter`].
    fn is_filter(&self, input: usize, class: usize, resolved: &Resolved) -> bool {
        let newest = self.filters[class].as_ref();
        !self.shown[input]
            && resolved.weights.is_none()
            && newest.is_some_and(|newest| {
                let role = self.graph.inputs[input].role;
                newest.says_all_of(input, resolved.rows.len(), role)
            })
    }

    /// The filter that says all of an input whose rows the result shows nothing of.
    fn as_filter(&self, input: usize, resolved: &Resolved) -> Result<Option<Filter>, ExecuteError> {
        if self.shown[input] || resolved.weights.is_some() || !self.options.filters {
            return Ok(None);
        }
        let role = self.graph.inputs[input].role;
        let filter = match &resolved.keys {
            Some(KeyList::Int32(keys)) => self.whole_filter(keys, role),
            Some(KeyList::Int64(keys)) => self.whole_filter(keys, role),
            None => Ok(None),
        };
        filter.map_err(self.memory(input))
    }

    fn whole_filter<K: PlanKey>(
        &self,
        keys: &[K],
        role: Role,
    ) -> Result<Option<Filter>, OutOfMemory> {
        let hands = self.hands(keys.len());
        let chunks: Vec<&[K]> = keys.chunks(SHARE).collect();
        let Some(bounds) = bounds_of(&chunks, hands) else {
            return Ok(None);
        };
        let filter = Filter::new(&chunks, bounds, self.options.constants, hands)?;
        Ok(filter.says_all(keys.len(), role).then_some(filter))
    }
}
