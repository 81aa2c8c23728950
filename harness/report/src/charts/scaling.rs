//! What more threads bring.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, scale};
use crate::stats::{self, Interval};

const TITLE: &str = "Thread scaling";

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let threads = data.threads();
    let left_out = |reason: &str| LeftOut {
        title: TITLE,
        reason: reason.into(),
    };
    let (Some(&few), Some(&many)) = (threads.first(), threads.last()) else {
        return Err(left_out("nothing was measured"));
    };
    if few == many {
        return Err(left_out("only one thread count was measured"));
    }
    let speed_ups = speed_ups(data, few, many);
    if speed_ups.is_empty() {
        return Err(left_out(
            "no variant was measured at two thread counts in one round",
        ));
    }
    let rows = speed_ups.iter().map(|(name, mean, single)| Row {
        label: (*name).to_owned(),
        marks: vec![Mark {
            value: *mean,
            style: data.styles.of(name),
        }],
        dots: single.clone(),
        note: scale::times(mean.median),
    });
    let ideal = f64::from(many) / f64::from(few);
    let panels = [RowPanel {
        title: String::new(),
        rows: rows.collect(),
        kind: Kind::Points,
        log: true,
        axis: format!("time with {} : time with {many}", super::threads_text(few)),
        unit: scale::times,
        guides: vec![
            Guide {
                value: 1.0,
                label: "no gain".into(),
            },
            Guide {
                value: ideal,
                label: format!("ideal {}", scale::times(ideal)),
            },
        ],
        band: super::noise_band(data.floor()),
    }];
    let mut canvas = Canvas::default();
    let explanation = format!(
        "Speed-up of {many} threads over {few}, paired within rounds, geometric mean over the \
         workloads with its 95 % interval. Dots: single workloads. Shaded: the noise floor."
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: "scaling",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(&speed_ups, few, many),
        reading: "Right is better; the dashed line at the right is what as many threads could \
                  bring at most. A variant far left of it is bound by memory, by a serial phase, \
                  or by waiting at the end of phases.",
    })
}

type SpeedUp<'a> = (&'a str, Interval, Vec<f64>);

fn speed_ups<'a>(data: &Data<'a>, few: u32, many: u32) -> Vec<SpeedUp<'a>> {
    let of = |variant: &'a str| -> Option<SpeedUp<'a>> {
        let ratios: Vec<Interval> = data
            .workloads()
            .filter_map(|w| {
                let slow = data.cells.default_of(&w.name, variant, few)?;
                let fast = data.cells.default_of(&w.name, variant, many)?;
                slow.over(&fast)
            })
            .collect();
        let single = ratios.iter().map(|r| r.median).collect();
        Some((variant, stats::geometric_mean(&ratios)?, single))
    };
    let mut found: Vec<SpeedUp<'a>> = data
        .run
        .variants
        .iter()
        .filter_map(|v| of(&v.name))
        .collect();
    found.sort_by(|a, b| b.1.median.total_cmp(&a.1.median).then(a.0.cmp(b.0)));
    found
}

fn finding(speed_ups: &[SpeedUp<'_>], few: u32, many: u32) -> String {
    let (Some(best), Some(worst)) = (speed_ups.first(), speed_ups.last()) else {
        return String::new();
    };
    let of = |(name, ratio, _): &SpeedUp<'_>| format!("{name} {}", scale::ratio(*ratio));
    format!(
        "From {few} to {many} threads the one that gains most is {}, least {}.",
        of(best),
        of(worst)
    )
}
