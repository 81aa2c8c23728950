//! Memory by variant.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, scale, threads_text};
use crate::record::WorkloadRecord;
use crate::stats::Interval;
use crate::summary::CellSummary;

const TITLE: &str = "Peak memory by variant";
/// Panels that a page has room for.
const MOST: usize = 4;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let threads = data.most_threads();
    let mut measured: Vec<(&WorkloadRecord, Vec<(f64, &CellSummary)>)> = data
        .run
        .workloads
        .iter()
        .map(|w| (w, peaks(data, w, threads)))
        .filter(|(_, peaks)| !peaks.is_empty())
        .collect();
    measured.sort_by_key(|(w, _)| std::cmp::Reverse(w.build_rows));
    measured.truncate(MOST);
    if measured.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no peak memory was measured".into(),
        });
    }
    let panels: Vec<RowPanel> = measured
        .iter()
        .map(|(workload, peaks)| panel(data, workload, peaks))
        .collect();
    let mut canvas = Canvas::default();
    let explanation = format!(
        "Peak of a process of its own above what it held before the join, over the build rows, at \
         {}. Dots: the finished table alone.",
        threads_text(threads)
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let columns = if panels.len() == 1 { 1 } else { 2 };
    let y = grid(&mut canvas, y, columns, &panels);
    Ok(Chart {
        name: "memory",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(&measured),
        reading: "Shorter is better. The distance from the dot to the end of a bar is memory that \
                  only the building needs: partitions, chunk lists, copies of the keys.",
    })
}

/// Peak bytes per build row, least first.
fn peaks<'a>(
    data: &Data<'a>,
    workload: &WorkloadRecord,
    threads: u32,
) -> Vec<(f64, &'a CellSummary)> {
    let results = data.summary.results.iter().chain(&data.summary.peers);
    let mut peaks: Vec<(f64, &CellSummary)> = results
        .filter(|r| r.workload == workload.name && r.threads == threads && r.toggles.is_empty())
        .filter_map(|r| Some((r.peak_bytes? as f64 / r.build_rows.max(1) as f64, r)))
        .collect();
    peaks.sort_by(|a, b| a.0.total_cmp(&b.0));
    peaks
}

/// The most over the middle from which on an axis from 0 hides what differs.
const FAR: f64 = 4.0;

fn panel(data: &Data<'_>, workload: &WorkloadRecord, peaks: &[(f64, &CellSummary)]) -> RowPanel {
    let most = peaks.last().map_or(0.0, |peak| peak.0);
    let far = most > FAR * peaks[peaks.len() / 2].0 && peaks[0].0 > 0.0;
    let rows = peaks.iter().map(|(peak, result)| Row {
        label: result.variant.clone(),
        marks: vec![Mark {
            value: Interval {
                median: *peak,
                low: *peak,
                high: *peak,
            },
            style: data.styles.of(&result.variant),
        }],
        dots: result
            .table_bytes
            .map(|bytes| bytes as f64 / result.build_rows.max(1) as f64)
            .into_iter()
            .collect(),
        note: scale::short(*peak),
    });
    RowPanel {
        title: format!(
            "{}, {} build rows",
            workload.name,
            scale::rows(workload.build_rows)
        ),
        rows: rows.collect(),
        // One that takes ten times as much would leave specks of the others.
        kind: if far { Kind::Points } else { Kind::Bars(0.0) },
        log: far,
        axis: "bytes per build row".into(),
        unit: scale::short,
        guides: Vec::new(),
        band: None,
    }
}

fn finding(measured: &[(&WorkloadRecord, Vec<(f64, &CellSummary)>)]) -> String {
    let Some((workload, peaks)) = measured.first() else {
        return String::new();
    };
    let (Some(least), Some(most)) = (peaks.first(), peaks.last()) else {
        return String::new();
    };
    let bytes = |peak: &(f64, &CellSummary)| format!("{} bytes", scale::short(peak.0));
    format!(
        "On {}, {} needs the least memory with {} per build row, {} the most with {}.",
        workload.name,
        least.1.variant,
        bytes(least),
        most.1.variant,
        bytes(most)
    )
}
