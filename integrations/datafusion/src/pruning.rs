//! What the keys of the left side say to the scans of the right one.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::compute::{cast, max, min};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, DynamicFilterPhysicalExpr, lit};
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};
use datafusion::physical_plan::ExecutionPlan;

use crate::exchange::lock;
use crate::side::{Chunks, Side};

/// The filter that a rule of the optimizer hung on the right side, to be filled once the left one is there.
pub(crate) struct Pruning {
    pub(crate) filter: Arc<DynamicFilterPhysicalExpr>,
    /// The keys of the right side, and their types.
    pub(crate) keys: Vec<(PhysicalExprRef, DataType)>,
    /// Whether rows of the right side whose key is NULL have a say in the result.
    pub(crate) nulls_matter: bool,
}

impl Pruning {
    /// Fills the filter: a row of the right side may only have a partner if each key lies between the least and the
    /// greatest of the left side.
    ///
    /// # Errors
    ///
    /// If the filter does not take it.
    pub(crate) fn fill(&self, left: &Side) -> Result<()> {
        self.update(self.bounds(left))
    }

    /// Fills the filter by keys of other leaves of a tree, one for each of its own.
    ///
    /// # Errors
    ///
    /// If the filter does not take it.
    pub(crate) fn fill_by<'c>(&self, keys: impl Iterator<Item = &'c Chunks>) -> Result<()> {
        self.update(Some(self.bounds_of(keys)))
    }

    /// Bounds of the keys of a left side, or of a part of one; none of no rows.
    fn bounds(&self, left: &Side) -> Option<Vec<Option<Bounds>>> {
        (left.rows() > 0).then(|| self.bounds_of(left.keys.iter()))
    }

    fn bounds_of<'c>(&self, keys: impl Iterator<Item = &'c Chunks>) -> Vec<Option<Bounds>> {
        let keys = self.keys.iter().zip(keys);
        let bounds = keys.map(|((_, data_type), chunks)| bounds(chunks, data_type));
        bounds.collect()
    }

    fn update(&self, bounds: Option<Vec<Option<Bounds>>>) -> Result<()> {
        if self.nulls_matter {
            return Ok(());
        }
        let Some(bounds) = bounds else {
            return self.filter.update(lit(false));
        };
        let bounds = self
            .keys
            .iter()
            .zip(bounds)
            .filter_map(|((key, _), bounds)| {
                let (least, greatest) = bounds?;
                Some([
                    (key, Operator::GtEq, least),
                    (key, Operator::LtEq, greatest),
                ])
            });
        let terms = bounds
            .flatten()
            .map(|(key, operator, bound)| -> PhysicalExprRef {
                Arc::new(BinaryExpr::new(key.clone(), operator, lit(bound)))
            });
        let all = terms.reduce(|all, term| Arc::new(BinaryExpr::new(all, Operator::And, term)));
        all.map_or(Ok(()), |all| self.filter.update(all))
    }
}

impl Drop for Pruning {
    /// However the join ends: scans that wait for the filter wait no longer.
    fn drop(&mut self) {
        self.filter.mark_complete();
    }
}

/// Whether an operator of a plan looks at a filter.
///
/// # Errors
///
/// If an operator cannot say at what it looks.
pub(crate) fn is_read(
    filter: &DynamicFilterPhysicalExpr,
    plan: &Arc<dyn ExecutionPlan>,
) -> Result<bool> {
    let Some(id) = filter.expression_id() else {
        return Ok(true);
    };
    let mut found = false;
    let or_go_on = |found| match found {
        true => TreeNodeRecursion::Stop,
        false => TreeNodeRecursion::Continue,
    };
    plan.apply(|node| {
        node.apply_expressions(&mut |root| {
            root.apply(|expression| {
                found |= expression.expression_id() == Some(id);
                Ok(or_go_on(found))
            })
        })?;
        Ok(or_go_on(found))
    })?;
    Ok(found)
}

/// The least and the greatest key.
type Bounds = (ScalarValue, ScalarValue);

/// A filter that is filled once all parts of the left side have been seen.
pub(crate) struct InParts {
    pruning: Pruning,
    seen: Mutex<Seen>,
}

/// What has been seen.
struct Seen {
    /// Parts that have not been.
    missing: usize,
    /// Bounds of the others, as [`Pruning::bounds`] has them.
    bounds: Option<Vec<Option<Bounds>>>,
}

impl InParts {
    /// One of a left side of so many parts.
    pub(crate) fn new(pruning: Pruning, parts: usize) -> Self {
        let seen = Seen {
            missing: parts,
            bounds: None,
        };
        Self {
            pruning,
            seen: Mutex::new(seen),
        }
    }

    /// Tells of a part, and fills the filter if it was the last.
    ///
    /// # Errors
    ///
    /// If the filter does not take what there is.
    pub(crate) fn tell(&self, part: &Side) -> Result<()> {
        let bounds = self.pruning.bounds(part);
        let mut seen = lock(&self.seen);
        seen.missing = seen.missing.saturating_sub(1);
        seen.bounds = match (seen.bounds.take(), bounds) {
            (Some(a), Some(b)) => Some(a.into_iter().zip(b).map(|(a, b)| both(a?, b?)).collect()),
            (a, b) => a.or(b),
        };
        match seen.missing {
            0 => self.pruning.update(seen.bounds.take()),
            _ => Ok(()),
        }
    }
}

/// The bounds of what lies in either.
fn both((least, greatest): Bounds, (other_least, other_greatest): Bounds) -> Option<Bounds> {
    let least = match other_least.partial_cmp(&least)? {
        Ordering::Less => other_least,
        _ => least,
    };
    let greatest = match other_greatest.partial_cmp(&greatest)? {
        Ordering::Greater => other_greatest,
        _ => greatest,
    };
    Some((least, greatest))
}

/// The least and the greatest key, where keys are stored as integers in the order of their values.
fn bounds(chunks: &Chunks, data_type: &DataType) -> Option<Bounds> {
    let (least, greatest) = match data_type {
        DataType::Int32 | DataType::Date32 => of::<Int32Type>(chunks)?,
        DataType::Int64 | DataType::Timestamp(..) => of::<Int64Type>(chunks)?,
        _ => return None,
    };
    let scalar =
        |bound: &ArrayRef| ScalarValue::try_from_array(&cast(bound, data_type).ok()?, 0).ok();
    Some((scalar(&least)?, scalar(&greatest)?))
}

fn of<T: ArrowPrimitiveType>(chunks: &Chunks) -> Option<(ArrayRef, ArrayRef)> {
    let chunks = || chunks.iter().map(|chunk| chunk.as_primitive::<T>());
    let one =
        |bound: T::Native| -> ArrayRef { Arc::new(PrimitiveArray::<T>::from_value(bound, 1)) };
    let least = chunks()
        .filter_map(min)
        .reduce(|a, b| if b < a { b } else { a })?;
    let greatest = chunks()
        .filter_map(max)
        .reduce(|a, b| if b > a { b } else { a })?;
    Some((one(least), one(greatest)))
}
