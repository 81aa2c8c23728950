//! All plans together.

use super::Data;
use crate::charts::canvas::Canvas;
use crate::charts::csv;
use crate::charts::frame::{MARGIN, WIDTH, header};
use crate::charts::rows::{Kind, Mark, Row, RowPanel, grid};
use crate::charts::{Chart, LeftOut, scale, threads_text};
use crate::plans::{Arm, OverFirst};
use crate::stats::Interval;

const TITLE: &str = "All plans together";

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    if data.engines.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no plan was measured".into(),
        });
    }
    let first = data.first();
    let panel = |title: &str, ratio: fn(&OverFirst) -> Interval, seconds: fn(&Arm) -> f64| {
        let rows = data.engines.iter().map(|arm| {
            let one = Interval {
                median: 1.0,
                low: 1.0,
                high: 1.0,
            };
            let value = arm.summary.over_first.as_ref().map_or(one, ratio);
            Row {
                label: arm.name.clone(),
                marks: vec![Mark {
                    value,
                    style: data.styles.of(&arm.name),
                }],
                dots: Vec::new(),
                note: format!(
                    "{}, {}",
                    scale::times(value.median),
                    scale::seconds(seconds(arm))
                ),
            }
        });
        RowPanel {
            title: title.to_owned(),
            rows: rows.collect(),
            kind: Kind::Points,
            log: true,
            axis: format!("time : time with {}", first.name),
            unit: scale::times,
            guides: Vec::new(),
            band: None,
        }
    };
    let panels = [
        panel("Total", |over| over.total, |arm| arm.summary.total_seconds),
        panel(
            "Geometric mean",
            |over| over.geometric_mean,
            |arm| arm.summary.geometric_mean_seconds,
        ),
        panel(
            "Cold: total of the first runs",
            |over| over.cold_total,
            |arm| arm.summary.cold_total_seconds,
        ),
    ];
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{} plans, {}, warm medians with 95 % intervals, paired in rounds. The times at the right are sums and means of what \
         each was measured on.",
        first.summary.bundles,
        threads_text(data.run.threads)
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: "plan-totals",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(data),
        reading: "The total is decided by a few plans with many rows; the geometric mean gives every plan the same weight.",
    })
}

fn finding(data: &Data<'_>) -> String {
    let first = data.first();
    let others = data.engines.iter().filter_map(|arm| {
        let over = arm.summary.over_first?;
        Some(format!(
            "{} takes {} the time of {} in total, {} in the geometric mean",
            arm.name,
            scale::times(over.total.median),
            first.name,
            scale::times(over.geometric_mean.median)
        ))
    });
    let others: Vec<_> = others.collect();
    match others.is_empty() {
        true => format!(
            "All plans take {} with {}.",
            scale::seconds(first.summary.total_seconds),
            first.name
        ),
        false => format!("Over all plans, {}.", others.join("; ")),
    }
}
