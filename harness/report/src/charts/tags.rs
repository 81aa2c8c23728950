//! False positives by tag scheme.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Kind, Mark, Row, RowPanel, grid};
use super::style::{MUTED, Marker, Style};
use super::{Chart, Data, LeftOut, scale};
use crate::stats::Interval;
use crate::summary::TagSummary;

const TITLE: &str = "False positives by tag scheme";

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let tags = &data.summary.tags;
    if tags.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no tag scheme was counted".into(),
        });
    }
    let mut schemes: Vec<&str> = tags.iter().map(|t| t.scheme.as_str()).collect();
    schemes.sort_unstable();
    schemes.dedup();
    let same = |a: &TagSummary, b: &TagSummary| {
        a.workload == b.workload && a.directory_slots_per_tuple == b.directory_slots_per_tuple
    };
    let mut groups: Vec<Vec<&TagSummary>> = Vec::new();
    for tag in tags {
        match groups.iter_mut().find(|group| same(group[0], tag)) {
            Some(group) => group.push(tag),
            None => groups.push(vec![tag]),
        }
    }
    let panels: Vec<RowPanel> = groups
        .into_iter()
        .map(|mut group| {
            group.sort_by(|a, b| a.false_positive_rate.total_cmp(&b.false_positive_rate));
            panel(&group, &schemes)
        })
        .collect();
    let mut canvas = Canvas::default();
    let explanation = "Share of the probe keys without a match that go on to the tuples, counted \
                       once on the whole probe side, by scheme and directory slots per build tuple.";
    let y = header(&mut canvas, TITLE, explanation);
    let columns = if panels.len() == 1 { 1 } else { 2 };
    let y = grid(&mut canvas, y, columns, &panels);
    Ok(Chart {
        name: "tags",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(tags),
        reading: "Shorter is better: each key that is let through costs a read of the tuples for \
                  nothing. More slots per tuple leave fewer tuples, and so fewer tag bits, in a slot.",
    })
}

fn panel(group: &[&TagSummary], schemes: &[&str]) -> RowPanel {
    let slots = group[0].directory_slots_per_tuple;
    let rows = group.iter().map(|tag| {
        let rate = tag.false_positive_rate;
        let colour = schemes.iter().position(|s| *s == tag.scheme).unwrap_or(0);
        Row {
            label: tag.scheme.clone(),
            marks: vec![Mark {
                value: Interval {
                    median: rate,
                    low: rate,
                    high: rate,
                },
                style: Style {
                    colour: MUTED[colour % MUTED.len()],
                    marker: Marker::Disc,
                    dash: None,
                },
            }],
            dots: Vec::new(),
            note: scale::percent(rate),
        }
    });
    RowPanel {
        title: format!(
            "{}, {} slot{} per tuple",
            group[0].workload,
            scale::short(slots),
            if slots == 1.0 { "" } else { "s" }
        ),
        rows: rows.collect(),
        kind: Kind::Bars(0.0),
        log: false,
        axis: "keys without a match that are let through".into(),
        unit: scale::percent,
        guides: Vec::new(),
        band: None,
    }
}

fn finding(tags: &[TagSummary]) -> String {
    let by_rate =
        |a: &&TagSummary, b: &&TagSummary| a.false_positive_rate.total_cmp(&b.false_positive_rate);
    let text = |tag: &TagSummary| {
        format!(
            "{} at {} slots per tuple on {} ({})",
            tag.scheme,
            scale::short(tag.directory_slots_per_tuple),
            tag.workload,
            scale::percent(tag.false_positive_rate)
        )
    };
    match (tags.iter().min_by(by_rate), tags.iter().max_by(by_rate)) {
        (Some(least), Some(most)) => format!(
            "The fewest false positives: {}; the most: {}.",
            text(least),
            text(most)
        ),
        _ => String::new(),
    }
}
