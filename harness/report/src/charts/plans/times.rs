//! Time by plan.

use super::Data;
use crate::charts::canvas::{Anchor, Canvas, GRID, INK, PALE, SMALL};
use crate::charts::frame::{LINE, MARGIN, WIDTH, X_AXIS, header, legend, x_axis};
use crate::charts::scale::Axis;
use crate::charts::style;
use crate::charts::{Chart, LeftOut, scale, text, threads_text};

const TITLE: &str = "Time of each plan";

/// Plans in a column before there is another one.
const COLUMN: usize = 20;
/// Pixels of a plan, and between columns.
const ROW: f64 = 13.0;
const GAP: f64 = 28.0;
/// Pixels of a warm median's tick to either side.
const TICK: f64 = 4.5;

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let first = data.first();
    let plans: Vec<(usize, &str)> = (0..)
        .zip(&first.bundles)
        .filter_map(|(at, measured)| Some((at, &*measured.as_ref()?.bundle)))
        .collect();
    if plans.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no plan was measured".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, {}, median, log axis. Grey stars: peers, hollow with huge pages.{}",
        threads_text(data.run.threads),
        data.how(),
        match data.warm() {
            Some(_) => " Upright ticks in an engine's colour: its warm median.",
            None => "",
        }
    );
    let mut y = header(&mut canvas, &data.title(TITLE), &explanation);
    let entries: Vec<_> = data
        .engines
        .iter()
        .map(|arm| (data.styles.of(&arm.name), &*arm.name))
        .collect();
    legend(&mut canvas, MARGIN, y, &entries);
    y += entries.len() as f64 * LINE + 10.0;
    let columns = plans.len().div_ceil(COLUMN).clamp(1, 3);
    let width = (WIDTH - 2.0 * MARGIN + GAP) / columns as f64 - GAP;
    let names = plans
        .iter()
        .map(|(_, name)| text::width(name, SMALL, false));
    let label_width = names.fold(0.0, f64::max) + 10.0;
    let medians = data.engines.iter().flat_map(|arm| {
        let measured = arm.bundles.iter().flatten();
        measured.flat_map(|measured| {
            let warm = data.warm_median(arm, &measured.bundle);
            warm.into_iter().chain([measured.seconds.median])
        })
    });
    let range = Axis::log(medians, 1.15, 0.0, 1.0);
    let rows = plans.len().div_ceil(columns);
    let bottom = y + rows as f64 * ROW;
    for (column, plans) in plans.chunks(rows).enumerate() {
        let x = MARGIN + column as f64 * (width + GAP);
        let axis = Axis {
            from: x + label_width,
            to: x + width,
            ..range
        };
        x_axis(
            &mut canvas,
            &axis,
            (y, bottom),
            "time",
            None,
            scale::seconds,
        );
        for (row, (at, name)) in plans.iter().enumerate() {
            let middle = y + (row as f64 + 0.5) * ROW;
            let ends = [(axis.from, middle), (axis.to, middle)];
            canvas.line(&ends, GRID, 0.75, None);
            canvas.text(name, axis.from - 8.0, middle, Anchor::End, INK);
            let marks = data.engines.iter().filter_map(|arm| {
                let seconds = arm.bundles[*at].as_ref()?.seconds.median;
                Some((axis.at(seconds), data.styles.of(&arm.name)))
            });
            let marks: Vec<_> = marks.collect();
            let at = |better: fn(f64, f64) -> f64, none| {
                let places = marks.iter().map(|mark| mark.0);
                (places.fold(none, better), middle)
            };
            let span = [at(f64::min, f64::INFINITY), at(f64::max, 0.0)];
            canvas.line(&span, PALE, 1.5, None);
            for arm in &data.engines {
                if let Some(seconds) = data.warm_median(arm, name) {
                    let x = axis.at(seconds);
                    let ends = [(x, middle - TICK), (x, middle + TICK)];
                    canvas.line(&ends, data.styles.of(&arm.name).colour, 1.5, None);
                }
            }
            // The first one on top of the others.
            for (x, style) in marks.into_iter().rev() {
                style::mark(&mut canvas, x, middle, style);
            }
        }
    }
    Ok(Chart {
        name: data.of("plan-times", "once-times"),
        title: data.title(TITLE),
        svg: canvas.finish(WIDTH, bottom + X_AXIS + MARGIN),
        csv: data.csv(),
        finding: finding(data),
        reading: "Left is faster. A line joins what was measured of one plan; one unit of distance is the same ratio \
                  everywhere.",
    })
}

/// On how many plans the first one is the fastest.
fn finding(data: &Data<'_>) -> String {
    let first = data.first();
    let measured = (0..).zip(&first.bundles);
    let (mut fastest, mut all) = (0, 0);
    for (at, ours) in measured {
        let Some(ours) = ours else { continue };
        let others = data
            .engines
            .iter()
            .filter_map(|arm| arm.bundles[at].as_ref());
        let least = others.map(|other| other.seconds.median);
        all += 1;
        fastest += usize::from(ours.seconds.median <= least.fold(f64::INFINITY, f64::min));
    }
    format!("The fastest on {fastest} of {all} plans is {}.", first.name)
}
