//! Semi-join filters that are sent before a side is shuffled.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, JoinType, NullEquality, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Partitioning, PhysicalExprRef};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, ReplaceChildrenOptions, reset_plan_states,
};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use joinery_datafusion::JoineryOptions;

/// Lets only those rows of a join's right side be shuffled that have a partner on the left, where `SET
/// joinery.filters_before_shuffle` asks for it.
///
/// The engine has no way of sending what one stage has seen to another one. So the filter is part of the plan: below the
/// shuffle of the right side stands a semi join with the keys of the left one, which the engine sends to all workers. The left
/// side is executed twice for that. It is done where that many keys are at most as many as the rows of the right side, as far as
/// both are estimated.
#[derive(Debug)]
pub(crate) struct FiltersBeforeShuffle {
    pub(crate) workers: usize,
}

impl PhysicalOptimizerRule for FiltersBeforeShuffle {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = config.extensions.get::<JoineryOptions>();
        if !options.is_some_and(|options| options.filters_before_shuffle) {
            return Ok(plan);
        }
        plan.transform_up(|node| {
            let node_itself: &dyn Any = node.as_ref();
            let filtered = match node_itself.downcast_ref::<HashJoinExec>() {
                Some(join) => self.filtered(join)?,
                None => None,
            };
            let Some(right) = filtered else {
                return Ok(Transformed::no(node));
            };
            let left = node.children()[0].clone();
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            let node = node.replace_children(vec![left, right], options)?;
            Ok(Transformed::yes(node))
        })
        .data()
    }

    fn name(&self) -> &str {
        "joinery_filters_before_shuffle"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl FiltersBeforeShuffle {
    /// The right side of a join, shuffled, with the filter below the shuffle; `None` where there is to be none.
    fn filtered(&self, join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        // The left side's rows are what such a join is about.
        let drops_the_rest = matches!(
            join.join_type(),
            JoinType::Inner
                | JoinType::Left
                | JoinType::LeftSemi
                | JoinType::LeftAnti
                | JoinType::LeftMark
        );
        let is_plain = join.null_equality() == NullEquality::NullEqualsNothing && !join.null_aware;
        let is_shuffled = *join.partition_mode() == PartitionMode::Partitioned;
        let (Some(left), Some(right)) = (shuffled(join.left()), shuffled(join.right())) else {
            return Ok(None);
        };
        let may = drops_the_rest && is_plain && is_shuffled;
        if !may || !self.pays(left.input(), right.input())? {
            return Ok(None);
        }
        let keys = join.on().iter().enumerate();
        let keys = keys.map(|(number, (key, _))| (key.clone(), format!("key{number}")));
        let keys = ProjectionExec::try_new(keys, reset_plan_states(left.input().clone())?)?;
        let keys = CoalescePartitionsExec::new(Arc::new(keys));
        let on = join.on().iter().enumerate().map(|(number, (_, key))| {
            let column: PhysicalExprRef = Arc::new(Column::new(&format!("key{number}"), number));
            (column, key.clone())
        });
        let semi = HashJoinExec::try_new(
            Arc::new(keys),
            right.input().clone(),
            on.collect(),
            None,
            &JoinType::RightSemi,
            None,
            PartitionMode::CollectLeft,
            NullEquality::NullEqualsNothing,
            false,
        )?;
        let again = RepartitionExec::try_new(Arc::new(semi), right.partitioning().clone())?;
        Ok(Some(Arc::new(again)))
    }

    /// Whether the keys of one plan, sent to all workers, are at most as many as the rows of another one.
    fn pays(&self, left: &Arc<dyn ExecutionPlan>, right: &Arc<dyn ExecutionPlan>) -> Result<bool> {
        let statistics = StatisticsContext::new();
        let rows = |plan: &Arc<dyn ExecutionPlan>| {
            let statistics = statistics.compute(plan.as_ref(), &StatisticsArgs::new())?;
            Ok::<_, DataFusionError>(statistics.num_rows.get_value().copied())
        };
        Ok(match (rows(left)?, rows(right)?) {
            (Some(left), Some(right)) => left.saturating_mul(self.workers) <= right,
            _ => false,
        })
    }
}

/// The shuffle by keys that a side of a join is.
fn shuffled(side: &Arc<dyn ExecutionPlan>) -> Option<&RepartitionExec> {
    let shuffle = side.downcast_ref::<RepartitionExec>()?;
    matches!(shuffle.partitioning(), Partitioning::Hash(..)).then_some(shuffle)
}
