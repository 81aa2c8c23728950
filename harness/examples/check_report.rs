//! Checks that a run's report is complete: `check_report RUN`. For CI, and for whoever keeps a run.
//!
//! Every curated variant and every peer that was asked for on every canonical workload (or those of `--only`) at every
//! thread count of the run, one checksum a workload, no failure; every toggle's every setting with an interval where the
//! run has an ablation; every chart in the page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use aligned_ingest::PlacementKind;
use harness::measure::ingest::{ROWS, Rows};
use serde_json::Value;

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

fn check(run: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let read = |name: &str| std::fs::read_to_string(run.join(name));
    let summary: Value = serde_json::from_str(&read("summary.json")?)?;
    let samples = report::record::read_run(run)?;
    let mut faults = Vec::new();
    if summary["run"]["complete"] != true {
        faults.push("the run is not complete".to_owned());
    }
    for failure in summary["failures"].as_array().into_iter().flatten() {
        faults.push(format!("failure: {failure}"));
    }
    let modes = &samples.run.modes;
    if modes.iter().any(|mode| mode == "sweep") {
        let canonical = harness::workload::resolve(&[], samples.run.size)?;
        let only = samples.run.command.iter().any(|word| word == "--only");
        let workloads: Vec<&str> = match only {
            true => samples.workloads.iter().map(|w| w.name.as_str()).collect(),
            false => canonical.iter().map(|w| w.name.as_str()).collect(),
        };
        faults.extend(results(&summary, &workloads, &samples.run.threads));
        faults.extend(peers(&summary, &samples, &workloads));
        if !only {
            faults.extend(ingest(&summary, &samples.run.threads));
        }
    }
    if modes.iter().any(|mode| mode == "ablate") {
        faults.extend(ablations(&summary));
    }
    if let Ok(plans) = read("plans.json") {
        let plans: Value = serde_json::from_str(&plans)?;
        for failure in plans["failures"].as_array().into_iter().flatten() {
            faults.push(format!("plans: {failure}"));
        }
    }
    let page = read("index.html")?;
    let mut charts = 0;
    for file in std::fs::read_dir(run)? {
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

fn results(summary: &Value, workloads: &[&str], threads: &[u32]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut cells = BTreeSet::new();
    let mut checksums: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for result in summary["results"].as_array().into_iter().flatten() {
        let text = |key: &str| result[key].as_str().unwrap_or_default();
        cells.insert((
            text("workload"),
            text("variant"),
            result["threads"].as_u64(),
        ));
        checksums
            .entry(text("workload"))
            .or_default()
            .insert(text("checksum"));
        for key in ["samples", "tuples_per_second", "limit_ratio"] {
            if result[key].as_f64().is_none_or(|value| value <= 0.0) {
                faults.push(format!(
                    "{} on {}: no {key}",
                    text("variant"),
                    text("workload")
                ));
            }
        }
    }
    for (workload, checksums) in &checksums {
        if checksums.len() != 1 {
            faults.push(format!("{workload}: several checksums: {checksums:?}"));
        }
    }
    for workload in workloads {
        for variant in registry::variants()
            .iter()
            .filter(|variant| variant.curated)
        {
            for &threads in threads {
                if !cells.contains(&(*workload, &*variant.name, Some(u64::from(threads)))) {
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
fn peers(summary: &Value, samples: &report::record::Run, workloads: &[&str]) -> Vec<String> {
    let mut words = samples.run.command.iter();
    let named = words.find(|word| *word == "--peers").and(words.next());
    let cells: Vec<&Value> = summary["peers"].as_array().into_iter().flatten().collect();
    let mut faults = Vec::new();
    for peer in named.into_iter().flat_map(|names| names.split(',')) {
        for workload in workloads {
            let right = samples.workload(workload).map(|w| w.expected.checksum);
            for &threads in &samples.run.threads {
                let found = cells.iter().any(|cell| {
                    let name = cell["variant"].as_str().unwrap_or_default();
                    name.split(' ').next() == Some(peer)
                        && cell["workload"] == *workload
                        && cell["threads"] == threads
                        && cell["checksum"].as_str() == right.map(|c| c.to_string()).as_deref()
                        && cell["seconds"]["median"].as_f64().is_some_and(|s| s > 0.0)
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
fn ingest(summary: &Value, threads: &[u32]) -> Vec<String> {
    let cells: Vec<&Value> = summary["ingest"].as_array().into_iter().flatten().collect();
    let mut faults = Vec::new();
    for rows in ROWS.map(Rows::name) {
        for placement in PlacementKind::ALL.map(PlacementKind::name) {
            for &threads in threads {
                let found = cells.iter().any(|cell| {
                    (&cell["rows"], &cell["way"]) == (&rows.into(), &placement.into())
                        && cell["workers"] == threads
                        && cell["of_copy"]["median"]
                            .as_f64()
                            .is_some_and(|of| of > 0.0)
                        && (cell["split_rows"] != 0) == (placement == "packed")
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

fn ablations(summary: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let ablations: Vec<&Value> = summary["ablations"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    for toggle in registry::TOGGLES {
        let found = ablations.iter().any(|ablation| {
            ablation["toggle"] == toggle.name
                && ["median", "low", "high"].iter().all(|key| {
                    ablation["ratio"][key]
                        .as_f64()
                        .is_some_and(|ratio| ratio > 0.0)
                })
        });
        if !found {
            faults.push(format!("toggle {}: no ratio with an interval", toggle.name));
        }
    }
    faults
}
