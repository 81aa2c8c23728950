//! Charts of what is wasted.

use aligned_ingest::PlacementKind;
use aligned_ingest::account::{Case, document, formula, simulate};

use crate::charts::canvas::{Anchor, Canvas, GREY, GRID, INK};
use crate::charts::frame::{self, LINE, MARGIN, WIDTH};
use crate::charts::lines::Y_AXIS;
use crate::charts::scale::{self, Axis};
use crate::charts::style::{Style, Styles, mark};

const PLOT: f64 = 340.0;
/// Room for the labels of the vertical axis and its title.
const LEFT: f64 = MARGIN + Y_AXIS + 18.0;

struct Series {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// File names and documents.
pub(super) fn all(case: &Case) -> Vec<(&'static str, String)> {
    vec![
        ("waste-by-slot.svg", by_slot(case)),
        ("waste-by-rows.svg", by_rows(case)),
    ]
}

/// The share of the address space that a placement leaves empty.
fn share(case: &Case, placement: PlacementKind) -> f64 {
    let waste = simulate::simulate(case, placement).account.waste();
    waste / (case.bytes as f64 + waste)
}

fn expected_share(case: &Case) -> f64 {
    let case = Case {
        uneven: 0.99,
        ..case.clone()
    };
    let waste = formula::expect(&case, PlacementKind::Aligned).waste();
    waste / (case.bytes as f64 + waste)
}

fn series(cases: &[(f64, Case)]) -> Vec<Series> {
    let of = |name, share: &dyn Fn(&Case) -> f64| Series {
        name,
        points: cases
            .iter()
            .map(|(x, case)| (*x, share(case)))
            .filter(|p| p.1 > 0.0)
            .collect(),
    };
    let even = |case: &Case| Case {
        uneven: 0.0,
        ..case.clone()
    };
    vec![
        of("aligned, equal shares", &|case| {
            share(&even(case), PlacementKind::Aligned)
        }),
        of("aligned, uneven shares (mean)", &expected_share),
        of("aligned, a load a chunk", &|case| {
            let waste = document::chunk_by_chunk(&even(case)).waste();
            waste / (case.bytes as f64 + waste)
        }),
        of("packed-rows", &|case| {
            share(case, PlacementKind::PackedRows)
        }),
    ]
}

fn by_slot(case: &Case) -> String {
    let cases: Vec<(f64, Case)> = (12..=30)
        .map(|power| 1u64 << power)
        .filter(|&slot| slot as f64 >= 8.0 * case.rows.mean())
        .map(|slot| {
            (
                slot as f64,
                Case {
                    slot,
                    ..case.clone()
                },
            )
        })
        .filter(|(_, case)| case.check().is_ok())
        .collect();
    let explanation = format!(
        "{} from {} workers into {} chunks, rows of {:.0} B on average. Small slots lose part of a row a flush, large ones \
         a worker's last buffer. Equal shares just over whole slots are the worst case. packed wastes nothing and splits rows.",
        scale::bytes(case.bytes as f64),
        case.workers,
        case.chunks,
        case.rows.mean()
    );
    draw(
        "Space left empty, by slot",
        &explanation,
        "slot",
        scale::bytes,
        case.slot as f64,
        &series(&cases),
    )
}

fn by_rows(case: &Case) -> String {
    let mean = case.rows.mean();
    let cases: Vec<(f64, Case)> = (8..=34)
        .map(|power| {
            let rows = 2f64.powi(power);
            let bytes = (rows * mean * f64::from(case.workers)) as u64;
            (
                rows,
                Case {
                    bytes,
                    ..case.clone()
                },
            )
        })
        .filter(|(_, case)| case.check().is_ok())
        .collect();
    let explanation = format!(
        "Slots of {}, {} workers, {} chunks, rows of {mean:.0} B on average. What is left empty hardly grows with the rows: it is \
         the last buffers. A worker with less than a slot of rows leaves most of it.",
        scale::bytes(case.slot as f64),
        case.workers,
        case.chunks
    );
    let here = case.row_count() as f64 / f64::from(case.workers);
    draw(
        "Space left empty, by rows a worker",
        &explanation,
        "rows a worker",
        |v| scale::rows(v as u64),
        here,
        &series(&cases),
    )
}

fn draw(
    title: &str,
    explanation: &str,
    x_title: &str,
    unit: fn(f64) -> String,
    here: f64,
    series: &[Series],
) -> String {
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
        canvas.text(&unit(value), x, bottom + 10.0, Anchor::Middle, INK);
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
        x_title,
        (across.from + right) / 2.0,
        bottom + 27.0,
        Anchor::Middle,
        GREY,
    );
    canvas.upright("of the address space", MARGIN + 2.0, (top + bottom) / 2.0);
    if across.holds(here) {
        let x = across.at(here);
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
