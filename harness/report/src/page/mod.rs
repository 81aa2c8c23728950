//! Draws a run: everything that stands beside `samples.jsonl` in a run's folder is made here, from
//! that file alone, byte for byte the same each time.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::charts::{self, Chart};
use crate::record::{Environment, Lock, RecordError, RunRecord, SAMPLES_FILE, Size, read_run};
use crate::summary::{Cells, SUMMARY_FILE, summarise_cells};

pub mod html;
mod page;
mod peers;
mod plans;
mod tables;

pub use plans::write as write_plans;

/// The looks of every page.
pub(crate) const STYLE: &str = include_str!("page.css");

/// The page of a run's folder.
pub const PAGE_FILE: &str = "index.html";
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
    let plans = plans::read(dir)?;
    if let Some(plans) = &plans
        && !dir.join(SAMPLES_FILE).exists()
    {
        return plans::draw(dir, plans);
    }
    let run = read_run(dir)?;
    let cells = Cells::new(&run);
    let summary = summarise_cells(&run, &cells);
    let charts = charts::draw_all(&run, &summary, &cells);
    let plan_charts = plans.as_ref().map(charts::plans::draw_all);
    write(dir, SUMMARY_FILE, &json(&summary))?;
    write(dir, ENVIRONMENT_FILE, &json(&environment(&run.run)))?;
    for Chart { name, svg, .. } in charts.iter().chain(plan_charts.iter().flatten()).flatten() {
        write(dir, &format!("{name}.svg"), svg)?;
    }
    let plans = plans.as_ref().zip(plan_charts.as_deref());
    // The page comes last: where it is, the rest is.
    write(dir, PAGE_FILE, &page::page(&run, &summary, &charts, plans))
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

/// The value as indented JSON, with a line end.
pub fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("string keys and plain values");
    text.push('\n');
    text
}

/// Writes beside the file, then puts it in its place. No other process writes to the same place beside it.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf, RecordError> {
    let path = dir.join(name);
    let beside = dir.join(format!(".{name}.{}.part", std::process::id()));
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(|e| {
            let _ = std::fs::remove_file(&beside);
            RecordError::io(&path, e)
        })?;
    Ok(path)
}
