//! Charts of queries in an engine: its joins beside others, and peers. Each is a function of what was measured alone.

use super::ablation::{Effect, panel};
use super::canvas::Canvas;
use super::frame::{LINE, MARGIN, WIDTH, header, legend};
use super::rows::{Guide, Kind as Drawn, Mark, Row, RowPanel, grid};
use super::style::Styles;
use super::{Chart, LeftOut, csv, noise_band, scale, threads_text};
use crate::plans::{Arm, Kind, PlanRun, Spread};
use crate::stats::{self, Interval};

const TIMES: &str = "Time of each query";
const RATIOS: &str = "Ratio by query, sorted";
const SPREADS: &str = "How much times depend on the order of tables";
const TECHNIQUES: &str = "What each technique buys on queries";

/// Draws every chart of queries that the run has data for.
pub(crate) fn draw_all(run: &PlanRun) -> Vec<Result<Chart, LeftOut>> {
    let peers: Vec<&str> = run.of(Kind::Peer).map(|arm| &*arm.name).collect();
    let control = run.of(Kind::Control).next();
    let data = Data {
        run,
        engines: run
            .arms
            .iter()
            .filter(|arm| matches!(arm.kind, Kind::Executor | Kind::Peer))
            .filter(|arm| arm.summary.bundles > 0)
            .collect(),
        styles: Styles::new(run.arms.iter().map(|arm| &*arm.name), &peers),
        floor: control
            .and_then(|arm| arm.summary.over_first)
            .map_or(0.0, |over| stats::floor(over.geometric_mean)),
    };
    let orders = run.orders();
    // Few runs have orders, and those have hundreds of cases.
    if !orders.is_empty() {
        return vec![spreads(&data, &orders)];
    }
    vec![times(&data), ratios(&data), techniques(&data)]
}

/// A row for each query: how far its times in all orders lie apart, and how long the slowest takes.
fn spreads(data: &Data<'_>, orders: &[(&str, Vec<usize>)]) -> Result<Chart, LeftOut> {
    let panel = |title: &str, of: fn(&Spread) -> f64, axis: &str, unit: fn(f64) -> String| {
        let rows = orders.iter().map(|(query, places)| {
            let engines = data.engines.iter();
            let spreads: Vec<_> = engines.map(|arm| (arm, arm.spread(places))).collect();
            let marks = spreads.iter().filter_map(|(arm, spread)| {
                Some(Mark {
                    value: point(of(spread.as_ref()?)),
                    style: data.styles.of(&arm.name),
                })
            });
            let missing = spreads.iter().map(|(_, spread)| match spread {
                Some(spread) => spread.missing,
                None => places.len(),
            });
            Row {
                label: (*query).to_owned(),
                marks: marks.collect(),
                note: match missing.sum::<usize>() {
                    0 => String::new(),
                    missing => format!("{missing} without a time"),
                },
                ..Row::default()
            }
        });
        RowPanel {
            title: title.to_owned(),
            rows: rows.collect(),
            kind: Drawn::Points,
            log: true,
            axis: axis.to_owned(),
            unit,
            guides: Vec::new(),
            band: None,
        }
    };
    let panels = [
        panel(
            "largest : smallest",
            Spread::ratio,
            "largest time : smallest time",
            scale::times,
        ),
        panel(
            "slowest order",
            |spread| spread.most,
            "time",
            scale::seconds,
        ),
    ];
    if data.engines.is_empty() {
        return Err(LeftOut {
            title: SPREADS,
            reason: "nobody has a time".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, medians of each order, log axes. An engine without a time in some order has one mark of the others, and a note.",
        threads_text(data.run.threads)
    );
    let y = header(&mut canvas, SPREADS, &explanation);
    let y = data.legend(&mut canvas, y);
    let y = grid(&mut canvas, y, 2, &panels);
    Ok(Chart {
        name: "query-orders",
        title: SPREADS.to_owned(),
        finding: found_of_orders(data, orders),
        csv: of_orders(data, orders),
        svg: canvas.finish(WIDTH, y + MARGIN),
        reading: "At ×1 the order in which a query names its tables does not matter. Far to the right it decides.",
    })
}

/// What the orders of queries say of each engine; of few samples, that they say nothing.
fn found_of_orders(data: &Data<'_>, orders: &[(&str, Vec<usize>)]) -> String {
    let all = data.engines.iter().flat_map(|arm| {
        let spreads = orders.iter();
        spreads.filter_map(|(_, places)| arm.spread(places))
    });
    let fewest = all.map(|spread| spread.samples).min().unwrap_or(0);
    if fewest < Spread::SAMPLES {
        return format!(
            "{fewest} samples of an order are too few to say how far times lie apart: the largest of several times is soon that of \
             a disturbance. {} or more tell.",
            Spread::SAMPLES
        );
    }
    let said = data.engines.iter().filter_map(|arm| {
        let spreads = orders.iter().filter_map(|(query, places)| {
            let spread = arm.spread(places)?;
            (spread.orders > 1).then(|| (*query, spread.ratio()))
        });
        let (query, worst) = spreads.max_by(|a, b| a.1.total_cmp(&b.1))?;
        let worst = scale::times(worst);
        Some(format!("{} up to {worst} ({query})", arm.name))
    });
    format!(
        "The same query takes so many times longer in one order of its tables than in another: {}.",
        said.collect::<Vec<_>>().join("; ")
    )
}

/// A line for each query and engine.
fn of_orders(data: &Data<'_>, orders: &[(&str, Vec<usize>)]) -> String {
    let mut table = csv::Csv::new(&[
        "query", "engine", "orders", "missing", "samples", "least", "most", "ratio",
    ]);
    for (query, places) in orders {
        for arm in &data.engines {
            let Some(spread) = arm.spread(places) else {
                continue;
            };
            let counts = [spread.orders, spread.missing, spread.samples];
            let figures = [spread.least, spread.most, spread.ratio()];
            let names = [(*query).to_owned(), arm.name.clone()].into_iter();
            let counts = counts.into_iter().map(|count| count.to_string());
            let figures = figures.into_iter().map(|figure| figure.to_string());
            table.row(names.chain(counts).chain(figures));
        }
    }
    table.finish()
}

/// A value without an interval.
fn point(value: f64) -> Interval {
    Interval {
        median: value,
        low: value,
        high: value,
    }
}

struct Data<'a> {
    run: &'a PlanRun,
    engines: Vec<&'a Arm>,
    styles: Styles,
    floor: f64,
}

impl Data<'_> {
    fn legend(&self, canvas: &mut Canvas, y: f64) -> f64 {
        let entries = self.engines.iter();
        let entries: Vec<_> = entries
            .map(|arm| (self.styles.of(&arm.name), &*arm.name))
            .collect();
        legend(canvas, MARGIN, y, &entries);
        y + entries.len() as f64 * LINE + 10.0
    }
}

