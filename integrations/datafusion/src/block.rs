//! What goes from the threads of a join to those who poll its output.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use join_core::output::Pair;

use crate::columns::Sides;
use crate::job::Question;
use crate::tree::{Forest, Rows};

/// Rows of the output, whose columns are gathered by whoever polls.
pub(crate) enum Block {
    /// Pairs of a join, and the sides whose rows they are.
    Pairs(Vec<Pair>, Arc<Sides>, Arc<Question>),
    /// Rows of a tree of joins, and the leaves whose rows they are.
    Rows(Rows, Arc<Forest>),
    /// Columns of DataFusion's own join.
    Batch(RecordBatch),
}

impl Block {
    /// Its columns.
    pub(crate) fn gather(self) -> Result<RecordBatch> {
        match self {
            Self::Pairs(pairs, sides, question) => question.output.of(sides.both(), &pairs),
            Self::Rows(rows, forest) => forest.output(&rows),
            Self::Batch(batch) => Ok(batch),
        }
    }
}
