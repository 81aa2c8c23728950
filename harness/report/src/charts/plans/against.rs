//! The first executor against the others, plan by plan.

use super::Data;
use crate::charts::canvas::{Anchor, Canvas, GREY, GRID, INK};
use crate::charts::frame::{LINE, MARGIN, WIDTH, X_AXIS, header, legend, x_axis};
use crate::charts::lines::Y_AXIS;
use crate::charts::scale::{self, Axis};
use crate::charts::style;
use crate::charts::{Chart, LeftOut, threads_text};
use crate::plans::Arm;

const TITLE: &str = "Executor against executor";

/// Pixels of the plot.
const PLOT: f64 = 420.0;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let first = data.first();
    let others: Vec<&Arm> = data
        .engines
        .iter()
        .copied()
        .filter(|arm| arm.name != first.name)
        .collect();
    let points = |arm: &Arm| -> Vec<(f64, f64)> {
        let pairs = arm.pairs(first);
        pairs
            .map(|(other, ours)| (ours.seconds.median, other.seconds.median))
            .collect()
    };
    if others.iter().all(|arm| points(arm).is_empty()) {
        return Err(LeftOut {
            title: TITLE,
            reason: "there is but one executor and no peer".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "One point per plan, {}, {}, medians, log axes. Dashed: equal times, and multiples of them.",
        threads_text(data.run.threads),
        data.how()
    );
    let mut y = header(&mut canvas, &data.title(TITLE), &explanation);
    let entries: Vec<_> = others
        .iter()
        .map(|arm| (data.styles.of(&arm.name), &*arm.name))
        .collect();
    legend(&mut canvas, MARGIN, y, &entries);
    y += entries.len() as f64 * LINE + 12.0;
    let (left, right, bottom) = (MARGIN + Y_AXIS + 8.0, WIDTH - MARGIN - 44.0, y + PLOT);
    let all: Vec<_> = others.iter().flat_map(|arm| points(arm)).collect();
    let across = Axis::log(all.iter().map(|point| point.0), 1.3, left, right);
    let up = Axis::log(all.iter().map(|point| point.1), 1.3, bottom, y);
    let title = format!("time with {}", first.name);
    x_axis(
        &mut canvas,
        &across,
        (y, bottom),
        &title,
        None,
        scale::seconds,
    );
    for value in up.ticks(28.0) {
        let at = up.at(value);
        canvas.line(&[(left, at), (right, at)], GRID, 1.0, None);
        canvas.text(&scale::seconds(value), left - 6.0, at, Anchor::End, INK);
    }
    canvas.line(&[(left, y), (left, bottom)], GREY, 1.0, None);
    canvas.upright("time with the other", MARGIN + 4.0, y + PLOT / 2.0);
    for power in -3..=6 {
        diagonal(&mut canvas, &across, &up, 10f64.powi(power));
    }
    for arm in &others {
        for (ours, other) in points(arm) {
            style::mark(
                &mut canvas,
                across.at(ours),
                up.at(other),
                data.styles.of(&arm.name),
            );
        }
    }
    Ok(Chart {
        name: data.of("plan-against", "once-against"),
        title: data.title(TITLE),
        svg: canvas.finish(WIDTH, bottom + X_AXIS + MARGIN),
        csv: data.csv(),
        finding: finding(data, &others),
        reading: "Above the line ×1 the first executor is the faster one. Points that follow a line differ by a factor, \
                  points that lie level have a cost that does not depend on the plan.",
    })
}

/// The line on which the other takes `ratio` times as long, where it crosses the plot.
fn diagonal(canvas: &mut Canvas, across: &Axis, up: &Axis, ratio: f64) {
    let from = across.low.max(up.low / ratio);
    let to = across.high.min(up.high / ratio);
    // A corner is no place for a line.
    if to < from * 1.5 {
        return;
    }
    let ends = [from, to].map(|ours| (across.at(ours), up.at(ours * ratio)));
    canvas.line(&ends, GREY, 1.0, Some((4.0, 3.0)));
    let (x, y) = ends[1];
    let label = scale::times(ratio);
    if to >= across.high {
        canvas.text(&label, x + 5.0, y, Anchor::Start, GREY);
    } else {
        canvas.text(&label, x, y - 7.0, Anchor::Middle, GREY);
    }
}

fn finding(data: &Data<'_>, others: &[&Arm]) -> String {
    let first = data.first();
    let sentences = others.iter().filter_map(|arm| {
        let mut ratios: Vec<f64> = arm.ratios(first).iter().map(|ratio| ratio.median).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios.first()?, ratios.last()?);
        Some(format!(
            "{} takes {} to {} the time of {}",
            arm.name,
            scale::times(*least),
            scale::times(*most),
            first.name
        ))
    });
    format!("By plan, {}.", sentences.collect::<Vec<_>>().join("; "))
}
