//! What a tree of joins is: found among the operators of a plan.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{JoinSide, JoinType, NullEquality, Result};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary,
};

use super::forest::Key;
use crate::keys::plain_type;
use crate::left::Reason;

/// Leaves from which on joins are a tree, and not one join.
const LEAVES: usize = 3;

/// A column of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) leaf: usize,
    pub(crate) column: usize,
}

/// A tree of inner and semi joins.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The joins, and projections of columns among them, down to the leaves.
    pub(crate) root: Arc<dyn ExecutionPlan>,
    /// What stands below the joins, from the left to the right.
    pub(crate) leaves: Vec<Leaf>,
    /// Of each join the pairs of columns that must be equal.
    pub(crate) joins: Vec<Vec<[Place; 2]>>,
    pub(crate) conditions: Vec<Residual>,
    /// Where the columns of the output come from.
    pub(crate) output: Vec<Place>,
}

/// A plan whose rows are joined.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// Whether it is the other side of a semi join: of its rows it matters alone whether there is one.
    pub(crate) is_required: bool,
    /// The columns that are compared with those of other leaves.
    pub(crate) keys: Vec<usize>,
}

/// What rows must fulfil beside equal keys.
#[derive(Debug, Clone)]
pub(crate) struct Residual {
    pub(crate) expression: PhysicalExprRef,
    /// The fields that it looks at.
    pub(crate) schema: SchemaRef,
    pub(crate) columns: Vec<Place>,
}

