//! The operator.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, lit};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, ChildPushdownResult, FilterDescription, FilterPushdownPhase,
    FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, replace_children_if_necessary,
};
use futures::FutureExt;

use super::job::Job;
use super::shape::{Place, Shape, columns_of};
use crate::exec::RECOMPUTE;
use crate::job::Equipment;
use crate::options::JoineryOptions;
use crate::own::{Own, source};
use crate::pruning::{Pruning, is_read};
use crate::run::Work;

/// A tree of inner and semi joins as one operator, whose inputs are the leaves of the tree.
///
/// Leaves are collected, from the left to the right, and joined in an order that comes from what was read: what is left of
/// one filters the others, and row ids travel. Columns are gathered once, of the rows that come out.
pub struct JoineryTreeExec {
    shape: Shape,
    /// Of each leaf the filter that leaves before it fill, if the optimizer has hung one on it.
    filters: Vec<Option<Arc<DynamicFilterPhysicalExpr>>>,
    own: Own,
}

impl JoineryTreeExec {
    /// The tree at the top of `plan`, with so many threads, and partitions of its output; `None` where there are no three
    /// leaves that inner joins, and semi joins on an integer, connect.
    pub fn in_place_of(plan: &Arc<dyn ExecutionPlan>, partitions: usize) -> Option<Self> {
        Shape::of(plan).map(|shape| Self::new(shape, partitions))
    }

    fn new(shape: Shape, partitions: usize) -> Self {
        // Nothing is promised of how rows lie, nor that columns which joins have made equal are.
        let equivalences = EquivalenceProperties::new(shape.root.schema());
        Self {
            own: Own::new(equivalences, partitions),
            filters: vec![None; shape.leaves.len()],
            shape,
        }
    }

    /// The same with these filters.
    fn with_filters(self, filters: Vec<Option<Arc<DynamicFilterPhysicalExpr>>>) -> Self {
        Self { filters, ..self }
    }

    /// The filter of a leaf that the keys of leaves before it may fill.
    fn filter_of(&self, leaf: usize) -> Option<Arc<DynamicFilterPhysicalExpr>> {
        let keys = self.keys_of(leaf).map(|(key, _)| key);
        let keys: Vec<PhysicalExprRef> = keys.collect();
        let filter = || Arc::new(DynamicFilterPhysicalExpr::new(keys.clone(), lit(true)));
        (!keys.is_empty()).then(filter)
    }

    /// The keys of a leaf that must equal those of leaves before it, and their types.
    fn keys_of(&self, leaf: usize) -> impl Iterator<Item = (PhysicalExprRef, DataType)> {
        let schema = self.shape.leaves[leaf].plan.schema();
        let links = self.shape.links_back(leaf).into_iter();
        links.map(move |(column, _)| {
            let field = schema.field(column);
            let key: PhysicalExprRef = Arc::new(Column::new(field.name(), column));
            (key, field.data_type().clone())
        })
    }

    /// The filters that are to be filled: those that somebody looks at.
    fn pruning(&self) -> Result<Vec<Option<Pruning>>> {
        let leaves = self.filters.iter().enumerate();
        let pruning = leaves.map(|(leaf, filter)| {
            let Some(filter) = filter else {
                return Ok(None);
            };
            let read = is_read(filter, &self.shape.leaves[leaf].plan)?;
            Ok(read.then(|| Pruning {
                filter: filter.clone(),
                keys: self.keys_of(leaf).collect(),
                nulls_matter: false,
            }))
        });
        pruning.collect()
    }

    /// How many hash joins it is in the place of.
    pub fn joins(&self) -> usize {
        self.shape.joins.len()
    }

    fn work(&self, equipment: Equipment) -> Result<Work> {
        let leaves = self.shape.leaves.iter();
        let sources = leaves.map(|leaf| source(&leaf.plan, &equipment.context));
        let config = equipment.context.session_config().options();
        let job = Job {
            shape: self.shape.clone(),
            schema: self.shape.root.schema(),
            options: JoineryOptions::techniques(config),
            streams_from: JoineryOptions::streams_from(config),
            sources: sources.collect::<Result<_>>()?,
            pruning: self.pruning()?,
            equipment,
        };
        Ok(Box::new(|exchange| job.run(exchange).boxed()))
    }

    fn name_of(&self, place: Place) -> String {
        let schema = self.shape.leaves[place.leaf].plan.schema();
        schema.field(place.column).name().clone()
    }
}

