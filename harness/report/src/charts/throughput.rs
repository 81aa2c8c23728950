//! Throughput by build size, from the ladder.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header, legend, legend_width};
use super::lines::{self, LinePanel, Series};
use super::{Chart, Data, LeftOut, scale, threads_text};
use crate::limit_model;
use crate::stats::{self, Interval};

const TITLE: &str = "Throughput by build size";
const PLOT: f64 = 300.0;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let names = measured(data);
    if names.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "the ladder was not measured at two build sizes or more".into(),
        });
    }
    // Counts that the ladder was not measured at would be empty panels.
    let has_lines = |threads: &u32| {
        let mut lines = names.iter().map(|name| series(data, name, *threads));
        lines.any(|line| line.points.len() > 1)
    };
    let threads = ends(data.threads().into_iter().filter(has_lines).collect());
    let families = families(data, &names);
    let legend_x = WIDTH - MARGIN - legend_width(names.iter().copied());
    let gap = 16.0;
    let width = (legend_x - gap - MARGIN + gap) / threads.len() as f64 - gap;
    let bytes_per_row = bytes_per_row(data, &names);

    let mut canvas = Canvas::default();
    let explanation = format!(
        "Build and probe tuples per second over the whole join, median with its 95 % interval. \
         Dotted lines: a table of {} bytes per build row fills that cache. Dashed: what memory \
         allows (model). Pale: the variants of the other panels.",
        scale::short(bytes_per_row)
    );
    let mut y = header(&mut canvas, TITLE, &explanation);
    let all: Vec<Vec<Series>> = threads
        .iter()
        .map(|&threads| names.iter().map(|n| series(data, n, threads)).collect())
        .collect();
    let limits: Vec<_> = threads.iter().map(|&t| limit(data, t)).collect();
    let y_range = range(&all, &limits);
    let mut panels = Vec::new();
    for (family, members) in &families {
        for (column, &threads) in threads.iter().enumerate() {
            let all = &all[column];
            let series = names.iter().zip(all).map(|(name, series)| Series {
                background: !members.contains(name),
                ..series.clone()
            });
            let panel = LinePanel {
                title: format!("{family}, {}", threads_text(threads)),
                x_title: "build rows",
                x_label: lines::power_of_two,
                y_title: "M tuples/s".into(),
                unit: lines::millions,
                series: series.filter(|s| !s.points.is_empty()).collect(),
                limit: Some(("limit".into(), limits[column].clone())),
                verticals: caches(data, bytes_per_row),
                band: None,
                y_range,
            };
            let x = MARGIN + column as f64 * (width + gap);
            panel.draw(&mut canvas, (x, y), width, PLOT);
            panels.push(panel);
        }
        let entries: Vec<_> = members.iter().map(|m| (data.styles.of(m), *m)).collect();
        legend(&mut canvas, legend_x, y + 30.0, &entries);
        y += lines::height(PLOT) + 10.0;
    }
    Ok(Chart {
        name: "throughput",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_lines(&panels),
        finding: finding(data, &names),
        reading: "Up is faster. A line that falls at a dotted line pays for leaving that cache; \
                  a line that stays level does not care how large the table is. Small builds \
                  show fixed costs: threads, barriers, allocation.",
    })
}

/// Around all lines, and the lowest of the limits where that is not far above them.
fn range(all: &[Vec<Series>], limits: &[Vec<(f64, f64)>]) -> (f64, f64) {
    let (low, high) = lines::around(all.iter().flatten());
    let lowest = |limit: &Vec<(f64, f64)>| limit.iter().map(|l| l.1).reduce(f64::min);
    let limits = limits.iter().filter_map(lowest).map(|l| l * 1.4);
    (low, limits.fold(high, f64::max).min(high * 4.0))
}

/// The least and the greatest.
pub(super) fn ends(threads: Vec<u32>) -> Vec<u32> {
    let mut ends: Vec<u32> = threads
        .first()
        .into_iter()
        .chain(threads.last())
        .copied()
        .collect();
    ends.dedup();
    ends
}

/// Variants that were measured at two rungs or more, in the order of their records.
fn measured<'a>(data: &Data<'a>) -> Vec<&'a str> {
    let names = data.run.variants.iter().map(|v| v.name.as_str());
    names
        .filter(|name| {
            let threads = data.threads();
            threads
                .iter()
                .any(|&t| series(data, name, t).points.len() > 1)
        })
        .collect()
}

