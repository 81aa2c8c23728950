//! The folder of a comparison: `comparison.json`, `compare.svg`, `index.html`.

use std::path::{Path, PathBuf};

use super::chart::{self, beyond_noise, name};
use super::{Change, Comparison, NotComparable, Side};
use crate::charts::{scale, threads_text};
use crate::html::{PAGE_FILE, STYLE, escape, json, write};
use crate::record::RecordError;
use crate::stats::{Interval, Verdict};
use crate::table::Table;

const METHOD: &str = include_str!("method.html");

/// The file of a comparison's folder that holds all of it.
pub const COMPARISON_FILE: &str = "comparison.json";

const CHART_FILE: &str = "compare.svg";

/// All files of a comparison's folder.
pub const FILES: [&str; 3] = [COMPARISON_FILE, CHART_FILE, PAGE_FILE];

/// Writes a comparison into folder `dir`, which is made if needed; returns the path of the page.
///
/// # Errors
/// A file cannot be written.
pub fn draw(dir: &Path, comparison: &Comparison) -> Result<PathBuf, RecordError> {
    std::fs::create_dir_all(dir).map_err(|error| RecordError::io(dir, error))?;
    write(dir, COMPARISON_FILE, &json(comparison))?;
    let svg = chart::draw(comparison);
    if let Some(svg) = &svg {
        write(dir, CHART_FILE, svg)?;
    }
    // The page comes last: where it is, the rest is.
    write(dir, PAGE_FILE, &page(comparison, svg.as_deref()))
}

fn page(comparison: &Comparison, svg: Option<&str>) -> String {
    let (before, after) = (&comparison.before, &comparison.after);
    let title = format!("{} over {}", escape(&after.id), escape(&before.id));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Joinery: {title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
         <h1>Comparison: {title}</h1>\n"
    );
    page += &section("Findings", &findings(comparison));
    if let Some(svg) = svg {
        page += &format!(
            "<figure aria-label=\"After : before\">\n{svg}<figcaption>A bar to the right: slower in the second run. Pale \
             bars are within noise. <a href=\"compare.svg\">SVG</a></figcaption></figure>\n"
        );
    }
    page += &section("What was compared", &runs(comparison));
    page += &section("How a verdict comes about", METHOD);
    page += &section("Variants", &variants(comparison));
    page += &section("Cells beyond the noise", &beyond(comparison));
    page += &section(
        "How far the variants of a workload moved together",
        &shifts(comparison),
    );
    page += &section("Not comparable", &not_comparable(comparison));
    page += &section("Every cell", &cells(comparison));
    page + "</main></body></html>\n"
}

/// A section, left out where it would be empty.
fn section(title: &str, html: &str) -> String {
    if html.is_empty() {
        return String::new();
    }
    format!("<h2>{}</h2>\n{html}", escape(title))
}

fn findings(comparison: &Comparison) -> String {
    let sentences = super::findings(comparison);
    let items = sentences
        .iter()
        .map(|text| format!("<li>{}</li>\n", escape(text)));
    format!("<ul>\n{}</ul>\n", items.collect::<String>())
}

fn runs(comparison: &Comparison) -> String {
    let mut table = Table::new(&["what", "before", "after"]);
    let (a, b) = (&comparison.before, &comparison.after);
    let floor = |side: &Side| side.floor.map_or("no control".to_owned(), scale::percent);
    table.row(&[&"run", &a.id, &b.id]);
    table.row(&[&"started", &a.started, &b.started]);
    table.row(&[&"noise floor", &floor(a), &floor(b)]);
    for difference in &comparison.differences {
        table.row(&[&difference.what, &difference.before, &difference.after]);
    }
    let same = "<p class=\"quiet\">What is not listed is the same in both.</p>\n";
    format!("{}{same}", table.html())
}