impl Shape {
    /// The tree at the top of a plan, if there is one that is worth an operator.
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        joins_of(plan)?;
        let mut shape = Self {
            root: plan.clone(),
            leaves: Vec::new(),
            joins: Vec::new(),
            conditions: Vec::new(),
            output: Vec::new(),
        };
        shape.output = shape.absorb(plan);
        (shape.leaves.len() >= LEAVES).then_some(shape)
    }

    /// Takes in what is below a node, and returns where the node's columns come from.
    fn absorb(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Vec<Place> {
        match joins_of(plan) {
            None => {
                let columns = 0..plan.schema().fields().len();
                let leaf = self.leaf(plan, false);
                columns.map(|column| Place { leaf, column }).collect()
            }
            Some(Top::Projection(columns, input)) => {
                let below = self.absorb(input);
                columns.into_iter().map(|column| below[column]).collect()
            }
            Some(Top::Join(join)) => self.join(join),
        }
    }

    fn join(&mut self, join: &HashJoinExec) -> Vec<Place> {
        let side = |shape: &mut Self, plan: &Arc<dyn ExecutionPlan>, required: JoinType| {
            if *join.join_type() != required {
                return shape.absorb(plan);
            }
            let columns = 0..plan.schema().fields().len();
            let leaf = shape.leaf(plan, true);
            columns.map(|column| Place { leaf, column }).collect()
        };
        let left = side(self, join.left(), JoinType::RightSemi);
        let right = side(self, join.right(), JoinType::LeftSemi);
        let pairs = join.on().iter().filter_map(|(of_left, of_right)| {
            Some([left[column_of(of_left)?], right[column_of(of_right)?]])
        });
        let pairs: Vec<[Place; 2]> = pairs.collect();
        for place in pairs.iter().flatten() {
            let keys = &mut self.leaves[place.leaf].keys;
            if !keys.contains(&place.column) {
                keys.push(place.column);
            }
        }
        self.joins.push(pairs);
        if let Some(filter) = join.filter() {
            let columns = filter.column_indices().iter();
            let columns = columns.map(|column| match column.side {
                JoinSide::Right => right[column.index],
                _ => left[column.index],
            });
            self.conditions.push(Residual {
                expression: filter.expression().clone(),
                schema: filter.schema().clone(),
                columns: columns.collect(),
            });
        }
        let all = match join.join_type() {
            JoinType::LeftSemi => left,
            JoinType::RightSemi => right,
            _ => [left, right].concat(),
        };
        match join.projection.as_deref() {
            None => all,
            Some(columns) => columns.iter().map(|&column| all[column]).collect(),
        }
    }

    /// Where a column that is compared stands among the keys of its leaf.
    pub(crate) fn key_at(&self, place: Place) -> Key {
        let mut keys = self.leaves[place.leaf].keys.iter();
        let key = keys.position(|&column| column == place.column);
        Key {
            leaf: place.leaf,
            key: key.expect("a column that is compared is a key"),
        }
    }

    /// Columns that are equal in every row of the output, because joins make them so or are equal to the same others.
    pub(crate) fn classes(&self) -> Vec<Vec<Place>> {
        let mut classes: Vec<Vec<Place>> = Vec::new();
        for pair in self.joins.iter().flatten() {
            let [left, right] = pair.map(|place| {
                let known = classes.iter().position(|class| class.contains(&place));
                known.unwrap_or_else(|| {
                    classes.push(vec![place]);
                    classes.len() - 1
                })
            });
            if left != right {
                let merged = classes.remove(left.max(right));
                classes[left.min(right)].extend(merged);
            }
        }
        classes
    }

    /// What a leaf is called: its number and its first column.
    pub(crate) fn name_of(&self, leaf: usize) -> String {
        let schema = self.leaves[leaf].plan.schema();
        match schema.fields().first() {
            Some(field) => format!("leaf {} ({}, …)", leaf + 1, field.name()),
            None => format!("leaf {}", leaf + 1),
        }
    }

    /// Of a leaf the columns that must equal those of leaves before it, and these.
    pub(crate) fn links_back(&self, leaf: usize) -> Vec<(usize, Place)> {
        let classes = self.classes();
        let back = classes.iter().flat_map(|class| {
            let own = class.iter().filter(|place| place.leaf == leaf);
            own.flat_map(|own| {
                let others = class.iter().filter(|other| other.leaf < leaf);
                others.map(|&other| (own.column, other))
            })
        });
        back.collect()
    }

    fn leaf(&mut self, plan: &Arc<dyn ExecutionPlan>, is_required: bool) -> usize {
        self.leaves.push(Leaf {
            plan: plan.clone(),
            is_required,
            keys: Vec::new(),
        });
        self.leaves.len() - 1
    }

    /// The same with other plans of the same rows in the place of the leaves.
    pub(crate) fn with_leaves(&self, leaves: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self> {
        let mut new = leaves.iter().cloned();
        let root = self.rebuilt(&self.root, &mut new, &mut 0, |plan| match join_in(&plan) {
            // A join that asks for nothing of its inputs.
            Some(join) => join
                .builder()
                .with_partition_mode(PartitionMode::Auto)
                .build_exec(),
            None => Ok(plan),
        })?;
        let mut shape = Self {
            root,
            ..self.clone()
        };
        for (leaf, plan) in shape.leaves.iter_mut().zip(leaves) {
            leaf.plan = plan;
        }
        Ok(shape)
    }

    /// The same with only these columns of its output; `root` is the projection above that says so.
    pub(crate) fn projected(&self, root: Arc<dyn ExecutionPlan>, columns: &[usize]) -> Self {
        Self {
            root,
            output: columns.iter().map(|&column| self.output[column]).collect(),
            ..self.clone()
        }
    }

    /// DataFusion's own joins over other leaves: each holds its left side and lets the right one stream by.
    pub(crate) fn stock(
        &self,
        leaves: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.rebuilt(&self.root, &mut leaves.into_iter(), &mut 0, |plan| {
            let Some(join) = join_in(&plan) else {
                return Ok(plan);
            };
            let mut left = join.left().clone();
            if left.output_partitioning().partition_count() > 1 {
                left = Arc::new(CoalescePartitionsExec::new(left));
            }
            join.builder()
                .reset_state()
                .with_new_children(vec![left, join.right().clone()])?
                .with_partition_mode(PartitionMode::CollectLeft)
                .build_exec()
        })
    }

    /// The nodes from `plan` down to the leaves, with `leaves` below and `change`d.
    fn rebuilt(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        leaves: &mut impl Iterator<Item = Arc<dyn ExecutionPlan>>,
        next: &mut usize,
        change: impl Fn(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> + Copy,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(leaf) = self.leaves.get(*next)
            && Arc::ptr_eq(plan, &leaf.plan)
        {
            *next += 1;
            return Ok(leaves.next().expect("a plan for each leaf"));
        }
        let children = plan.children().into_iter();
        let children = children.map(|child| self.rebuilt(child, leaves, next, change));
        let children = children.collect::<Result<Vec<_>>>()?;
        change(replace_children_if_necessary(plan.clone(), children)?)
    }

    /// Calls `visit` with the nodes down to the leaves.
    pub(crate) fn visit(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn ExecutionPlan>) -> Result<()>,
    ) -> Result<()> {
        fn walk(
            plan: &Arc<dyn ExecutionPlan>,
            leaves: &mut std::iter::Peekable<std::slice::Iter<'_, Leaf>>,
            visit: &mut dyn FnMut(&Arc<dyn ExecutionPlan>) -> Result<()>,
        ) -> Result<()> {
            if leaves
                .next_if(|leaf| Arc::ptr_eq(&leaf.plan, plan))
                .is_some()
            {
                return Ok(());
            }
            visit(plan)?;
            let mut children = plan.children().into_iter();
            children.try_for_each(|child| walk(child, leaves, visit))
        }
        walk(&self.root, &mut self.leaves.iter().peekable(), visit)
    }
}

/// A node that belongs to a tree.
enum Top<'p> {
    Join(&'p HashJoinExec),
    /// Columns of its input, in whose place it stands.
    Projection(Vec<usize>, &'p Arc<dyn ExecutionPlan>),
}

/// What a node is to a tree; `None` for a leaf. A projection belongs to it where a join is below.
fn joins_of(plan: &Arc<dyn ExecutionPlan>) -> Option<Top<'_>> {
    if let Some(join) = join_in(plan) {
        return belongs(join).then_some(Top::Join(join));
    }
    let itself: &dyn Any = plan.as_ref();
    let projection = itself.downcast_ref::<ProjectionExec>()?;
    let columns = columns_of(projection)?;
    joins_of(projection.input())?;
    Some(Top::Projection(columns, projection.input()))
}

/// The join that a node is: the node itself and not its delegate, as `plan.is` would ask.
pub(crate) fn join_in(plan: &Arc<dyn ExecutionPlan>) -> Option<&HashJoinExec> {
    let itself: &dyn Any = plan.as_ref();
    itself.downcast_ref()
}

/// Whether a join can be a part of a tree: an inner join on columns, or a semi join on one that is an integer, and so needs
/// no row of its other side to be looked at.
fn belongs(join: &HashJoinExec) -> bool {
    let columns = join
        .on()
        .iter()
        .all(|(left, right)| column_of(left).is_some() && column_of(right).is_some());
    let is_of_kind = match join.join_type() {
        JoinType::Inner => true,
        JoinType::LeftSemi | JoinType::RightSemi => {
            let is_one = |(key, _): &(PhysicalExprRef, PhysicalExprRef)| {
                let key = key.data_type(&join.left().schema());
                key.is_ok_and(|key| is_integer(&plain_type(&key)))
            };
            join.filter().is_none() && join.on().len() == 1 && join.on().iter().all(is_one)
        }
        _ => false,
    };
    is_of_kind
        && columns
        && !join.on().is_empty()
        && join.null_equality() == NullEquality::NullEqualsNothing
        && Reason::not_to_collect(join).is_none()
}

/// Whether a key says all by its value.
pub(crate) fn is_integer(plain: &DataType) -> bool {
    matches!(plain, DataType::Int32 | DataType::Int64)
}

/// The columns that a projection consists of, if it consists of columns.
pub(crate) fn columns_of(projection: &ProjectionExec) -> Option<Vec<usize>> {
    let columns = projection.expr().iter();
    columns.map(|column| column_of(&column.expr)).collect()
}

/// The column that an expression is, if it is one.
pub(crate) fn column_of(expression: &PhysicalExprRef) -> Option<usize> {
    let itself: &dyn Any = expression.as_ref();
    itself.downcast_ref::<Column>().map(Column::index)
}
