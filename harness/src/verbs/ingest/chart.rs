//! Charts of what is wasted.

use aligned_ingest::PlacementKind;
use aligned_ingest::account::{Case, claims, formula, simulate};

use report::charts::curves::{Axes, Series, draw};
use report::charts::scale;

/// What all of them show.
const SHARE: &str = "of the address space";

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
            let waste = claims::chunk_by_chunk(&even(case)).waste();
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
        &Axes {
            across: "slot",
            unit: scale::bytes,
            here: case.slot as f64,
            up: SHARE,
        },
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
        &Axes {
            across: "rows a worker",
            unit: |v| scale::rows(v as u64),
            here,
            up: SHARE,
        },
        &series(&cases),
    )
}
