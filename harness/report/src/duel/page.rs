//! A duel's files: the verdicts as JSON, as a chart, as a page, and as Markdown for a pull request.

use std::path::{Path, PathBuf};

use super::{Duel, Outcome, fine, text};
use crate::charts::canvas::{Canvas, Colour, PALE};
use crate::charts::frame::{MARGIN, WIDTH, header};
use crate::charts::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use crate::charts::style::{FASTER, Marker, SLOWER, Style};
use crate::charts::{scale, threads_text};
use crate::html::{PAGE_FILE, STYLE, escape, json, shell_word, write};
use crate::record::{OTHER, RecordError, Run, THIS};
use crate::stats::Verdict;
use crate::table::Table;

/// The file of a duel's folder that holds the verdicts.
pub const DUEL_FILE: &str = "duel.json";
/// The table for a pull request.
pub const MARKDOWN_FILE: &str = "duel.md";
/// The chart.
const CHART_FILE: &str = "duel.svg";

/// How a verdict comes about.
const METHOD: &str = include_str!("method.html");

/// Draws a run that is a duel; returns the path of its page.
///
/// # Errors
/// A file cannot be written.
pub fn draw(dir: &Path, run: &Run) -> Result<PathBuf, RecordError> {
    let duel = Duel::of(run);
    write(dir, DUEL_FILE, &json(&duel))?;
    write(dir, MARKDOWN_FILE, &markdown(&duel))?;
    let svg = chart(&duel);
    if let Some(svg) = &svg {
        write(dir, CHART_FILE, svg)?;
    }
    // The page comes last: where it is, the rest is.
    write(dir, PAGE_FILE, &page(&duel, run, svg.as_deref()))
}

/// The rows of every table: what, of which times, and how it went.
fn rows(duel: &Duel) -> Vec<(String, Option<[f64; 2]>, &Outcome)> {
    let mut rows = Vec::new();
    for cell in &duel.cells {
        let name = format!(
            "{}, {}, {}",
            cell.workload,
            cell.variant,
            threads_text(cell.threads)
        );
        rows.push((
            name,
            Some([cell.seconds_this, cell.seconds_other]),
            &cell.outcome,
        ));
    }
    if duel.variants.len() > 1 {
        for variant in &duel.variants {
            rows.push((
                format!("{}, all cells", variant.variant),
                None,
                &variant.outcome,
            ));
        }
    }
    if let (Some(total), 2..) = (&duel.total, duel.cells.len()) {
        rows.push(("all cells".to_owned(), None, total));
    }
    rows
}

/// What was held against what, in one line.
fn sentence(duel: &Duel) -> String {
    format!(
        "{} against {}: {} pairs of processes, intervals that hold for {} verdicts together.",
        duel.title(THIS),
        duel.title(OTHER),
        duel.pairs,
        duel.verdicts
    )
}

fn markdown(duel: &Duel) -> String {
    let mut text = format!("{}\n\n", sentence(duel));
    text +=
        "| cell | this | other | this : other | interval | verdict |\n|---|--:|--:|--:|---|---|\n";
    for (name, seconds, outcome) in rows(duel) {
        let [this, other] =
            seconds.map_or([String::new(), String::new()], |s| s.map(scale::seconds));
        let [low, high] = [outcome.ratio.low, outcome.ratio.high].map(fine);
        let (ratio, verdict) = (fine(outcome.ratio.median), outcome.verdict);
        let verdict = match verdict {
            Verdict::WithinNoise => verdict.to_string(),
            _ => format!("**{verdict}**"),
        };
        text += &format!("| {name} | {this} | {other} | {ratio} | {low} … {high} | {verdict} |\n");
    }
    text
}

