//! All workloads in one number per variant.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, scale};
use crate::stats::{self, Interval};
use crate::summary::{Cell, CellSummary, engine};

const TITLE: &str = "Overview: how much slower than the fastest";

/// Rows that one screen shows.
const MOST: usize = 24;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let workloads: Vec<_> = data.workloads().map(|w| data.at_best(&w.name)).collect();
    let mut names: Vec<&str> = data.run.variants.iter().map(|v| engine(&v.name)).collect();
    names.sort_unstable();
    names.dedup();
    let mean = |name| {
        let ratios = workloads
            .iter()
            .filter_map(|cells| over_fastest(cells, name));
        let ratios: Vec<Interval> = ratios.collect();
        Some((name, stats::geometric_mean(&ratios)?, ratios.len()))
    };
    let mut means: Vec<(&str, Interval, usize)> = names.into_iter().filter_map(mean).collect();
    let most = means.iter().map(|mean| mean.2).max().unwrap_or(0);
    // A mean over fewer workloads is no mean of the same thing.
    means.retain(|mean| mean.2 == most);
    means.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let left_out = means.len().saturating_sub(MOST);
    means.truncate(MOST);
    if means.len() < 2 {
        return Err(LeftOut {
            title: TITLE,
            reason: "fewer than two variants were measured on the same workloads".into(),
        });
    }
    let rows = means.iter().map(|(name, mean, _)| Row {
        label: (*name).to_owned(),
        marks: vec![Mark {
            value: *mean,
            style: data.styles.of(name),
        }],
        dots: Vec::new(),
        note: scale::times(mean.median),
    });
    let panels = [RowPanel {
        title: String::new(),
        rows: rows.collect(),
        kind: Kind::Points,
        log: true,
        axis: "time : time of the fastest, geometric mean".into(),
        unit: scale::times,
        guides: vec![Guide {
            value: 1.0,
            label: String::new(),
        }],
        band: super::noise_band(data.floor()).map(|(_, high)| (1.0, high)),
    }];
    let mut canvas = Canvas::default();
    let workloads = match most {
        1 => "the one workload".to_owned(),
        _ => format!("{most} workloads"),
    };
    let rest = match left_out {
        0 => String::new(),
        rest => format!(" The {rest} slowest are left out."),
    };
    let explanation = format!(
        "Geometric mean over {workloads}, all at their best number of threads, peers at their best setting; paired within \
         rounds, with its 95 % interval. Shaded: the noise floor. Grey stars: peers.{rest}"
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: "overview",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(data, &means),
        reading: "Left is faster; ×1 would be the fastest everywhere. A mean hides where a variant wins: the next chart has \
                  every workload.",
    })
}

/// Time of a variant or engine over that of the fastest of all on a workload.
fn over_fastest(cells: &[(&CellSummary, Cell<'_, '_>)], name: &str) -> Option<Interval> {
    let (_, fastest) = cells.first()?;
    let mut own = cells.iter().filter(|(of, _)| engine(&of.variant) == name);
    let (_, own) = own.next()?;
    match engine(fastest.variant()) == name {
        true => Some(Interval {
            median: 1.0,
            low: 1.0,
            high: 1.0,
        }),
        false => own.over(fastest),
    }
}

fn finding(data: &Data<'_>, means: &[(&str, Interval, usize)]) -> String {
    let is_peer = |name: &str| {
        let mut variants = data.run.variants.iter();
        variants.any(|v| v.is_peer() && engine(&v.name) == name)
    };
    let (first, ..) = means[0];
    let mut text = format!(
        "The fastest in the mean is {first}, {} from the fastest of each workload.",
        scale::times(means[0].1.median)
    );
    if let Some((peer, mean, _)) = means.iter().find(|(name, ..)| is_peer(name)) {
        text += &format!(
            " The first peer is {peer} with {}.",
            scale::times(mean.median)
        );
    }
    text
}