/// Lines that a panel may hold and still be read.
const MOST_LINES: usize = 12;

/// Groups for the panels: families, small ones together with the one before.
fn families<'a>(data: &Data<'a>, names: &[&'a str]) -> Vec<(String, Vec<&'a str>)> {
    let mut families: Vec<(String, Vec<&str>)> = Vec::new();
    for name in names {
        let Some(variant) = data.run.variant(name) else {
            continue;
        };
        match families.iter_mut().find(|f| f.0 == variant.family) {
            Some((_, members)) => members.push(name),
            None => families.push((variant.family.clone(), vec![name])),
        }
    }
    let mut panels: Vec<(String, Vec<&str>)> = Vec::new();
    for (family, members) in families {
        match panels.last_mut() {
            Some((title, lines))
                if members.len() < 3 && lines.len() + members.len() <= MOST_LINES =>
            {
                *title += &format!(" and {family}");
                lines.extend(members);
            }
            _ => panels.push((family, members)),
        }
    }
    panels
}

fn series(data: &Data<'_>, variant: &str, threads: u32) -> Series {
    let rungs = data.rungs();
    let results = data.summary.results.iter().chain(&data.summary.peers);
    let own: Vec<_> = results
        .filter(|r| r.variant == variant && r.threads == threads && r.toggles.is_empty())
        .collect();
    let points = rungs.iter().filter_map(|rung| {
        let result = own.iter().find(|r| r.workload == rung.name)?;
        let tuples = rung.build_rows as f64 + rung.probe_rows as f64;
        Some((
            rung.build_rows as f64,
            result.seconds.reciprocal().scaled(tuples),
        ))
    });
    Series {
        name: variant.to_owned(),
        style: data.styles.of(variant),
        background: false,
        points: points.collect(),
    }
}

fn limit(data: &Data<'_>, threads: u32) -> Vec<(f64, f64)> {
    let environment = &data.run.run.environment;
    let rungs = data.rungs();
    let limit = rungs.iter().filter_map(|rung| {
        let seconds = limit_model::seconds(rung, threads, &data.run.limits, environment)?;
        let tuples = rung.build_rows as f64 + rung.probe_rows as f64;
        Some((rung.build_rows as f64, tuples / seconds))
    });
    limit.collect()
}

/// Median over the variants of what their tables take on the largest rung.
fn bytes_per_row(data: &Data<'_>, names: &[&str]) -> f64 {
    let rungs = data.rungs();
    let largest = rungs.last().map(|r| r.name.as_str());
    let results = data.summary.results.iter();
    let bytes: Vec<f64> = results
        .filter(|r| Some(r.workload.as_str()) == largest && r.toggles.is_empty())
        .filter(|r| names.contains(&r.variant.as_str()))
        .filter_map(|r| Some(r.table_bytes? as f64 / r.build_rows as f64))
        .filter(|bytes| *bytes > 0.0 && bytes.is_finite())
        .collect();
    stats::median(&bytes).unwrap_or(8.0)
}

/// Build rows whose table fills a cache.
pub(super) fn caches(data: &Data<'_>, bytes_per_row: f64) -> Vec<(f64, String)> {
    let caches = &data.run.run.environment.caches;
    let mark = |c: &crate::record::Cache| (c.bytes as f64 / bytes_per_row, format!("L{}", c.level));
    caches.iter().map(mark).collect()
}

fn finding(data: &Data<'_>, names: &[&str]) -> String {
    let threads = data.most_threads();
    let rungs = data.rungs();
    let at = |rows: f64| -> Option<(&str, Interval)> {
        let value = |name: &&'_ str| {
            let points = series(data, name, threads).points;
            points.into_iter().find(|p| p.0 == rows).map(|p| p.1)
        };
        let all = names.iter().filter_map(|name| Some((*name, value(name)?)));
        all.max_by(|a, b| a.1.median.total_cmp(&b.1.median))
    };
    let mut parts = Vec::new();
    for rung in [rungs.first(), rungs.last()].into_iter().flatten() {
        if let Some((name, value)) = at(rung.build_rows as f64) {
            parts.push(format!(
                "at {} build rows {name} with {} M tuples/s",
                scale::rows(rung.build_rows),
                scale::short(value.median / 1e6)
            ));
        }
    }
    format!(
        "Fastest at {}: {}.",
        threads_text(threads),
        parts.join("; ")
    )
}
