//! The tables of `docs/findings` that are made of committed runs.
//!
//! A page has a pair of markers, `<!-- findings: KIND RUN -->` and `<!-- /findings -->`, with RUN the run's folder as seen from
//! the repository; what stands between them is written anew from the run's samples.

use crate::charts::scale;
use crate::plans::PlanRun;
use crate::record::{JOIN, Run};
use crate::stats::{self, Interval, Verdict};
use crate::summary::{Ablation, Cells, Summary, summarise_cells};

const OPEN: &str = "<!-- findings: ";
const CLOSE: &str = "<!-- /findings -->";

/// The page with the tables of the run that `is_wanted` picks by its folder.
///
/// # Errors
/// A marker is not closed, or names no kind of table; in one line.
pub fn rewrite(page: &str, run: &Run, is_wanted: impl Fn(&str) -> bool) -> Result<String, String> {
    let mut written = String::new();
    let mut rest = page;
    while let Some(at) = marker(rest) {
        let (before, marked) = rest.split_at(at);
        let (opening, body) = marked
            .split_once("-->\n")
            .ok_or_else(|| format!("a marker {OPEN:?} does not end its line"))?;
        let end = body
            .find(CLOSE)
            .ok_or_else(|| format!("{opening}--> is not closed by {CLOSE}"))?;
        let words = opening[OPEN.len()..].trim();
        let (kind, folder) = words
            .split_once(' ')
            .ok_or_else(|| format!("{opening}--> names no kind and run"))?;
        written.push_str(&format!("{before}{opening}-->\n"));
        match is_wanted(folder) {
            true => written.push_str(&table(kind, run)?),
            false => written.push_str(&body[..end]),
        }
        written.push_str(CLOSE);
        rest = &body[end + CLOSE.len()..];
    }
    written.push_str(rest);
    Ok(written)
}

/// Where the next marker begins: at the beginning of a line.
fn marker(page: &str) -> Option<usize> {
    let mut all = page.match_indices(OPEN).map(|(at, _)| at);
    all.find(|&at| page[..at].is_empty() || page[..at].ends_with('\n'))
}

fn table(kind: &str, run: &Run) -> Result<String, String> {
    let joins = run.part(JOIN);
    let cells = Cells::new(&joins);
    let summary = summarise_cells(&joins, &cells);
    match kind {
        "engines" => Ok(engines(&summary)),
        "ablation" => Ok(ablation(&joins, &summary)),
        "controls" => Ok(controls(&summary)),
        "plans" => PlanRun::from_run(run)
            .map(|plans| of_plans(&plans))
            .ok_or_else(|| format!("{} has measured no plans", run.run.id)),
        _ => Err(format!(
            "there is no table {kind:?}; there are engines, ablation, controls and plans"
        )),
    }
}

/// A table in Markdown.
struct Table(String);

impl Table {
    fn new(columns: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(columns.iter().map(|&column| column.to_owned()));
        table.0.push('|');
        table.0.push_str(&"---|".repeat(columns.len()));
        table.0.push('\n');
        table
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push('|');
        for cell in cells {
            self.0.push_str(&format!(" {} |", cell.replace('|', "\\|")));
        }
        self.0.push('\n');
    }
}

/// `×1.46 (1.12–1.91)`; of one sample `×1.46`.
fn ratio(ratio: Interval) -> String {
    let [median, low, high] = [ratio.median, ratio.low, ratio.high].map(scale::short);
    match ratio.is_wide() {
        true => format!("×{median} ({low}–{high})"),
        false => format!("×{median}"),
    }
}

/// The fastest variant against the fastest peer, at the most threads.
fn engines(summary: &Summary) -> String {
    let mut table = Table::new(&[
        "workload",
        "fastest of ours",
        "time",
        "over the limit",
        "fastest peer",
        "peer : ours (95 %)",
    ]);
    let most = summary.against_peers.iter().map(|against| against.threads);
    let most = most.max().unwrap_or(0);
    for against in summary.against_peers.iter().filter(|a| a.threads == most) {
        let mut results = summary.results.iter();
        let ours = results.find(|cell| {
            (&*cell.workload, &*cell.variant, cell.threads)
                == (&*against.workload, &*against.variant, against.threads)
                && cell.toggles.is_empty()
        });
        table.row([
            against.workload.clone(),
            against.variant.clone(),
            ours.map_or_else(String::new, |cell| scale::seconds(cell.seconds.median)),
            ours.and_then(|cell| cell.limit_ratio)
                .map_or_else(String::new, scale::times),
            against.peer.clone(),
            ratio(against.ratio),
        ]);
    }
    table.0
}

