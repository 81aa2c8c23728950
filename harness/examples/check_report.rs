//! Checks that a run's report is complete: `check_report RUN`. For CI, and for whoever keeps a run.
//!
//! Every curated variant and every peer that was asked for on every canonical workload (or those of `--only`) at every
//! thread count of the run, one checksum per workload, no failure; every toggle with an interval where the run has an
//! ablation; every chart in the page.

use std::path::Path;
use std::process::ExitCode;

use aligned_ingest::PlacementKind;
use harness::experiment::ingest::{ROWS_MADE, Rows};
use report::record::{JOIN, Run, read_run};
use report::summary::{CellSummary, Summary};

fn main() -> ExitCode {
    let Some(run) = std::env::args().nth(1) else {
        eprintln!("usage: check_report RUN, the folder of a run");
        return ExitCode::from(2);
    };
    let faults = match check(Path::new(&run)) {
        Ok(faults) => faults,
        Err(error) => vec![format!("{run}: {error}")],
    };
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() {
        println!("{run}: complete");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn check(folder: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let summary: Summary = serde_json::from_str(&read("summary.json")?)?;
    let run = read_run(folder)?;
    let mut faults = Vec::new();
    if !summary.run.complete {
        faults.push("the run is not complete".to_owned());
    }
    for failure in &summary.failures {
        faults.push(format!("failure: {failure:?}"));
    }
    let has = |mode: &str| run.run.modes.iter().any(|of_run| of_run == mode);
    if has("sweep") {
        let canonical = harness::workload::resolve(&[], run.run.size)?;
        let only = run.run.command.iter().any(|word| word == "--only");
        let joins = run.workloads.iter().filter(|w| w.experiment == JOIN);
        let workloads: Vec<&str> = match only {
            true => joins.map(|w| w.name.as_str()).collect(),
            false => {
                let swept = canonical.iter().filter(|w| w.is_swept(run.run.size));
                swept.map(|w| w.name.as_str()).collect()
            }
        };
        faults.extend(results(&run, &summary, &workloads));
        faults.extend(peers(&run, &summary, &workloads));
        if !only {
            faults.extend(ingest(&summary, &run.run.threads));
        }
    }
    if has("ablate") {
        faults.extend(ablations(&summary));
    }
    let page = read("index.html")?;
    let mut charts = 0;
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            charts += 1;
            let svg = std::fs::read_to_string(&path)?;
            if !page.contains(svg.trim()) {
                faults.push(format!("{} is not in the page", path.display()));
            }
        }
    }
    if charts == 0 {
        faults.push("no charts".to_owned());
    }
    Ok(faults)
}

fn results(run: &Run, summary: &Summary, workloads: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for cell in &summary.results {
        let workload = run.workload(&cell.workload);
        let join = workload.filter(|w| w.experiment == JOIN);
        let is_join = join.is_some();
        // Of rows that are made of columns the model knows nothing.
        let has_rows = join.is_some_and(|w| w.payload_bytes.is_some());
        let limit = has_rows || cell.limit_ratio.is_some_and(|ratio| ratio > 0.0);
        if cell.samples == 0 || is_join && !(limit && cell.tuples_per_second > 0.0) {
            faults.push(format!(
                "{} on {}: no sample, rate or limit",
                cell.variant, cell.workload
            ));
        }
        let other = |other: &&CellSummary| {
            other.workload == cell.workload && other.checksum != cell.checksum
        };
        if summary.results.iter().find(other).is_some() {
            faults.push(format!("{}: several checksums", cell.workload));
        }
    }
    let variants = registry::variants();
    for workload in workloads {
        for variant in variants.iter().filter(|variant| variant.curated) {
            for &threads in &run.run.threads {
                let is_there = summary.results.iter().any(|cell| {
                    (&*cell.workload, &*cell.variant, cell.threads)
                        == (*workload, &*variant.name, threads)
                });
                if !is_there {
                    faults.push(format!(
                        "{} on {workload} with {threads} threads: no result",
                        variant.name
                    ));
                }
            }
        }
    }
    faults
}

/// What is missing of the peers that the command line names.
fn peers(run: &Run, summary: &Summary, workloads: &[&str]) -> Vec<String> {
    let mut words = run.run.command.iter();
    let named = words.find(|word| *word == "--peers").and(words.next());
    let mut faults = Vec::new();
    for peer in named.into_iter().flat_map(|names| names.split(',')) {
        for workload in workloads {
            let right = run.workload(workload).and_then(|w| w.expected);
            for &threads in &run.run.threads {
                let found = summary.peers.iter().any(|cell| {
                    cell.variant.split(' ').next() == Some(peer)
                        && (&*cell.workload, cell.threads) == (*workload, threads)
                        && Some(cell.checksum) == right.map(|right| right.checksum)
                        && cell.seconds.median > 0.0
                });
                if !found {
                    faults.push(format!(
                        "peer {peer} on {workload} with {threads} threads: no result"
                    ));
                }
            }
        }
    }
    faults
}

/// Every placement with every kind of rows at every thread count; only `packed` splits rows.
fn ingest(summary: &Summary, threads: &[u32]) -> Vec<String> {
    let mut faults = Vec::new();
    for rows in ROWS_MADE.map(Rows::name) {
        for placement in PlacementKind::ALL.map(PlacementKind::name) {
            for &threads in threads {
                let found = summary.ingest.iter().any(|cell| {
                    (&*cell.rows, &*cell.way, cell.workers) == (rows, placement, threads)
                        && cell.of_copy.median > 0.0
                        && (cell.split_rows != 0) == (placement == "packed")
                });
                if !found {
                    faults.push(format!(
                        "{placement} of {rows} rows with {threads} threads: no result, or one with rows split or not"
                    ));
                }
            }
        }
    }
    faults
}

fn ablations(summary: &Summary) -> Vec<String> {
    let names = registry::TOGGLES.iter().map(|toggle| toggle.name);
    let missing = names.filter(|name| {
        let of_toggle = summary.ablations.iter().filter(|a| a.toggle == *name);
        !of_toggle.into_iter().any(|a| a.ratio.low > 0.0)
    });
    missing
        .map(|name| format!("toggle {name}: no ratio with an interval"))
        .collect()
}
