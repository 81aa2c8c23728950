//! The operator.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{JoinType, NullEquality, Result, Statistics, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{
    CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::joins::utils::build_join_schema;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};
use futures::FutureExt;
use join_core::join::Side;
use join_core::kind::Kind;

use crate::columns::Columns;
use crate::fallback::Stock;
use crate::filter::Condition;
use crate::job::{Equipment, Job, Question};
use crate::keys::Nulls;
use crate::left::Reason;
use crate::own::{Own, source};
use crate::pruning::{Pruning, is_read};
use crate::run::Work;
use crate::side::Request;
use crate::streaming::Streaming;

/// A hash join: Joinery's in the place of DataFusion's, with its own needs or with the same, or DataFusion's own with the
/// reason why it was left.
///
/// What a join is, its sides, keys and condition, is kept as the [`HashJoinExec`] that it was planned as, and whatever a
/// rule of the optimizer asks of a join is asked of that one.
pub struct JoineryExec {
    join: Arc<HashJoinExec>,
    way: Way,
}

enum Way {
    /// It collects the left side, or both, and needs nothing of them.
    Collecting(Own, RightSide),
    /// It is to all who look for one the join that it is in the place of.
    Streaming(Streaming),
    /// It is DataFusion's.
    Left(Reason),
}

/// What becomes of the right side of a join that has collected its left one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightSide {
    /// It is collected as well, and the table is made of whichever side is smaller.
    Collected,
    /// It streams by where the left one is small, and is otherwise collected.
    Either,
}

impl JoineryExec {
    /// Joinery's join in the place of `join`, with so many threads, and partitions of its output.
    ///
    /// # Errors
    ///
    /// If DataFusion cannot say what the join's output is.
    pub fn in_place_of(join: &HashJoinExec, partitions: usize, right: RightSide) -> Result<Self> {
        // A join that asks for nothing of its inputs.
        let join = join.builder().with_partition_mode(PartitionMode::Auto);
        Ok(Self::own(join.build()?, partitions, right))
    }

    fn own(join: HashJoinExec, partitions: usize, right: RightSide) -> Self {
        let own = Own::new(join.properties().eq_properties.clone(), partitions);
        Self {
            way: Way::Collecting(own, right),
            join: Arc::new(join),
        }
    }

    /// Joinery's join in the place of `join` where the plan is finished: with the same distribution of its inputs, order and
    /// partitions of its output, and rows in each of these.
    ///
    /// # Errors
    ///
    /// If DataFusion cannot say what the join's output is.
    pub fn streaming(join: &HashJoinExec) -> Result<Self> {
        Ok(Self {
            join: Arc::new(join.builder().build()?),
            way: Way::Streaming(Streaming::default()),
        })
    }

    /// DataFusion's join, which says why it was left.
    ///
    /// # Errors
    ///
    /// If DataFusion cannot say what the join's output is.
    pub fn left(join: &HashJoinExec, reason: Reason) -> Result<Self> {
        Ok(Self {
            join: Arc::new(join.builder().build()?),
            way: Way::Left(reason),
        })
    }

