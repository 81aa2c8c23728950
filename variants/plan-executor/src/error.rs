//! Why a plan could not be executed.

use join_core::join::JoinError;
use join_core::memory::OutOfMemory;

/// Rows that a result holds at most: a count of `u32::MAX` may stand for more.
const MOST_ROWS: u64 = u32::MAX as u64 - 1;

/// A plan that could not be executed. One line: what, where, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// Memory ran out, or the limit was reached.
    #[error("node {node}: {source}")]
    Memory {
        /// The node that was executed.
        node: usize,
        /// What was asked for.
        source: OutOfMemory,
    },
    /// A join that failed.
    #[error("node {node}: {source}")]
    Join {
        /// The node.
        node: usize,
        /// Why.
        source: JoinError,
    },
    /// More rows than row ids.
    #[error(
        "node {node} yields {rows} rows or more; results hold at most {MOST_ROWS}, so make the inputs smaller"
    )]
    TooManyRows {
        /// The node.
        node: usize,
        /// Its rows, as far as they were counted.
        rows: u64,
    },
}

impl ExecuteError {
    /// Refuses a result of more rows than there are row ids.
    pub(crate) fn refuse_beyond_limit(node: usize, rows: u64) -> Result<(), ExecuteError> {
        match rows {
            ..=MOST_ROWS => Ok(()),
            _ => Err(ExecuteError::TooManyRows { node, rows }),
        }
    }

    /// Says at which node memory ran out.
    pub(crate) fn memory(node: usize) -> impl Fn(OutOfMemory) -> ExecuteError {
        move |source| ExecuteError::Memory { node, source }
    }

    /// Says which node's join failed.
    pub(crate) fn join(node: usize) -> impl Fn(JoinError) -> ExecuteError {
        move |source| match source {
            JoinError::OutOfMemory(source) => ExecuteError::Memory { node, source },
            source => ExecuteError::Join { node, source },
        }
    }
}
