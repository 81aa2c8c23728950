//! The oracle: an executor that is too simple to be wrong.

use std::collections::HashMap;

use join_core::checksum::{Checksum, RowHasher};
use join_core::table::Value;

use crate::{Bundle, Join, Operator};

/// Rows of a node.
pub type Rows<'a> = Vec<Vec<Value<'a>>>;

/// All result rows, in no particular order: every node from first to last, as rows of values. For small bundles.
pub fn execute(bundle: &Bundle) -> Rows<'_> {
    let nodes = bundle.plan().nodes();
    let mut done: Vec<Rows<'_>> = vec![Vec::new(); nodes.len()];
    for &node in bundle.plan().post_order() {
        let wanted = &nodes[node].output;
        done[node] = match nodes[node].operator {
            Operator::Scan(table) => {
                let table = &bundle.tables()[table];
                let columns: Vec<Vec<Value<'_>>> = wanted
                    .iter()
                    .map(|output| table.columns()[output.index].column.values().collect())
                    .collect();
                let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
                (0..table.num_rows()).map(row).collect()
            }
            Operator::Join(join) => {
                let left = std::mem::take(&mut done[join.left]);
                let right = std::mem::take(&mut done[join.right]);
                let mut rows = Vec::new();
                for (left, right) in joined(&left, &right, join) {
                    let both = [&left[..], &right[..]].concat();
                    let wanted = wanted.iter().map(|output| both[output.index].clone());
                    rows.push(wanted.collect());
                }
                rows
            }
        };
    }
    std::mem::take(&mut done[bundle.plan().root()])
}

/// The matching rows of two nodes.
fn joined<'r, 'a>(
    left: &'r Rows<'a>,
    right: &'r Rows<'a>,
    join: Join,
) -> Vec<(&'r Vec<Value<'a>>, &'r Vec<Value<'a>>)> {
    let key = |value: &Value<'_>| match value {
        Value::Int32(key) => Some(i64::from(*key)),
        Value::Int64(key) => Some(*key),
        _ => None,
    };
    let mut by_key: HashMap<i64, Vec<&Vec<Value<'_>>>> = HashMap::new();
    for row in left {
        if let Some(key) = key(&row[join.left_attr]) {
            by_key.entry(key).or_default().push(row);
        }
    }
    let mut pairs = Vec::new();
    for row in right {
        let partners = key(&row[join.right_attr]).and_then(|key| by_key.get(&key));
        for &partner in partners.into_iter().flatten() {
            pairs.push((partner, row));
        }
    }
    pairs
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
