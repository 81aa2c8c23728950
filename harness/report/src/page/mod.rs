//! Draws a run: everything that stands beside `samples.jsonl` in a run's folder is made here, from
//! that file alone, byte for byte the same each time.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::charts::{self, Chart, LeftOut};
use crate::duel;
pub use crate::html::PAGE_FILE;
use crate::html::{json, write};
use crate::plans::PlanRun;
use crate::record::{
    Environment, JOIN, Lock, RecordError, Run, RunRecord, SAMPLES_FILE, Size, read_run,
};
use crate::summary::{Cells, SUMMARY_FILE, Summary, summarise_cells};

mod disturbed;
mod document;
mod noise;
pub(crate) mod plans;
pub(crate) mod tables;

/// The file of a run's folder that says on what it was measured.
pub const ENVIRONMENT_FILE: &str = "environment.json";

/// `environment.json`.
#[derive(Debug, Serialize)]
struct EnvironmentFile<'a> {
    schema: u32,
    id: &'a str,
    started: &'a str,
    seed: u64,
    size: Size,
    modes: &'a [String],
    threads: &'a [u32],
    command: &'a [String],
    #[serde(flatten)]
    environment: &'a Environment,
}

/// Writes `summary.json`, `environment.json`, the charts and `index.html` of the run in `dir`;
/// returns the path of the page. Each file appears whole or not at all.
///
/// # Errors
/// The records cannot be read, or a file cannot be written.
pub fn draw(dir: &Path) -> Result<PathBuf, RecordError> {
    let run = read_run(dir)?;
    if !run.builds.is_empty() {
        return duel::draw(dir, &run);
    }
    let drawn = Drawn::new(&run);
    write(dir, SUMMARY_FILE, &json(&drawn.summary))?;
    write(dir, ENVIRONMENT_FILE, &json(&environment(&run.run)))?;
    for Chart { name, svg, csv, .. } in drawn.charts() {
        write(dir, &format!("{name}.svg"), svg)?;
        write(dir, &format!("{name}.csv"), csv)?;
    }
    // The page comes last: where it is, the rest is.
    write(dir, PAGE_FILE, &document::page(&run, &drawn))
}

/// A run's summary, and its charts.
#[derive(Debug)]
pub struct Drawn {
    /// Of all cells.
    pub summary: Summary,
    /// The joins alone, and their summary, by whose controls their charts judge; none where there are no joins.
    joins: Option<(Run, Summary)>,
    /// Of joins and of the ingest.
    pub charts: Charts,
    plans: Option<PlanRun>,
    /// Of whole plans.
    pub plan_charts: Charts,
    once: Option<PlanRun>,
    /// Of whole plans that were executed once in a process.
    pub once_charts: Charts,
    queries: Option<PlanRun>,
    /// Of queries in an engine.
    pub query_charts: Charts,
}

/// Charts, or why they are missing.
pub type Charts = Vec<Result<Chart, LeftOut>>;

impl Drawn {
    /// Summarises and draws a run.
    pub fn new(run: &Run) -> Self {
        let summary = summarise_cells(run, &Cells::new(run));
        let joins = run.part(JOIN);
        let cells = Cells::new(&joins);
        let of_joins = Summary {
            ingest: summary.ingest.clone(),
            ..summarise_cells(&joins, &cells)
        };
        let has_joins = !joins.workloads.is_empty();
        let charts = match (has_joins, summary.ingest.is_empty()) {
            (true, _) => charts::draw_all(&joins, &of_joins, &cells),
            (false, false) => vec![charts::ingest::draw(&summary.ingest)],
            (false, true) => Vec::new(),
        };
        let (plans, once) = (PlanRun::from_run(run), PlanRun::once(run));
        let queries = PlanRun::queries(run);
        Self {
            summary,
            joins: has_joins.then(|| (joins.clone(), of_joins)),
            charts,
            plan_charts: plans.as_ref().map_or(Vec::new(), charts::plans::draw_all),
            once_charts: once.as_ref().map_or(Vec::new(), |once| {
                charts::plans::draw_once(once, plans.as_ref())
            }),
            plans,
            once,
            query_charts: queries
                .as_ref()
                .map_or(Vec::new(), charts::queries::draw_all),
            queries,
        }
    }

    fn charts(&self) -> impl Iterator<Item = &Chart> {
        let plans = self.once_charts.iter().chain(&self.plan_charts);
        let whole = plans.chain(&self.query_charts);
        self.charts.iter().chain(whole).flatten()
    }
}

/// [`draw`]s a run that no process goes on with meanwhile.
///
/// # Errors
/// Another process writes into the folder, or as [`draw`].
pub fn redraw(dir: &Path) -> Result<PathBuf, RecordError> {
    let _lock = match dir.join(SAMPLES_FILE).exists() {
        true => Some(Lock::reading(dir)?),
        false => None,
    };
    draw(dir)
}

fn environment(run: &RunRecord) -> EnvironmentFile<'_> {
    EnvironmentFile {
        schema: 1,
        id: &run.id,
        started: &run.started,
        seed: run.seed,
        size: run.size,
        modes: &run.modes,
        threads: &run.threads,
        command: &run.command,
        environment: &run.environment,
    }
}
