//! Whole plans: their part of a run's page, and the report of a run of plans alone.

use std::path::{Path, PathBuf};

use super::html::{Table, escape, shell_word};
use super::page::{figures, findings};
use super::{PAGE_FILE, STYLE, json, tables as run_tables, write as write_file};
use crate::charts::{self, scale};
use crate::plain::plain;
use crate::plans::{Arm, Kind, PLANS_FILE, PlanRun};
use crate::record::{RecordError, read_regular};
use crate::stats::Interval;

/// What the numbers of plans are.
pub(super) const INTRODUCTION: &str = "<p>Plans of scans and joins over paged tables, to a paged result; a peer makes a table of its own in memory. Each \
     execution starts from the tables: nothing that was read or built is kept, but memory is. All take turns on a plan; a \
     turn begins with executions of at least 10 ms that do not count. Answers (rows and checksum) are equal, or stand \
     below as failures.</p>";

/// Reads what a folder holds of plans, if it does.
pub(super) fn read(dir: &Path) -> Result<Option<PlanRun>, RecordError> {
    let path = dir.join(PLANS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = read_regular(&path)?;
    let wrong = |line: usize, message: &str| RecordError::Plans {
        path: path.clone(),
        line,
        message: plain(message),
    };
    let run: PlanRun =
        serde_json::from_slice(&text).map_err(|error| wrong(error.line(), &error.to_string()))?;
    match run.fault() {
        Some(fault) => Err(wrong(1, &fault)),
        None => Ok(Some(run)),
    }
}

/// Writes what was measured of plans into folder `dir`, which is made if needed.
///
/// # Errors
/// A file cannot be written.
pub fn write(dir: &Path, run: &PlanRun) -> Result<(), RecordError> {
    std::fs::create_dir_all(dir).map_err(|error| RecordError::io(dir, error))?;
    write_file(dir, PLANS_FILE, &json(run)).map(drop)
}

/// Writes charts and page.
pub(super) fn draw(dir: &Path, run: &PlanRun) -> Result<PathBuf, RecordError> {
    let charts = charts::plans::draw_all(run);
    for chart in charts.iter().flatten() {
        write_file(dir, &format!("{}.svg", chart.name), &chart.svg)?;
    }
    let words: Vec<String> = run.command.iter().map(|word| shell_word(word)).collect();
    let notes = run.notes.iter();
    let notes: String = notes
        .map(|note| format!("<li>{}</li>\n", escape(note)))
        .collect();
    let mut machine = run_tables::machine(&run.environment);
    machine.row(&[&"started", &run.started]);
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Joinery: whole plans</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
         <h1>Whole plans</h1>\n{INTRODUCTION}\n<h2>Findings</h2>\n<ul>\n{}{notes}</ul>\n<h2>Charts</h2>\n{}{}\
         <h2>Machine and build</h2>\n{}<h2>How to run it again</h2>\n<pre>cargo run -p harness -- {}</pre>\n\
         </main></body></html>\n",
        findings(&charts),
        figures(&charts),
        tables(run),
        machine.html(),
        escape(&words.join(" ")),
    );
    // The page comes last: where it is, the rest is.
    write_file(dir, PAGE_FILE, &page)
}

/// All arms, every plan, and what failed.
pub(super) fn tables(run: &PlanRun) -> String {
    let failures = failures(run);
    let failures = match failures.is_empty() {
        true => String::new(),
        false => format!("<h3>What failed</h3>\n{failures}"),
    };
    format!(
        "<h3>All plans together</h3>\n{}{failures}<details><summary>Every plan: medians in ms with 95 % intervals</summary>\n{}\
         </details>\n",
        arms(run),
        plans(run)
    )
}

fn arms(run: &PlanRun) -> String {
    let mut table = Table::new(&[
        "executor",
        "#plans",
        "#total",
        "#geometric mean",
        "#cold total",
        "#peak",
        "#total : first",
        "#geometric mean : first",
    ]);
    for arm in &run.arms {
        let summary = &arm.summary;
        let ratio = |of: Option<Interval>| of.map_or_else(String::new, interval_text);
        let peak = arm
            .bundles
            .iter()
            .flatten()
            .filter_map(|measured| measured.peak_bytes);
        table.row(&[
            &arm.name,
            &summary.bundles,
            &scale::seconds(summary.total_seconds),
            &scale::seconds(summary.geometric_mean_seconds),
            &scale::seconds(summary.cold_total_seconds),
            &peak
                .max()
                .map_or_else(String::new, |bytes| scale::bytes(bytes as f64)),
            &ratio(summary.over_first.map(|over| over.total)),
            &ratio(summary.over_first.map(|over| over.geometric_mean)),
        ]);
    }
    table.html()
}

fn interval_text(ratio: Interval) -> String {
    format!("×{}", with_ends(ratio))
}

/// A median and its interval, which a single sample does not have.
fn with_ends(interval: Interval) -> String {
    let [median, low, high] = [interval.median, interval.low, interval.high].map(scale::short);
    match interval.is_wide() {
        true => format!("{median} [{low}, {high}]"),
        false => median,
    }
}

fn plans(run: &PlanRun) -> String {
    let engines: Vec<&Arm> = run
        .arms
        .iter()
        .filter(|arm| matches!(arm.kind, Kind::Executor | Kind::Peer))
        .collect();
    let names = engines.iter().map(|arm| format!("#{}", arm.name));
    let head: Vec<String> = ["plan", "#rows", "checksum"]
        .map(str::to_owned)
        .into_iter()
        .chain(names)
        .collect();
    let mut table = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for (at, first) in run.arms[0].bundles.iter().enumerate() {
        let Some(first) = first else { continue };
        let times = engines.iter().map(|arm| {
            arm.bundles[at]
                .as_ref()
                .map_or_else(String::new, |measured| {
                    with_ends(measured.seconds.scaled(1e3))
                })
        });
        let mut row = vec![
            escape(&first.bundle),
            first.rows.to_string(),
            first.checksum.to_string(),
        ];
        row.extend(times);
        table.html_row(row);
    }
    table.html()
}

fn failures(run: &PlanRun) -> String {
    let mut table = Table::new(&["executor", "plan", "error"]);
    for failure in &run.failures {
        table.row(&[&failure.arm, &failure.bundle, &failure.error]);
    }
    table.html()
}
