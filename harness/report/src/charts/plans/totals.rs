//! All plans together.

use super::{Data, Executions};
use crate::charts::canvas::Canvas;
use crate::charts::csv;
use crate::charts::frame::{MARGIN, WIDTH, header};
use crate::charts::rows::{Kind, Mark, Row, RowPanel, grid};
use crate::charts::{Chart, LeftOut, scale, threads_text};
use crate::plans::{ArmSummary, OverFirst, PlanRun};
use crate::stats::Interval;

const TITLE: &str = "All plans together";

/// Seconds of all plans of an arm.
type Seconds = fn(&ArmSummary) -> f64;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    if data.engines.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no plan was measured".into(),
        });
    }
    let first = data.first();
    let panel =
        |title: &str, run: &PlanRun, ratio: fn(&OverFirst) -> Interval, seconds: Seconds| {
            let measured = data.engines.iter().filter_map(|arm| run.arm(&arm.name));
            let rows = measured.filter(|arm| arm.summary.bundles > 0).map(|arm| {
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
                        scale::seconds(seconds(&arm.summary))
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
    let total = |title, run| panel(title, run, |over| over.total, |arm| arm.total_seconds);
    let mean = |title, run| {
        let seconds = |arm: &ArmSummary| arm.geometric_mean_seconds;
        panel(title, run, |over| over.geometric_mean, seconds)
    };
    let mut panels = vec![total("Total", data.run), mean("Geometric mean", data.run)];
    match data.executions {
        Executions::Warm => panels.push(panel(
            "Cold: total of the first runs",
            data.run,
            |over| over.cold_total,
            |arm| arm.cold_total_seconds,
        )),
        Executions::Once { warm: Some(warm) } => {
            panels.extend([
                total("Total, warm", warm),
                mean("Geometric mean, warm", warm),
            ]);
        }
        Executions::Once { warm: None } => {}
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{} plans, {}, {}, medians with 95 % intervals, paired in rounds. The times at the right are sums and means of what \
         each was measured on.",
        first.summary.bundles,
        threads_text(data.run.threads),
        data.how()
    );
    let y = header(&mut canvas, &data.title(TITLE), &explanation);
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: data.of("plan-totals", "once-totals"),
        title: data.title(TITLE),
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
