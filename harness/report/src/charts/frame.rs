//! What charts have in common around their data: heading, axis, legend.

use super::canvas::{Anchor, Canvas, GREY, GRID, INK, SMALL};
use super::scale::{self, Axis};
use super::style::{self, Style};
use super::text;

/// Width of a chart in pixels.
pub const WIDTH: f64 = 1060.0;
/// Blank space at its edges.
pub const MARGIN: f64 = 14.0;
/// Distance of two lines of text.
pub const LINE: f64 = 16.0;

/// Title and explanation of a chart; returns where they end.
pub fn header(canvas: &mut Canvas, title: &str, explanation: &str) -> f64 {
    canvas.heading(title, MARGIN, MARGIN + 8.0, 15.0);
    let mut y = MARGIN + 28.0;
    for line in text::wrap(explanation, SMALL, WIDTH - 2.0 * MARGIN) {
        canvas.text(&line, MARGIN, y, Anchor::Start, GREY);
        y += LINE;
    }
    y + 6.0
}

/// Grid, ticks and title of a horizontal axis for a plot between `top` and `bottom`; `keep` is a
/// value whose tick must not give way. Needs [`X_AXIS`] pixels below `bottom`.
pub fn x_axis(
    canvas: &mut Canvas,
    axis: &Axis,
    (top, bottom): (f64, f64),
    title: &str,
    keep: Option<f64>,
    unit: fn(f64) -> String,
) {
    for (value, label) in scale::spaced(axis, axis.ticks(48.0), SMALL, keep, unit) {
        let x = axis.at(value);
        canvas.line(&[(x, top), (x, bottom)], GRID, 1.0, None);
        canvas.text(&label, x, bottom + 10.0, Anchor::Middle, INK);
    }
    let middle = (axis.from + axis.to) / 2.0;
    canvas.line(&[(axis.from, bottom), (axis.to, bottom)], GREY, 1.0, None);
    canvas.text(title, middle, bottom + 27.0, Anchor::Middle, GREY);
}

/// Room below a plot for its horizontal axis.
pub const X_AXIS: f64 = 38.0;

/// What a legend explains.
pub type Entry<'a> = (Style, &'a str);

/// Width of a legend.
pub fn legend_width<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    let widest = names
        .into_iter()
        .map(|name| text::width(name, SMALL, false))
        .fold(0.0, f64::max);
    34.0 + widest
}

/// Markers with their lines and names, one below the other from `(x, y)`.
pub fn legend(canvas: &mut Canvas, x: f64, y: f64, entries: &[Entry<'_>]) {
    for (at, (look, name)) in entries.iter().enumerate() {
        let y = y + at as f64 * LINE + LINE / 2.0;
        canvas.line(&[(x, y), (x + 28.0, y)], look.colour, 1.5, look.dash);
        style::mark(canvas, x + 14.0, y, *look);
        canvas.text(name, x + 34.0, y, Anchor::Start, INK);
    }
}

/// Coloured squares with names, in as many rows as `width` asks for; returns where they end.
pub fn keys(
    canvas: &mut Canvas,
    (x, y): (f64, f64),
    width: f64,
    entries: &[(super::canvas::Colour, String)],
) -> f64 {
    let (mut at, mut y) = (x, y + LINE / 2.0);
    for (colour, name) in entries {
        let need = 16.0 + text::width(name, SMALL, false) + 18.0;
        if at > x && at + need > x + width {
            at = x;
            y += LINE;
        }
        canvas.rect(at, y - 5.0, 10.0, 10.0, *colour);
        canvas.text(name, at + 16.0, y, Anchor::Start, INK);
        at += need;
    }
    y + LINE
}
