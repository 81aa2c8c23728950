//! Serial against partitioned build: the build alone.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header, legend, legend_width};
use super::lines::{self, LinePanel, Series};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, noise_band, scale, threads_text, throughput};
use crate::record::{VariantRecord, WorkloadRecord};
use crate::stats::{self, Interval};

const TITLE: &str = "Serial against partitioned build";
const PLOT: f64 = 260.0;

/// Two builds with the same settings, each in one of the joins that use it.
#[derive(Clone, Copy)]
struct Pair<'a> {
    serial: &'a VariantRecord,
    partitioned: &'a VariantRecord,
}

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let pairs = pairs(data);
    let left_out = |reason: &str| LeftOut {
        title: TITLE,
        reason: reason.into(),
    };
    if pairs.is_empty() {
        return Err(left_out("no serial build stands beside a partitioned one"));
    }
    let threads = data.most_threads();
    let panels: Vec<RowPanel> = throughput::ends(data.threads())
        .into_iter()
        .filter_map(|threads| by_workload(data, &pairs, threads))
        .collect();
    let ladder = pairs
        .iter()
        .any(|pair| ratios_by_rows(data, *pair, threads).len() > 1);
    if panels.is_empty() && !ladder {
        return Err(left_out("the two builds share no round on any workload"));
    }

    let mut canvas = Canvas::default();
    let explanation = "The build's phases alone, median with its 95 % interval; ratios are paired \
                       within rounds. Below 1 the partitioned build is faster; the shaded band is \
                       the noise floor.";
    let mut y = header(&mut canvas, TITLE, explanation);
    let mut csv = String::new();
    if ladder {
        let lines = by_rows(data, &pairs, threads, &mut canvas, &mut y);
        csv = csv::of_lines(&lines);
    }
    let y = grid(&mut canvas, y, panels.len().max(1), &panels);
    if !panels.is_empty() {
        // Two tables, with an empty line between them.
        let gap = if csv.is_empty() { "" } else { "\r\n" };
        csv = format!("{csv}{gap}{}", csv::of_rows(&panels));
    }
    Ok(Chart {
        name: "builds",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv,
        finding: finding(data, &pairs, threads),
        reading: "Down is faster at the top left; at the other panels, points left of or below 1 \
                  say that partitioning pays. Compare a pair with its own partner only: each \
                  pair differs in the build and in nothing else.",
    })
}

/// Builds whose names differ in `serial` and `partitioned` alone, each with the join that reads
/// its keys without copying, where there is one.
fn pairs<'a>(data: &Data<'a>) -> Vec<Pair<'a>> {
    let of_build = |build: &str| -> Option<&'a VariantRecord> {
        let all = data.run.variants.iter();
        let measured = |v: &&VariantRecord| data.cells.iter().any(|c| c.variant() == v.name);
        let own = all
            .filter(|v| v.build.as_deref() == Some(build))
            .filter(measured);
        own.min_by_key(|v| !v.probe.as_deref().unwrap_or("").contains("zero-copy"))
    };
    let mut builds: Vec<&str> = data
        .run
        .variants
        .iter()
        .filter_map(|v| v.build.as_deref())
        .filter(|build| build.contains("partitioned"))
        .collect();
    builds.sort_unstable();
    builds.dedup();
    let pair = |build: &&str| {
        Some(Pair {
            serial: of_build(&build.replace("partitioned", "serial"))?,
            partitioned: of_build(build)?,
        })
    };
    builds.iter().filter_map(pair).collect()
}

/// Build time of partitioned over serial.
fn ratio(data: &Data<'_>, pair: Pair<'_>, workload: &str, threads: u32) -> Option<Interval> {
    let serial = data
        .cells
        .default_of(workload, &pair.serial.name, threads)?;
    let partitioned = data
        .cells
        .default_of(workload, &pair.partitioned.name, threads)?;
    let (over, under) = (partitioned.build_rounds(), serial.build_rounds());
    let ratio = stats::paired_ratio(over, under, serial.looks())?;
    (ratio.low > 0.0 && ratio.high.is_finite()).then_some(ratio)
}

fn ratios_by_rows(data: &Data<'_>, pair: Pair<'_>, threads: u32) -> Vec<(f64, Interval)> {
    let rungs = data.rungs();
    let point =
        |w: &&WorkloadRecord| Some((w.build_rows as f64, ratio(data, pair, &w.name, threads)?));
    rungs.iter().filter_map(point).collect()
}

/// Nanoseconds a build row.
fn times_by_rows(data: &Data<'_>, variant: &str, threads: u32) -> Vec<(f64, Interval)> {
    let rungs = data.rungs();
    let point = |w: &&WorkloadRecord| {
        let cell = data.cells.default_of(&w.name, variant, threads)?;
        let seconds: Vec<f64> = cell.build_rounds().map(|(_, s)| s).collect();
        let seconds = stats::interval(&seconds, cell.looks())?;
        let point = (
            w.build_rows as f64,
            seconds.scaled(1e9 / w.build_rows as f64),
        );
        (seconds.low > 0.0).then_some(point)
    };
    rungs.iter().filter_map(point).collect()
}

