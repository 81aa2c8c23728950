//! Joinery's joins in the place of DataFusion's hash joins.
//!
//! ```
//! use datafusion::execution::SessionStateBuilder;
//! use datafusion::prelude::SessionContext;
//! use joinery_datafusion::SessionStateBuilderExt;
//!
//! let builder = SessionStateBuilder::new().with_default_features();
//! let context = SessionContext::new_with_state(builder.with_joinery().build());
//! # drop(context);
//! ```
//!
//! Everything else stays as it is: SQL, data frames, sources, memory pool. `EXPLAIN` shows a `JoineryExec` where a join was
//! taken over, and beside each `HashJoinExec` that was left why it was. `SET joinery.mode = 'tree'`, the default, makes one
//! `JoineryTreeExec` of inner and semi joins that stand in a tree, `'streaming'` leaves the plan as it is but for the joins
//! themselves, `'off'` leaves these too.
//!
//! # How a query gets there
//!
//! Two rules are added to the optimizer of physical plans. The first stands before `EnsureRequirements`, which adds what
//! operators need of their inputs: a [`JoineryExec`] needs nothing and promises no order, so neither repartitioning nor
//! sorting is added for its sake, and sorts that others need are not left out because of it. The second is the last one:
//! joins that are still DataFusion's by then become Joinery's as they stand, with the same needs and promises, or it is
//! written beside them why they do not.
//!
//! # How a join runs
//!
//! The left side is read to its end, a task per partition of it, then the right one; bytes are reserved in the memory pool
//! as batches come. Threads of the join's own, as many as a session has target partitions, find the pairs of rows. They
//! hand them over a block at a time through a bounded queue, and whoever polls a partition of the output gathers the
//! columns of a block. A stream that is dropped stops the work with it.
//!
//! A join that streams is another matter: it reads the left side alone to its end, and whoever polls a partition of the output
//! looks up a batch of the right one.
//!
//! A tree runs alike: its leaves are read, one after the other, and threads find the rows of the output by
//! [`plan_executor::Pipelined`], as row ids of the leaves.

mod block;
mod columns;
mod exchange;
mod exec;
mod fallback;
mod filter;
mod in_place;
mod job;
mod keys;
mod left;
mod lookup;
mod memory;
mod metrics;
mod options;
mod own;
mod pruning;
mod rules;
mod run;
mod side;
mod streaming;
mod tree;

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;

pub use exec::{JoineryExec, RightSide};
pub use in_place::take_over_in_place;
pub use left::Reason;
pub use options::{JoineryOptions, Mode, UnknownMode, UnknownTechnique, Without};
pub use rules::{InPlace, TakeOver, hash_joins};
pub use tree::JoineryTreeExec;

/// Adds Joinery to the state of a session.
pub trait SessionStateBuilderExt {
    /// The same with Joinery's settings, at their defaults unless they are there already, and with its rules.
    ///
    /// The rules are placed among those that the builder has by now, or else the default ones. Where there is no
    /// `EnsureRequirements` among them, joins stay as they are.
    #[must_use]
    fn with_joinery(self) -> Self;
}

impl SessionStateBuilderExt for SessionStateBuilder {
    fn with_joinery(mut self) -> Self {
        let config = self.config().get_or_insert_default();
        let extensions = &mut config.options_mut().extensions;
        if extensions.get::<JoineryOptions>().is_none() {
            extensions.insert(JoineryOptions::default());
        }
        let rules = &mut self.physical_optimizers().get_or_insert_default().rules;
        if let Some(place) = rules
            .iter()
            .position(|rule| rule.name() == "EnsureRequirements")
        {
            rules.insert(place, Arc::new(TakeOver));
        }
        self.with_physical_optimizer_rule(Arc::new(InPlace))
    }
}
