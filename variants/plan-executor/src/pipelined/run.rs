//! One execution: which input comes next, and what is done with it.

use join_core::join::Phases;
use join_core::memory::OutOfMemory;
use join_core::page::DataType;

use super::filter::Filter;
use super::graph::Graph;
use super::index::bounds;
use super::keys::{KeyList, PlanKey, with_key};
use super::options::Options;
use super::output::{self, Output, OutputColumn, levels};
use super::pages::Paged;
use super::resolve::{Probe, Resolved, resolve};
use super::sample::Samples;
use super::scan::{self, Reduced, ScanColumn, refilter, scan};
use super::table::{Entries, Table};
use crate::result::{ResultColumn, ResultTable};
use crate::telemetry::{FilterTelemetry, Step};
use crate::{Bundle, Context, ExecuteError, Execution, Telemetry};

/// Of a filter, the share of its range that may be set before it is taken for one that everything passes.
const DENSE: f64 = 0.95;

/// What a row costs to read, where keeping one costs 1. Little, for every input must be read sooner or later, unless one
/// turns out to be empty.
const READ_COST: f64 = 0.02;

/// The newest filter of a class.
struct ClassFilter {
    filter: Filter,
    version: u32,
    /// Who left it.
    of: usize,
}

/// An input on its way.
enum State {
    Unread,
    Reduced(Reduced),
    /// Turned into a table or a filter, or the root.
    Done,
}

pub(super) struct Run<'a> {
    bundle: &'a Bundle,
    graph: Graph,
    options: &'a Options,
    context: &'a Context<'a>,
    states: Vec<State>,
    /// The key columns of each input, once they are needed.
    columns: Vec<Vec<Paged<'a>>>,
    samples: Samples,
    filters: Vec<Option<ClassFilter>>,
    versions: u32,
    tables: Vec<Table>,
    /// The tables that rows of a class are joined with.
    tables_of: Vec<Vec<usize>>,
    /// Of each input, whether the result shows rows of it or of what was joined with it.
    shown: Vec<bool>,
    telemetry: Telemetry,
    /// The last step of each input.
    step_of: Vec<usize>,
}

