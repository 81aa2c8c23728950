//! What the keys of the left side say to the scans of the right one.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::compute::{cast, max, min};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::{BinaryExpr, DynamicFilterPhysicalExpr, lit};

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
        if self.nulls_matter {
            return Ok(());
        }
        if left.rows() == 0 {
            return self.filter.update(lit(false));
        }
        let bounds = self
            .keys
            .iter()
            .zip(&left.keys)
            .filter_map(|((key, data_type), chunks)| {
                let (least, greatest) = bounds(chunks, data_type)?;
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

/// The least and the greatest key, where keys are stored as integers in the order of their values.
fn bounds(chunks: &Chunks, data_type: &DataType) -> Option<(ScalarValue, ScalarValue)> {
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
