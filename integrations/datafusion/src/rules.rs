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
            Mode::Join | Mode::Off => plan,
        };
        of_joins(plan, config, |join| match Reason::to_leave(join) {
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

/// Writes beside each hash join that was left why it was. Its place is the last.
#[derive(Debug, Clone, Copy)]
pub struct NameLeft;

impl PhysicalOptimizerRule for NameLeft {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        of_joins(plan, config, |join| {
            let reason = Reason::to_leave(join).unwrap_or(Reason::LaterRule);
            JoineryExec::left(join, reason).map(Some)
        })
    }

    fn name(&self) -> &str {
        "joinery_left"
    }

    fn schema_check(&self) -> bool {
        true
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
