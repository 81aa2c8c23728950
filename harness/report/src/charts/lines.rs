//! A panel of lines over a number of rows or bytes, both axes logarithmic.

use super::canvas::{Anchor, BAND, Canvas, GREY, GRID, INK, PALE, SMALL};
use super::frame::X_AXIS;
use super::scale::{self, Axis};
use super::style::{self, Style};
use super::text;
use crate::stats::Interval;

/// One line.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it shows.
    pub name: String,
    /// How it looks.
    pub style: Style,
    /// Whether it stands in pale grey behind the others.
    pub background: bool,
    /// Rows and value, by rows.
    pub points: Vec<(f64, Interval)>,
}

/// Lines over rows.
#[derive(Debug, Clone)]
pub struct LinePanel {
    /// Above the plot.
    pub title: String,
    /// Below the horizontal axis.
    pub x_title: &'static str,
    /// How its ticks read, powers of two.
    pub x_label: fn(u32) -> String,
    /// Beside the vertical axis.
    pub y_title: String,
    /// How ticks of the vertical axis read.
    pub unit: fn(f64) -> String,
    /// Lines.
    pub series: Vec<Series>,
    /// A bound, dashed, with a label.
    pub limit: Option<(String, Vec<(f64, f64)>)>,
    /// Numbers of rows with a label above the plot, such as cache sizes.
    pub verticals: Vec<(f64, String)>,
    /// A shaded range.
    pub band: Option<(f64, f64)>,
    /// Values that the vertical axis must show.
    pub y_range: (f64, f64),
}

/// Room left of a plot for its vertical axis.
pub const Y_AXIS: f64 = 58.0;
/// Room above a plot for its title and the labels of its verticals.
const TOP: f64 = 38.0;

/// Pixels that a panel with a plot of `plot` pixels takes.
pub fn height(plot: f64) -> f64 {
    TOP + plot + X_AXIS
}

impl LinePanel {
    /// Draws the panel with its upper left corner at `(x, y)` and a plot `plot` pixels high.
    pub fn draw(&self, canvas: &mut Canvas, (x, y): (f64, f64), width: f64, plot: f64) {
        canvas.heading(&self.title, x, y + 8.0, 12.5);
        let (left, right, top) = (x + Y_AXIS, x + width, y + TOP);
        let bottom = top + plot;
        let rows = self.series.iter().flat_map(|s| &s.points).map(|p| p.0);
        let across = Axis::log(rows, 1.25, left, right);
        let up = Axis {
            log: true,
            low: self.y_range.0,
            high: self.y_range.1,
            from: bottom,
            to: top,
        };
        if let Some((low, high)) = self.band {
            let (from, to) = (up.at(high), up.at(low));
            canvas.rect(left, from, right - left, to - from, BAND);
        }
        self.axes(canvas, &across, &up);
        let inside = self.verticals.iter().filter(|v| across.holds(v.0));
        let verticals: Vec<_> = inside.cloned().collect();
        for (value, _) in &verticals {
            let at = across.at(*value);
            canvas.line(&[(at, top), (at, bottom)], GREY, 1.0, Some((2.0, 3.0)));
        }
        for (value, label) in apart(verticals, &across) {
            canvas.text(&label, across.at(value), top - 8.0, Anchor::Middle, GREY);
        }
        if let Some((label, points)) = &self.limit {
            let inside = points.iter().filter(|(_, v)| up.holds(*v));
            let mut path: Vec<_> = inside.map(|(r, v)| (across.at(*r), up.at(*v))).collect();
            if let [(at, height)] = path[..] {
                // A lone point would draw nothing.
                path.insert(0, (at - 30.0, height));
            }
            canvas.line(&path, INK, 1.5, Some((6.0, 4.0)));
            if let Some((at, height)) = path.last() {
                let near = (at - 4.0, (height - 9.0).max(top + 8.0));
                canvas.text(label, near.0, near.1, Anchor::End, INK);
            }
        }
        let (behind, before): (Vec<_>, Vec<_>) = self.series.iter().partition(|s| s.background);
        for series in behind.into_iter().chain(before) {
            series.draw(canvas, &across, &up);
        }
    }

    fn axes(&self, canvas: &mut Canvas, across: &Axis, up: &Axis) {
        let (top, bottom) = (up.to, up.from);
        for power in across.powers_of_two(36.0) {
            let at = across.at(2f64.powi(power as i32));
            canvas.line(&[(at, top), (at, bottom)], GRID, 1.0, None);
            let label = (self.x_label)(power);
            canvas.text(&label, at, bottom + 10.0, Anchor::Middle, INK);
        }
        for value in up.ticks(28.0) {
            let at = up.at(value);
            canvas.line(&[(across.from, at), (across.to, at)], GRID, 1.0, None);
            let label = (self.unit)(value);
            canvas.text(&label, across.from - 6.0, at, Anchor::End, INK);
        }
        let frame = [
            (across.from, top),
            (across.from, bottom),
            (across.to, bottom),
        ];
        canvas.line(&frame, GREY, 1.0, None);
        let middle = (across.from + across.to) / 2.0;
        canvas.text(self.x_title, middle, bottom + 27.0, Anchor::Middle, GREY);
        canvas.upright(
            &self.y_title,
            across.from - Y_AXIS + 8.0,
            (top + bottom) / 2.0,
        );
    }
}

impl Series {
    fn draw(&self, canvas: &mut Canvas, across: &Axis, up: &Axis) {
        let at = |(rows, value): &(f64, Interval)| (across.at(*rows), up.at(value.median));
        let path: Vec<_> = self.points.iter().map(at).collect();
        if self.background {
            canvas.line(&path, PALE, 1.0, None);
            return;
        }
        canvas.line(&path, self.style.colour, 1.5, self.style.dash);
        for (point, (_, value)) in path.iter().zip(&self.points) {
            let (low, high) = (up.at(value.low), up.at(value.high));
            if low - high > 1.0 {
                let ends = [(point.0, low), (point.0, high)];
                canvas.line(&ends, self.style.colour, 1.0, None);
            }
            style::mark(canvas, point.0, point.1, self.style);
        }
    }
}

/// Joins the labels of verticals that are too close for labels of their own.
fn apart(verticals: Vec<(f64, String)>, across: &Axis) -> Vec<(f64, String)> {
    let mut kept: Vec<(f64, String)> = Vec::new();
    for (value, label) in verticals {
        let half = |label: &str| text::width(label, SMALL, false) / 2.0 + 3.0;
        let free = kept.iter().all(|(other, name)| {
            (across.at(value) - across.at(*other)).abs() > half(&label) + half(name)
        });
        if free {
            kept.push((value, label));
        } else if let Some((_, name)) = kept.last_mut() {
            name.push('/');
            name.push_str(&label);
        }
    }
    kept
}

/// The vertical range around all intervals, a tenth more on both sides.
pub fn around<'a>(series: impl IntoIterator<Item = &'a Series>) -> (f64, f64) {
    let values = series.into_iter().flat_map(|s| &s.points);
    let ends = values.flat_map(|(_, v)| [v.low, v.high]);
    let axis = Axis::log(ends, 1.1, 0.0, 1.0);
    (axis.low, axis.high)
}

/// Ticks of numbers of rows.
pub fn power_of_two(power: u32) -> String {
    format!("2^{power}")
}

/// Ticks of throughput: millions.
pub fn millions(value: f64) -> String {
    scale::short(value / 1e6)
}
