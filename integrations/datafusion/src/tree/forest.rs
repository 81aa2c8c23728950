//! The leaves of a tree, and rows of its output as rows of them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;

use super::shape::{Place, Residual};
use crate::keys::{self, Nulls};
use crate::side::{Places, Side};

/// Rows of the output: of each leaf that matters to it, the row.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// Of each leaf, none for one that does not matter.
    pub(crate) of: Vec<Vec<u32>>,
}

impl Rows {
    /// No rows of so many leaves.
    pub(crate) fn none(leaves: usize) -> Self {
        Self {
            count: 0,
            of: vec![Vec::new(); leaves],
        }
    }

    /// Keeps those of which it is true.
    fn retain(&mut self, keeps: &BooleanArray) {
        let keeps = || keeps.iter().map(|keeps| keeps == Some(true));
        for rows in &mut self.of {
            let mut keeps = keeps();
            rows.retain(|_| keeps.next().expect("a word on each row"));
        }
        self.count = keeps().filter(|&keeps| keeps).count();
    }

    /// Drops those that do not fulfil what they must.
    pub(super) fn sift(
        &mut self,
        leaves: &[&Side],
        checks: &[Check],
        conditions: &[Residual],
    ) -> Result<()> {
        for check in checks {
            if self.count == 0 {
                return Ok(());
            }
            let key = |key: &Key| {
                let leaf = leaves[key.leaf];
                leaf.gather_key(key.key, &leaf.locate(self.of[key.leaf].iter().copied()))
            };
            let [left, right] = check;
            let equal = keys::equal(&key(left)?, &key(right)?, Nulls::MatchNothing)?;
            self.retain(&equal);
        }
        for condition in conditions {
            if self.count == 0 {
                return Ok(());
            }
            let batch = self.gather(leaves, &condition.columns, &condition.schema)?;
            let holds = condition
                .expression
                .evaluate(&batch)?
                .into_array(self.count)?;
            self.retain(holds.as_boolean());
        }
        Ok(())
    }

    /// Columns of the leaves, a row of each for each of these.
    pub(super) fn gather(
        &self,
        leaves: &[&Side],
        columns: &[Place],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        // Where the rows of a leaf lie is found out once for all of its columns.
        let mut places: Vec<Option<Places>> = Vec::new();
        places.resize_with(leaves.len(), || None);
        let gathered = columns.iter().map(|column| {
            let leaf = leaves[column.leaf];
            let places = places[column.leaf]
                .get_or_insert_with(|| leaf.locate(self.of[column.leaf].iter().copied()));
            leaf.gather(column.column, places)
        });
        let gathered = gathered.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        Ok(RecordBatch::try_new_with_options(
            schema.clone(),
            gathered,
            &options,
        )?)
    }

    /// Takes the first `count` rows out.
    pub(crate) fn take_first(&mut self, count: usize) -> Self {
        self.count -= count;
        let first = |rows: &mut Vec<u32>| {
            let rest = rows.split_off(count.min(rows.len()));
            std::mem::replace(rows, rest)
        };
        Self {
            count,
            of: self.of.iter_mut().map(first).collect(),
        }
    }

    /// Adds others.
    pub(crate) fn append(&mut self, others: &mut Self) {
        self.count += others.count;
        others.count = 0;
        for (rows, others) in self.of.iter_mut().zip(&mut others.of) {
            rows.append(others);
        }
    }
}

/// Columns, one of each leaf, that must be equal though the tree's own keys do not see to it.
pub(crate) type Check = [Key; 2];

/// A key of a leaf, by its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) leaf: usize,
    pub(crate) key: usize,
}

/// Leaves, collected, and what is made of their rows.
pub(crate) struct Forest {
    pub(crate) leaves: Vec<Side>,
    pub(crate) checks: Vec<Check>,
    pub(crate) conditions: Vec<Residual>,
    pub(crate) columns: Vec<Place>,
    pub(crate) schema: SchemaRef,
    /// The bytes that are reserved for the leaves, given back with the last batch that is gathered.
    pub(crate) reservations: Vec<Arc<MemoryReservation>>,
}

impl Forest {
    /// Whether each leaf matters to the output, or to what its rows must fulfil.
    pub(crate) fn matters(&self) -> Vec<bool> {
        let mut matters = vec![false; self.leaves.len()];
        let checks = self.checks.iter().flatten().map(|key| key.leaf);
        let conditions = self.conditions.iter().flat_map(|c| &c.columns);
        let places = conditions.chain(&self.columns).map(|place| place.leaf);
        checks.chain(places).for_each(|leaf| matters[leaf] = true);
        matters
    }

    /// Drops the rows that do not fulfil what they must.
    pub(crate) fn sift(&self, rows: &mut Rows) -> Result<()> {
        let leaves: Vec<&Side> = self.leaves.iter().collect();
        rows.sift(&leaves, &self.checks, &self.conditions)
    }

    /// The columns of the output.
    pub(crate) fn output(&self, rows: &Rows) -> Result<RecordBatch> {
        let leaves: Vec<&Side> = self.leaves.iter().collect();
        rows.gather(&leaves, &self.columns, &self.schema)
    }
}
