//! One execution: which input comes next, and what is done with it.

mod finish;
mod join;
mod leaves;
mod narrow;
mod order;
mod read;

use std::collections::VecDeque;

use join_core::memory::OutOfMemory;

use super::filter::Filter;
use super::graph::{Graph, Role};
use super::hands::Hands;
use super::keys::InputKeys;
use super::options::Options;
use super::sample::Samples;
use super::scan::Reduced;
use super::source::Source;
use super::table::{Entries, ReducedTable};
use crate::telemetry::Step;
use crate::{Context, ExecuteError, Telemetry};
use leaves::Leaves;

/// Rows of a page of keys, about.
const ROWS_A_PAGE: usize = 2000;

/// Rows that are tested in the time that reading the header of a page takes.
const ROWS_A_HEADER: usize = 10;

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
    /// Whether the filter says all of an input that has `rows` rows left: it is of exactly these rows, and how many have a
    /// key does not matter, or is one. Rows of an input only ever get fewer, so as many rows are the same rows.
    fn says_all_of(&self, input: usize, rows: usize, role: Role) -> bool {
        self.of == input && self.rows == rows && self.filter.says_all(rows, role)
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
    graph: &'a Graph,
    source: &'a dyn Source,
    options: &'a Options,
    context: &'a Context<'a>,
    states: Vec<State>,
    /// The key columns of each input, once they are needed.
    columns: Vec<Vec<InputKeys<'a>>>,
    samples: Samples,
    filters: Vec<Option<ClassFilter>>,
    /// How many inputs of each class are still to be read.
    unread: Vec<usize>,
    /// And how many rows these have.
    unread_rows: Vec<usize>,
    versions: u32,
    tables: Vec<ReducedTable>,
    /// The tables that rows of a class are joined with.
    tables_of: Vec<Vec<usize>>,
    /// Of each input, whether the result shows rows of it or of what was joined with it.
    shown: Vec<bool>,
    pub(super) telemetry: Telemetry,
    /// The last step of each input.
    step_of: Vec<usize>,
}

/// The last input, joined with the tables of all others.
pub(super) struct Root {
    input: usize,
    entries: Entries,
}

impl<'a> Run<'a> {
    pub fn new(
        graph: &'a Graph,
        source: &'a dyn Source,
        options: &'a Options,
        context: &'a Context<'a>,
    ) -> Run<'a> {
        let inputs = graph.inputs.len();
        let classes = graph.classes.len();
        let unread = graph.classes.iter();
        let unread = unread.map(|class| class.all().count());
        let unread = unread.collect();
        let unread_rows = graph.classes.iter().map(|class| {
            let rows = class.all().map(|input| source.rows(input));
            rows.sum()
        });
        let unread_rows = unread_rows.collect();
        let shown = graph.inputs.iter();
        let shown = shown.map(|input| match input.role {
            Role::Shown => true,
            Role::Counted => !options.multiplicity,
            Role::Required => false,
        });
        Run {
            graph,
            source,
            options,
            context,
            states: (0..inputs).map(|_| State::Unread).collect(),
            columns: (0..inputs).map(|_| Vec::new()).collect(),
            samples: Samples::new(inputs),
            filters: (0..classes).map(|_| None).collect(),
            unread,
            unread_rows,
            versions: 0,
            tables: Vec::new(),
            tables_of: vec![Vec::new(); classes],
            shown: shown.collect(),
            telemetry: Telemetry::default(),
            step_of: vec![0; inputs],
        }
    }

    /// Joins all inputs; without a root, the result is empty.
    pub fn execute(mut self) -> Result<(Self, Option<Root>), ExecuteError> {
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
            empty |= !self.read(input)?;
            if empty && self.options.early_end {
                break;
            }
        }
        if empty {
            return Ok((self, None));
        }
        let mut leaves = Leaves::new(self.graph, |input| self.rows_left(input));
        loop {
            let (input, above) = leaves.next(self.graph, |input| self.rows_left(input));
            let Some(entries) = self.join(input, above)? else {
                return Ok((self, None));
            };
            if let Some(entries) = entries {
                return Ok((self, Some(Root { input, entries })));
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
        self.source.rows(input)
    }

    fn memory(&self, input: usize) -> impl Fn(OutOfMemory) -> ExecuteError + use<> {
        ExecuteError::memory(self.source.node(input))
    }

    fn workers(&self, rows: usize) -> usize {
        if self.options.small_alone {
            self.context.team.workers_for(rows)
        } else {
            self.context.team.threads()
        }
    }

    /// Those who share work on so many rows.
    fn hands(&self, rows: usize) -> Hands<'a> {
        let Context { team, memory } = *self.context;
        Hands {
            workers: self.workers(rows),
            team,
            memory,
        }
    }

    fn name(&self, input: usize) -> &str {
        self.source.name(input)
    }

    /// Makes the key columns of an input ready.
    fn open(&mut self, input: usize) {
        if self.columns[input].is_empty() {
            let source = self.source;
            let keys = self.graph.inputs[input].keys.iter();
            let columns: Vec<usize> = keys.map(|key| key.column).collect();
            let headers = columns.len() * self.rows(input) / ROWS_A_PAGE;
            let hands = self.hands(headers * ROWS_A_HEADER);
            self.columns[input] = hands.mapped(columns, |column| source.keys(input, column));
        }
    }

    fn step(&mut self, input: usize, step: Step) {
        self.step_of[input] = self.telemetry.steps.len();
        self.telemetry.steps.push(step);
    }
}
