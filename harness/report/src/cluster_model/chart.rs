//! The chart of a prediction: by workers, what the time goes to; at the most, what filters save and what skew costs.

use std::fmt::Write as _;

use super::{Filter, Machine, Part, Sides, Way, predict};
use crate::charts::canvas::{Anchor, Canvas, Colour, GREY, GRID, INK};
use crate::charts::frame::{self, LINE, MARGIN, WIDTH};
use crate::charts::scale::{self, Axis};
use crate::charts::style::MUTED;
use crate::threads_model::Rates;

/// Workers that are predicted, as powers of two.
const WORKERS: std::ops::RangeInclusive<u32> = 4..=14;

/// The most that are looked at more closely.
const MOST: f64 = 4096.0;

/// Rows of build sides, as powers of ten.
const BUILD: std::ops::RangeInclusive<i32> = 6..=11;

/// The share of the probe side that has a partner, where filters are compared.
const HIT: f64 = 0.1;

/// Tenths of Zipf's exponent.
const ZIPF: std::ops::RangeInclusive<u32> = 0..=12;

/// Height of the plots.
const PLOT: f64 = 250.0;
/// Room left of a plot for its ticks.
const TICKS: f64 = 56.0;
/// Room above a plot for its title.
const TITLE: f64 = 30.0;
/// Room between two plots.
const GAP: f64 = 22.0;

/// A curve: its name, and where it goes through.
type Curve = (String, Vec<(f64, f64)>);

/// What the chart shows: seconds, by what each plot is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Panels {
    by_workers: Vec<Curve>,
    by_build: Vec<Curve>,
    by_zipf: Vec<Curve>,
}

impl Panels {
    /// The join of 100 TB, by these rates.
    pub fn new(rates: &Rates, machine: &Machine) -> Self {
        let sides = Sides::HUNDRED_TERABYTES;
        let time = |sides: &Sides, workers, way| predict(rates, machine, sides, workers, way);
        let workers = || WORKERS.map(|power| f64::from(1_u32 << power));
        let on = |workers| time(&sides, workers, Way::PLAIN);
        let mut by_workers = vec![(
            "all together".to_owned(),
            workers().map(|n| (n, on(n).seconds)).collect(),
        )];
        for part in Part::ALL.into_iter().filter(|part| *part != Part::Skew) {
            let points = workers().map(|n| (n, on(n).of(part)));
            by_workers.push((part.name().to_owned(), points.collect()));
        }
        let by_build = Filter::ALL.map(|filter| {
            let way = Way {
                filter,
                ..Way::PLAIN
            };
            let points = BUILD.map(|power| {
                let build = libm::pow(10.0, power.into());
                let sides = Sides {
                    build,
                    hit: HIT,
                    ..sides
                };
                (build, time(&sides, MOST, way).of(Part::Network))
            });
            (filter.name().to_owned(), points.collect())
        });
        let by_zipf = [false, true].map(|replicated| {
            let way = Way {
                replicated,
                ..Way::PLAIN
            };
            let points = ZIPF.map(|tenths| {
                let zipf = f64::from(tenths) / 10.0;
                (zipf, time(&Sides { zipf, ..sides }, MOST, way).seconds)
            });
            let name = match replicated {
                false => "each key to one worker",
                true => "frequent keys to all",
            };
            (name.to_owned(), points.collect())
        });
        Self {
            by_workers,
            by_build: by_build.into(),
            by_zipf: by_zipf.into(),
        }
    }
}

/// All points.
pub fn csv(panels: &Panels) -> String {
    let mut csv = String::from("plot,curve,x,seconds\n");
    for (plot, curves) in [
        ("workers", &panels.by_workers),
        ("build rows", &panels.by_build),
        ("zipf", &panels.by_zipf),
    ] {
        for (name, points) in curves {
            for (x, seconds) in points {
                // Writing to a string cannot fail.
                let _ = writeln!(csv, "{plot},{name},{x},{seconds:.4}");
            }
        }
    }
    csv
}

/// Draws the panels side by side.
pub fn draw(panels: &Panels) -> String {
    let mut canvas = Canvas::default();
    let y = frame::header(
        &mut canvas,
        "A join of 100 TB on many machines, by the model",
        "Left: by the number of workers, what the slowest of them takes altogether and what each part alone would take. \
         Middle: on 4,096, what the network alone takes where one probe row in ten has a partner, by the rows of the build side. \
         Right: on 4,096, by the exponent of Zipf's law that probe keys follow.",
    );
    let top = y + 8.0;
    let width = (WIDTH - 2.0 * MARGIN - 2.0 * GAP) / 3.0;
    let plots = [
        ("by workers", "workers", &panels.by_workers),
        ("the network, by build rows", "build rows", &panels.by_build),
        ("by skew", "exponent", &panels.by_zipf),
    ];
    for (nth, (title, unit, curves)) in plots.into_iter().enumerate() {
        let left = MARGIN + (width + GAP) * nth as f64 + TICKS;
        let across = (left, left + width - TICKS);
        plot(&mut canvas, across, top, (title, unit), curves);
    }
    let most = panels.by_workers.len() as f64;
    canvas.finish(WIDTH, top + TITLE + PLOT + 42.0 + most * LINE + 8.0)
}

fn colour(nth: usize) -> Colour {
    [INK, MUTED[1], MUTED[4], MUTED[3], MUTED[2]][nth % 5]
}

fn plot(
    canvas: &mut Canvas,
    (left, right): (f64, f64),
    y: f64,
    (title, unit): (&str, &str),
    curves: &[Curve],
) {
    canvas.heading(title, left - TICKS, y + 6.0, 12.5);
    let (top, bottom) = (y + TITLE, y + TITLE + PLOT);
    let points = || curves.iter().flat_map(|(_, points)| points);
    // Exponents begin at 0, counts do not.
    let (across, label): (_, fn(f64) -> String) = match points().any(|point| point.0 == 0.0) {
        true => {
            let axis = Axis::from_zero(points().map(|point| point.0), left, right);
            (axis, scale::short)
        }
        false => {
            let axis = Axis::log(points().map(|point| point.0), 1.2, left, right);
            (axis, |value| scale::rows(value as u64))
        }
    };
    let up = Axis::log(points().map(|point| point.1), 1.3, bottom, top);
    for value in up.ticks(28.0) {
        let at = up.at(value);
        canvas.line(&[(left, at), (right, at)], GRID, 1.0, None);
        canvas.text(&scale::seconds(value), left - 6.0, at, Anchor::End, INK);
    }
    frame::x_axis(canvas, &across, (top, bottom), unit, None, label);
    for (nth, (name, points)) in curves.iter().enumerate() {
        let path: Vec<_> = points
            .iter()
            .map(|(x, seconds)| (across.at(*x), up.at(*seconds)))
            .collect();
        canvas.line(&path, colour(nth), 2.0, None);
        let y = bottom + 44.0 + nth as f64 * LINE;
        canvas.line(&[(left, y), (left + 20.0, y)], colour(nth), 2.0, None);
        canvas.text(name, left + 26.0, y, Anchor::Start, GREY);
    }
}
