//! Rows written to chunks.

use serde::{Deserialize, Serialize};

use crate::record::{IngestRecord, is_time};
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

/// In the order of the records. Those of a clock that stood still are left out.
pub fn summarise(records: &[IngestRecord]) -> Vec<IngestSummary> {
    let mut cells: Vec<Vec<&IngestRecord>> = Vec::new();
    let key = |r: &IngestRecord| (r.rows.clone(), r.workers, r.way.clone());
    for record in records.iter().filter(|record| is_time(record.seconds)) {
        match cells.iter_mut().find(|cell| key(cell[0]) == key(record)) {
            Some(cell) => cell.push(record),
            None => cells.push(vec![record]),
        }
    }
    let rounds = |cell: &[&IngestRecord]| -> Vec<(u32, f64)> {
        cell.iter().map(|r| (r.round, r.seconds)).collect()
    };
    let summary = |cell: &Vec<&IngestRecord>| {
        let IngestRecord {
            rows, way, workers, ..
        } = cell[0];
        let copy = cells
            .iter()
            .find(|other| key(other[0]) == (rows.clone(), *workers, COPY.into()))?;
        let name = format!("ingest {rows} {way} {workers}");
        let speeds: Vec<f64> = cell.iter().map(|r| r.bytes as f64 / r.seconds).collect();
        let last = cell.last()?;
        Some(IngestSummary {
            rows: rows.clone(),
            way: way.clone(),
            workers: *workers,
            samples: cell.len(),
            bytes_per_second: stats::interval(&speeds, &name)?,
            of_copy: stats::paired_ratio(rounds(copy), rounds(cell), &name)?,
            row_count: last.row_count,
            split_rows: last.split_rows,
            empty: last.reserved.saturating_sub(last.bytes) as f64 / last.reserved.max(1) as f64,
        })
    };
    cells.iter().filter_map(summary).collect()
}
