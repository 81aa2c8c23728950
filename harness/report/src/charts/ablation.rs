//! The effect of every setting: a tornado.

use super::canvas::{Canvas, PALE};
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Kind, Mark, Row, RowPanel, grid};
use super::style::{FASTER, Marker, SLOWER, Style};
use super::{Chart, Data, LeftOut, count_text, noise_band, scale, threads_text};
use crate::stats::{self, Interval, Verdict};

const TITLE: &str = "Ablation: the effect of one setting at a time";

/// A setting and what it does over all workloads.
pub(super) struct Effect {
    pub name: String,
    pub mean: Interval,
    pub by_workload: Vec<f64>,
}

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let threads = data.most_threads();
    let effects = effects(data, threads);
    if effects.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no setting was measured against the default: run with --ablate".into(),
        });
    }
    let floor = data.floor();
    let panel = panel(
        &effects,
        floor,
        "time with the setting : time with the default",
    );
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, paired within rounds, geometric mean over the workloads with its 95 % interval, \
         strongest first. Dots: single workloads. Blue: the setting is faster than the default. \
         Orange: slower. Pale: within the noise floor (shaded).",
        threads_text(threads)
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let panels = [panel];
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: "ablation",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(&effects, floor),
        reading: "A bar to the right says that changing this one setting makes the join slower, \
                  so the default is worth having; a bar to the left says the default should \
                  change. Dots on both sides of 1 mean that it depends on the workload.",
    })
}

/// A bar an effect.
pub(super) fn panel(effects: &[Effect], floor: f64, axis: &str) -> RowPanel {
    let rows = effects.iter().map(|effect| {
        let colour = match stats::verdict(effect.mean, floor) {
            Verdict::Faster => FASTER,
            Verdict::Slower => SLOWER,
            Verdict::WithinNoise => PALE,
        };
        Row {
            label: effect.name.clone(),
            marks: vec![Mark {
                value: effect.mean,
                style: Style {
                    colour,
                    marker: Marker::Disc,
                    dash: None,
                },
            }],
            dots: effect.by_workload.clone(),
            note: scale::times(effect.mean.median),
        }
    });
    RowPanel {
        title: String::new(),
        rows: rows.collect(),
        kind: Kind::Bars(1.0),
        log: true,
        axis: axis.to_owned(),
        unit: scale::times,
        guides: Vec::new(),
        band: noise_band(floor),
    }
}

fn effects(data: &Data<'_>, threads: u32) -> Vec<Effect> {
    let ablations: Vec<_> = data
        .summary
        .ablations
        .iter()
        .filter(|a| a.threads == threads)
        .collect();
    let several = ablations.iter().any(|a| a.variant != ablations[0].variant);
    let mut found: Vec<(String, Vec<Interval>)> = Vec::new();
    for ablation in ablations {
        let mut name = format!("{} = {}", ablation.toggle, ablation.setting);
        if several {
            name = format!("{name} ({})", ablation.variant);
        }
        match found.iter_mut().find(|(other, _)| *other == name) {
            Some((_, ratios)) => ratios.push(ablation.ratio),
            None => found.push((name, vec![ablation.ratio])),
        }
    }
    let mut effects: Vec<Effect> = found
        .into_iter()
        .filter_map(|(name, ratios)| {
            Some(Effect {
                name,
                mean: stats::geometric_mean(&ratios)?,
                by_workload: ratios.iter().map(|r| r.median).collect(),
            })
        })
        .collect();
    let strength = |effect: &Effect| effect.mean.median.ln().abs();
    effects.sort_by(|a, b| {
        let order = strength(b).total_cmp(&strength(a));
        order.then_with(|| a.name.cmp(&b.name))
    });
    effects
}

fn finding(effects: &[Effect], floor: f64) -> String {
    let judged = |wanted: Verdict| {
        effects
            .iter()
            .filter(move |e| stats::verdict(e.mean, floor) == wanted)
    };
    let strongest = |wanted, word: &str| {
        let effect = judged(wanted).next();
        let text = |e: &Effect| format!("{} is {word} most ({})", e.name, scale::ratio(e.mean));
        effect.map_or_else(|| format!("no setting is {word}"), text)
    };
    format!(
        "Of {}, {}, {}; {} within noise.",
        count_text(effects.len(), "setting"),
        strongest(Verdict::Slower, "slower"),
        strongest(Verdict::Faster, "faster"),
        judged(Verdict::WithinNoise).count()
    )
}
