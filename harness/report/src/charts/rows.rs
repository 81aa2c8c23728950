//! A panel of rows: a name at the left, points or bars with their intervals, a number at the
//! right. Most charts are made of these.

use super::canvas::{Anchor, BAND, Canvas, Colour, GREY, GRID, INK, PALE, SMALL};
use super::frame::{LINE, MARGIN, WIDTH, X_AXIS, x_axis};
use super::scale::Axis;
use super::style::{self, Style};
use super::text;
use crate::stats::Interval;

/// A value with its interval.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Median and ends.
    pub value: Interval,
    /// Of marker or bar.
    pub style: Style,
}

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// At the left.
    pub label: String,
    /// One or several, one below the other.
    pub marks: Vec<Mark>,
    /// Faint single values behind the marks.
    pub dots: Vec<f64>,
    /// At the right.
    pub note: String,
}

/// How marks are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A marker.
    Points,
    /// A bar that starts at this value.
    Bars(f64),
}

/// A line across all rows.
#[derive(Debug, Clone)]
pub struct Guide {
    /// Where.
    pub value: f64,
    /// Above the first row; may be empty.
    pub label: String,
}

/// Rows over one axis.
#[derive(Debug, Clone)]
pub struct RowPanel {
    /// Above the rows; empty for none.
    pub title: String,
    /// Top to bottom.
    pub rows: Vec<Row>,
    /// Points or bars.
    pub kind: Kind,
    /// A log axis, else one from 0.
    pub log: bool,
    /// Below the axis.
    pub axis: String,
    /// How ticks read.
    pub unit: fn(f64) -> String,
    /// Lines across all rows.
    pub guides: Vec<Guide>,
    /// A shaded range.
    pub band: Option<(f64, f64)>,
}

impl RowPanel {
    /// Pixels that the panel takes.
    pub fn height(&self) -> f64 {
        self.top() + self.rows.iter().map(row_height).sum::<f64>() + 4.0 + X_AXIS
    }

    /// Pixels that its longest name takes.
    pub fn label_width(&self) -> f64 {
        let widths = self
            .rows
            .iter()
            .map(|r| text::width(&r.label, SMALL, false));
        widths.fold(0.0, f64::max) + 10.0
    }

    fn note_width(&self) -> f64 {
        let widths = self.rows.iter().map(|r| text::width(&r.note, SMALL, false));
        widths.fold(0.0, f64::max) + 10.0
    }

    /// Room above the first row.
    fn top(&self) -> f64 {
        let title = if self.title.is_empty() { 0.0 } else { 20.0 };
        let guides = self.guides.iter().any(|g| !g.label.is_empty());
        title + if guides { LINE } else { 4.0 }
    }

    fn scale(&self, from: f64, to: f64) -> Axis {
        let marks = self.rows.iter().flat_map(|r| &r.marks);
        let values = marks
            .flat_map(|m| [m.value.low, m.value.median, m.value.high])
            .chain(self.rows.iter().flat_map(|r| r.dots.iter().copied()))
            .chain(self.guides.iter().map(|g| g.value))
            .chain(self.band.into_iter().flat_map(|(low, high)| [low, high]));
        if self.log {
            let start = match self.kind {
                Kind::Bars(start) => Some(start),
                Kind::Points => None,
            };
            Axis::log(values.chain(start), 1.08, from, to)
        } else {
            Axis::from_zero(values, from, to)
        }
    }

