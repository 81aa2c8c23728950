//! Rows of a leaf that leaves before it rule out, dropped while the leaf is read.
//!
//! A scan of files makes its batches for the query alone: those rows of them that join nothing take memory, and need not. A batch
//! of which much is left stays as it is, since keeping some of it costs a copy.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Int32Type, Int64Type};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use join_core::memory::Memory;
use plan_executor::{Context, KeyFilter};

use super::shape::{Place, Shape, is_integer};
use crate::job::{Equipment, unjoined};
use crate::keys::{plain, plain_type};
use crate::memory::{Pool, Refusal};
use crate::side::{Chunks, Side};

/// Of a batch from which rows are dropped, at most one in so many stays.
const DROPPED_FROM: usize = 4;

/// Keys that rows of a leaf must have in a column.
pub(super) struct Test {
    column: usize,
    filter: KeyFilter,
}

impl Test {
    /// A test of a column for these keys, which are integers; none where there is no room for it, or nothing to be tested.
    pub(super) fn of(column: usize, keys: &Chunks, context: &Context<'_>) -> Option<Self> {
        let filter = match keys.first()?.data_type() {
            DataType::Int64 => {
                let values = values::<Int64Type>(keys);
                KeyFilter::of_int64(&slices(&values), context)
            }
            _ => {
                let values = values::<Int32Type>(keys);
                KeyFilter::of_int32(&slices(&values), context)
            }
        };
        let filter = filter.ok()??;
        Some(Self { column, filter })
    }

    /// Of which of the columns' rows nothing is known but that they may have such keys.
    ///
    /// # Errors
    ///
    /// Those of Arrow.
    pub(super) fn passes(&self, columns: &[ArrayRef]) -> Result<BooleanBuffer> {
        let keys = plain(&columns[self.column])?;
        let words = match keys.data_type() {
            DataType::Int64 => self
                .filter
                .int64s(keys.as_primitive::<Int64Type>().values()),
            _ => self
                .filter
                .int32s(keys.as_primitive::<Int32Type>().values()),
        };
        let words: Vec<u64> = words.into_iter().map(u64::to_le).collect();
        let passes = BooleanBuffer::new(Buffer::from_vec(words), 0, keys.len());
        Ok(match keys.nulls() {
            Some(nulls) => &passes & nulls.inner(),
            None => passes,
        })
    }
}

/// Keys that rows of a leaf must have, those of leaves before it.
pub(crate) struct Sieve {
    tests: Vec<Test>,
    /// Rows that were dropped.
    dropped: AtomicUsize,
}

impl Sieve {
    /// The sieve of the leaf that follows `leaves`; none where none of its keys that are integers must equal theirs. Where the
    /// pool has no room for a filter there is one less.
    pub(crate) async fn new(
        shape: &Shape,
        leaves: &[Side],
        equipment: &Equipment,
    ) -> Result<Option<Self>> {
        let leaf = leaves.len();
        let schema = shape.leaves[leaf].plan.schema();
        // Of several leaves that a column must equal, the smallest.
        let mut best: Vec<(usize, Place)> = Vec::new();
        for (column, other) in shape.links_back(leaf) {
            if !is_integer(&plain_type(schema.field(column).data_type())) {
                continue;
            }
            match best.iter_mut().find(|(known, _)| *known == column) {
                Some((_, known)) if leaves[other.leaf].rows() < leaves[known.leaf].rows() => {
                    *known = other;
                }
                Some(_) => {}
                None => best.push((column, other)),
            }
        }
        if best.is_empty() {
            return Ok(None);
        }
        let most = best.iter().map(|(_, other)| leaves[other.leaf].rows());
        let team = equipment.team(most.max().unwrap_or(0))?;
        let memory = Memory::lent(Pool {
            reservation: equipment.reserve("JoineryKeys"),
            exchange: None,
            refusal: Refusal::default(),
        });
        let keys = best.into_iter().map(|(column, other)| {
            let key = shape.key_at(other);
            (column, leaves[key.leaf].keys[key.key].clone())
        });
        let keys: Vec<(usize, Chunks)> = keys.collect();
        // Not a worker of the runtime: of many keys it takes a while.
        let filters = SpawnedTask::spawn_blocking(move || {
            let context = Context {
                team: &team,
                memory: &memory,
            };
            let keys = keys.iter();
            let tests = keys.filter_map(|(column, keys)| Test::of(*column, keys, &context));
            tests.collect()
        });
        Ok(Some(Self {
            tests: filters.join().await.map_err(unjoined)?,
            dropped: AtomicUsize::new(0),
        }))
    }

    /// A batch without the rows that join nothing, or as it is where these are not most of it.
    pub(crate) fn keep(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut keeps: Option<BooleanBuffer> = None;
        for test in &self.tests {
            let passes = test.passes(batch.columns())?;
            keeps = Some(match keeps {
                Some(keeps) => &keeps & &passes,
                None => passes,
            });
        }
        let Some(keeps) = keeps else {
            return Ok(batch);
        };
        let kept = keeps.count_set_bits();
        if kept * DROPPED_FROM > rows {
            return Ok(batch);
        }
        self.dropped.fetch_add(rows - kept, Ordering::Relaxed);
        let batch = filter_record_batch(&batch, &BooleanArray::new(keeps, None))?;
        let columns = batch.columns().iter().map(alone);
        let options = RecordBatchOptions::new().with_row_count(Some(kept));
        Ok(RecordBatch::try_new_with_options(
            batch.schema(),
            columns.collect(),
            &options,
        )?)
    }

    /// Rows that were dropped so far.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The values that are not NULL.
fn values<T: ArrowPrimitiveType>(chunks: &Chunks) -> Vec<Cow<'_, [T::Native]>> {
    let chunks = chunks.iter().map(|keys| keys.as_primitive::<T>());
    let values = chunks.map(|keys| match keys.null_count() {
        0 => Cow::Borrowed(&keys.values()[..]),
        _ => Cow::Owned(keys.iter().flatten().collect()),
    });
    values.collect()
}

fn slices<'v, T: Clone>(values: &'v [Cow<'_, [T]>]) -> Vec<&'v [T]> {
    values.iter().map(AsRef::as_ref).collect()
}

/// A column that does not hold on to bytes of strings that it has no more.
fn alone(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => column.clone(),
    }
}
