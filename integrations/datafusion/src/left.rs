//! Joins that are left to DataFusion.

use std::fmt;

use datafusion::arrow::datatypes::DataType;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::keys::comparable;

/// Why a hash join was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A side that has to be collected cannot be.
    Unbounded,
    /// It stops after so many rows by itself.
    Limit,
    /// `NOT IN` whose rows must fulfil a further condition.
    NullAwareCondition,
    /// A key of a type that is made of others.
    KeyType(DataType),
    /// A key of one type on the left and of another one on the right.
    KeyTypes(DataType, DataType),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbounded => f.write_str("an input has no end"),
            Self::Limit => f.write_str("it has a limit of its own"),
            Self::NullAwareCondition => f.write_str("NOT IN with a further condition"),
            Self::KeyType(key) => write!(f, "a key of type {key}"),
            Self::KeyTypes(left, right) => {
                write!(f, "a key of types {left} and {right}")
            }
        }
    }
}

impl Reason {
    /// Why both sides of a join cannot be collected, if they cannot.
    pub(crate) fn not_to_collect(join: &HashJoinExec) -> Option<Self> {
        if join.right().boundedness().is_unbounded() {
            return Some(Self::Unbounded);
        }
        if join.fetch().is_some() {
            return Some(Self::Limit);
        }
        Self::not_to_stream(join)
    }

    /// Why the left side of a join cannot be collected, and the right one stream by, if that cannot be done.
    pub(crate) fn not_to_stream(join: &HashJoinExec) -> Option<Self> {
        if join.left().boundedness().is_unbounded() {
            return Some(Self::Unbounded);
        }
        if join.null_aware && join.filter().is_some() {
            return Some(Self::NullAwareCondition);
        }
        let (left, right) = (join.left().schema(), join.right().schema());
        let mut keys = join.on().iter();
        keys.find_map(|(of_left, of_right)| {
            let left = of_left.data_type(&left).unwrap_or(DataType::Null);
            let right = of_right.data_type(&right).unwrap_or(DataType::Null);
            if left.is_nested() || left == DataType::Null {
                return Some(Self::KeyType(left));
            }
            (!comparable(&left, &right)).then_some(Self::KeyTypes(left, right))
        })
    }
}
