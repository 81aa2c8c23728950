//! The rules of the optimizer.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{
    ChildSatisfactionOptions, Distribution, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    replace_children_if_necessary,
};

use crate::exec::{JoineryExec, RightSide};
use crate::left::Reason;
use crate::options::Mode;
use crate::tree::{JoineryTreeExec, column_of, join_in};

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
        let collecting = |join: &HashJoinExec, right| match Reason::not_to_collect(join) {
            Some(_) => Ok(None),
            None => JoineryExec::in_place_of(join, partitions, right).map(Some),
        };
        match Mode::of(config) {
            Mode::Tree => {
                let change = |join: &HashJoinExec| collecting(join, RightSide::Either);
                let plan = trees(plan, partitions)?;
                let as_partitioned = partitioned(plan.clone(), partitions)?;
                joins(plan, &as_partitioned, false, &change)
            }
            Mode::Join => of_joins(plan, config, |join| collecting(join, RightSide::Collected)),
            Mode::Streaming | Mode::Off => Ok(plan),
        }
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

/// The plan with both sides of its joins partitioned that are to be, as `EnsureRequirements` will have them.
fn partitioned(plan: Arc<dyn ExecutionPlan>, partitions: usize) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(join) = join_in(&node) else {
            return Ok(Transformed::no(node));
        };
        if *join.partition_mode() != PartitionMode::Partitioned {
            return Ok(Transformed::no(node));
        }
        let (left, right) = join.on().iter().cloned().unzip();
        let side = |plan: &Arc<dyn ExecutionPlan>, keys| {
            let partitioning = Partitioning::Hash(keys, partitions);
            RepartitionExec::try_new(plan.clone(), partitioning)
        };
        let sides: Vec<Arc<dyn ExecutionPlan>> = vec![
            Arc::new(side(join.left(), left)?),
            Arc::new(side(join.right(), right)?),
        ];
        replace_children_if_necessary(node, sides).map(Transformed::yes)
    })
    .data()
}

/// The plan with what `collecting` makes of its hash joins, but for those whose rows are partitioned as whoever reads them asks:
/// if such a join collected its sides, which saves their repartitioning, its output would be repartitioned instead.
///
/// `partitioned` is the plan with both sides of joins [`partitioned`]; `is_asked_for` says whether the partitions of its output
/// are.
fn joins(
    plan: Arc<dyn ExecutionPlan>,
    partitioned: &Arc<dyn ExecutionPlan>,
    is_asked_for: bool,
    collecting: &impl Fn(&HashJoinExec) -> Result<Option<JoineryExec>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let join = join_in(&plan);
    let collects = join.is_some_and(|join| !is_asked_for && !has_partitioned_sides(join));
    let requirements = partitioned.input_distribution_requirements();
    let children = plan.children().into_iter().zip(partitioned.children());
    let children = children.enumerate().map(|(number, (child, partitioned))| {
        let is_asked_for = matches!(partitioned.output_partitioning(), Partitioning::Hash(..))
            && match requirements.child_distribution(number) {
                _ if collects => false,
                None | Some(Distribution::UnspecifiedDistribution) => {
                    is_asked_for && (join.is_some() || plan.children().len() == 1)
                }
                Some(_) => {
                    let options = ChildSatisfactionOptions::new();
                    let child = partitioned.as_ref();
                    let found = requirements.child_satisfaction(number, child, options)?;
                    found.is_satisfied()
                }
            };
        // Not what was put between a join and its sides.
        let below = match partitioned.downcast_ref::<RepartitionExec>() {
            Some(side) if join.is_some() => side.input(),
            _ => partitioned,
        };
        joins(child.clone(), below, is_asked_for, collecting)
    });
    let children = children.collect::<Result<Vec<_>>>()?;
    let plan = replace_children_if_necessary(plan, children)?;
    match join_in(&plan).filter(|_| collects) {
        Some(join) => Ok(collecting(join)?.map_or(plan.clone(), |join| Arc::new(join))),
        None => Ok(plan),
    }
}

/// Whether rows of both sides come partitioned by the keys of the join without being repartitioned for it.
fn has_partitioned_sides(join: &HashJoinExec) -> bool {
    let (left, right): (Vec<_>, Vec<_>) = join.on().iter().cloned().unzip();
    let is_partitioned = |side, keys: Vec<PhysicalExprRef>| {
        let keys: Option<Vec<usize>> = keys.iter().map(column_of).collect();
        keys.is_some_and(|keys| is_partitioned_by(side, &keys))
    };
    *join.partition_mode() == PartitionMode::Partitioned
        && is_partitioned(join.left(), left)
        && is_partitioned(join.right(), right)
}

/// Whether rows of a plan will be partitioned by these of its columns, since an aggregate below needs that.
fn is_partitioned_by(plan: &Arc<dyn ExecutionPlan>, columns: &[usize]) -> bool {
    let itself: &dyn Any = plan.as_ref();
    if let Some(aggregate) = itself.downcast_ref::<AggregateExec>() {
        let groups = aggregate.group_expr();
        let are_all = (0..groups.expr().len()).all(|group| columns.contains(&group));
        return *aggregate.mode() == AggregateMode::FinalPartitioned
            && groups.is_single()
            && are_all
            && columns.len() == groups.expr().len();
    }
    let (below, places) = if let Some(projection) = itself.downcast_ref::<ProjectionExec>() {
        let places = projection.expr().iter();
        let places = places.map(|column| column_of(&column.expr));
        (projection.input(), places.collect())
    } else if let Some(filter) = itself.downcast_ref::<FilterExec>() {
        let all = 0..filter.input().schema().fields().len();
        let places: Vec<usize> = match filter.projection() {
            Some(places) => places.to_vec(),
            None => all.collect(),
        };
        (filter.input(), places.into_iter().map(Some).collect())
    } else if let Some(join) = join_in(plan).filter(|join| has_partitioned_sides(join)) {
        let left = join.left().schema().fields().len();
        let all: Vec<usize> = (0..join.join_schema().fields().len()).collect();
        let kept = join.projection.as_deref().unwrap_or(&all);
        let places = columns.iter().map(|&column| kept[column]);
        let places: Vec<usize> = places.collect();
        let keys = |nth: fn(&(PhysicalExprRef, PhysicalExprRef)) -> &PhysicalExprRef| {
            join.on()
                .iter()
                .filter_map(move |pair| column_of(nth(pair)))
        };
        let are = |keys: Vec<usize>| {
            keys.len() == places.len() && keys.iter().all(|key| places.contains(key))
        };
        return match join.join_type() {
            JoinType::Inner => {
                let right = keys(|(_, right)| right).map(|key| left + key);
                are(keys(|(left, _)| left).collect()) || are(right.collect())
            }
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::Left => {
                are(keys(|(left, _)| left).collect())
            }
            JoinType::RightSemi | JoinType::RightAnti => are(keys(|(_, right)| right).collect()),
            JoinType::Right => are(keys(|(_, right)| right).map(|key| left + key).collect()),
            _ => false,
        };
    } else {
        return false;
    };
    let places: Vec<Option<usize>> = places;
    let columns: Option<Vec<usize>> = columns.iter().map(|&column| places[column]).collect();
    columns.is_some_and(|columns| is_partitioned_by(below, &columns))
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
        let Some(join) = join_in(&node) else {
            return Ok(Transformed::no(node));
        };
        Ok(match change(join)? {
            Some(changed) => Transformed::yes(Arc::new(changed)),
            None => Transformed::no(node),
        })
    })
    .data()
}
