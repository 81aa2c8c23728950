//! Total time by workload and variant.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, count_text, scale, threads_text};
use crate::limit_model;
use crate::stats::Verdict;
use crate::summary::Fastest;

const TITLE: &str = "Time of the whole join by workload";

pub(super) fn draw(data: &Data<'_>) -> Result<Chart, LeftOut> {
    let threads = data.most_threads();
    let panels: Vec<RowPanel> = data
        .workloads()
        .filter_map(|workload| panel(data, &workload.name, threads))
        .collect();
    if panels.is_empty() {
        return Err(LeftOut {
            title: TITLE,
            reason: "no workload beside the ladder was measured".into(),
        });
    }
    let mut canvas = Canvas::default();
    let explanation = format!(
        "{} or, where it says so, fewer, whichever is best; median with its 95 % interval, log axis, fastest first. Shaded: \
         as fast as the fastest within the noise floor. Dashed: what memory allows (model). Grey stars: peers, hollow with \
         huge pages.",
        threads_text(threads)
    );
    let y = header(&mut canvas, TITLE, &explanation);
    let columns = if panels.len() == 1 { 1 } else { 2 };
    let y = grid(&mut canvas, y, columns, &panels);
    Ok(Chart {
        name: "times",
        title: TITLE.into(),
        svg: canvas.finish(WIDTH, y + MARGIN),
        csv: csv::of_rows(&panels),
        finding: finding(data),
        reading: "Left is faster. Two variants differ only if their intervals do not overlap by \
                  much and the gap exceeds the noise floor. The distance to the dashed line is \
                  what instructions, barriers and fresh memory cost beyond memory traffic.",
    })
}

fn panel(data: &Data<'_>, workload: &str, threads: u32) -> Option<RowPanel> {
    let cells = data.summary.at_best(workload);
    let best = cells.first()?;
    let record = data.run.workload(workload)?;
    let rows = cells.iter().map(|cell| Row {
        label: match cell.threads == threads {
            true => cell.variant.clone(),
            false => format!("{}, {}", cell.variant, threads_text(cell.threads)),
        },
        marks: vec![Mark {
            value: cell.seconds,
            style: data.styles.of(&cell.variant),
        }],
        dots: Vec::new(),
        note: scale::seconds(cell.seconds.median),
    });
    let environment = &data.run.run.environment;
    let limit = limit_model::seconds(record, threads, &data.run.limits, environment);
    let floor = data.summary.noise_floor.of(workload, best.threads);
    let fastest = best.seconds.median;
    Some(RowPanel {
        title: format!(
            "{workload}   {} ⋈ {}",
            scale::rows(record.build_rows),
            scale::rows(record.probe_rows)
        ),
        rows: rows.collect(),
        kind: Kind::Points,
        log: true,
        axis: "time".into(),
        unit: scale::seconds,
        guides: limit
            .map(|value| Guide {
                value,
                label: "limit".into(),
            })
            .into_iter()
            .collect(),
        band: (floor > 0.0).then_some((fastest, fastest * (1.0 + floor))),
    })
}

/// How the fastest variants stand to the fastest peers.
fn against_peers(data: &Data<'_>, workloads: &[&Fastest]) -> String {
    let fastest = workloads.iter();
    let ratios =
        fastest.filter_map(|of| Some(data.summary.against(&of.workload).next()?.ratio.median));
    let (low, high) = ratios.fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| {
        (low.min(ratio), high.max(ratio))
    });
    let range = match scale::times(low) == scale::times(high) {
        true => scale::times(low),
        false => format!("{} to {}", scale::times(low), scale::times(high)),
    };
    match high > 0.0 {
        true => format!(" The fastest peer takes {range} the time of the fastest variant."),
        false => String::new(),
    }
}

/// Who is fastest where, counting only leads beyond the noise over other code.
fn finding(data: &Data<'_>) -> String {
    let is_drawn = |of: &&Fastest| data.workloads().any(|w| w.name == of.workload);
    let drawn: Vec<&Fastest> = data.summary.fastest.iter().filter(is_drawn).collect();
    let against = against_peers(data, &drawn);
    let (mut clear, mut ties): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
    for fastest in &drawn {
        match fastest.next.as_ref().map(|next| next.verdict) {
            None => continue,
            Some(Verdict::Slower) => {}
            Some(_) => {
                ties += 1;
                continue;
            }
        }
        let name = fastest.name();
        match clear.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => clear.push((name, 1)),
        }
    }
    clear.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let workloads = ties + clear.iter().map(|(_, count)| count).sum::<usize>();
    let clear: Vec<String> = clear
        .iter()
        .map(|(name, count)| format!("{name} (on {count})"))
        .collect();
    let of = count_text(workloads, "workload");
    match (workloads, &clear[..], ties) {
        (0, ..) => format!("No two variants of different code were measured.{against}"),
        (_, [], _) => {
            format!("Of {of}, none has a leader beyond the noise.{against}")
        }
        (_, clear, 0) => format!(
            "Of {of}, the clear leaders are {}.{against}",
            clear.join("; ")
        ),
        (_, clear, _) => format!(
            "Of {of}, the clear leaders are {}; on {ties} the two fastest of different code are within \
             noise.{against}",
            clear.join("; ")
        ),
    }
}
