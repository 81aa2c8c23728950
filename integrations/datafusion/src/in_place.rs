//! Plans that are finished: a node may take the place of a node, and nothing else may change.
//!
//! So it is with a stage of a distributed plan. What is sent to a worker has its shape by then: which rows are in which
//! partition, what is sorted, and where figures belong, which are told apart by the number of their node.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_optimizer::sanity_checker::check_plan_sanity;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};

use crate::exec::{JoineryExec, RightSide};
use crate::left::Reason;
use crate::options::Mode;
use crate::rules::in_place;

/// The plan with a [`JoineryExec`] in the place of each of its hash joins, or beside it why it was left.
///
/// A join that [streams](JoineryExec::streaming) can stand wherever DataFusion's stood. One that collects both sides, in the
/// modes that ask for it, has its rows in other partitions and in another order: it is put only where nothing above counts on
/// either. Trees are taken over join by join. `is_border` says where the plan at hand ends: neither such a node nor what is
/// below it is looked at.
///
/// # Errors
///
/// If DataFusion cannot say what the output of an operator is.
pub fn take_over_in_place(
    mut plan: Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
    is_border: impl Fn(&dyn ExecutionPlan) -> bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let collects = match Mode::of(config) {
        Mode::Off => return Ok(plan),
        Mode::Streaming => false,
        Mode::Join | Mode::Tree => true,
    };
    let stage = Stage {
        config,
        is_border: &is_border,
    };
    for number in 0..stage.joins(&plan) {
        let streaming = stage.with(&plan, number, in_place)?;
        if !collects {
            plan = streaming;
            continue;
        }
        let collecting = stage.with(&plan, number, |join| match Reason::not_to_collect(join) {
            Some(_) => in_place(join),
            None => {
                let partitions = join.properties().partitioning.partition_count();
                JoineryExec::in_place_of(join, partitions, RightSide::Collected)
            }
        })?;
        plan = match stage.is_whole(&collecting) && stage.is_alike(&plan, &collecting)? {
            true => collecting,
            false => streaming,
        };
    }
    Ok(plan)
}

/// What a plan is looked at by.
struct Stage<'a> {
    config: &'a ConfigOptions,
    is_border: &'a dyn Fn(&dyn ExecutionPlan) -> bool,
}

impl Stage<'_> {
    /// How many hash joins there are.
    fn joins(&self, plan: &Arc<dyn ExecutionPlan>) -> usize {
        if (self.is_border)(plan.as_ref()) {
            return 0;
        }
        let below = plan.children().into_iter().map(|child| self.joins(child));
        below.sum::<usize>() + usize::from(is_join(plan.as_ref()))
    }

    /// The plan with what `change` makes of one of its joins, which are numbered from the top down.
    fn with(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        number: usize,
        change: impl Fn(&HashJoinExec) -> Result<JoineryExec>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut seen = 0;
        let changed = plan.clone().transform_down(|node| {
            if (self.is_border)(node.as_ref()) {
                return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
            }
            let is_it = is_join(node.as_ref()) && seen == number;
            seen += usize::from(is_join(node.as_ref()));
            Ok(match node.downcast_ref::<HashJoinExec>() {
                Some(join) if is_it => Transformed::yes(Arc::new(change(join)?)),
                _ => Transformed::no(node),
            })
        })?;
        Ok(changed.data)
    }

    /// Whether each operator has below it the order and the partitions that it needs.
    fn is_whole(&self, plan: &Arc<dyn ExecutionPlan>) -> bool {
        (self.is_border)(plan.as_ref())
            || check_plan_sanity(plan, &self.config.optimizer).is_ok()
                && plan
                    .children()
                    .into_iter()
                    .all(|child| self.is_whole(child))
    }

    /// Whether whoever reads a plan finds in the other one the order and the partitions of the first.
    fn is_alike(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        other: &Arc<dyn ExecutionPlan>,
    ) -> Result<bool> {
        let (partitions, others) = (plan.output_partitioning(), other.output_partitioning());
        let partitioned = match partitions {
            Partitioning::Hash(..) | Partitioning::Range(_) => partitions == others,
            _ => partitions.partition_count() == others.partition_count(),
        };
        let sorted = match plan.output_ordering() {
            Some(order) => other
                .equivalence_properties()
                .ordering_satisfy(order.clone())?,
            None => true,
        };
        Ok(partitioned && sorted)
    }
}

/// Whether a node is a hash join, whoever's.
fn is_join(node: &dyn ExecutionPlan) -> bool {
    let node: &dyn Any = node;
    node.is::<HashJoinExec>() || node.is::<JoineryExec>()
}
