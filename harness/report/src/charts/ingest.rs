//! Placements of the aligned ingest against plain copying.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::style::{MUTED, Marker, Style};
use super::{Chart, LeftOut, scale, threads_text};
use crate::summary::{COPY, COPY_STREAMING, IngestSummary};

const TITLE: &str = "Rows into shared chunks";
/// What direct writing should reach of the copying.
const TARGET: f64 = 0.8;

/// Draws what was written.
pub(crate) fn draw(all: &[IngestSummary]) -> Result<Chart, LeftOut> {
    if all.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no rows were written; a sweep without --only does that".into(),
        });
    }
    let mut groups: Vec<Vec<&IngestSummary>> = Vec::new();
    for one in all {
        let same = |group: &&mut Vec<&IngestSummary>| {
            (&group[0].rows, group[0].workers) == (&one.rows, one.workers)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let panels: Vec<RowPanel> = groups.iter().map(|group| panel(group)).collect();
    let mut canvas = Canvas::default();
    let explanation = "Rows of COPY BINARY in memory, found and written to shared chunks by each placement, with checksums, \
                       against copying the same bytes as harness limits does. All workers together; \
                       the dashed line is 80 % of the plain copy.";
    let y = header(&mut canvas, TITLE, explanation);
    let y = grid(
        &mut canvas,
        y,
        if panels.len() == 1 { 1 } else { 2 },
        &panels,
    );
    Ok(Chart {
        name: "ingest",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(all),
        reading: "Longer is better. `aligned` knows its place before its bytes and writes rows into it as they come; the \
                  other two gather a flush first and so copy twice. `fixed` rows have 17 fields of one width each, `lineorder` \
                  has two that vary, which have to be walked over one after the other.",
    })
}

fn panel(group: &[&IngestSummary]) -> RowPanel {
    let rows = group.iter().enumerate().map(|(place, one)| Row {
        label: one.way.clone(),
        marks: vec![Mark {
            value: one.bytes_per_second,
            style: Style {
                colour: MUTED[place % MUTED.len()],
                marker: Marker::Disc,
                dash: None,
            },
        }],
        dots: Vec::new(),
        note: note(one),
    });
    let copy = group.iter().find(|one| one.way == COPY);
    let target = copy.map(|copy| Guide {
        value: copy.bytes_per_second.median * TARGET,
        label: String::new(),
    });
    RowPanel {
        title: format!("{} rows, {}", group[0].rows, threads_text(group[0].workers)),
        rows: rows.collect(),
        kind: Kind::Bars(0.0),
        log: false,
        axis: "GB of rows per second".into(),
        unit: gigabytes,
        guides: target.into_iter().collect(),
        band: None,
    }
}

fn gigabytes(bytes: f64) -> String {
    scale::short(bytes / 1e9)
}

fn note(one: &IngestSummary) -> String {
    let share = scale::percent(one.of_copy.median);
    match one.way.as_str() {
        COPY => format!("{} GB/s", gigabytes(one.bytes_per_second.median)),
        COPY_STREAMING => share,
        _ if one.split_rows > 0 => format!("{share}, {} rows split", one.split_rows),
        _ => format!("{share}, {} empty", scale::percent(one.empty)),
    }
}

fn finding(all: &[IngestSummary]) -> String {
    let text = |one: &IngestSummary| {
        format!(
            "{} of the copy bandwidth on {} ({} rows)",
            scale::percent(one.of_copy.median),
            threads_text(one.workers),
            one.rows
        )
    };
    let aligned: Vec<String> = all
        .iter()
        .filter(|one| one.way == "aligned")
        .map(text)
        .collect();
    let split = all
        .iter()
        .filter(|one| one.way == "packed")
        .max_by_key(|one| one.split_rows);
    let split = split.map_or(String::new(), |one| {
        format!(
            " Of {} rows, packed splits {}, the others none.",
            one.row_count, one.split_rows
        )
    });
    format!("Placement aligned reaches {}.{split}", aligned.join(", "))
}
