//! What can be wrong with a bundle.

use std::io;
use std::path::PathBuf;

use join_core::page::DataType;
use join_core::table::TableError;

use super::MOST_PLAN_BYTES;

/// A bundle that cannot be read or written. One line: what, where, and how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The plan cannot be read.
    #[error("cannot read {}: {source}; name a folder that holds a plan.json", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The plan is no regular file.
    #[error("{} is no regular file; put the plan itself there", .path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The plan is longer than any plan.
    #[error(
        "{} has {bytes} bytes, and a plan at most {MOST_PLAN_BYTES}; name a folder that holds a plan.json",
        .path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        bytes: u64,
    },
    /// The plan is no JSON, or lacks something.
    #[error("{}: {source}; compare it with docs/plans.md", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// The plan makes no sense.
    #[error("{}: {error}", .path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What and where.
        error: PlanError,
    },
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What is wrong with a plan. One line: what, where, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No such root.
    #[error("root is node {root}, but there are {nodes} nodes; name one of them, counted from 0")]
    Root {
        /// The root.
        root: usize,
        /// The number of nodes.
        nodes: usize,
    },
    /// A node that is neither one nor the other.
    #[error("node {node} must be either a \"scan\" or a \"join\", and is {found}")]
    Operator {
        /// The node.
        node: usize,
        /// What it is.
        found: &'static str,
    },
    /// A scan of a table that is not there.
    #[error(
        "node {node} scans table {table}, but there are {tables}; name one of them, counted from 0"
    )]
    Table {
        /// The node.
        node: usize,
        /// The table.
        table: usize,
        /// The number of tables.
        tables: usize,
    },
    /// A join of a node that is not there.
    #[error(
        "node {node} joins node {child}, but there are {nodes} nodes; name one of them, counted from 0"
    )]
    Child {
        /// The node.
        node: usize,
        /// The child.
        child: usize,
        /// The number of nodes.
        nodes: usize,
    },
    /// A node that is the child of two joins, or of one twice.
    #[error(
        "node {child} is a child of node {first} and again of node {second}; a plan is a tree, so write the node twice"
    )]
    Shared {
        /// The node.
        child: usize,
        /// Its first parent.
        first: usize,
        /// Its second parent.
        second: usize,
    },
    /// A node that is its own ancestor.
    #[error(
        "node {node} is its own ancestor; a plan is a tree, so its joins must not lead in a circle"
    )]
    Cycle {
        /// The node.
        node: usize,
    },
    /// A node that the root does not need.
    #[error(
        "node {node} is no part of the tree under the root, node {root}; remove it or name the right root"
    )]
    Unused {
        /// The node.
        node: usize,
        /// The root.
        root: usize,
    },
    /// A column that the input does not have.
    #[error(
        "node {node}, {what}: column {index}, but {input} has {columns}; name one of them, counted from 0"
    )]
    Column {
        /// The node.
        node: usize,
        /// Where in the node.
        what: String,
        /// The column.
        index: usize,
        /// What the column is taken from.
        input: String,
        /// The number of columns there.
        columns: usize,
    },
    /// A column of another type.
    #[error("node {node}, {what}: column {index} is {found}, not {declared}; fix the type")]
    OutputType {
        /// The node.
        node: usize,
        /// Where in the node.
        what: String,
        /// The column.
        index: usize,
        /// The type that the plan says.
        declared: DataType,
        /// The type that it has.
        found: DataType,
    },
    /// Keys that cannot be compared.
    #[error("node {node} joins {left} with {right} keys; both must be INT32, or both INT64")]
    KeyTypes {
        /// The node.
        node: usize,
        /// Type of the left key.
        left: DataType,
        /// Type of the right key.
        right: DataType,
    },
}