/// A row for each query, in the order of the run.
fn times(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let names = (0..).zip(data.run.names());
    let rows: Vec<Row> = names
        .map(|(at, name)| {
            let marks = data.engines.iter().filter_map(|arm| {
                Some(Mark {
                    value: arm.bundles[at].as_ref()?.seconds,
                    style: data.styles.of(&arm.name),
                })
            });
            let marks: Vec<Mark> = marks.collect();
            let missing = data.engines.len() - marks.len();
            Row {
                label: name.to_owned(),
                marks,
                note: match missing {
                    0 => String::new(),
                    missing => format!("{missing} without a time"),
                },
                ..Row::default()
            }
        })
        .collect();
    if rows.is_empty() {
        return Err(LeftOut {
            title: TIMES,
            reason: "no query was measured".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, medians with 95 % intervals, log axis. Who failed has no mark: why stands among the failures.",
        threads_text(data.run.threads)
    );
    let y = header(&mut canvas, TIMES, &explanation);
    let y = data.legend(&mut canvas, y);
    let panels = [RowPanel {
        title: String::new(),
        rows,
        kind: Drawn::Points,
        log: true,
        axis: "time".to_owned(),
        unit: scale::seconds,
        guides: Vec::new(),
        band: None,
    }];
    let y = grid(&mut canvas, y, 1, &panels);
    let first = &data.run.arms[0];
    let totals = data.engines.iter().filter_map(|arm| {
        let over = arm.summary.over_first?;
        let total = scale::ratio(over.total);
        Some(format!(
            "{} takes {total} of {} in all",
            arm.name, first.name
        ))
    });
    Ok(Chart {
        name: "query-times",
        title: TIMES.to_owned(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: of_queries(data),
        finding: format!("{}.", totals.collect::<Vec<_>>().join("; ")),
        reading: "Left is faster; one unit of distance is the same ratio everywhere.",
    })
}

/// A panel for each engine but the first, whose time is 1.
fn ratios(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let first = &data.run.arms[0];
    let others = data.engines.iter().filter(|arm| arm.name != first.name);
    let panels: Vec<RowPanel> = others
        .map(|arm| {
            let names = arm.pairs(first).map(|(measured, _)| &measured.bundle);
            let mut ratios: Vec<_> = names.zip(arm.ratios(first)).collect();
            ratios.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
            let rows = ratios.into_iter().map(|(name, ratio)| Row {
                label: name.clone(),
                marks: vec![Mark {
                    value: ratio,
                    style: data.styles.of(&arm.name),
                }],
                note: scale::ratio(ratio),
                ..Row::default()
            });
            RowPanel {
                title: arm.name.clone(),
                rows: rows.collect(),
                kind: Drawn::Points,
                log: true,
                axis: format!("time : {}", first.name),
                unit: scale::times,
                guides: vec![Guide {
                    value: 1.0,
                    label: String::new(),
                }],
                band: noise_band(data.floor),
            }
        })
        .filter(|panel| !panel.rows.is_empty())
        .collect();
    if panels.is_empty() {
        return Err(LeftOut {
            title: RATIOS,
            reason: format!("nobody but {} has a time", first.name),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, paired within rounds, with 95 % intervals, log axis. Dashed: the time of {}. Shaded: within the noise.",
        threads_text(data.run.threads),
        first.name
    );
    let y = header(&mut canvas, RATIOS, &explanation);
    let y = grid(&mut canvas, y, panels.len().min(2), &panels);
    let said = panels.iter().map(|panel| {
        let medians = panel.rows.iter().map(|row| row.marks[0].value.median);
        let faster = medians.clone().filter(|&ratio| ratio < 1.0).count();
        let (least, most) = (
            medians.clone().fold(f64::INFINITY, f64::min),
            medians.fold(0.0, f64::max),
        );
        format!(
            "{} is faster on {faster} of {} queries, {} to {}",
            panel.title,
            panel.rows.len(),
            scale::times(least),
            scale::times(most)
        )
    });
    Ok(Chart {
        name: "query-ratios",
        title: RATIOS.to_owned(),
        finding: format!("{}.", said.collect::<Vec<_>>().join("; ")),
        csv: csv::of_rows(&panels),
        svg: canvas.finish(WIDTH, y + MARGIN),
        reading: "Left of the dashed line is faster. The upper end shows what is gained, the lower end what it may cost.",
    })
}

/// A panel for each engine that was measured without techniques.
fn techniques(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let panels: Vec<RowPanel> = data
        .engines
        .iter()
        .filter_map(|whole| {
            let without = format!("{} without ", whole.name);
            let arms = data.run.of(Kind::Ablation);
            let mut effects: Vec<Effect> = arms
                .filter_map(|arm| {
                    let ratios = arm.ratios(whole);
                    Some(Effect {
                        name: arm.name.strip_prefix(&without)?.to_owned(),
                        mean: stats::geometric_mean(&ratios)?,
                        by_workload: ratios.iter().map(|ratio| ratio.median).collect(),
                    })
                })
                .collect();
            effects.sort_by(|a, b| b.mean.median.total_cmp(&a.mean.median));
            let mut panel = panel(&effects, data.floor, "time without it : time with all");
            panel.title.clone_from(&whole.name);
            (!effects.is_empty()).then_some(panel)
        })
        .collect();
    if panels.is_empty() {
        return Err(LeftOut {
            title: TECHNIQUES,
            reason: "no technique was left out: run with --ablate".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, paired within rounds, geometric mean over the queries with its 95 % interval. Dots: single queries. Orange: \
         slower without it. Blue: faster. Pale: within the noise (shaded).",
        threads_text(data.run.threads)
    );
    let y = header(&mut canvas, TECHNIQUES, &explanation);
    let y = grid(&mut canvas, y, 1, &panels);
    let strongest = panels.iter().filter_map(|panel| {
        let row = panel.rows.first()?;
        let ratio = scale::ratio(row.marks.first()?.value);
        Some(format!(
            "{} needs {} most ({ratio})",
            panel.title, row.label
        ))
    });
    Ok(Chart {
        name: "query-techniques",
        title: TECHNIQUES.to_owned(),
        finding: format!("{}.", strongest.collect::<Vec<_>>().join("; ")),
        csv: csv::of_rows(&panels),
        svg: canvas.finish(WIDTH, y + MARGIN),
        reading: "A dot far to the right is a query that needs the technique, whatever the bar says.",
    })
}

fn of_queries(data: &Data<'_>) -> String {
    let mut table = csv::Csv::new(&["query", "engine", "rows", "cold", "value", "low", "high"]);
    for arm in &data.engines {
        for one in arm.bundles.iter().flatten() {
            let names = [one.bundle.clone(), arm.name.clone(), one.rows.to_string()];
            let times = [
                one.cold_seconds,
                one.seconds.median,
                one.seconds.low,
                one.seconds.high,
            ];
            table.row(
                names
                    .into_iter()
                    .chain(times.map(|seconds| seconds.to_string())),
            );
        }
    }
    table.finish()
}
