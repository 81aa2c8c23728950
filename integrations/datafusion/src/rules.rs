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

/// Puts a [`JoineryExec`] in the place of each hash join that it can take over. Its own place is before
/// `EnsureRequirements`.
#[derive(Debug, Clone, Copy)]
pub struct TakeOver;

impl PhysicalOptimizerRule for TakeOver {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = config.execution.target_partitions;
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
