//! A picture in pixels: shapes are collected, then drawn by plotters' SVG backend.
//!
//! Charts lay themselves out on their own: plotters' log ticks and its text sizes without a font
//! rasteriser are not good enough to keep labels apart.

use super::text::drawn;
use plotters::coord::Shift;
use plotters::prelude::{
    Circle as Disc, Color as _, DrawingArea, DrawingAreaErrorKind, FontDesc, FontFamily, FontStyle,
    FontTransform, IntoDrawingArea, PathElement, Polygon, RGBColor, Rectangle, SVGBackend,
    ShapeStyle, Text,
};
use plotters::style::TextStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The backend takes whole numbers only; a drawing four times as large, shown at a quarter, has
/// quarter pixels.
const SCALE: f64 = 4.0;
/// Pixels of the drawing that nothing lies beyond: the backend subtracts and adds places without looking.
const MOST: f64 = 1e8;
/// The backend divides font sizes by this.
const BACKEND_FONT: f64 = 1.24;

/// Red, green, blue.
pub type Colour = (u8, u8, u8);

/// Text and axes.
pub const INK: Colour = (34, 34, 34);
/// Secondary text.
pub const GREY: Colour = (95, 95, 95);
/// Series in the background.
pub const PALE: Colour = (200, 200, 200);
/// Grid lines.
pub const GRID: Colour = (229, 229, 229);
/// Shaded bands.
pub const BAND: Colour = (238, 238, 238);

/// The usual size of text.
pub const SMALL: f64 = 11.5;

/// Which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Text goes right from there.
    Start,
    /// Text is centred there.
    Middle,
    /// Text ends there.
    End,
}

/// Lengths of stroke and gap in pixels; `None` is a solid line.
pub type Dash = Option<(f64, f64)>;

#[derive(Debug)]
enum Shape {
    Rect([f64; 4], Colour),
    Line(Vec<(f64, f64)>, Colour, f64),
    Fill(Vec<(f64, f64)>, Colour),
    Disc((f64, f64), f64, Colour),
    Text(Label),
}

#[derive(Debug)]
struct Label {
    text: String,
    at: (f64, f64),
    anchor: Anchor,
    size: f64,
    bold: bool,
    colour: Colour,
    upright: bool,
}

impl Label {
    fn new(text: &str, x: f64, y: f64) -> Self {
        Self {
            text: drawn(text),
            at: (x, y),
            anchor: Anchor::Start,
            size: SMALL,
            bold: false,
            colour: INK,
            upright: false,
        }
    }
}

/// Shapes in the order in which they cover each other.
#[derive(Debug, Default)]
pub struct Canvas {
    shapes: Vec<Shape>,
}

impl Canvas {
    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: Colour) {
        self.shapes.push(Shape::Rect([x, y, width, height], colour));
    }

    /// A line through `points`.
    pub fn line(&mut self, points: &[(f64, f64)], colour: Colour, width: f64, dash: Dash) {
        match dash {
            None => self
                .shapes
                .push(Shape::Line(points.to_vec(), colour, width)),
            Some(dash) => self.shapes.extend(
                dashes(points, dash)
                    .into_iter()
                    .map(|stroke| Shape::Line(stroke, colour, width)),
            ),
        }
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: Vec<(f64, f64)>, colour: Colour) {
        self.shapes.push(Shape::Fill(points, colour));
    }

    /// A filled circle.
    pub fn disc(&mut self, x: f64, y: f64, radius: f64, colour: Colour) {
        self.shapes.push(Shape::Disc((x, y), radius, colour));
    }

    /// A line of text, vertically centred on `y`.
    pub fn text(&mut self, text: &str, x: f64, y: f64, anchor: Anchor, colour: Colour) {
        self.shapes.push(Shape::Text(Label {
            anchor,
            colour,
            ..Label::new(text, x, y)
        }));
    }

    /// A line of bold text.
    pub fn heading(&mut self, text: &str, x: f64, y: f64, size: f64) {
        self.shapes.push(Shape::Text(Label {
            size,
            bold: true,
            ..Label::new(text, x, y)
        }));
    }

    /// A line of text that reads upwards, centred on its place.
    pub fn upright(&mut self, text: &str, x: f64, y: f64) {
        self.shapes.push(Shape::Text(Label {
            anchor: Anchor::Middle,
            colour: GREY,
            upright: true,
            ..Label::new(text, x, y)
        }));
    }

    /// The picture as an SVG document of that many pixels.
    pub fn finish(self, width: f64, height: f64) -> String {
        let (w, h) = (whole(width) as u32, whole(height) as u32);
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (w, h)).into_drawing_area();
            let draw = || -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
                area.fill(&RGBColor(255, 255, 255))?;
                for shape in &self.shapes {
                    shape.draw(&area)?;
                }
                area.present()
            };
            draw().expect("a string takes all writes");
        }
        svg.replacen(
            &format!("width=\"{w}\" height=\"{h}\""),
            &format!(
                "width=\"{}\" height=\"{}\"",
                f64::from(w) / SCALE,
                f64::from(h) / SCALE
            ),
            1,
        )
    }
}

/// Pixels of the drawing, within what it can hold.
fn whole(pixels: f64) -> i32 {
    (pixels * SCALE).round().clamp(-MOST, MOST) as i32
}

fn place((x, y): (f64, f64)) -> (i32, i32) {
    (whole(x), whole(y))
}

impl Shape {
    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let fill = |colour: Colour| RGBColor(colour.0, colour.1, colour.2).filled();
        match self {
            &Shape::Rect([x, y, width, height], colour) => {
                let ends = [place((x, y)), place((x + width, y + height))];
                area.draw(&Rectangle::new(ends, fill(colour)))
            }
            Shape::Line(points, colour, width) => {
                let style = ShapeStyle {
                    color: RGBColor(colour.0, colour.1, colour.2).to_rgba(),
                    filled: false,
                    stroke_width: whole(*width) as u32,
                };
                let points: Vec<_> = points.iter().copied().map(place).collect();
                area.draw(&PathElement::new(points, style))
            }
            Shape::Fill(points, colour) => {
                let points: Vec<_> = points.iter().copied().map(place).collect();
                area.draw(&Polygon::new(points, fill(*colour)))
            }
            &Shape::Disc(at, radius, colour) => {
                area.draw(&Disc::new(place(at), whole(radius), fill(colour)))
            }
            Shape::Text(label) => {
                let style = if label.bold {
                    FontStyle::Bold
                } else {
                    FontStyle::Normal
                };
                let size = label.size * SCALE * BACKEND_FONT;
                let mut font = FontDesc::new(FontFamily::SansSerif, size, style);
                if label.upright {
                    font = font.transform(FontTransform::Rotate270);
                }
                let anchor = match label.anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let (r, g, b) = label.colour;
                let colour = RGBColor(r, g, b);
                let style = TextStyle::from(font)
                    .color(&colour)
                    .pos(Pos::new(anchor, VPos::Center));
                area.draw(&Text::new(label.text.clone(), place(label.at), style))
            }
        }
    }
}

/// The strokes of a dashed line; the pattern runs on around corners.
fn dashes(points: &[(f64, f64)], (stroke, gap): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let mut strokes = Vec::new();
    let mut done = 0.0;
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let at = |d: f64| {
            let share = (d / length).clamp(0.0, 1.0);
            (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
        };
        let mut from = -(done % (stroke + gap));
        while from < length {
            if from + stroke > 0.0 {
                strokes.push(vec![at(from), at(from + stroke)]);
            }
            from += stroke + gap;
        }
        done += length;
    }
    strokes
}
