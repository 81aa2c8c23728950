//! What each technique of an executor buys.

use super::Data;
use crate::charts::ablation::{Effect, panel};
use crate::charts::canvas::Canvas;
use crate::charts::csv;
use crate::charts::frame::{MARGIN, WIDTH, header};
use crate::charts::rows::grid;
use crate::charts::{Chart, LeftOut, scale, threads_text};
use crate::plans::Kind;
use crate::stats::{self, Verdict};

const TITLE: &str = "What each technique buys";

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let first = data.first();
    let mut effects: Vec<Effect> = data
        .run
        .of(Kind::Ablation)
        .filter_map(|arm| {
            let name = arm.name.strip_prefix(&*first.name).unwrap_or(&arm.name);
            Some(Effect {
                name: name.trim().to_owned(),
                mean: arm.summary.over_first?.geometric_mean,
                by_workload: arm.ratios(first).iter().map(|ratio| ratio.median).collect(),
            })
        })
        .collect();
    if effects.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no technique was left out: run with --ablate".into(),
        });
    }
    effects.sort_by(|a, b| b.mean.median.total_cmp(&a.mean.median));
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, {}, {}, paired within rounds, geometric mean over the plans with its 95 % interval. Dots: single plans. Orange: \
         slower without it. Blue: faster. Pale: within the noise floor (shaded).",
        first.name,
        threads_text(data.run.threads),
        data.how()
    );
    let y = header(&mut canvas, &data.title(TITLE), &explanation);
    let panel = panel(&effects, data.floor, "time without it : time with all");
    let panels = [panel];
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: data.of("plan-techniques", "once-techniques"),
        title: data.title(TITLE),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(&effects, data.floor),
        reading: "A bar to the right says what the technique buys on a plan in the middle; a dot far to the right is a \
                  plan that needs it, whatever the bar says.",
    })
}

fn finding(effects: &[Effect], floor: f64) -> String {
    let strongest = effects.iter().take(3);
    let strongest = strongest.map(|e| format!("{} {}", e.name, scale::ratio(e.mean)));
    let noise = effects
        .iter()
        .filter(|effect| stats::verdict(effect.mean, floor) == Verdict::WithinNoise);
    format!(
        "Slowest {}; {} of {} are within noise ({}).",
        strongest.collect::<Vec<_>>().join(", "),
        noise.count(),
        effects.len(),
        scale::percent(floor)
    )
}
