//! Total time by workload and variant.

use super::canvas::Canvas;
use super::csv;
use super::frame::{MARGIN, WIDTH, header};
use super::rows::{Guide, Kind, Mark, Row, RowPanel, grid};
use super::{Chart, Data, LeftOut, scale, threads_text};
use crate::limit_model;
use crate::stats::{self, Verdict};

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
        "{}, median with its 95 % interval, log axis, fastest first. Shaded: as fast as the \
         fastest within the noise floor. Dashed: what memory allows (model). Grey stars: peers, \
         hollow with huge pages.",
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
        finding: finding(data, threads),
        reading: "Left is faster. Two variants differ only if their intervals do not overlap by \
                  much and the gap exceeds the noise floor. The distance to the dashed line is \
                  what instructions, barriers and fresh memory cost beyond memory traffic.",
    })
}

fn panel(data: &Data<'_>, workload: &str, threads: u32) -> Option<RowPanel> {
    let cells = data.fastest_first(workload, threads);
    let (best, _) = cells.first()?;
    let record = data.run.workload(workload)?;
    let rows = cells.iter().map(|(seconds, cell)| Row {
        label: cell.variant().to_owned(),
        marks: vec![Mark {
            value: *seconds,
            style: data.styles.of(cell.variant()),
        }],
        dots: Vec::new(),
        note: scale::seconds(seconds.median),
    });
    let environment = &data.run.run.environment;
    let limit = limit_model::seconds(record, threads, &data.run.limits, environment);
    let floor = data.summary.noise_floor.of(workload, threads);
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
        band: (floor > 0.0).then_some((best.median, best.median * (1.0 + floor))),
    })
}

/// How the fastest variants stand to the fastest peers.
fn against_peers(data: &Data<'_>, threads: u32) -> String {
    let is_drawn = |name: &str| data.workloads().any(|workload| workload.name == name);
    let all = data.summary.against_peers.iter();
    let ratios = all
        .filter(|a| a.threads == threads && is_drawn(&a.workload))
        .map(|a| a.ratio.median);
    let (low, high) = ratios.fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| {
        (low.min(ratio), high.max(ratio))
    });
    match high > 0.0 {
        true => format!(
            " The fastest peer takes {} to {} the time of the fastest variant.",
            scale::times(low),
            scale::times(high)
        ),
        false => String::new(),
    }
}

/// Who is fastest where, counting only leads beyond the noise.
fn finding(data: &Data<'_>, threads: u32) -> String {
    let (mut clear, mut ties): (Vec<(&str, usize)>, usize) = (Vec::new(), 0);
    let mut workloads = 0;
    for workload in data.workloads() {
        let cells = data.fastest_first(&workload.name, threads);
        let [(_, first), (_, second), ..] = &cells[..] else {
            continue;
        };
        workloads += 1;
        let floor = data.summary.noise_floor.of(&workload.name, threads);
        let lead = first.over(second).map(|r| stats::verdict(r, floor));
        if lead != Some(Verdict::Faster) {
            ties += 1;
            continue;
        }
        match clear.iter_mut().find(|(name, _)| *name == first.variant()) {
            Some((_, count)) => *count += 1,
            None => clear.push((first.variant(), 1)),
        }
    }
    clear.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let clear: Vec<String> = clear
        .iter()
        .map(|(name, count)| format!("{name} on {count}"))
        .collect();
    let lead = match (workloads, clear.is_empty()) {
        (0, _) => return format!("One variant was measured.{}", against_peers(data, threads)),
        (_, true) => "no variant leads beyond the noise".to_owned(),
        (_, false) => format!("the clear leaders are {}", clear.join(", ")),
    };
    let s = if workloads == 1 { "" } else { "s" };
    let ties = match (ties, clear.is_empty()) {
        (0, _) | (_, true) => String::new(),
        (ties, false) => format!("; on {ties} the two fastest are within noise"),
    };
    format!(
        "Of {workloads} workload{s} at {}, {lead}{ties}.{}",
        threads_text(threads),
        against_peers(data, threads)
    )
}
