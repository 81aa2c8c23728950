//! What goes from the work of a join to those who poll its output.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use join_core::output::Pair;

use crate::columns::Sides;
use crate::job::Question;
use crate::tree::{Forest, Rows};

/// A part of the output. Columns are gathered, and streams polled, by whoever takes it.
pub(crate) enum Block {
    /// Pairs of a join, and the sides whose rows they are.
    Pairs(Vec<Pair>, Arc<Sides>, Arc<Question>),
    /// Rows of a tree of joins, and the leaves whose rows they are.
    Rows(Rows, Arc<Forest>),
    /// All that this stream has.
    Stream(SendableRecordBatchStream),
}
