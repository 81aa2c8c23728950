//! A tree of steps with a bar of time beside each.

use super::canvas::{Anchor, Canvas, GREY, GRID, INK, SMALL};
use super::{scale, text};

/// Pixels of a line of the picture, and of its parts from left to right.
const ROW: f64 = 34.0;
const INDENT: f64 = 18.0;
const LEFT: f64 = 12.0;
const BAR: f64 = 190.0;
const LABEL: f64 = 150.0;

/// The colour of a step's time.
const TIME: (u8, u8, u8) = (70, 120, 180);

/// One step of what was executed.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How deep in the tree it stands.
    pub depth: usize,
    /// What it did.
    pub heading: String,
    /// With how many rows.
    pub caption: String,
    /// Wall time.
    pub seconds: f64,
    /// Bytes that it held.
    pub bytes: u64,
}

/// Draws the steps in the order of the list, each parent before its children.
pub fn draw(title: &str, steps: &[Step]) -> String {
    let mut canvas = Canvas::default();
    canvas.heading(title, LEFT, 20.0, 15.0);
    let top = 44.0;
    let longest = steps.iter().map(|step| step.seconds);
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let lengths = steps.iter().map(|step| {
        let [caption, heading] =
            [&step.caption, &step.heading].map(|of| text::width(of, SMALL, false));
        INDENT * step.depth as f64 + caption.max(heading)
    });
    let bars = LEFT + lengths.fold(0.0, f64::max) + 16.0;
    // Where the last step of each depth stands: the line of a child begins there.
    let mut last_of_depth: Vec<f64> = Vec::new();
    for (nth, step) in steps.iter().enumerate() {
        let y = top + ROW * nth as f64 + ROW / 2.0;
        let x = LEFT + INDENT * step.depth as f64;
        last_of_depth.truncate(step.depth);
        if let Some(&parent) = last_of_depth.last() {
            let elbow = [
                (x - INDENT + 4.0, parent + 14.0),
                (x - INDENT + 4.0, y),
                (x - 3.0, y),
            ];
            canvas.line(&elbow, GREY, 1.0, None);
        }
        last_of_depth.push(y);
        canvas.text(&step.heading, x, y - 7.0, Anchor::Start, INK);
        canvas.text(&step.caption, x, y + 8.0, Anchor::Start, GREY);
        let width = BAR * step.seconds / longest;
        canvas.rect(bars, y - 8.0, BAR, 16.0, GRID);
        canvas.rect(bars, y - 8.0, width.max(0.5), 16.0, TIME);
        let label = format!(
            "{}, {}",
            scale::seconds(step.seconds),
            scale::bytes(step.bytes as f64)
        );
        canvas.text(&label, bars + BAR + 8.0, y, Anchor::Start, INK);
    }
    canvas.finish(bars + BAR + LABEL, top + ROW * steps.len() as f64 + 10.0)
}
