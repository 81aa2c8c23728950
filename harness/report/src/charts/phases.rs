//! Time by phase.

use super::canvas::{Anchor, Canvas, Colour, GREY, GRID, INK, SMALL};
use super::csv::Csv;
use super::frame::{self, LINE, MARGIN, WIDTH, X_AXIS, header, keys};
use super::scale::{self, Axis};
use super::style::{MUTED, REST};
use super::{Chart, Data, LeftOut, text, threads_text};
use crate::record::WorkloadRecord;
use crate::stats;
use crate::summary::CellSummary;

const TITLE: &str = "Time by phase";
/// Phases below this share of every bar are summed up.
const SMALLEST: f64 = 0.02;
/// Bars longer than this many medians are cut.
const CUT: f64 = 3.0;

/// Phases that get a colour of their own, and a number from 1.
struct Phases<'a>(Vec<&'a str>);

impl Phases<'_> {
    /// A phase beyond the colours is drawn as the one before, darker.
    fn colour(&self, at: usize) -> Colour {
        let (r, g, b) = MUTED[at % MUTED.len()];
        match at / MUTED.len() {
            0 => (r, g, b),
            _ => (r / 2, g / 2, b / 2),
        }
    }
}

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let threads = data.most_threads();
    let workloads = chosen(data);
    let bars: Vec<(&WorkloadRecord, Vec<&CellSummary>)> = workloads
        .into_iter()
        .map(|w| (w, bars(data, &w.name, threads)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    if bars.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no sample names its phases".into(),
        });
    }
    let phases = phases(bars.iter().flat_map(|(_, bars)| bars.iter().copied()));
    let mut canvas = Canvas::default();
    let explanation = format!(
        "Median of each phase at {}, fastest variant first. Numbers name the phase where there is \
         room. A bar with a gap at its end is cut; its time stands at the right.",
        threads_text(threads)
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let mut entries: Vec<(Colour, String)> = phases
        .0
        .iter()
        .enumerate()
        .map(|(i, name)| (phases.colour(i), format!("{} {name}", i + 1)))
        .collect();
    entries.push((REST, "rest".into()));
    let mut y = keys(&mut canvas, (MARGIN, y), WIDTH - 2.0 * MARGIN, &entries) + 8.0;
    let names = bars.iter().flat_map(|(_, bars)| bars.iter());
    let label_width = names
        .map(|bar| text::width(&bar.variant, SMALL, false))
        .fold(0.0, f64::max)
        + 10.0;
    for (workload, bars) in &bars {
        y = panel(&mut canvas, y, label_width, workload, bars, &phases);
    }
    Ok(Chart {
        name: "phases",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: table(&bars),
        finding: finding(&bars),
        reading: "Each bar is one variant; its parts stand in the order of execution. Look for \
                  the part that differs between two bars of about the same length, and for the \
                  part that would have to shrink before anything else matters.",
    })
}

/// The workloads with the most and the fewest build rows and the most results a probe row.
fn chosen<'a>(data: &Data<'a>) -> Vec<&'a WorkloadRecord> {
    let has_bars = |w: &&WorkloadRecord| !bars(data, &w.name, data.most_threads()).is_empty();
    let all: Vec<&WorkloadRecord> = data.workloads().filter(has_bars).collect();
    let fan_out = |w: &WorkloadRecord| {
        w.expected.map_or(0, |answer| answer.rows) as f64 / w.probe_rows.max(1) as f64
    };
    let picks = [
        all.iter().rev().max_by_key(|w| w.build_rows),
        all.iter().min_by_key(|w| w.build_rows),
        all.iter()
            .rev()
            .max_by(|a, b| fan_out(a).total_cmp(&fan_out(b))),
    ];
    let picked = |w: &&&WorkloadRecord| picks.iter().flatten().any(|p| p.name == w.name);
    all.iter().filter(picked).copied().collect()
}

/// A row per phase of a bar.
fn table(bars: &[(&WorkloadRecord, Vec<&CellSummary>)]) -> String {
    let mut table = Csv::new(&["workload", "variant", "phase", "seconds"]);
    for (workload, bars) in bars {
        for (bar, phase) in bars
            .iter()
            .flat_map(|bar| bar.phases.iter().map(move |p| (bar, p)))
        {
            table.row([
                workload.name.clone(),
                bar.variant.clone(),
                phase.name.clone(),
                phase.median_seconds.to_string(),
            ]);
        }
    }
    table.finish()
}

fn bars<'a>(data: &Data<'a>, workload: &str, threads: u32) -> Vec<&'a CellSummary> {
    let results = data.summary.results.iter().chain(&data.summary.peers);
    let mut bars: Vec<&CellSummary> = results
        .filter(|r| r.workload == workload && r.threads == threads && r.toggles.is_empty())
        .filter(|r| !r.phases.is_empty())
        .collect();
    bars.sort_by(|a, b| a.seconds.median.total_cmp(&b.seconds.median));
    bars
}

