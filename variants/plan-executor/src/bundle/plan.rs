//! A plan: a tree of scans and joins.

use std::borrow::Cow;

use join_core::page::DataType;
use serde::{Deserialize, Serialize};

use super::PlanError;
use super::file::NodeLine;

/// One column of a node's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Scan: column of the table. Join: the left child's columns first, then the right child's.
    pub index: usize,
    /// Its type.
    pub data_type: DataType,
}

/// An inner equi-join of two nodes; NULL joins nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Whether the planner would build the table of the left child.
    pub build_left: bool,
    /// The left child.
    pub left: usize,
    /// The right child.
    pub right: usize,
    /// The key in the left child's output.
    pub left_attr: usize,
    /// The key in the right child's output.
    pub right_attr: usize,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Reads a table.
    Scan(usize),
    /// Joins two nodes.
    Join(Join),
}

/// A node of a plan. Serialises as in `plan.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "NodeLine")]
pub struct Node {
    /// What it does.
    pub operator: Operator,
    /// What it yields.
    pub output: Vec<Output>,
}

/// A plan that has been checked: every index is in range, types match, and the nodes are one tree.
#[derive(Clone, Debug)]
pub struct Plan {
    nodes: Vec<Node>,
    root: usize,
    /// All nodes, children before parents.
    post_order: Vec<usize>,
}

impl Plan {
    /// Checks that `nodes` are one tree under `root` over tables with columns of these types.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(nodes: Vec<Node>, root: usize, tables: &[Vec<DataType>]) -> Result<Plan, PlanError> {
        let post_order = post_order(&nodes, root)?;
        for &node in &post_order {
            check_node(&nodes, node, tables)?;
        }
        Ok(Plan {
            nodes,
            root,
            post_order,
        })
    }

    /// The nodes, in the order of the file.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node whose output is the result.
    pub fn root(&self) -> usize {
        self.root
    }

    /// All nodes, children before parents.
    pub fn post_order(&self) -> &[usize] {
        &self.post_order
    }

    /// The types of the result's columns.
    pub fn result_types(&self) -> impl ExactSizeIterator<Item = DataType> + '_ {
        self.nodes[self.root].output.iter().map(|o| o.data_type)
    }
}

/// All nodes, children first; an error unless they are one tree. Without recursion: a file may nest deeply.
fn post_order(nodes: &[Node], root: usize) -> Result<Vec<usize>, PlanError> {
    let count = nodes.len();
    if root >= count {
        return Err(PlanError::Root { root, nodes: count });
    }
    let mut parents: Vec<Option<usize>> = vec![None; count];
    for (node, line) in nodes.iter().enumerate() {
        let Operator::Join(join) = line.operator else {
            continue;
        };
        for child in [join.left, join.right] {
            let parent = parents.get_mut(child).ok_or(PlanError::Child {
                node,
                child,
                nodes: count,
            })?;
            if let Some(first) = parent.replace(node) {
                let second = node;
                return Err(PlanError::Shared {
                    child,
                    first,
                    second,
                });
            }
        }
    }
    if parents[root].is_some() {
        // Every node has one parent at most, so the way up from a root with a parent is a circle or ends elsewhere.
        return Err(ancestor_error(&parents, root, root));
    }
    // Parents first, then turned round.
    let mut order = Vec::with_capacity(count);
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        order.push(node);
        if let Operator::Join(join) = nodes[node].operator {
            open.extend([join.left, join.right]);
        }
    }
    if order.len() < count {
        let mut reached = vec![false; count];
        order.iter().for_each(|&node| reached[node] = true);
        let node = reached.iter().position(|&reached| !reached);
        return Err(ancestor_error(&parents, node.unwrap_or(root), root));
    }
    order.reverse();
    Ok(order)
}

/// Why the way up from `node` does not end at the root.
fn ancestor_error(parents: &[Option<usize>], node: usize, root: usize) -> PlanError {
    let mut at = node;
    for _ in 0..parents.len() {
        match parents[at] {
            Some(parent) => at = parent,
            None if node == root => return PlanError::Unused { node: at, root },
            None => return PlanError::Unused { node, root },
        }
    }
    PlanError::Cycle { node: at }
}

fn check_node(nodes: &[Node], node: usize, tables: &[Vec<DataType>]) -> Result<(), PlanError> {
    let types = |node: usize| -> Vec<DataType> {
        let output = nodes[node].output.iter();
        output.map(|output| output.data_type).collect()
    };
    let (input, available) = match nodes[node].operator {
        Operator::Scan(table) => {
            let columns = tables.get(table).ok_or(PlanError::Table {
                node,
                table,
                tables: tables.len(),
            })?;
            (format!("table {table}"), Cow::from(columns))
        }
        Operator::Join(join) => {
            let (mut left, right) = (types(join.left), types(join.right));
            let key = |what: &str, index: usize, child: usize, types: &[DataType]| {
                types.get(index).copied().ok_or(PlanError::Column {
                    node,
                    what: what.to_owned(),
                    index,
                    input: format!("node {child}"),
                    columns: types.len(),
                })
            };
            let keys = (
                key("left_attr", join.left_attr, join.left, &left)?,
                key("right_attr", join.right_attr, join.right, &right)?,
            );
            if keys.0 != keys.1 || !matches!(keys.0, DataType::Int32 | DataType::Int64) {
                let (left, right) = keys;
                return Err(PlanError::KeyTypes { node, left, right });
            }
            left.extend(right);
            (
                format!("nodes {} and {}", join.left, join.right),
                Cow::from(left),
            )
        }
    };
    for (place, output) in nodes[node].output.iter().enumerate() {
        let what = format!("output {place}");
        let index = output.index;
        let &found = available.get(index).ok_or_else(|| PlanError::Column {
            node,
            what: what.clone(),
            index,
            input: input.clone(),
            columns: available.len(),
        })?;
        if found != output.data_type {
            return Err(PlanError::OutputType {
                node,
                what,
                index,
                declared: output.data_type,
                found,
            });
        }
    }
    Ok(())
}
