//! The oracle: an executor that is too simple to be wrong.

use std::borrow::Cow;
use std::collections::HashMap;

use join_core::checksum::{Checksum, RowHasher};
use join_core::memory::{Memory, OutOfMemory, Reservation};
use join_core::table::Value;

use crate::{Bundle, Operator};

/// Rows of a node.
pub type Rows<'a> = Vec<Vec<Value<'a>>>;

/// Why the oracle has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// It was to hold fewer rows.
    #[error("node {node} yields more than {limit} rows")]
    Rows {
        /// The node.
        node: usize,
        /// Rows that a node may yield.
        limit: u64,
    },
    /// It was to hold less memory.
    #[error("node {node}: {source}")]
    Memory {
        /// The node.
        node: usize,
        /// What was asked for.
        source: OutOfMemory,
    },
}

/// All result rows, in no particular order: every node from first to last, as rows of values. For small bundles.
pub fn execute(bundle: &Bundle) -> Rows<'_> {
    let rows = execute_within(bundle, u64::MAX, &Memory::unlimited());
    rows.expect("there is no limit")
}

/// The same as far as no node yields more than `limit` rows, and the rows of all nodes that are held at a time fit
/// into `memory`.
///
/// # Errors
/// If a node has more rows, or there is no memory for them.
pub fn execute_within<'a>(
    bundle: &'a Bundle,
    limit: u64,
    memory: &Memory,
) -> Result<Rows<'a>, OracleError> {
    let nodes = bundle.plan().nodes();
    let mut done: Vec<Option<Held<'a>>> = nodes.iter().map(|_| None).collect();
    for &node in bundle.plan().post_order() {
        let mut held = Held::new(node, limit, memory)?;
        let wanted = &nodes[node].output;
        match nodes[node].operator {
            Operator::Scan(table) => {
                let table = &bundle.tables()[table];
                let columns = wanted.iter();
                let mut columns: Vec<_> = columns
                    .map(|output| table.columns()[output.index].column.values())
                    .collect();
                for _ in 0..table.num_rows() {
                    let values = columns.iter_mut().map(|column| column.next());
                    held.push(values.map(|value| value.expect("as many values as rows")))?;
                }
            }
            Operator::Join(join) => {
                let left = done[join.left].take().expect("children come first");
                let right = done[join.right].take().expect("children come first");
                let by_key = by_key(&left.rows, join.left_attr);
                for right in &right.rows {
                    let partners = key(&right[join.right_attr]).and_then(|key| by_key.get(&key));
                    for left in partners.into_iter().flatten() {
                        let both = |index: usize| match index.checked_sub(left.len()) {
                            None => left[index].clone(),
                            Some(index) => right[index].clone(),
                        };
                        held.push(wanted.iter().map(|output| both(output.index)))?;
                    }
                }
            }
        }
        done[node] = Some(held);
    }
    let root = done[bundle.plan().root()].take();
    Ok(root.expect("the root is a node").rows)
}

/// Rows of a node, counted.
struct Held<'a> {
    rows: Rows<'a>,
    node: usize,
    limit: u64,
    reservation: Reservation,
}

impl<'a> Held<'a> {
    /// Bytes of a row beside its values: in the list of rows, in the list of those of its key, and what an allocation costs.
    const ROW_BYTES: usize = 96;

    fn new(node: usize, limit: u64, memory: &Memory) -> Result<Held<'a>, OracleError> {
        let reservation = memory.reserve(0);
        Ok(Held {
            rows: Vec::new(),
            node,
            limit,
            reservation: reservation.map_err(|source| OracleError::Memory { node, source })?,
        })
    }

    fn push(&mut self, row: impl ExactSizeIterator<Item = Value<'a>>) -> Result<(), OracleError> {
        let Held { node, limit, .. } = *self;
        if self.rows.len() as u64 >= limit {
            return Err(OracleError::Rows { node, limit });
        }
        let row: Vec<Value<'_>> = row.collect();
        let owned = row.iter().map(|value| match value {
            Value::Varchar(Cow::Owned(text)) => text.len(),
            _ => 0,
        });
        let bytes = Self::ROW_BYTES + size_of_val(&row[..]) + owned.sum::<usize>();
        let grown = self.reservation.grow(bytes);
        grown.map_err(|source| OracleError::Memory { node, source })?;
        self.rows.push(row);
        Ok(())
    }
}

fn key(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int32(key) => Some(i64::from(*key)),
        Value::Int64(key) => Some(*key),
        _ => None,
    }
}

/// The rows of each key.
fn by_key<'r, 'a>(rows: &'r Rows<'a>, attr: usize) -> HashMap<i64, Vec<&'r Vec<Value<'a>>>> {
    let mut by_key: HashMap<i64, Vec<&Vec<Value<'_>>>> = HashMap::new();
    for row in rows {
        if let Some(key) = key(&row[attr]) {
            by_key.entry(key).or_default().push(row);
        }
    }
    by_key
}

/// The order-independent checksum of rows of values.
pub fn checksum(rows: &Rows<'_>) -> Checksum {
    let mut sum = Checksum::default();
    for row in rows {
        let mut hash = RowHasher::new();
        row.iter().for_each(|value| hash.value(value));
        sum += hash;
    }
    sum
}
