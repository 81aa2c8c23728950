//! One execution: which input comes next, and what is done with it.

mod finish;
mod join;
mod leaves;
mod order;
mod read;

use std::collections::VecDeque;

use join_core::memory::OutOfMemory;
use join_core::table::PagedColumn;

use super::filter::Filter;
use super::graph::Graph;
use super::options::Options;
use super::sample::Samples;
use super::scan::Reduced;
use super::table::ReducedTable;
use crate::telemetry::Step;
use crate::{Bundle, Context, ExecuteError, Execution, Telemetry};
use leaves::Leaves;

/// The newest filter of a class.
struct ClassFilter {
    filter: Filter,
    version: u32,
    /// Who left it.
    of: usize,
    /// How many rows it is the keys of.
    rows: usize,
}

impl ClassFilter {
    /// Whether the filter says all of an input that has `rows` rows left: it is of exactly these rows, and no key stands
    /// there twice. Rows of an input only ever get fewer, so as many rows are the same rows.
    fn says_all_of(&self, input: usize, rows: usize) -> bool {
        self.of == input && self.rows == rows && self.filter.keys() == Some(rows as u64)
    }
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
    columns: Vec<Vec<PagedColumn<'a>>>,
    samples: Samples,
    filters: Vec<Option<ClassFilter>>,
    /// How many inputs of each class are still to be read.
    unread: Vec<usize>,
    versions: u32,
    tables: Vec<ReducedTable>,
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
        let unread = graph.classes.iter().map(|class| class.inputs.len());
        let unread = unread.collect();
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
            unread,
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
        let mut order = VecDeque::from(order);
        let mut empty = false;
        while !order.is_empty() {
            let next = if self.options.own_order && self.options.replan {
                self.cheapest(&order)
            } else {
                0
            };
            let input = order.remove(next).expect("one of them");
            let left = self.read(input)?;
            empty |= left == 0;
            if empty && self.options.early_end {
                break;
            }
        }
        if empty {
            return Ok(self.finish_empty());
        }
        let mut leaves = Leaves::new(&self.graph, |input| self.rows_left(input));
        loop {
            let (input, above) = leaves.next(&self.graph, |input| self.rows_left(input));
            let Some(entries) = self.join(input, above)? else {
                return Ok(self.finish_empty());
            };
            if let Some(entries) = entries {
                return self.finish(input, entries);
            }
        }
    }

    /// What is left of an input that has been read and not been joined.
    fn rows_left(&self, input: usize) -> usize {
        match &self.states[input] {
            State::Reduced(reduced) => reduced.len,
            State::Unread | State::Done => unreachable!("only inputs that remain are asked for"),
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
                .map(|&(_, column)| columns[column].column.paged())
                .collect();
        }
    }

    fn step(&mut self, input: usize, step: Step) {
        self.step_of[input] = self.telemetry.steps.len();
        self.telemetry.steps.push(step);
    }
}
