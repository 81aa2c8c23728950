//! What pairs must fulfil beside equal keys, or equal hashes of them.

use std::sync::{Mutex, PoisonError};

use datafusion::arrow::array::{Array, AsArray, BooleanArray};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::joins::utils::JoinKeyComparator;
use join_core::output::{Enough, Pair, PairFilter};

use crate::block::Block;
use crate::columns::{Columns, Sides};
use crate::exchange::{Exchange, lock};
use crate::side::Side;

/// A residual condition.
pub(crate) struct Condition {
    /// What it says.
    pub(crate) expression: PhysicalExprRef,
    /// The columns that it looks at.
    pub(crate) columns: Columns,
}

impl Condition {
    /// Moves the pairs of which it is true to the front and returns how many they are.
    pub(crate) fn keep(&self, sides: [&Side; 2], pairs: &mut [Pair]) -> Result<usize> {
        let batch = self.columns.of(sides, pairs)?;
        let holds = self.expression.evaluate(&batch)?.into_array(pairs.len())?;
        Ok(retain_true(pairs, holds.as_boolean()))
    }
}

/// Drops pairs whose keys differ, then those that the condition rules out; and, once nobody reads any more, all of them.
pub(crate) struct Sieve<'a> {
    pub(crate) exchange: &'a Exchange<Block>,
    pub(crate) sides: &'a Sides,
    pub(crate) comparator: Option<&'a JoinKeyComparator>,
    pub(crate) condition: Option<&'a Condition>,
    /// Why the condition could not be evaluated.
    pub(crate) failure: Mutex<Option<DataFusionError>>,
}

impl Sieve<'_> {
    /// Why the condition could not be evaluated, if it could not.
    pub(crate) fn failure(self) -> Option<DataFusionError> {
        self.failure
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may drop pairs while somebody reads them.
    pub(crate) fn filters(&self) -> bool {
        self.comparator.is_some() || self.condition.is_some()
    }

    fn is_done(&self) -> bool {
        self.exchange.is_over() || lock(&self.failure).is_some()
    }

    fn fail(&self, error: DataFusionError) -> usize {
        lock(&self.failure).get_or_insert(error);
        0
    }
}

impl PairFilter for Sieve<'_> {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        if self.is_done() {
            return 0;
        }
        let kept = match self.comparator {
            None => pairs.len(),
            Some(comparator) => retain(pairs, |pair| {
                comparator.is_equal(pair.build as usize, pair.probe as usize)
            }),
        };
        match self.condition {
            Some(condition) if kept > 0 => condition
                .keep(self.sides.both(), &mut pairs[..kept])
                .unwrap_or_else(|error| self.fail(error)),
            _ => kept,
        }
    }

    fn enough(&self) -> Enough {
        match self.is_done() {
            true => Enough::None,
            false => Enough::All,
        }
    }
}

/// Moves the pairs of which it is true to the front, in order, and returns how many they are.
pub(crate) fn retain_true(pairs: &mut [Pair], is_true: &BooleanArray) -> usize {
    let mut row = 0;
    retain(pairs, |_| {
        row += 1;
        is_true.is_valid(row - 1) && is_true.value(row - 1)
    })
}

/// Moves the pairs that stay to the front, in order, and returns how many they are.
fn retain(pairs: &mut [Pair], mut stays: impl FnMut(&Pair) -> bool) -> usize {
    let mut kept = 0;
    for row in 0..pairs.len() {
        let pair = pairs[row];
        pairs[kept] = pair;
        kept += usize::from(stays(&pair));
    }
    kept
}