    /// Draws the panel with its upper left corner at `(x, y)`.
    pub fn draw(&self, canvas: &mut Canvas, (x, y): (f64, f64), width: f64, label_width: f64) {
        if !self.title.is_empty() {
            canvas.heading(&self.title, x, y + 8.0, 12.5);
        }
        let axis = self.scale(x + label_width, x + width - self.note_width());
        let top = y + self.top();
        let bottom = top + self.rows.iter().map(row_height).sum::<f64>() + 4.0;
        if let Some((low, high)) = self.band {
            let (from, to) = (axis.at(low), axis.at(high));
            canvas.rect(from, top, to - from, bottom - top, BAND);
        }
        let keep = match self.kind {
            Kind::Bars(start) => Some(start),
            Kind::Points => self.guides.first().map(|g| g.value).filter(|v| *v == 1.0),
        };
        x_axis(canvas, &axis, (top, bottom), &self.axis, keep, self.unit);
        for guide in &self.guides {
            let at = axis.at(guide.value);
            canvas.line(&[(at, top), (at, bottom)], GREY, 1.0, Some((4.0, 3.0)));
            let half = text::width(&guide.label, SMALL, false) / 2.0;
            let at = at.clamp(x + half, x + width - half);
            canvas.text(&guide.label, at, top - 8.0, Anchor::Middle, GREY);
        }
        let mut middle = top + 2.0;
        for row in &self.rows {
            middle += row_height(row) / 2.0;
            self.row(canvas, &axis, row, middle);
            let (left, right) = (axis.from - 8.0, x + width);
            canvas.text(&row.label, left, middle, Anchor::End, INK);
            canvas.text(&row.note, right, middle, Anchor::End, GREY);
            middle += row_height(row) / 2.0;
        }
    }

    fn row(&self, canvas: &mut Canvas, axis: &Axis, row: &Row, middle: f64) {
        let ends = [(axis.from, middle), (axis.to, middle)];
        canvas.line(&ends, GRID, 0.75, None);
        let mut y = middle - (row.marks.len().saturating_sub(1)) as f64 * MARK / 2.0;
        for mark in &row.marks {
            let Interval { median, low, high } = mark.value;
            let (low, high, at) = (axis.at(low), axis.at(high), axis.at(median));
            match self.kind {
                Kind::Bars(start) => {
                    let start = axis.at(start);
                    let (from, to) = (start.min(at), start.max(at));
                    canvas.rect(from, y - 4.5, (to - from).max(0.5), 9.0, mark.style.colour);
                    dots(canvas, axis, row, y, 2.75, (255, 255, 255));
                    dots(canvas, axis, row, y, 1.75, GREY);
                    whisker(canvas, low, high, y, INK);
                }
                Kind::Points => {
                    dots(canvas, axis, row, y, 1.75, PALE);
                    whisker(canvas, low, high, y, mark.style.colour);
                    style::mark(canvas, at, y, mark.style);
                }
            }
            y += MARK;
        }
    }
}

/// Distance of the marks of one row.
const MARK: f64 = 10.0;

fn row_height(row: &Row) -> f64 {
    LINE + row.marks.len().saturating_sub(1) as f64 * MARK
}

fn dots(canvas: &mut Canvas, axis: &Axis, row: &Row, y: f64, radius: f64, colour: Colour) {
    for dot in &row.dots {
        canvas.disc(axis.at(*dot), y, radius, colour);
    }
}

fn whisker(canvas: &mut Canvas, low: f64, high: f64, y: f64, colour: Colour) {
    if high - low < 0.5 {
        return;
    }
    canvas.line(&[(low, y), (high, y)], colour, 1.25, None);
    for end in [low, high] {
        canvas.line(&[(end, y - 3.0), (end, y + 3.0)], colour, 1.25, None);
    }
}

/// Draws panels in `columns` columns from `y` on; returns where they end.
pub fn grid(canvas: &mut Canvas, mut y: f64, columns: usize, panels: &[RowPanel]) -> f64 {
    const GAP: f64 = 28.0;
    let width = (WIDTH - 2.0 * MARGIN + GAP) / columns as f64 - GAP;
    let label_width = panels.iter().map(RowPanel::label_width).fold(0.0, f64::max);
    for row in panels.chunks(columns) {
        for (column, panel) in row.iter().enumerate() {
            let x = MARGIN + column as f64 * (width + GAP);
            panel.draw(canvas, (x, y), width, label_width);
        }
        y += row.iter().map(RowPanel::height).fold(0.0, f64::max) + 12.0;
    }
    y
}
