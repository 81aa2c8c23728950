//! The tables of `docs/findings` that are made of committed runs.
//!
//! A page has a pair of markers, `<!-- findings: KIND RUN -->` and `<!-- /findings -->`, with RUN the run's folder as seen from
//! the repository; what stands between them is written anew from the run's samples.

use crate::cluster_model;
use crate::page::{plans, tables};
use crate::plans::PlanRun;
use crate::record::{JOIN, Run};
use crate::summary::{Cells, summarise_cells};
use crate::table::Table;

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
            true => written.push_str(&table(kind, run)?.markdown()),
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

fn table(kind: &str, run: &Run) -> Result<Table, String> {
    let joins = run.part(JOIN);
    let cells = Cells::new(&joins);
    let summary = summarise_cells(&joins, &cells);
    match kind {
        "engines" => Ok(tables::engines(&summary)),
        "ablation" => Ok(tables::ablations(&joins, &summary)),
        "controls" => Ok(tables::controls(&summary)),
        "plans" => PlanRun::from_run(run)
            .map(|plans| plans::arms(&plans))
            .ok_or_else(|| format!("{} has measured no plans", run.run.id)),
        "once" => PlanRun::once(run)
            .map(|once| plans::once_arms(&once, PlanRun::from_run(run).as_ref()))
            .ok_or_else(|| format!("{} has executed no plans once", run.run.id)),
        "cluster" => cluster_model::table(run)
            .ok_or_else(|| format!("{} has measured no workers", run.run.id)),
        "stages" => cluster_model::stages(run)
            .ok_or_else(|| format!("{} has measured no workers", run.run.id)),
        _ => Err(format!(
            "there is no table {kind:?}; there are engines, ablation, controls, plans, once, cluster and stages"
        )),
    }
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
        assert!(found.contains("| workload | variant |"));
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
            (
                "<!-- findings: cluster a -->\n<!-- /findings -->",
                "no workers",
            ),
            ("<!-- findings: controls", "does not end"),
        ] {
            let error = rewrite(page, &run(), |_| true).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