fn chart(duel: &Duel) -> Option<String> {
    duel.total.as_ref()?;
    let rows = rows(duel).into_iter().map(|(label, _, outcome)| Row {
        label,
        marks: vec![Mark {
            value: outcome.ratio,
            style: Style {
                colour: colour(outcome.verdict),
                marker: Marker::Disc,
                dash: None,
            },
        }],
        dots: outcome.pairs.clone(),
        note: fine(outcome.ratio.median),
    });
    let panel = RowPanel {
        title: String::new(),
        rows: rows.collect(),
        kind: Kind::Points,
        log: true,
        axis: "time of this build : time of the other".into(),
        unit: fine,
        guides: vec![Guide {
            value: 1.0,
            label: String::new(),
        }],
        band: None,
    };
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{} Dots: one pair of processes each. Orange: slower. Blue: faster. Pale: within noise.",
        sentence(duel)
    );
    let y = header(&mut canvas, "This build : the other", &explanation);
    let y = grid(&mut canvas, y, 1, &[panel]);
    Some(canvas.finish(WIDTH, y + MARGIN))
}

fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Faster => FASTER,
        Verdict::Slower => SLOWER,
        Verdict::WithinNoise => PALE,
    }
}

fn page(duel: &Duel, run: &Run, svg: Option<&str>) -> String {
    let title = format!("{} against {}", duel.title(THIS), duel.title(OTHER));
    let title = escape(&title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Joinery: {title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n<h1>Duel: {title}</h1>\n"
    );
    page += &format!("<h2>Findings</h2>\n<ul>\n{}</ul>\n", findings(duel));
    if let Some(svg) = svg {
        page += &format!(
            "<figure aria-label=\"This build : the other\">\n{svg}<figcaption>To the right: this build is slower. \
             <a href=\"{CHART_FILE}\">SVG</a></figcaption></figure>\n"
        );
    }
    page += &format!("<h2>How a verdict comes about</h2>\n{METHOD}");
    page += &format!("<h2>Every cell</h2>\n{}", cells(duel));
    page += &format!("<h2>Builds and machine</h2>\n{}", builds(duel, run));
    page + "</main></body></html>\n"
}

fn findings(duel: &Duel) -> String {
    let mut found = vec![sentence(duel)];
    if !duel.complete {
        found.push("The duel was interrupted; what was measured until then is here.".to_owned());
    }
    let told = rows(duel)
        .into_iter()
        .filter(|(_, _, o)| o.verdict != Verdict::WithinNoise);
    let told: Vec<String> = told
        .map(|(name, _, outcome)| format!("{name}: {}.", text(outcome)))
        .collect();
    if told.is_empty() {
        found.push("No difference that this duel could show.".to_owned());
    }
    let items = found
        .iter()
        .chain(&told)
        .map(|text| format!("<li>{}</li>\n", escape(text)));
    items.collect()
}

fn cells(duel: &Duel) -> String {
    let mut table = Table::new(&[
        "cell",
        "#this",
        "#other",
        "#this : other",
        "#interval",
        "#spread of pairs",
        "verdict",
    ]);
    for (name, seconds, outcome) in rows(duel) {
        let [this, other] =
            seconds.map_or([String::new(), String::new()], |s| s.map(scale::seconds));
        let [low, high] = [outcome.ratio.low, outcome.ratio.high].map(fine);
        table.row(&[
            &name,
            &this,
            &other,
            &fine(outcome.ratio.median),
            &format!("{low} … {high}"),
            &scale::percent(outcome.spread),
            &outcome.verdict,
        ]);
    }
    table.html()
}

fn builds(duel: &Duel, run: &Run) -> String {
    let mut table = Table::new(&["build", "name", "revision", "profile", "compiler"]);
    for build in &duel.builds {
        let changed = if build.dirty { " with changes" } else { "" };
        let commit = format!("{}{changed}", build.commit);
        table.row(&[
            &build.side,
            &build.name,
            &commit,
            &build.profile,
            &build.rustc,
        ]);
    }
    let environment = &run.run.environment;
    let notes = run
        .notes
        .iter()
        .map(|note| format!("<p>{}</p>\n", escape(note)));
    let command: Vec<_> = run
        .run
        .command
        .iter()
        .map(|word| shell_word(word))
        .collect();
    format!(
        "{}<p class=\"quiet\">{}; transparent huge pages: {}; {} workloads; <code>harness {}</code></p>\n{}",
        table.html(),
        escape(&environment.machine_id()),
        escape(&environment.huge_pages),
        run.run.size,
        escape(&command.join(" ")),
        notes.collect::<String>()
    )
}