    /// Why the join was left, if it was.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.way {
            Way::Collecting(..) | Way::Streaming(_) => None,
            Way::Left(reason) => Some(reason),
        }
    }

    /// The same in the place of what a rule has made of the join: another join, or a node above one.
    fn again(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let join = join.builder().build()?;
            let way = match &self.way {
                Way::Collecting(own, right) => {
                    return Ok(Arc::new(Self::own(join, own.partitions(), *right)));
                }
                Way::Streaming(_) => Way::Streaming(Streaming::default()),
                Way::Left(reason) => Way::Left(reason.clone()),
            };
            let join = Arc::new(join);
            return Ok(Arc::new(Self { join, way }));
        }
        let children = plan.children();
        let [child] = children.as_slice() else {
            return internal_err!("a rule made {} of a join", plan.name());
        };
        let child = self.again(Arc::clone(child))?;
        plan.replace_children(vec![child], ReplaceChildrenOptions::new(RECOMPUTE))
    }

    /// What is asked of a run.
    fn question(&self) -> Question {
        let join = &self.join;
        let kind = kind_of(join);
        let (left_schema, right_schema) = (join.left().schema(), join.right().schema());
        let request = |keys: Vec<PhysicalExprRef>| Request {
            keys,
            columns: Vec::new(),
        };
        let on = join.on().iter();
        let mut left = request(on.clone().map(|(left, _)| left.clone()).collect());
        let mut right = request(on.map(|(_, right)| right.clone()).collect());
        let (_, columns) = build_join_schema(&left_schema, &right_schema, join.join_type());
        let all: Vec<usize> = (0..columns.len()).collect();
        let projected = join.projection.as_deref().unwrap_or(&all);
        let projected = projected.iter().map(|&column| &columns[column]);
        let output = Columns::new(join.schema(), projected, kind, &mut left, &mut right);
        let condition = join.filter().map(|filter| Condition {
            expression: filter.expression().clone(),
            columns: Columns::new(
                filter.schema().clone(),
                filter.column_indices(),
                kind,
                &mut left,
                &mut right,
            ),
        });
        Question {
            kind,
            nulls: match (join.null_equality(), kind) {
                (NullEquality::NullEqualsNull, _) => Nulls::Equal,
                (_, Kind::Mark(_)) => Nulls::Hidden,
                _ => Nulls::MatchNothing,
            },
            left: Arc::new(left),
            right: Arc::new(right),
            output,
            condition,
            stock: Stock {
                join_type: *join.join_type(),
                null_equality: join.null_equality(),
                null_aware: join.null_aware,
            },
        }
    }

    /// The filter that the join is to fill, if the optimizer has hung one on its right side and somebody there looks at it.
    fn pruning(&self) -> Result<Option<Pruning>> {
        let Some(filter) = self.join.dynamic_expressions_produced().pop() else {
            return Ok(None);
        };
        let Ok(filter) = Arc::downcast::<DynamicFilterPhysicalExpr>(filter) else {
            return Ok(None);
        };
        if !is_read(&filter, self.join.right())? {
            return Ok(None);
        }
        let schema = self.join.right().schema();
        let on = self.join.on().iter();
        let keys = on.map(|(_, key)| Ok((key.clone(), key.data_type(&schema)?)));
        Ok(Some(Pruning {
            filter,
            keys: keys.collect::<Result<_>>()?,
            nulls_matter: self.join.null_aware
                || self.join.null_equality() == NullEquality::NullEqualsNull,
        }))
    }

    /// What a run does.
    fn work(&self, equipment: Equipment, side: RightSide) -> Result<Work> {
        let job = Job {
            streams: side == RightSide::Either,
            question: Arc::new(self.question()),
            left: source(self.join.left(), &equipment.context)?,
            right: source(self.join.right(), &equipment.context)?,
            pruning: self.pruning()?,
            equipment,
        };
        Ok(Box::new(|exchange| job.run(exchange).boxed()))
    }
}

pub(crate) const RECOMPUTE: ChildrenPropertiesMode = ChildrenPropertiesMode::Recompute;

/// The kind of a join whose build side is the left one. Which side a table is made of is another matter.
fn kind_of(join: &HashJoinExec) -> Kind {
    match join.join_type() {
        JoinType::Inner => Kind::Inner,
        JoinType::Left => Kind::Outer(Side::Build),
        JoinType::Right => Kind::Outer(Side::Probe),
        JoinType::Full => Kind::FullOuter,
        JoinType::LeftSemi => Kind::Semi(Side::Build),
        JoinType::RightSemi => Kind::Semi(Side::Probe),
        JoinType::LeftAnti if join.null_aware => Kind::NullAwareAnti(Side::Build),
        JoinType::LeftAnti => Kind::Anti(Side::Build),
        JoinType::RightAnti => Kind::Anti(Side::Probe),
        JoinType::LeftMark => Kind::Mark(Side::Build),
        JoinType::RightMark => Kind::Mark(Side::Probe),
    }
}

