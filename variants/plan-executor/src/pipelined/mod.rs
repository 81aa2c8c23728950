//! An executor that is free to reorder.
//!
//! Only the join graph of a plan is taken (`graph.rs`). Its inputs, wherever they lie (`source.rs`), are read one after the
//! other, each once, in the order in which least is left of them; what is left of one filters all later ones that share a
//! class with it. Then inputs that share one class only with those that remain are turned into tables, from the smallest
//! on, until one is left: the root. It is joined with the tables around it, and its rows are multiplied out, into pages or
//! as row ids.
//!
//! Sources of the ideas: Yannakakis (VLDB 1981) for acyclic queries, the contest's winner (filters of a key class,
//! re-planning, tags, multiplicities, references to strings), and factorised results.

mod filter;
mod graph;
mod hands;
mod index;
mod key_filter;
mod keys;
mod options;
mod output;
mod resolve;
mod run;
mod sample;
mod scan;
mod source;
mod table;
mod tree;

use join_core::table::Table;

pub use graph::Role;
pub use key_filter::KeyFilter;
pub use options::Options;
pub use output::RowConsumer;
pub use tree::{JoinTree, TreeInput};

use crate::{Bundle, Context, ExecuteError, Execution, Executor, Telemetry};
use run::Run;
use source::Scans;

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

impl Pipelined {
    /// Joins the inputs of `tree` and hands the rows of the result over, as row ids of the inputs that it shows.
    ///
    /// # Errors
    /// If memory runs out, or there are more rows than row ids; then nothing was handed over before.
    pub fn rows(
        &self,
        tree: &JoinTree<'_>,
        context: &Context<'_>,
        consumer: &dyn RowConsumer,
    ) -> Result<Telemetry, ExecuteError> {
        context.team.rouse(tree.all_rows());
        let run = Run::new(tree.graph(), tree, &self.options, context);
        match run.execute()? {
            (run, None) => Ok(run.telemetry),
            (run, Some(root)) => run.emit(root, consumer),
        }
    }
}

impl Executor for Pipelined {
    fn execute(&self, bundle: &Bundle, context: &Context<'_>) -> Result<Execution, ExecuteError> {
        let rows = bundle.tables().iter().map(Table::num_rows).sum();
        context.team.rouse(rows);
        let (scans, graph) = Scans::new(bundle);
        let run = Run::new(&graph, &scans, &self.options, context);
        let (run, root) = run.execute()?;
        run.write(&scans, bundle, root)
    }
}
