//! Charts of a run, as SVG documents. Each is a function of the records and their summary alone.
//!
//! One file a chart; `frame`, `rows` and `lines` hold what they share.

use crate::record::{Run, WorkloadRecord};
use crate::summary::{Cell, CellSummary, Cells, Summary};

pub mod canvas;
pub mod csv;
pub mod curves;
pub mod frame;
pub mod lines;
pub mod plans;
pub mod rows;
pub mod scale;
pub mod steps;
pub mod style;
pub mod text;

mod ablation;
mod builds;
pub(crate) mod ingest;
mod memory;
mod overview;
mod payload;
mod phases;
mod scaling;
mod tags;
mod throughput;
mod times;
mod zero_copy;

/// A drawn chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// File name without `.svg`.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// The document.
    pub svg: String,
    /// The data, as CSV.
    pub csv: String,
    /// What it says, in a sentence made from the data.
    pub finding: String,
    /// How to read it.
    pub reading: &'static str,
}

/// A chart that the run has no data for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it would have shown.
    pub title: &'static str,
    /// What is missing.
    pub reason: String,
}

/// What charts are made from.
#[derive(Debug)]
pub struct Data<'a> {
    run: &'a Run,
    summary: &'a Summary,
    cells: &'a Cells<'a>,
    styles: style::Styles,
}

/// Draws every chart of joins and of the ingest that the run has data for.
pub(crate) fn draw_all(
    run: &Run,
    summary: &Summary,
    cells: &Cells<'_>,
) -> Vec<Result<Chart, LeftOut>> {
    let data = Data::new(run, summary, cells);
    let charts = [
        overview::draw,
        times::draw,
        throughput::draw,
        builds::draw,
        phases::draw,
        ablation::draw,
        scaling::draw,
        zero_copy::draw,
        tags::draw,
        memory::draw,
        ingest_of_run,
    ]
    .map(|draw| draw(&data));
    // Few runs have payloads: of the others nothing is missing.
    let payload = payload::is_measured(&data).then(|| payload::draw(&data));
    charts.into_iter().chain(payload).collect()
}

fn ingest_of_run(data: &Data<'_>) -> Result<Chart, LeftOut> {
    ingest::draw(&data.summary.ingest)
}

impl<'a> Data<'a> {
    fn new(run: &'a Run, summary: &'a Summary, cells: &'a Cells<'a>) -> Self {
        let mut peers: Vec<&str> = summary.peers.iter().map(|p| p.variant.as_str()).collect();
        peers.sort_unstable();
        peers.dedup();
        let names = run.variants.iter().map(|v| v.name.as_str());
        Self {
            run,
            summary,
            cells,
            styles: style::Styles::new(names, &peers),
        }
    }

    /// Thread counts that were measured, ascending.
    fn threads(&self) -> Vec<u32> {
        let mut threads: Vec<u32> = self.cells.iter().map(|c| c.threads()).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }

    /// The greatest thread count.
    fn most_threads(&self) -> u32 {
        self.threads().last().copied().unwrap_or(1)
    }

    /// Workloads that are not rungs of a ladder.
    fn workloads(&self) -> impl Iterator<Item = &'a WorkloadRecord> + use<'a> {
        self.run.workloads.iter().filter(|w| w.group.is_none())
    }

    /// Rungs of ladders, smallest first.
    fn rungs(&self) -> Vec<&'a WorkloadRecord> {
        let rungs = self.run.workloads.iter().filter(|w| w.group.is_some());
        let mut rungs: Vec<_> = rungs.collect();
        rungs.sort_by_key(|w| w.build_rows);
        rungs
    }

    /// Cells of a workload in the default configuration, each at its best number of threads, fastest first.
    fn at_best(&self, workload: &str) -> Vec<(&'a CellSummary, Cell<'_, 'a>)> {
        let cells = self.summary.at_best(workload).into_iter();
        let found = cells.filter_map(|summary| {
            let cell = self
                .cells
                .default_of(workload, &summary.variant, summary.threads)?;
            Some((summary, cell))
        });
        found.collect()
    }

    /// The noise floor of the run.
    fn floor(&self) -> f64 {
        self.summary.noise_floor.floor.unwrap_or(0.0)
    }
}

/// `1 thread`, `2 threads`.
pub fn threads_text(threads: u32) -> String {
    count_text(threads as usize, "thread")
}

/// One of a thing, or several.
pub(crate) fn count_text(number: usize, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

/// The shaded range of ratios that are within the noise.
fn noise_band(floor: f64) -> Option<(f64, f64)> {
    (floor > 0.0).then(|| (1.0 / (1.0 + floor), 1.0 + floor))
}
