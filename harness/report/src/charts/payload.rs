//! Throughput by payload width.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header, legend, legend_width};
use super::lines::{self, LinePanel, Series};
use super::{Chart, Data, LeftOut, scale, threads_text};
use crate::record::WorkloadRecord;
use crate::stats;
use crate::summary::CellSummary;

const TITLE: &str = "Throughput by payload width";
const PLOT: f64 = 320.0;

/// Variants that a panel holds beside the peers: the fastest ones.
const MOST_VARIANTS: usize = 8;

/// What a line is of, in the order of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// A variant that fetches values late.
    Variant,
    /// One that moves them with the keys.
    Early,
    Peer,
}

/// Workloads of the same sizes that differ in their payloads, narrowest first.
type Widths<'a> = Vec<(u32, &'a WorkloadRecord)>;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let all: Vec<_> = groups(data)
        .into_iter()
        .filter_map(|widths| Some((lines_of(data, &widths)?, widths)))
        .collect();
    if all.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no payloads of two widths or more were measured".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "Rows of the result per second over the whole join, columns of both sides made, with {} or, where that is faster, \
         fewer; median with its 95 % interval. The {MOST_VARIANTS} fastest variants, and peers. Dashed: values moved with the keys.",
        threads_text(data.most_threads())
    );
    let mut y = header(&mut canvas, TITLE, &explanation);
    let mut panels = Vec::new();
    for (series, widths) in &all {
        let names = series.iter().map(|line| line.name.as_str());
        let legend_x = WIDTH - MARGIN - legend_width(names);
        let record = widths[0].1;
        let panel = LinePanel {
            title: format!(
                "{} ⋈ {}",
                scale::rows(record.build_rows),
                scale::rows(record.probe_rows)
            ),
            x_title: "bytes of payload per row of each side",
            x_label: |power| scale::bytes(2f64.powi(power as i32)),
            y_title: "M rows/s".into(),
            unit: lines::millions,
            series: series.clone(),
            limit: None,
            verticals: Vec::new(),
            band: None,
            y_range: lines::around(series),
        };
        panel.draw(&mut canvas, (MARGIN, y), legend_x - 2.0 * MARGIN, PLOT);
        let entries: Vec<_> = series
            .iter()
            .map(|line| (line.style, &*line.name))
            .collect();
        legend(&mut canvas, legend_x, y + 30.0, &entries);
        y += lines::height(PLOT) + 10.0;
        panels.push(panel);
    }
    Ok(Chart {
        name: "payload",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_lines(&panels),
        finding: finding(data, &all),
        reading: "Up is faster. Where lines meet, making the rows costs more than finding them. A partitioned join reads both \
                  sides out of order when it fetches values; one that probes in order reads the probe side's in order.",
    })
}

/// Whether some rows have a payload.
pub(super) fn is_measured(data: &Data<'_>) -> bool {
    data.workloads()
        .any(|workload| workload.payload_bytes.is_some())
}

fn groups<'a>(data: &Data<'a>) -> Vec<Widths<'a>> {
    let mut groups: Vec<Widths<'a>> = Vec::new();
    for workload in data.workloads() {
        let Some(bytes) = workload.payload_bytes else {
            continue;
        };
        let sizes = |of: &WorkloadRecord| (of.build_rows, of.probe_rows);
        let same = |group: &&mut Widths<'_>| sizes(group[0].1) == sizes(workload);
        match groups.iter_mut().find(same) {
            Some(group) => group.push((bytes, workload)),
            None => groups.push(vec![(bytes, workload)]),
        }
    }
    groups
        .iter_mut()
        .for_each(|group| group.sort_by_key(|(bytes, _)| *bytes));
    groups
}

/// A line for each peer and for the fastest variants, none where there are no two widths.
fn lines_of(data: &Data<'_>, widths: &Widths<'_>) -> Option<Vec<Series>> {
    let cells: Vec<Vec<&CellSummary>> = widths
        .iter()
        .map(|(_, workload)| data.summary.at_best(&workload.name))
        .collect();
    let mut names: Vec<(&str, bool)> = Vec::new();
    for cell in cells.iter().flatten() {
        for name in [(&*cell.variant, false), (&*cell.variant, true)] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut all: Vec<(Class, f64, Series)> = Vec::new();
    for (name, early) in names {
        let points = widths
            .iter()
            .zip(&cells)
            .filter_map(|((bytes, workload), cells)| {
                let cell = match early {
                    false => cells.iter().copied().find(|cell| cell.variant == name)?,
                    true => early_of(data, &workload.name, name)?,
                };
                let rows = cell.seconds.reciprocal().scaled(cell.result_rows as f64);
                Some((f64::from(*bytes), rows))
            });
        let points: Vec<_> = points.collect();
        if points.len() < 2 {
            continue;
        }
        let is_peer = data.summary.peers.iter().any(|peer| peer.variant == name);
        let rates: Vec<f64> = points.iter().map(|(_, rows)| rows.median).collect();
        let mut style = data.styles.of(name);
        let (class, name) = match (is_peer, early) {
            (true, _) => (Class::Peer, name.to_owned()),
            (false, false) => (Class::Variant, name.to_owned()),
            (false, true) => {
                style.dash = Some((3.0, 3.0));
                (Class::Early, format!("{name}, early"))
            }
        };
        let series = Series {
            name,
            style,
            background: false,
            points,
        };
        all.push((class, stats::median(&rates).unwrap_or(0.0), series));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut variants = 0;
    let lines: Vec<Series> = all
        .into_iter()
        .filter(|(class, ..)| {
            variants += usize::from(*class == Class::Variant);
            *class != Class::Variant || variants <= MOST_VARIANTS
        })
        .map(|(.., series)| series)
        .collect();
    (!lines.is_empty()).then_some(lines)
}

/// The fastest cell of a variant that moves values with the keys.
fn early_of<'a>(data: &Data<'a>, workload: &str, variant: &str) -> Option<&'a CellSummary> {
    let cells = data.summary.results.iter().filter(|cell| {
        let when = cell.toggles.get("values").map(String::as_str);
        cell.workload == workload && cell.variant == variant && when == Some("early")
    });
    cells.min_by(|a, b| a.seconds.median.total_cmp(&b.seconds.median))
}

fn finding(data: &Data<'_>, all: &[(Vec<Series>, Widths<'_>)]) -> String {
    let widths = all.iter().flat_map(|(_, widths)| widths);
    let parts = widths.filter_map(|(bytes, workload)| {
        let best = data.summary.results.iter();
        let best = best
            .filter(|cell| cell.workload == workload.name && cell.toggles.is_empty())
            .min_by(|a, b| a.seconds.median.total_cmp(&b.seconds.median))?;
        let against = data.summary.against(&workload.name).next();
        let against = against.map_or(String::new(), |against| {
            format!(", the fastest peer {}", scale::times(against.ratio.median))
        });
        Some(format!("with {bytes} bytes {}{against}", best.variant))
    });
    format!("Fastest: {}.", parts.collect::<Vec<_>>().join("; "))
}