impl<'a> Run<'a> {
    pub fn new(bundle: &'a Bundle, options: &'a Options, context: &'a Context<'a>) -> Run<'a> {
        let graph = Graph::new(bundle);
        let inputs = graph.inputs.len();
        let classes = graph.classes.len();
        let shown = graph.inputs.iter();
        let shown = shown.map(|input| !input.outputs.is_empty() || !options.multiplicity);
        Run {
            bundle,
            options,
            context,
            states: (0..inputs).map(|_| State::Unread).collect(),
            columns: (0..inputs).map(|_| Vec::new()).collect(),
            samples: Samples::new(inputs),
            filters: (0..classes).map(|_| None).collect(),
            versions: 0,
            tables: Vec::new(),
            tables_of: vec![Vec::new(); classes],
            shown: shown.collect(),
            telemetry: Telemetry::default(),
            step_of: vec![0; inputs],
            graph,
        }
    }

    pub fn execute(mut self) -> Result<Execution, ExecuteError> {
        let mut order: Vec<usize> = (0..self.graph.inputs.len()).collect();
        if self.options.own_order {
            order.sort_by_key(|&input| self.rows(input));
        }
        let mut empty = false;
        while !order.is_empty() {
            let next = if self.options.own_order && self.options.replan {
                self.cheapest(&order)
            } else {
                0
            };
            let input = order.remove(next);
            let left = self.read(input)?;
            empty |= left == 0;
            if empty && self.options.early_end {
                break;
            }
        }
        if empty {
            return Ok(self.finish_empty());
        }
        loop {
            let (input, above) = self.leaf();
            let Some(entries) = self.join(input, above)? else {
                return Ok(self.finish_empty());
            };
            if let Some(entries) = entries {
                return self.finish(input, entries);
            }
        }
    }

    fn rows(&self, input: usize) -> usize {
        self.bundle.tables()[self.graph.inputs[input].table].num_rows()
    }

    fn memory(&self, input: usize) -> impl Fn(OutOfMemory) -> ExecuteError + use<> {
        ExecuteError::memory(self.graph.inputs[input].node)
    }

    fn workers(&self, rows: usize) -> usize {
        if self.options.small_alone {
            self.context.team.workers_for(rows)
        } else {
            self.context.team.threads()
        }
    }

    fn name(&self, input: usize) -> &str {
        self.bundle.tables()[self.graph.inputs[input].table].name()
    }

    /// Makes the key columns of an input ready.
    fn open(&mut self, input: usize) {
        if self.columns[input].is_empty() {
            let Graph { inputs, .. } = &self.graph;
            let columns = self.bundle.tables()[inputs[input].table].columns();
            let keys = inputs[input].keys.iter();
            self.columns[input] = keys
                .map(|&(_, column)| Paged::new(&columns[column].column))
                .collect();
        }
    }

    /// The place in `order` of the input to read next: the one of which least will be left, by a sample (W6).
    fn cheapest(&mut self, order: &[usize]) -> usize {
        let mut best = (0, f64::INFINITY);
        for (place, &input) in order.iter().enumerate() {
            let rows = self.rows(input) as f64;
            // In order of rows: from here on reading alone costs more.
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

    fn key_selectivity(&mut self, input: usize, key: usize) -> f64 {
        let (class, _) = self.graph.inputs[input].keys[key];
        if self.filters[class].is_none() {
            return 1.0;
        }
        self.open(input);
        let Some(newest) = &self.filters[class] else {
            return 1.0;
        };
        let paged = &self.columns[input][key];
        self.samples
            .share(input, key, paged, &newest.filter, newest.version)
    }

    /// Reads what is left of an input, and leaves filters of its keys. Returns its rows.
    fn read(&mut self, input: usize) -> Result<usize, ExecuteError> {
        let mut phases = Phases::start();
        self.open(input);
        let keys = self.graph.inputs[input].keys.clone();
        // Tests that remove much for little come first (W6).
        let mut order: Vec<(usize, f64)> = Vec::new();
        for (key, &(class, _)) in keys.iter().enumerate() {
            let cost = self.filters[class]
                .as_ref()
                .map(|newest| newest.filter.cost());
            match cost {
                Some(cost) => {
                    let share = self.key_selectivity(input, key);
                    order.push((key, (1.0 - share) / cost));
                }
                // A NULL joins nothing, whatever the filter.
                None if self.columns[input][key].nulls => order.push((key, 0.0)),
                None => {}
            }
        }
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        if order.is_empty() && !keys.is_empty() {
            order.push((0, 0.0));
        }
        let order: Vec<usize> = order.into_iter().map(|(key, _)| key).collect();
        let columns: Vec<ScanColumn<'_>> = self.columns[input]
            .iter()
            .zip(&keys)
            .map(|(paged, &(class, _))| ScanColumn {
                paged,
                filter: self.filters[class].as_ref().map(|newest| &newest.filter),
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
            let workers = self.workers(rows);
            scan(
                &columns,
                &order,
                self.options.bitmasks,
                workers,
                self.context.team,
                memory,
            )
            .map_err(self.memory(input))?
        };
        phases.lap("scan");
        let version = |class: usize| self.filters[class].as_ref().map_or(0, |f| f.version);
        reduced.passed = keys.iter().map(|&(class, _)| version(class)).collect();
        let filters = order.iter().filter_map(|&key| {
            let (class, column) = keys[key];
            let newest = self.filters[class].as_ref()?;
            let column = &self.bundle.tables()[self.graph.inputs[input].table].columns()[column];
            Some(FilterTelemetry {
                name: format!(
                    "{} {} {}",
                    column.name,
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
        if left > 0 && self.options.filters {
            for (key, &(class, _)) in keys.iter().enumerate() {
                self.publish(input, key, class)?;
            }
            phases.lap("filters");
        }
        self.step(input, step.timed(&phases));
        Ok(left)
    }

    /// Leaves a filter of an input's keys for the inputs of a class that are still to be read.
    fn publish(&mut self, input: usize, key: usize, class: usize) -> Result<(), ExecuteError> {
        let mut others = self.graph.classes[class].inputs.iter();
        let wanted = others.any(|&other| matches!(self.states[other], State::Unread));
        let State::Reduced(reduced) = &self.states[input] else {
            return Ok(());
        };
        if !wanted {
            return Ok(());
        }
        let filter = with_key!(self.graph.classes[class].data_type, K => {
            let chunks: Vec<&[K]> = reduced.chunks.iter().map(|chunk| K::of(&chunk.keys[key])).collect();
            let bounds = chunks.iter().filter_map(|keys| bounds(keys));
            let Some((min, max)) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
                return Ok(());
            };
            // Everything passes where nearly every key is there: not worth making.
            let range = max.wide().wrapping_sub(min.wide()) as u64 as f64 + 1.0;
            if range > 1.0 && reduced.len as f64 > DENSE * range && self.filters[class].is_none() {
                return Ok(());
            }
            Filter::new(&chunks, (min, max), self.options.constants, self.context.memory)
        });
        let filter = filter.map_err(self.memory(input))?;
        self.renew(class, filter, input);
        Ok(())
    }

    fn renew(&mut self, class: usize, filter: Filter, of: usize) {
        self.versions += 1;
        self.filters[class] = Some(ClassFilter {
            filter,
            version: self.versions,
            of,
        });
    }

    /// The smallest input that shares one class at most with those that remain, and its key of that class.
    fn leaf(&self) -> (usize, Option<usize>) {
        let remains = |input: usize| matches!(self.states[input], State::Reduced(_));
        let leaves = (0..self.states.len()).filter_map(|input| {
            let State::Reduced(reduced) = &self.states[input] else {
                return None;
            };
            let mut above = None;
            for (key, &(class, _)) in self.graph.inputs[input].keys.iter().enumerate() {
                let mut others = self.graph.classes[class].inputs.iter();
                if others.any(|&other| other != input && remains(other))
                    && above.replace(key).is_some()
                {
                    return None;
                }
            }
            Some((reduced.len, input, above))
        });
        let (_, input, above) = leaves.min().expect("a tree has leaves");
        (input, above)
    }

    /// Joins an input with the tables of its classes. It becomes a table for its class `above`, or, without one, the
    /// root, which is returned. `None`: nothing is left of it.
    fn join(
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
        for (key, &(class, column)) in keys.iter().enumerate() {
            let Some(newest) = &self.filters[class] else {
                continue;
            };
            if newest.version > reduced.passed[key] && newest.of != input {
                let rows_in = reduced.len as u64;
                let workers = self.workers(reduced.len);
                refilter(
                    &mut reduced,
                    key,
                    &newest.filter,
                    workers,
                    self.context.team,
                    self.context.memory,
                )
                .map_err(self.memory(input))?;
                let column =
                    &self.bundle.tables()[self.graph.inputs[input].table].columns()[column];
                step.filters.push(FilterTelemetry {
                    name: format!(
                        "{} {} {}",
                        column.name,
                        newest.filter.name(),
                        self.name(newest.of)
                    ),
                    rows_in,
                    rows_out: reduced.len as u64,
                });
            }
        }
        phases.lap("filter again");
        let mut probes: Vec<Probe<'_>> = Vec::new();
        for (key, &(class, _)) in keys.iter().enumerate() {
            if Some(key) != above {
                for &number in &self.tables_of[class] {
                    let table = &self.tables[number];
                    probes.push(Probe { number, table, key });
                    step.children.push(self.step_of[table.input]);
                }
            }
        }
        // Small tables are likely to be in the cache, and to remove more.
        probes.sort_by_key(|probe| probe.table.bytes());
        let workers = self.workers(reduced.len);
        let (team, memory) = (self.context.team, self.context.memory);
        let resolved =
            resolve(reduced, &probes, above, workers, team, memory).map_err(self.memory(input))?;
        self.shown[input] |= probes.iter().any(|probe| self.shown[probe.table.input]);
        phases.lap("probe");
        step.rows_out = resolved.rows.len() as u64;
        if resolved.rows.is_empty() {
            self.step(input, step.timed(&phases));
            return Ok(None);
        }
        let root = match above {
            None => {
                let entries = Entries::of_root(resolved, &self.tables, memory);
                let entries = entries.map_err(self.memory(input))?;
                step.detail = "root".to_owned();
                step.bytes = entries.bytes() as u64;
                Some(entries)
            }
            Some(above) => {
                let (class, _) = keys[above];
                if self.is_filter(input, class, &resolved) {
                    step.detail = "only a filter".to_owned();
                } else if let Some(filter) = self.as_filter(input, &resolved)? {
                    step.detail = format!("only a filter: {}", filter.name());
                    self.renew(class, filter, input);
                } else {
                    let shown = self.shown[input];
                    let table =
                        Table::new(input, resolved, shown, self.options, &self.tables, memory)
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
                newest.of == input && newest.filter.keys() == Some(resolved.rows.len() as u64)
            })
    }

    /// The filter that says all of an input whose rows the result shows nothing of and whose keys are unique (W4).
    fn as_filter(&self, input: usize, resolved: &Resolved) -> Result<Option<Filter>, ExecuteError> {
        if self.shown[input] || resolved.weights.is_some() || !self.options.filters {
            return Ok(None);
        }
        let unique = match &resolved.keys {
            Some(KeyList::Int32(keys)) => self.unique(keys),
            Some(KeyList::Int64(keys)) => self.unique(keys),
            None => Ok(None),
        };
        unique.map_err(self.memory(input))
    }

    fn unique<K: PlanKey>(&self, keys: &[K]) -> Result<Option<Filter>, OutOfMemory> {
        let Some(bounds) = bounds(keys) else {
            return Ok(None);
        };
        let filter = Filter::new(&[keys], bounds, self.options.constants, self.context.memory)?;
        Ok((filter.keys() == Some(keys.len() as u64)).then_some(filter))
    }

    fn step(&mut self, input: usize, step: Step) {
        self.step_of[input] = self.telemetry.steps.len();
        self.telemetry.steps.push(step);
    }

    fn result_types(&self) -> impl Iterator<Item = DataType> {
        self.bundle.plan().result_types()
    }

    fn finish_empty(self) -> Execution {
        let columns = self
            .result_types()
            .map(|data_type| ResultColumn::new(data_type, Vec::new()));
        Execution {
            result: ResultTable::new(0, columns.collect()),
            telemetry: self.telemetry,
        }
    }

    /// Writes the rows of the root, multiplied out.
    fn finish(mut self, root: usize, entries: Entries) -> Result<Execution, ExecuteError> {
        let mut phases = Phases::start();
        let rows = entries.results(0, entries.rows.len() as u32);
        if rows >= u64::from(u32::MAX) {
            let node = self.bundle.plan().root();
            return Err(ExecuteError::TooManyRows { node, rows });
        }
        let paged: Vec<(usize, Paged<'_>)> = self
            .graph
            .result
            .iter()
            .map(|&(input, place)| {
                let Graph { inputs, .. } = &self.graph;
                let column = inputs[input].outputs[place];
                let table = &self.bundle.tables()[inputs[input].table];
                (
                    input,
                    Paged::new(&table.columns()[column].column).with_hints(),
                )
            })
            .collect();
        let columns: Vec<OutputColumn<'_>> = paged
            .iter()
            .map(|&(input, ref paged)| OutputColumn { input, paged })
            .collect();
        phases.lap("plan");
        let workers = match self.options.parallel_write {
            true => self.workers(rows as usize),
            false => 1,
        };
        let levels = levels(&entries, &self.tables);
        let output = Output {
            root: &entries,
            levels: &levels,
            columns: &columns,
            references: self.options.references,
            workers,
        };
        let runs = output::write(&output, self.context.team, self.context.memory)
            .map_err(self.memory(root))?;
        let columns = self.result_types().zip(runs);
        let columns = columns.map(|(data_type, runs)| ResultColumn::new(data_type, runs));
        let result = ResultTable::new(rows, columns.collect());
        phases.lap("write pages");
        let step = Step {
            name: "result".to_owned(),
            children: vec![self.step_of[root]],
            rows_in: entries.rows.len() as u64,
            rows_out: rows,
            bytes: result.bytes(),
            ..Step::default()
        };
        self.telemetry.steps.push(step.timed(&phases));
        Ok(Execution {
            result,
            telemetry: self.telemetry,
        })
    }
}
