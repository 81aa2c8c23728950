//! The chart of a comparison: what became of each variant, and of the cells beyond the noise.

use std::cmp::Ordering;

use super::{Change, Comparison};
use crate::charts::canvas::{Canvas, Colour, PALE};
use crate::charts::frame::{MARGIN, WIDTH, header};
use crate::charts::rows::{Kind, Mark, Row, RowPanel, grid};
use crate::charts::style::{FASTER, Marker, SLOWER, Style};
use crate::charts::{scale, threads_text};
use crate::record::Toggles;
use crate::stats::Verdict;

/// Cells that a page has room for.
const MOST: usize = 30;

/// The chart as an SVG document; none where nothing can be compared.
pub(super) fn draw(comparison: &Comparison) -> Option<String> {
    let total = comparison.total?;
    let mut variants: Vec<_> = comparison.variants.iter().collect();
    variants.sort_by(|a, b| slowest_first(&a.change, &b.change));
    let all = row("all workloads".to_owned(), &total, Vec::new());
    let variants = variants.iter().map(|v| {
        let name = name(&v.variant, &v.toggles);
        row(name, &v.change, v.cells.clone())
    });
    let mut canvas = Canvas::default();
    let explanation = format!(
        "Time in {} over time in {}. Intervals hold for all rows of a panel together and are widened by both runs' noise \
         floors and by what all cells of a workload moved together. Orange: slower. Blue: faster. Pale: within noise.",
        comparison.after.id, comparison.before.id
    );
    let y = header(&mut canvas, "After : before", &explanation);
    let title = "Each variant against the others, over its cells (dots: as measured)";
    let y = grid(
        &mut canvas,
        y,
        1,
        &[panel(title.to_owned(), [all].into_iter().chain(variants))],
    );
    let beyond = beyond_noise(comparison);
    let y = if beyond.is_empty() {
        y
    } else {
        let title = match beyond.len() {
            n if n > MOST => format!("The {MOST} cells farthest beyond the noise, of {n}"),
            _ => "Cells beyond the noise".to_owned(),
        };
        let rows = beyond.iter().take(MOST).map(|cell| {
            let name = name(&cell.variant, &cell.toggles);
            let label = format!("{}, {name}, {}", cell.workload, threads_text(cell.threads));
            row(label, &cell.change, Vec::new())
        });
        grid(&mut canvas, y, 1, &[panel(title, rows)])
    };
    Some(canvas.finish(WIDTH, y + MARGIN))
}

/// The cells with an effect, the strongest first.
pub(super) fn beyond_noise(comparison: &Comparison) -> Vec<&super::CellChange> {
    let cells = comparison.cells.iter();
    let mut beyond: Vec<_> = cells
        .filter(|cell| cell.change.verdict != Verdict::WithinNoise)
        .collect();
    let strength = |change: &Change| change.ratio.median.ln().abs();
    beyond.sort_by(|a, b| strength(&b.change).total_cmp(&strength(&a.change)));
    beyond
}

/// A variant's name with its setting, if it has one.
pub(super) fn name(variant: &str, toggles: &Toggles) -> String {
    let settings: String = toggles
        .iter()
        .map(|(toggle, setting)| format!(", {toggle} = {setting}"))
        .collect();
    format!("{variant}{settings}")
}

fn slowest_first(a: &Change, b: &Change) -> Ordering {
    b.ratio.median.total_cmp(&a.ratio.median)
}

fn row(label: String, change: &Change, dots: Vec<f64>) -> Row {
    Row {
        label,
        marks: vec![Mark {
            value: change.ratio,
            style: Style {
                colour: colour(change.verdict),
                marker: Marker::Disc,
                dash: None,
            },
        }],
        dots,
        note: scale::times(change.ratio.median),
    }
}

fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Faster => FASTER,
        Verdict::Slower => SLOWER,
        Verdict::WithinNoise => PALE,
    }
}

fn panel(title: String, rows: impl Iterator<Item = Row>) -> RowPanel {
    RowPanel {
        title,
        rows: rows.collect(),
        kind: Kind::Bars(1.0),
        log: true,
        axis: "time after : time before".into(),
        unit: scale::times,
        guides: Vec::new(),
        band: None,
    }
}