fn variants(comparison: &Comparison) -> String {
    let mut table = Table::new(&[
        "variant",
        "#cells",
        "#after : before",
        "#interval",
        "verdict",
    ]);
    for v in &comparison.variants {
        let name = name(&v.variant, &v.toggles);
        let [ratio, ends, verdict] = words(&v.change);
        table.row(&[&name, &v.cells.len(), &ratio, &ends, &verdict]);
    }
    table.html()
}

fn beyond(comparison: &Comparison) -> String {
    let mut table = Table::new(&[
        "workload",
        "variant",
        "#threads",
        "#before",
        "#after",
        "#after : before",
        "#interval",
        "verdict",
    ]);
    for cell in beyond_noise(comparison) {
        let [ratio, ends, verdict] = words(&cell.change);
        table.row(&[
            &cell.workload,
            &name(&cell.variant, &cell.toggles),
            &cell.threads,
            &scale::seconds(cell.seconds_before),
            &scale::seconds(cell.seconds_after),
            &ratio,
            &ends,
            &verdict,
        ]);
    }
    table.html()
}

fn shifts(comparison: &Comparison) -> String {
    let mut table = Table::new(&["workload", "#threads", "#variants", "#after : before"]);
    for shift in &comparison.shifts {
        let ratio = scale::times(shift.ratio);
        table.row(&[&shift.workload, &shift.threads, &shift.variants, &ratio]);
    }
    table.html()
}

fn not_comparable(comparison: &Comparison) -> String {
    // One row a reason and workload: a whole run of another size has one reason for all.
    let mut found: Vec<(&NotComparable, Vec<String>)> = Vec::new();
    for cell in &comparison.not_comparable {
        let name = format!(
            "{} with {}",
            name(&cell.variant, &cell.toggles),
            threads_text(cell.threads)
        );
        let same = |(other, _): &&mut (&NotComparable, Vec<String>)| {
            (&other.workload, &other.reason) == (&cell.workload, &cell.reason)
        };
        match found.iter_mut().find(same) {
            Some((_, names)) => names.push(name),
            None => found.push((cell, vec![name])),
        }
    }
    let mut table = Table::new(&["workload", "reason", "#cells", "which"]);
    for (cell, names) in &found {
        let which = match names.len() {
            ..=3 => names.join(", "),
            all => format!("{} and {} more", names[..2].join(", "), all - 2),
        };
        table.row(&[&cell.workload, &cell.reason, &names.len(), &which]);
    }
    let all = match found.iter().any(|(_, names)| names.len() > 3) {
        true => "<p class=\"quiet\">All of them stand in comparison.json.</p>\n",
        false => "",
    };
    table.html() + all
}

fn cells(comparison: &Comparison) -> String {
    let mut workloads: Vec<&str> = Vec::new();
    for cell in &comparison.cells {
        if !workloads.contains(&&*cell.workload) {
            workloads.push(&cell.workload);
        }
    }
    let mut html = String::new();
    for workload in workloads {
        let mut table = Table::new(&[
            "variant",
            "#threads",
            "#before",
            "#after",
            "#samples",
            "#after : before",
            "#interval",
            "#agree",
            "verdict",
        ]);
        for cell in comparison.cells.iter().filter(|c| c.workload == workload) {
            let [ratio, ends, verdict] = words(&cell.change);
            table.row(&[
                &name(&cell.variant, &cell.toggles),
                &cell.threads,
                &scale::seconds(cell.seconds_before),
                &scale::seconds(cell.seconds_after),
                &format!("{} / {}", cell.samples[0], cell.samples[1]),
                &ratio,
                &ends,
                &scale::percent(cell.agreement),
                &verdict,
            ]);
        }
        html += &format!(
            "<details><summary>{}</summary>\n{}</details>\n",
            escape(workload),
            table.html()
        );
    }
    html
}

/// Ratio, ends of the interval, verdict.
fn words(change: &Change) -> [String; 3] {
    let Interval { median, low, high } = change.ratio;
    let ends = format!("{} … {}", scale::times(low), scale::times(high));
    let verdict = match change.verdict {
        Verdict::WithinNoise => "within noise",
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
    };
    [scale::times(median), ends, verdict.to_owned()]
}
