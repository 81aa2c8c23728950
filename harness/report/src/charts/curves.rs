//! Curves over one quantity, both axes logarithmic: what a model says, not what was measured.

use super::canvas::{Anchor, Canvas, GREY, GRID, INK};
use super::frame::{self, LINE, MARGIN, WIDTH};
use super::lines::Y_AXIS;
use super::scale::{self, Axis};
use super::style::{Style, Styles, mark};

const PLOT: f64 = 340.0;
/// Room for the labels of the vertical axis and its title.
const LEFT: f64 = MARGIN + Y_AXIS + 18.0;

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: &'static str,
    /// Where it goes through.
    pub points: Vec<(f64, f64)>,
}

/// What the axes show.
#[derive(Debug, Clone, Copy)]
pub struct Axes {
    /// What grows to the right.
    pub across: &'static str,
    /// Its unit.
    pub unit: fn(f64) -> String,
    /// The case at hand, marked on that axis.
    pub here: f64,
    /// What grows upwards, in shares.
    pub up: &'static str,
}

/// Draws the curves.
pub fn draw(title: &str, explanation: &str, axes: &Axes, series: &[Series]) -> String {
    let mut canvas = Canvas::default();
    let top = frame::header(&mut canvas, title, explanation) + LINE;
    let bottom = top + PLOT;
    let legend = frame::legend_width(series.iter().map(|s| s.name));
    let right = WIDTH - MARGIN - legend - 16.0;
    let points = || series.iter().flat_map(|s| &s.points);
    let across = Axis::log(points().map(|p| p.0), 1.1, LEFT, right);
    let up = Axis::log(points().map(|p| p.1), 1.3, bottom, top);
    for power in across.powers_of_two(64.0) {
        let value = 2f64.powi(power as i32);
        let x = across.at(value);
        canvas.line(&[(x, top), (x, bottom)], GRID, 1.0, None);
        canvas.text(&(axes.unit)(value), x, bottom + 10.0, Anchor::Middle, INK);
    }
    for value in up.ticks(28.0) {
        let y = up.at(value);
        canvas.line(&[(across.from, y), (right, y)], GRID, 1.0, None);
        canvas.text(
            &scale::percent(value),
            across.from - 6.0,
            y,
            Anchor::End,
            INK,
        );
    }
    canvas.line(
        &[(across.from, top), (across.from, bottom), (right, bottom)],
        GREY,
        1.0,
        None,
    );
    canvas.text(
        axes.across,
        (across.from + right) / 2.0,
        bottom + 27.0,
        Anchor::Middle,
        GREY,
    );
    canvas.upright(axes.up, MARGIN + 2.0, (top + bottom) / 2.0);
    if across.holds(axes.here) {
        let x = across.at(axes.here);
        canvas.line(&[(x, top), (x, bottom)], GREY, 1.0, Some((2.0, 3.0)));
        canvas.text("this load", x, top - 8.0, Anchor::Middle, GREY);
    }
    let styles = Styles::new(series.iter().map(|s| s.name), &[]);
    let looks: Vec<(Style, &str)> = series.iter().map(|s| (styles.of(s.name), s.name)).collect();
    for (series, (style, _)) in series.iter().zip(&looks) {
        let path: Vec<_> = series
            .points
            .iter()
            .map(|p| (across.at(p.0), up.at(p.1)))
            .collect();
        canvas.line(&path, style.colour, 1.5, style.dash);
        for (x, y) in path {
            mark(&mut canvas, x, y, *style);
        }
    }
    frame::legend(&mut canvas, right + 16.0, top, &looks);
    canvas.finish(WIDTH, bottom + frame::X_AXIS + MARGIN)
}