/// Every setting over the default; bold beyond the noise.
fn ablation(run: &Run, summary: &Summary) -> String {
    let most = summary.ablations.iter().map(|a| a.threads).max();
    let all = summary.ablations.iter().filter(|a| Some(a.threads) == most);
    let all: Vec<&Ablation> = all.collect();
    let is_there = |name: &&str| all.iter().any(|a| a.workload == **name);
    let workloads: Vec<&str> = run
        .workloads
        .iter()
        .map(|workload| &*workload.name)
        .filter(is_there)
        .collect();
    let mut settings: Vec<(&str, &str)> = all.iter().map(|a| (&*a.toggle, &*a.setting)).collect();
    settings.sort_unstable();
    settings.dedup();
    let mut table = Table::new(&[&["setting"], &workloads[..]].concat());
    for (toggle, setting) in settings {
        let cell = |workload: &&str| {
            let mut own = all.iter().filter(|a| a.workload == **workload);
            let found = own.find(|a| (&*a.toggle, &*a.setting) == (toggle, setting));
            found.map_or_else(String::new, |a| {
                let floor = summary.noise_floor.of(&a.workload, a.threads);
                match stats::verdict(a.ratio, floor) {
                    Verdict::WithinNoise => ratio(a.ratio),
                    Verdict::Faster | Verdict::Slower => format!("**{}**", ratio(a.ratio)),
                }
            })
        };
        let name = format!("`{toggle}={setting}`");
        table.row([name].into_iter().chain(workloads.iter().map(cell)));
    }
    table.0
}

fn controls(summary: &Summary) -> String {
    let mut table = Table::new(&["workload", "threads", "A : A′ (95 %)", "floor"]);
    for control in &summary.noise_floor.controls {
        table.row([
            control.workload.clone(),
            control.threads.to_string(),
            ratio(control.ratio),
            scale::percent(control.floor),
        ]);
    }
    table.0
}

fn of_plans(plans: &PlanRun) -> String {
    let mut table = Table::new(&[
        "executor",
        "total",
        "geometric mean",
        "total : first (95 %)",
        "mean : first (95 %)",
    ]);
    for arm in &plans.arms {
        let over = arm.summary.over_first;
        table.row([
            arm.name.clone(),
            scale::seconds(arm.summary.total_seconds),
            scale::seconds(arm.summary.geometric_mean_seconds),
            over.map_or_else(String::new, |over| ratio(over.total)),
            over.map_or_else(String::new, |over| ratio(over.geometric_mean)),
        ]);
    }
    table.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Environment, RunRecord};

    fn run() -> Run {
        let environment: Environment = serde_json::from_value(serde_json::json!({
            "cpu": "", "cores": 2, "memory_bytes": 0, "caches": [], "kernel": "", "huge_pages": "", "allocator": "",
            "rustc": "", "profile": "", "optimised": true, "commit": "", "dirty": false, "harness_version": "",
            "counters": ""
        }))
        .unwrap();
        Run::new(RunRecord::of_a_test(environment))
    }

    #[test]
    fn only_what_stands_between_the_markers_of_the_run_is_written() {
        let page = "before\n<!-- findings: controls a -->\nold\n<!-- /findings -->\nbetween\n\
                    <!-- findings: controls b -->\nkept\n<!-- /findings -->\nafter\n";
        let found = rewrite(page, &run(), |folder| folder == "a").unwrap();
        assert!(
            !found.contains("old") && found.contains("kept\n"),
            "{found}"
        );
        assert!(found.contains("| workload | threads |"));
        assert!(found.starts_with("before\n") && found.ends_with("after\n"));
        assert_eq!(
            rewrite(&found, &run(), |folder| folder == "a").unwrap(),
            found
        );
    }

    #[test]
    fn a_marker_that_cannot_be_followed_is_an_error() {
        for (page, says) in [
            ("<!-- findings: controls a -->\n", "is not closed"),
            (
                "<!-- findings: what a -->\n<!-- /findings -->",
                "no table \"what\"",
            ),
            ("<!-- findings: plans a -->\n<!-- /findings -->", "no plans"),
            ("<!-- findings: controls", "does not end"),
        ] {
            let error = rewrite(page, &run(), |_| true).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
