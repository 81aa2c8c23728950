//! `summary.json`: what a run's samples say, computed from the records and never the other way
//! round. A cell is a workload, a variant, its toggles and a thread count.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::limit_model;
use crate::record::{Checksum, JOIN, Run, SampleRecord, Size, Toggles};
use crate::stats::{self, Interval};

mod cells;
mod disturbed;
mod fastest;
mod ingest;
mod noise;

pub use cells::{Cell, Cells};
pub use disturbed::{DifferentVerdict, Disturbance, undisturbed};
pub use fastest::{AgainstPeer, Fastest, Next, engine};
pub use ingest::{COPY, COPY_STREAMING, IngestSummary};
pub use noise::{Control, NoiseFloor};

/// The file of a run's folder that holds its summary.
pub const SUMMARY_FILE: &str = "summary.json";

/// `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this layout: 1.
    pub schema: u32,
    /// Which run.
    pub run: RunSummary,
    /// What the machine's memory can do.
    pub limits: Limits,
    /// How large a difference means nothing.
    pub noise_floor: NoiseFloor,
    /// What the system says of the samples; none where that was not recorded.
    #[serde(default)]
    pub disturbance: Option<Disturbance>,
    /// Cells of the variants, by workload, variant, toggles, threads.
    pub results: Vec<CellSummary>,
    /// One toggle at a time against the default configuration.
    pub ablations: Vec<Ablation>,
    /// Cells of other engines.
    pub peers: Vec<CellSummary>,
    /// The fastest variant of each workload.
    #[serde(default)]
    pub fastest: Vec<Fastest>,
    /// The fastest variant of each workload against each engine, the fastest engine first.
    #[serde(default)]
    pub against_peers: Vec<AgainstPeer>,
    /// False positives of the tags.
    pub tags: Vec<TagSummary>,
    /// Rows written to chunks, by kind of rows, workers and placement.
    #[serde(default)]
    pub ingest: Vec<IngestSummary>,
    /// Cells that failed. One with a wrong answer stands here and nowhere else.
    pub failures: Vec<CellFailure>,
}

/// Which run a summary is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run's name.
    pub id: String,
    /// RFC 3339.
    pub started: String,
    /// Seed of data and order.
    pub seed: u64,
    /// Workload sizes.
    pub size: Size,
    /// Whether everything that was asked for was measured.
    pub complete: bool,
}

/// Rates of the largest arrays by thread count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Sequential reading.
    pub read_bytes_per_second: BTreeMap<u32, f64>,
    /// Random reads that overlap.
    pub random_reads_per_second: BTreeMap<u32, f64>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    /// The workload.
    pub workload: String,
    /// Rows of the build side.
    pub build_rows: u64,
    /// Rows of the probe side.
    pub probe_rows: u64,
    /// Rows of the result.
    pub result_rows: u64,
    /// Order-independent checksum of the result.
    pub checksum: Checksum,
    /// The variant or peer.
    pub variant: String,
    /// What differs from the default configuration.
    pub toggles: Toggles,
    /// Threads of the join.
    pub threads: u32,
    /// How many measurements.
    pub samples: usize,
    /// Time of the whole join; of a single sample, that sample three times.
    pub seconds: Interval,
    /// In the order of execution.
    pub phases: Vec<PhaseSummary>,
    /// Build and probe tuples over the median time.
    pub tuples_per_second: f64,
    /// Peak memory, measured in a process of its own.
    pub peak_bytes: Option<u64>,
    /// Bytes of the finished table.
    pub table_bytes: Option<u64>,
    /// Peak memory over the build rows.
    pub peak_bytes_per_build_row: Option<f64>,
    /// What was counted a build and probe tuple: medians.
    pub counters_per_tuple: BTreeMap<String, f64>,
    /// Median time over the time of [`limit_model`].
    pub limit_ratio: Option<f64>,
    /// What the join observed and chose in its last measurement.
    pub notes: Vec<String>,
}

/// One phase of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseSummary {
    /// Its name.
    pub name: String,
    /// Median over the samples, scaled so that all phases add up to the whole.
    pub median_seconds: f64,
}