impl fmt::Debug for JoineryExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoineryExec")
            .field("join", &self.join)
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}

impl DisplayAs for JoineryExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = matches!(format, DisplayFormatType::TreeRender);
        let (mode, notes) = match &self.way {
            Way::Left(reason) => {
                self.join.fmt_as(format, f)?;
                return match tree {
                    true => writeln!(f, "left by joinery={reason}"),
                    false => write!(f, ", left by joinery: {reason}"),
                };
            }
            Way::Collecting(own, RightSide::Collected) => ("join", own.notes.get()),
            Way::Collecting(own, RightSide::Either) => ("either", own.notes.get()),
            Way::Streaming(own) => ("streaming", own.notes.get()),
        };
        if tree {
            self.join.fmt_as(format, f)?;
            return match notes {
                Some(notes) => writeln!(f, "chosen={notes}"),
                None => Ok(()),
            };
        }
        let described = fmt::from_fn(|f| self.join.fmt_as(format, f)).to_string();
        let (_, what) = described.split_once("mode=").unwrap_or(("", &described));
        // A join that collects is in none of DataFusion's modes.
        match what.strip_prefix("Auto, ") {
            Some(what) => write!(f, "JoineryExec: mode={mode}, {what}")?,
            None => write!(f, "JoineryExec: mode={mode}, partition_mode={what}")?,
        }
        match notes {
            Some(notes) => write!(f, ", chosen=[{notes}]"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for JoineryExec {
    fn name(&self) -> &str {
        match &self.way {
            Way::Collecting(..) | Way::Streaming(_) => "JoineryExec",
            Way::Left(_) => self.join.name(),
        }
    }

    /// A join that was left, or whose place was taken in a finished plan, is what it is to all who look for one.
    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        match &self.way {
            Way::Collecting(..) => None,
            Way::Streaming(_) | Way::Left(_) => Some(self.join.as_ref()),
        }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        match &self.way {
            Way::Collecting(own, _) => &own.properties,
            Way::Streaming(_) | Way::Left(_) => self.join.properties(),
        }
    }

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.join.dynamic_expressions_produced()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.join.input_distribution_requirements()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        match &self.way {
            Way::Collecting(..) => vec![false, false],
            Way::Streaming(_) | Way::Left(_) => self.join.maintains_input_order(),
        }
    }

    /// Sides are read as they come: with more partitions, what is above a side would only be read by more tasks.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        match &self.way {
            Way::Collecting(..) => vec![false, false],
            Way::Streaming(_) | Way::Left(_) => self.join.benefits_from_input_partitioning(),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.join.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.again(self.join.clone().replace_children(children, options)?)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(RECOMPUTE))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        self.again(self.join.clone().reset_state()?)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match &self.way {
            Way::Left(_) => self.join.execute(partition, context),
            Way::Streaming(own) => own.execute(&self.join, partition, &context, || {
                Ok((self.question(), self.pruning()?))
            }),
            Way::Collecting(own, right) => {
                let work = |equipment| self.work(equipment, *right);
                own.execute(partition, self.schema(), &context, work)
            }
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        match &self.way {
            Way::Collecting(own, _) => Some(own.metrics.clone_inner()),
            Way::Streaming(own) => Some(own.metrics.clone_inner()),
            Way::Left(_) => self.join.metrics(),
        }
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.join.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.join.statistics_from_inputs(inputs, args)
    }

    fn fetch(&self) -> Option<usize> {
        self.join.fetch()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.join.cardinality_effect()
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let swapped = self.join.try_swapping_with_projection(projection)?;
        swapped.map(|plan| self.again(plan)).transpose()
    }

    fn gather_filters_for_pushdown(
        &self,
        phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        self.join
            .gather_filters_for_pushdown(phase, parent_filters, config)
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let mut handled = self
            .join
            .handle_child_pushdown_result(phase, result, config)?;
        let updated = handled.updated_node.take();
        handled.updated_node = updated.map(|plan| self.again(plan)).transpose()?;
        Ok(handled)
    }
}
