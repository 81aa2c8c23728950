//! Zero-copy against materialised.

use super::canvas::Canvas;
use super::csv;
use super::frame::{LINE, MARGIN, WIDTH, header, legend};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, count_text, noise_band, scale, threads_text};
use crate::record::VariantRecord;
use crate::stats::{self, Interval, Verdict};

const TITLE: &str = "Zero-copy against materialised";

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let threads = data.most_threads();
    let pairs = pairs(data);
    let (mut rows, mut verdicts, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for workload in data.workloads() {
        let floor = data.summary.noise_floor.of(&workload.name, threads);
        let found: Vec<(&VariantRecord, Interval)> = pairs
            .iter()
            .filter_map(|(zero, copied)| {
                let zero_cell = data.cells.default_of(&workload.name, &zero.name, threads)?;
                let copied = data
                    .cells
                    .default_of(&workload.name, &copied.name, threads)?;
                Some((*zero, copied.over(&zero_cell)?))
            })
            .collect();
        if found.is_empty() {
            continue;
        }
        verdicts.extend(found.iter().map(|(_, ratio)| stats::verdict(*ratio, floor)));
        let notes: Vec<String> = found.iter().map(|f| scale::times(f.1.median)).collect();
        for (zero, _) in &found {
            if !used.contains(zero) {
                used.push(zero);
            }
        }
        rows.push(Row {
            label: workload.name.clone(),
            marks: found
                .iter()
                .map(|(zero, ratio)| Mark {
                    value: *ratio,
                    style: data.styles.of(&zero.name),
                })
                .collect(),
            dots: Vec::new(),
            note: notes.join("  "),
        });
    }
    if rows.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no build was measured with both a zero-copy and a materialised probe".into(),
        });
    }
    let panels = [RowPanel {
        title: String::new(),
        rows,
        kind: Kind::Points,
        log: true,
        axis: "time materialised : time zero-copy".into(),
        unit: scale::times,
        guides: vec![Guide {
            value: 1.0,
            label: String::new(),
        }],
        band: noise_band(data.floor()),
    }];
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{}, the same build with both ways of reading keys, paired within rounds, median with its \
         95 % interval. Right of 1, zero-copy is faster. Shaded: the noise floor.",
        threads_text(threads)
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let entries: Vec<_> = used
        .iter()
        .map(|v| (data.styles.of(&v.name), v.name.as_str()))
        .collect();
    legend(&mut canvas, MARGIN, y, &entries);
    let y = y + entries.len() as f64 * LINE + 8.0;
    let y = grid(&mut canvas, y, 1, &panels);
    Ok(Chart {
        name: "zero-copy",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(&verdicts, threads),
        reading: "A point right of the shaded band says that copying the keys first costs more \
                  than looking them up in their pages; a point left of it says that the copy pays \
                  for itself.",
    })
}

/// Variants that differ in how they read keys and in nothing else: zero-copy, materialised.
fn pairs<'a>(data: &Data<'a>) -> Vec<(&'a VariantRecord, &'a VariantRecord)> {
    let variants = &data.run.variants;
    let partner = |zero: &'a VariantRecord| {
        let probe = zero.probe.as_deref()?;
        let wanted = probe.replace("zero-copy", "materialised");
        let copied = variants.iter().find(|v| {
            v.build.is_some() && v.build == zero.build && v.probe.as_deref() == Some(&wanted)
        })?;
        (probe != wanted).then_some((zero, copied))
    };
    variants.iter().filter_map(partner).collect()
}

fn finding(verdicts: &[Verdict], threads: u32) -> String {
    let count = |wanted| verdicts.iter().filter(|v| **v == wanted).count();
    format!(
        "Of {} at {}, zero-copy is faster in {}, slower in {}, within noise in {}.",
        count_text(verdicts.len(), "pair"),
        threads_text(threads),
        count(Verdict::Slower),
        count(Verdict::Faster),
        count(Verdict::WithinNoise)
    )
}