/// The effect of one setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// The workload.
    pub workload: String,
    /// What is switched.
    pub toggle: String,
    /// To what.
    pub setting: String,
    /// The variant whose default it is compared with.
    pub variant: String,
    /// Threads of the join.
    pub threads: u32,
    /// Time with the setting over time with the default, paired within rounds.
    pub ratio: Interval,
}

/// How many keys without a match a tag scheme lets through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagSummary {
    /// The scheme.
    pub scheme: String,
    /// The workload.
    pub workload: String,
    /// Directory slots a build tuple.
    pub directory_slots_per_tuple: f64,
    /// Share of the probe keys without a match.
    pub false_positive_rate: f64,
}

/// A cell that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellFailure {
    /// The workload.
    pub workload: String,
    /// The variant or peer.
    pub variant: String,
    /// What differs from the default configuration.
    pub toggles: Toggles,
    /// Threads of the join.
    pub threads: u32,
    /// How many measurements failed.
    pub times: usize,
    /// Whether one gave a wrong answer; then the cell is nowhere else.
    pub wrong: bool,
    /// The first error.
    pub error: String,
}

fn cell_summary(run: &Run, cell: &Cell<'_, '_>) -> Option<CellSummary> {
    let workload = cell.workload();
    let samples: Vec<&SampleRecord> = cell.samples().collect();
    let times: Vec<f64> = samples.iter().map(|s| s.seconds).collect();
    let seconds = stats::interval(&times, cell.looks())?;
    let answer = workload.expected.unwrap_or(samples[0].answer);
    let threads = cell.threads();
    let limit = limit_model::seconds(workload, threads, &run.limits, &run.run.environment);
    let peak = run.memory.iter().rev().find(|m| {
        m.workload == workload.name
            && m.variant == cell.variant()
            && m.toggles == *cell.toggles()
            && m.threads == threads
    });
    let table_bytes: Vec<f64> = samples
        .iter()
        .filter_map(|s| s.bytes.map(|b| b as f64))
        .collect();
    Some(CellSummary {
        workload: workload.name.clone(),
        build_rows: workload.build_rows,
        probe_rows: workload.probe_rows,
        result_rows: answer.rows,
        checksum: answer.checksum,
        variant: cell.variant().to_owned(),
        toggles: cell.toggles().clone(),
        threads,
        samples: samples.len(),
        seconds,
        phases: phases(&samples, seconds.median),
        tuples_per_second: workload.tuples() as f64 / seconds.median,
        peak_bytes: peak.map(|m| m.peak_bytes),
        table_bytes: stats::median(&table_bytes).map(|b| b as u64),
        peak_bytes_per_build_row: peak
            .map(|m| m.peak_bytes as f64 / workload.build_rows.max(1) as f64),
        counters_per_tuple: counters_per_tuple(&samples, workload.tuples()),
        limit_ratio: limit
            .map(|limit| seconds.median / limit)
            .filter(|ratio| ratio.is_finite()),
        notes: samples.last().map_or(Vec::new(), |last| last.notes.clone()),
    })
}

fn counters_per_tuple(samples: &[&SampleRecord], tuples: u64) -> BTreeMap<String, f64> {
    let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, count) in samples.iter().flat_map(|s| &s.counters) {
        let per_tuple = *count as f64 / tuples.max(1) as f64;
        found.entry(name).or_default().push(per_tuple);
    }
    let medians = found
        .into_iter()
        .filter_map(|(name, values)| Some((name.to_owned(), stats::median(&values)?)));
    medians.collect()
}