/// Names of the phases that matter anywhere, those with the most time first.
fn phases<'a>(bars: impl Iterator<Item = &'a CellSummary>) -> Phases<'a> {
    let mut found: Vec<(&str, f64, f64)> = Vec::new();
    for bar in bars {
        for phase in &bar.phases {
            let share = phase.median_seconds / bar.seconds.median;
            match found.iter_mut().find(|(name, ..)| *name == phase.name) {
                Some((_, total, most)) => {
                    *total += share;
                    *most = most.max(share);
                }
                None => found.push((&phase.name, share, share)),
            }
        }
    }
    found.retain(|(.., most)| *most >= SMALLEST);
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    Phases(found.into_iter().map(|(name, ..)| name).collect())
}

fn panel(
    canvas: &mut Canvas,
    y: f64,
    label_width: f64,
    workload: &WorkloadRecord,
    bars: &[&CellSummary],
    phases: &Phases<'_>,
) -> f64 {
    let title = format!(
        "{}   {} ⋈ {}",
        workload.name,
        scale::rows(workload.build_rows),
        scale::rows(workload.probe_rows)
    );
    canvas.heading(&title, MARGIN, y + 8.0, 12.5);
    let top = y + 24.0;
    let bottom = top + bars.len() as f64 * LINE + 4.0;
    let totals: Vec<f64> = bars.iter().map(|b| b.seconds.median).collect();
    let cut = stats::median(&totals).unwrap_or(0.0) * CUT;
    let shown = totals.iter().map(|t| t.min(cut));
    let axis = Axis::from_zero(shown, MARGIN + label_width, WIDTH - MARGIN - 70.0);
    frame::x_axis(canvas, &axis, (top, bottom), "time", None, scale::seconds);
    for (at, bar) in bars.iter().enumerate() {
        let middle = top + 2.0 + (at as f64 + 0.5) * LINE;
        canvas.text(&bar.variant, axis.from - 8.0, middle, Anchor::End, INK);
        let note = scale::seconds(bar.seconds.median);
        canvas.text(&note, WIDTH - MARGIN, middle, Anchor::End, GREY);
        stack(canvas, &axis, bar, middle, phases);
        if bar.seconds.median > axis.high {
            let edge = [
                (axis.to - 14.0, middle + 7.0),
                (axis.to - 6.0, middle - 7.0),
            ];
            canvas.line(&edge, (255, 255, 255), 3.0, None);
        }
    }
    bottom + X_AXIS + 12.0
}

fn stack(canvas: &mut Canvas, axis: &Axis, bar: &CellSummary, middle: f64, phases: &Phases<'_>) {
    let number = |name: &str| phases.0.iter().position(|p| *p == name);
    let mut done = 0.0;
    let mut part = |seconds: f64, at: Option<usize>| {
        let (from, to) = (axis.at(done), axis.at(done + seconds));
        done += seconds;
        let colour = at.map_or(REST, |at| phases.colour(at));
        canvas.rect(from, middle - 6.0, (to - from).max(0.0), 12.0, colour);
        canvas.line(&[(to, middle - 6.0), (to, middle + 6.0)], GRID, 0.75, None);
        let label = at.map_or(String::new(), |at| (at + 1).to_string());
        if !label.is_empty() && to - from > text::width(&label, SMALL, false) + 5.0 {
            let centre = (from + to) / 2.0;
            canvas.text(&label, centre, middle, Anchor::Middle, ink_on(colour));
        }
    };
    for phase in &bar.phases {
        if let Some(at) = number(&phase.name) {
            part(phase.median_seconds, Some(at));
        }
    }
    let rest = bar.seconds.median - done_seconds(bar, phases);
    if rest > 0.0 {
        part(rest, None);
    }
}

/// Seconds of the phases with a colour of their own.
fn done_seconds(bar: &CellSummary, phases: &Phases<'_>) -> f64 {
    let named = bar
        .phases
        .iter()
        .filter(|p| phases.0.contains(&p.name.as_str()));
    named.map(|p| p.median_seconds).sum()
}

/// Black or white, whichever can be read on `colour`.
fn ink_on((r, g, b): Colour) -> Colour {
    let light = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if light > 140.0 {
        (0, 0, 0)
    } else {
        (255, 255, 255)
    }
}

fn finding(bars: &[(&WorkloadRecord, Vec<&CellSummary>)]) -> String {
    let parts = bars.iter().filter_map(|(workload, bars)| {
        let best = bars.first()?;
        let by_time = |a: &&_, b: &&_| {
            let (a, b): (&crate::summary::PhaseSummary, &crate::summary::PhaseSummary) = (a, b);
            a.median_seconds.total_cmp(&b.median_seconds)
        };
        let longest = best.phases.iter().max_by(by_time)?;
        Some(format!(
            "{} of {} on {} goes into {}",
            scale::percent(longest.median_seconds / best.seconds.median),
            best.variant,
            workload.name,
            longest.name
        ))
    });
    let parts: Vec<String> = parts.collect();
    format!("In the fastest variants, {}.", parts.join("; "))
}
