//! The rules of the optimizer.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

use crate::exec::JoineryExec;
use crate::left::Reason;
use crate::options::Mode;
use crate::tree::JoineryTreeExec;

/// Puts a [`JoineryTreeExec`] in the place of each tree of joins, where the session's mode says so, and a [`JoineryExec`] in
/// the place of each hash join that it can take over. Its own place is before `EnsureRequirements`.
#[derive(Debug, Clone, Copy)]
pub struct TakeOver;

impl PhysicalOptimizerRule for TakeOver {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = config.execution.target_partitions;
        let plan = match Mode::of(config) {
            Mode::Tree => trees(plan, partitions)?,
            Mode::Join => plan,
            Mode::Streaming | Mode::Off => return Ok(plan),
        };
        of_joins(plan, config, |join| match Reason::not_to_collect(join) {
            Some(_) => Ok(None),
            None => JoineryExec::in_place_of(join, partitions).map(Some),
        })
    }

    fn name(&self) -> &str {
        "joinery"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Puts a [`JoineryExec`] that [streams](JoineryExec::streaming) in the place of each hash join that there is in a finished
/// plan, or writes beside it why it was left. Its own place is the last.
///
/// A node takes the place of a node, and says the same of its inputs and its output; so it is the rule for the part of a plan
/// that a worker has of a query on several machines.
#[derive(Debug, Clone, Copy)]
pub struct InPlace;

impl PhysicalOptimizerRule for InPlace {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        of_joins(plan, config, |join| in_place(join).map(Some))
    }

    fn name(&self) -> &str {
        "joinery_in_place"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What takes the place of a join in a finished plan.
pub(crate) fn in_place(join: &HashJoinExec) -> Result<JoineryExec> {
    match Reason::not_to_stream(join) {
        Some(reason) => JoineryExec::left(join, reason),
        None => JoineryExec::streaming(join),
    }
}

/// The plan with its trees of joins as one operator each.
fn trees(plan: Arc<dyn ExecutionPlan>, partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
    // From the top down: a tree is as large as it can be. What is below its leaves is looked at as well.
    plan.transform_down(
        |node| match JoineryTreeExec::in_place_of(&node, partitions) {
            Some(tree) => Ok(Transformed::yes(Arc::new(tree))),
            None => Ok(Transformed::no(node)),
        },
    )
    .data()
}

/// How many hash joins of a plan Joinery has taken over, and how many are DataFusion's own.
pub fn hash_joins(plan: &Arc<dyn ExecutionPlan>) -> (usize, usize) {
    let below = plan.children().into_iter().map(hash_joins);
    let below = below.fold((0, 0), |(a, b), (taken, left)| (a + taken, b + left));
    let node_itself: &dyn Any = plan.as_ref();
    let own = match node_itself.downcast_ref::<JoineryTreeExec>() {
        Some(tree) => (tree.joins(), 0),
        None => match plan.name() {
            "JoineryExec" => (1, 0),
            "HashJoinExec" => (0, 1),
            _ => (0, 0),
        },
    };
    (below.0 + own.0, below.1 + own.1)
}

/// The plan with what `change` makes of the hash joins that nothing was made of yet, unless Joinery is off.
fn of_joins(
    plan: Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
    change: impl Fn(&HashJoinExec) -> Result<Option<JoineryExec>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    if Mode::of(config) == Mode::Off {
        return Ok(plan);
    }
    plan.transform_up(|node| {
        // Asked of the node itself and not of its delegate, as `node.is` would be.
        let node_itself: &dyn Any = node.as_ref();
        let Some(join) = node_itself.downcast_ref::<HashJoinExec>() else {
            return Ok(Transformed::no(node));
        };
        Ok(match change(join)? {
            Some(changed) => Transformed::yes(Arc::new(changed)),
            None => Transformed::no(node),
        })
    })
    .data()
}
