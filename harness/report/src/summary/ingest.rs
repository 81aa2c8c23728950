//! Rows written to chunks.

use serde::{Deserialize, Serialize};

use super::{Cell, Cells};
use crate::record::{INGEST, RESERVED, ROWS, SPLIT_ROWS, SampleRecord};
use crate::stats::{self, Interval};

/// The copying of `harness limits`, with plain stores.
pub const COPY: &str = "copy";
/// The copying of `harness limits`, with stores that go past the caches.
pub const COPY_STREAMING: &str = "copy-streaming";

/// One way of writing rows of one kind with some workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IngestSummary {
    /// The kind of rows.
    pub rows: String,
    /// A placement, or how they were copied.
    pub way: String,
    /// Threads that worked at once.
    pub workers: u32,
    /// How many measurements.
    pub samples: usize,
    /// Bytes of rows, all workers together. Copying is counted once, not as read and written.
    pub bytes_per_second: Interval,
    /// The same over that of the copying of `harness limits`, paired within rounds.
    pub of_copy: Interval,
    /// Rows that were written.
    pub row_count: u64,
    /// Those of them that lie in two flushes.
    pub split_rows: u64,
    /// The share of the address space that stays empty.
    pub empty: f64,
}

/// By workload, workers and way.
pub(super) fn summarise(cells: &Cells<'_>) -> Vec<IngestSummary> {
    let is_ingest = |cell: &Cell<'_, '_>| cell.workload().experiment == INGEST;
    let mut found: Vec<Cell<'_, '_>> = cells.iter().filter(is_ingest).collect();
    found.sort_by_key(Cell::threads);
    // The workloads in their order again.
    found.sort_by_key(|cell| cell.workload_number());
    found.iter().filter_map(|cell| of(cells, cell)).collect()
}

fn of(cells: &Cells<'_>, cell: &Cell<'_, '_>) -> Option<IngestSummary> {
    let workload = &cell.workload().name;
    let rows = workload.strip_prefix("ingest-").unwrap_or(workload);
    let (way, workers) = (cell.variant(), cell.threads());
    let copy = cells.default_of(workload, COPY, workers)?;
    let samples: Vec<&SampleRecord> = cell.samples().collect();
    let bytes = |sample: &SampleRecord| sample.bytes.unwrap_or(0);
    let speeds: Vec<f64> = samples
        .iter()
        .map(|sample| bytes(sample) as f64 / sample.seconds)
        .collect();
    let last = samples.last()?;
    let counter = |name: &str| last.counters.get(name).copied().unwrap_or(0);
    let (reserved, bytes) = (counter(RESERVED), bytes(last));
    Some(IngestSummary {
        rows: rows.to_owned(),
        way: way.to_owned(),
        workers,
        samples: samples.len(),
        bytes_per_second: stats::interval(&speeds, cell.looks())?,
        of_copy: stats::paired_ratio(copy.rounds(), cell.rounds(), cell.looks())?,
        row_count: counter(ROWS),
        split_rows: counter(SPLIT_ROWS),
        empty: reserved.saturating_sub(bytes) as f64 / reserved.max(1) as f64,
    })
}