fn by_rows(
    data: &Data<'_>,
    pairs: &[Pair<'_>],
    threads: u32,
    canvas: &mut Canvas,
    y: &mut f64,
) -> [LinePanel; 2] {
    let variants = || pairs.iter().flat_map(|p| [p.serial, p.partitioned]);
    let names = || variants().map(|v| v.name.as_str());
    let ratio_names: Vec<String> = pairs
        .iter()
        .map(|p| format!("{} : serial", p.partitioned.build.as_deref().unwrap_or("")))
        .collect();
    let legend_room = legend_width(names().chain(ratio_names.iter().map(String::as_str)));
    let gap = 16.0;
    let width = (WIDTH - 2.0 * MARGIN - legend_room - gap) / 2.0 - gap;
    let series = |name: &str, points| Series {
        name: name.to_owned(),
        style: data.styles.of(name),
        background: false,
        points,
    };
    let times: Vec<Series> = names()
        .map(|name| series(name, times_by_rows(data, name, threads)))
        .collect();
    let ratios: Vec<Series> = pairs
        .iter()
        .map(|p| series(&p.partitioned.name, ratios_by_rows(data, *p, threads)))
        .collect();
    let (low, high) = lines::around(&ratios);
    let ones = ratios.iter().flat_map(|s| &s.points).map(|p| (p.0, 1.0));
    let panels = [
        LinePanel {
            title: format!("build time, {}", threads_text(threads)),
            x_title: "build rows",
            x_label: lines::power_of_two,
            y_title: "ns per build row".into(),
            unit: scale::short,
            y_range: lines::around(&times),
            series: times,
            limit: None,
            verticals: throughput::caches(data, 8.0),
            band: None,
        },
        LinePanel {
            title: format!("partitioned : serial, {}", threads_text(threads)),
            x_title: "build rows",
            x_label: lines::power_of_two,
            y_title: "ratio of build times".into(),
            unit: scale::times,
            y_range: (low.min(0.8), high.max(1.25)),
            limit: Some((String::new(), ones.collect())),
            series: ratios,
            verticals: throughput::caches(data, 8.0),
            band: noise_band(data.floor()),
        },
    ];
    for (column, panel) in panels.iter().enumerate() {
        let x = MARGIN + column as f64 * (width + gap);
        panel.draw(canvas, (x, *y), width, PLOT);
    }
    let entries: Vec<_> = variants()
        .map(|v| (data.styles.of(&v.name), v.name.as_str()))
        .collect();
    legend(canvas, WIDTH - MARGIN - legend_room, *y + 30.0, &entries);
    *y += lines::height(PLOT) + 10.0;
    panels
}

fn by_workload(data: &Data<'_>, pairs: &[Pair<'_>], threads: u32) -> Option<RowPanel> {
    let mut rows = Vec::new();
    for workload in data.workloads() {
        for pair in pairs {
            let Some(ratio) = ratio(data, *pair, &workload.name, threads) else {
                continue;
            };
            let build = pair.partitioned.build.as_deref().unwrap_or_default();
            rows.push(Row {
                label: format!("{}, {build}", workload.name),
                marks: vec![Mark {
                    value: ratio,
                    style: data.styles.of(&pair.partitioned.name),
                }],
                dots: Vec::new(),
                note: scale::times(ratio.median),
            });
        }
    }
    (!rows.is_empty()).then(|| RowPanel {
        title: format!(
            "partitioned : serial by workload, {}",
            threads_text(threads)
        ),
        rows,
        kind: Kind::Points,
        log: true,
        axis: "ratio of build times".into(),
        unit: scale::times,
        guides: vec![Guide {
            value: 1.0,
            label: String::new(),
        }],
        band: noise_band(data.floor()),
    })
}

/// What each pair shows on the workload with the most build rows.
fn finding(data: &Data<'_>, pairs: &[Pair<'_>], threads: u32) -> String {
    let parts = pairs.iter().filter_map(|pair| {
        let all = data.run.workloads.iter().filter_map(|w| {
            let ratio = ratio(data, *pair, &w.name, threads)?;
            Some((w, ratio))
        });
        let (workload, ratio) = all.max_by_key(|(w, _)| w.build_rows)?;
        let floor = data.summary.noise_floor.of(&workload.name, threads);
        Some(format!(
            "{} takes {} of the time of {} on {} ({})",
            pair.partitioned.build.as_deref().unwrap_or_default(),
            scale::ratio(ratio),
            pair.serial.build.as_deref().unwrap_or_default(),
            workload.name,
            stats::verdict(ratio, floor)
        ))
    });
    let parts: Vec<String> = parts.collect();
    format!(
        "At {} and the most build rows: {}.",
        threads_text(threads),
        parts.join("; ")
    )
}