/// Medians by phase. A sample that skipped a phase counts as 0 for it. Medians do not add up by themselves, so all are
/// scaled alike until they are that share of `seconds` that the phases of a sample usually are.
fn phases(samples: &[&SampleRecord], seconds: f64) -> Vec<PhaseSummary> {
    let mut names: Vec<&str> = Vec::new();
    for phase in samples.iter().flat_map(|s| &s.phases) {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    let seconds_of = |name: &str| -> Vec<f64> {
        let of = |s: &SampleRecord| -> f64 {
            let named = s.phases.iter().filter(|p| p.name == name);
            named.map(|p| p.seconds).sum()
        };
        samples.iter().map(|s| of(s)).collect()
    };
    let medians = names.iter().filter_map(|name| {
        Some(PhaseSummary {
            name: (*name).to_owned(),
            median_seconds: stats::median(&seconds_of(name))?,
        })
    });
    let mut medians: Vec<PhaseSummary> = medians.collect();
    let shares = samples.iter().map(|s| {
        let named: f64 = s.phases.iter().map(|p| p.seconds).sum();
        named / s.seconds
    });
    let share = stats::median(&shares.collect::<Vec<_>>()).unwrap_or(1.0);
    let sum: f64 = medians.iter().map(|phase| phase.median_seconds).sum();
    if sum > 0.0 {
        for phase in &mut medians {
            phase.median_seconds *= seconds * share / sum;
        }
    }
    medians
}

/// Summarises a run.
pub fn summarise(run: &Run) -> Summary {
    summarise_cells(run, &Cells::new(run))
}

/// Summarises a run whose samples are sorted into cells already.
pub fn summarise_cells(run: &Run, cells: &Cells<'_>) -> Summary {
    let (mut results, mut peers, mut controls) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells.iter() {
        let list = if cell.is_peer() {
            &mut peers
        } else {
            &mut results
        };
        list.extend(cell_summary(run, &cell));
        controls.extend(noise::control(&cell));
    }
    let is_join = |control: &Control| {
        let workload = run.workload(&control.workload);
        workload.is_some_and(|workload| workload.experiment == JOIN)
    };
    let has_joins = controls.iter().any(is_join);
    let noise_floor = NoiseFloor::of_controls(controls, |control| !has_joins || is_join(control));
    let (fastest, against_peers) = fastest::fastest(cells, &results, &peers, &noise_floor);
    let mut summary = Summary {
        schema: 1,
        run: RunSummary {
            id: run.run.id.clone(),
            started: run.run.started.clone(),
            seed: run.run.seed,
            size: run.run.size,
            complete: run.complete,
        },
        limits: limits(run),
        noise_floor,
        fastest,
        against_peers,
        disturbance: None,
        results,
        ablations: ablations(cells),
        peers,
        tags: tags(run),
        ingest: ingest::summarise(cells),
        failures: cells.failures.values().cloned().collect(),
    };
    if !cells.has_disturbed {
        summary.disturbance = disturbed::of(run, &summary);
    }
    summary
}

fn limits(run: &Run) -> Limits {
    let threads: BTreeSet<u32> = run.limits.iter().map(|l| l.threads).collect();
    let rates = |what: &str| -> BTreeMap<u32, f64> {
        let rate = |&t: &u32| Some((t, limit_model::rate(&run.limits, what, t, u64::MAX)?));
        threads.iter().filter_map(rate).collect()
    };
    Limits {
        read_bytes_per_second: rates("read_bytes_per_second"),
        random_reads_per_second: rates("random_reads_per_second"),
    }
}

fn ablations(cells: &Cells<'_>) -> Vec<Ablation> {
    cells
        .iter()
        .filter(|cell| cell.toggles().len() == 1)
        .filter_map(|cell| {
            let (toggle, setting) = cell.toggles().first_key_value()?;
            let (workload, threads) = (&cell.workload().name, cell.threads());
            let default = cells.default_of(workload, cell.variant(), threads)?;
            Some(Ablation {
                workload: workload.clone(),
                toggle: toggle.clone(),
                setting: setting.clone(),
                variant: cell.variant().to_owned(),
                threads,
                ratio: cell.over(&default)?,
            })
        })
        .collect()
}

fn tags(run: &Run) -> Vec<TagSummary> {
    run.tags
        .iter()
        .filter(|t| t.probes > 0)
        .map(|t| TagSummary {
            scheme: t.scheme.clone(),
            workload: t.workload.clone(),
            directory_slots_per_tuple: t.directory_slots_per_tuple,
            false_positive_rate: t.false_positives as f64 / t.probes as f64,
        })
        .collect()
}
