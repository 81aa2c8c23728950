//! An executor that is free to reorder.
//!
//! Only the join graph of a plan is taken (`graph.rs`). Its inputs are read one after the other, each once, in the
//! order in which least is left of them; what is left of one filters all later ones that share a class with it. Then
//! inputs that share one class only with those that remain are turned into tables, from the smallest on, until one is
//! left: the root. It is joined with the tables around it, and its rows are multiplied out into pages.
//!
//! Sources of the ideas: Yannakakis (VLDB 1981) for acyclic queries, the contest's winner (filters of a key class,
//! re-planning, tags, multiplicities, references to strings), and factorised results.

mod filter;
mod graph;
mod index;
mod keys;
mod options;
mod output;
mod resolve;
mod run;
mod sample;
mod scan;
mod table;

use join_core::table::Table;

pub use options::Options;

use crate::{Bundle, Context, ExecuteError, Execution, Executor};

/// An executor that is free to reorder, and filters early.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pipelined {
    options: Options,
}

impl Pipelined {
    /// An executor with these techniques.
    pub fn new(options: Options) -> Pipelined {
        Pipelined { options }
    }
}

impl Executor for Pipelined {
    fn execute(&self, bundle: &Bundle, context: &Context<'_>) -> Result<Execution, ExecuteError> {
        let rows = bundle.tables().iter().map(Table::num_rows).sum();
        let team = context.team;
        if self.options.small_alone && team.workers_for(rows) == 1 {
            return run::Run::new(bundle, &self.options, context).execute();
        }
        // Run by a worker of the team, whose phases then wake one thread fewer than those of a thread outside.
        let outcomes = team.run(vec![true, false], |_, first: bool| {
            first.then(|| run::Run::new(bundle, &self.options, context).execute())
        });
        let outcome = outcomes.into_iter().flatten().next();
        outcome.expect("the first worker executes the plan")
    }
}