impl fmt::Debug for JoineryTreeExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoineryTreeExec")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl DisplayAs for JoineryTreeExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.shape.joins.iter().flatten();
        let on = pairs.map(|pair| {
            let [left, right] = pair.map(|place| self.name_of(place));
            format!("{left} = {right}")
        });
        let on = on.collect::<Vec<_>>().join(", ");
        let conditions = self.shape.conditions.iter();
        let conditions = conditions.map(|condition| condition.expression.to_string());
        let conditions = conditions.collect::<Vec<_>>().join(" AND ");
        let semi = self.shape.leaves.iter().enumerate();
        let semi = semi.filter(|(_, leaf)| leaf.is_required);
        let semi: Vec<String> = semi.map(|(number, _)| (number + 1).to_string()).collect();
        let notes = self.own.notes.get();
        if matches!(format, DisplayFormatType::TreeRender) {
            writeln!(f, "joins={}", self.joins())?;
            writeln!(f, "on={on}")?;
            if !conditions.is_empty() {
                writeln!(f, "filter={conditions}")?;
            }
            return match notes {
                Some(notes) => writeln!(f, "chosen={notes}"),
                None => Ok(()),
            };
        }
        write!(
            f,
            "JoineryTreeExec: mode=tree, joins={}, on=[{on}]",
            self.joins()
        )?;
        if !semi.is_empty() {
            write!(f, ", semi=[{}]", semi.join(", "))?;
        }
        if !conditions.is_empty() {
            write!(f, ", filter={conditions}")?;
        }
        match notes {
            Some(notes) => write!(f, ", chosen=[{notes}]"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for JoineryTreeExec {
    fn name(&self) -> &str {
        "JoineryTreeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.own.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false; self.shape.leaves.len()]
    }

    /// Leaves are read as they come: with more partitions, what is above one would only be read by more tasks.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.shape.leaves.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.shape.leaves.iter().map(|leaf| &leaf.plan).collect()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        self.shape.visit(&mut |plan| {
            if recursion != TreeNodeRecursion::Stop {
                recursion = plan.apply_expressions(f)?;
            }
            Ok(())
        })?;
        Ok(recursion)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let shape = self.shape.with_leaves(children)?;
        let new = Self::new(shape, self.own.partitions());
        Ok(Arc::new(new.with_filters(self.filters.clone())))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(RECOMPUTE))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let work = |equipment| self.work(equipment);
        self.own.execute(partition, self.schema(), &context, work)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.own.metrics.clone_inner())
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Unknown
    }

    /// A projection of columns becomes a part of the tree, which gathers no others.
    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(columns) = columns_of(projection) else {
            return Ok(None);
        };
        let above: Arc<dyn ExecutionPlan> = Arc::new(projection.clone());
        let root = replace_children_if_necessary(above, vec![self.shape.root.clone()])?;
        let shape = self.shape.projected(root, &columns);
        let new = Self::new(shape, self.own.partitions());
        Ok(Some(Arc::new(new.with_filters(self.filters.clone()))))
    }

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        let filters = self.filters.iter().flatten();
        filters
            .map(|filter| filter.clone() as Arc<dyn PhysicalExpr>)
            .collect()
    }

    /// Filters of nodes above end here; at last each leaf gets one that leaves before it fill.
    fn gather_filters_for_pushdown(
        &self,
        phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let wanted = matches!(phase, FilterPushdownPhase::Post)
            && config.optimizer.enable_join_dynamic_filter_pushdown
            && JoineryOptions::filters_scans(config);
        let leaves = 0..self.shape.leaves.len();
        Ok(leaves.fold(FilterDescription::new(), |all, leaf| {
            let none = ChildFilterDescription::all_unsupported(&parent_filters);
            let filter = wanted.then(|| self.filter_of(leaf)).flatten();
            all.with_child(match filter {
                Some(filter) => none.with_self_filter(filter),
                None => none,
            })
        }))
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let own = result.self_filters.iter().map(|filters| {
            let filter = filters.first()?.predicate.clone();
            Arc::downcast::<DynamicFilterPhysicalExpr>(filter).ok()
        });
        let own: Vec<_> = own.collect();
        let propagation = FilterPushdownPropagation::all_unsupported(result);
        if own.iter().all(Option::is_none) {
            return Ok(propagation);
        }
        let new = Self::new(self.shape.clone(), self.own.partitions());
        Ok(propagation.with_updated_node(Arc::new(new.with_filters(own))))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let children = self.children().into_iter().cloned().collect();
        let shape = self.shape.with_leaves(children)?;
        Ok(Arc::new(Self::new(shape, self.own.partitions())))
    }
}
