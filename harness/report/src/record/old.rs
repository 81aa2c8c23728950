//! What earlier versions wrote: plans in a file of their own, and samples of the ingest as a kind of line.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Answer, CONTROL_A, CONTROL_B, Checksum, Environment, FailureRecord, INGEST, OFF, PEER, PLAN,
    RESERVED, ROWS, RUNS, RecordError, Run, RunRecord, SCHEMA, SPLIT_ROWS, SampleRecord,
    ScheduleRecord, ScheduledCell, Size, Source, Toggles, VariantRecord, WorkloadRecord, is_time,
    read_regular,
};
use crate::plain::plain;

/// The file of a run's folder that held what was measured of plans.
pub const PLANS_FILE: &str = "plans.json";

/// The only version of that file.
const PLANS_SCHEMA: u32 = 1;

/// What stands in that file, as far as it is not computed from the rest.
#[derive(Deserialize)]
pub(super) struct Plans {
    schema: u32,
    started: String,
    command: Vec<String>,
    environment: Environment,
    threads: u32,
    arms: Vec<Arm>,
    failures: Vec<Failure>,
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Arm {
    name: String,
    kind: Kind,
    /// By bundle; none where it failed.
    bundles: Vec<Option<Measured>>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Executor,
    Control,
    Ablation,
    Peer,
}

#[derive(Deserialize)]
struct Measured {
    bundle: String,
    rows: u64,
    checksum: Checksum,
    cold_seconds: f64,
    samples: Vec<f64>,
    peak_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Failure {
    arm: String,
    bundle: String,
    error: String,
}

impl Plans {
    /// Reads the file of a run's folder, if there is one.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, RecordError> {
        let path = dir.join(PLANS_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = read_regular(&path)?;
        let wrong = |line: usize, message: &str| RecordError::Plans {
            path: path.clone(),
            line,
            message: plain(message),
        };
        let plans: Self = serde_json::from_slice(&text)
            .map_err(|error| wrong(error.line(), &error.to_string()))?;
        match plans.fault() {
            Some(fault) => Err(wrong(1, &fault)),
            None => Ok(Some(plans)),
        }
    }

    /// What cannot have been measured, in words.
    fn fault(&self) -> Option<String> {
        if self.schema != PLANS_SCHEMA {
            return Some(format!(
                "schema {} is not the schema {PLANS_SCHEMA} that this program reads",
                self.schema
            ));
        }
        if self.arms.is_empty() {
            return Some("`arms` is empty".to_owned());
        }
        if self.threads == 0 {
            return Some("0 threads cannot work".to_owned());
        }
        let is_possible = |measured: &Measured| {
            let mut times = measured.samples.iter().chain([&measured.cold_seconds]);
            times.all(|&seconds| is_time(seconds))
        };
        self.arms.iter().find_map(|arm| {
            let mut measured = arm.bundles.iter().flatten();
            let is_wrong = measured.any(|measured| !is_possible(measured));
            is_wrong.then(|| format!("{} has a time that cannot be", arm.name))
        })
    }
}

/// How notes began of a join that picked another, before they named the variant whose code ran.
const PICKED: [(&str, &str); 3] = [
    ("picked an array of row ids: ", "array+batched"),
    ("picked both sides partitioned: ", "partitioned-join"),
    ("picked one table: ", "partitioned-join"),
];

/// The sample, with a note that names the variant whose code ran.
pub(super) fn naming_what_ran(mut sample: SampleRecord) -> SampleRecord {
    let is_picked = |(note, _): &&(&str, _)| sample.notes.iter().any(|n| n.starts_with(note));
    if let Some((_, variant)) = PICKED.iter().find(is_picked)
        && !sample.notes.iter().any(|note| note.starts_with(RUNS))
    {
        sample.notes.push(format!("{RUNS}{variant}"));
    }
    sample
}

/// The cell of an arm that is called so: `pipelined without filters`, `pipelined again`.
fn cell_of(arm: &Arm, threads: u32) -> ScheduledCell {
    named(&arm.name, arm.kind == Kind::Peer, threads)
}

fn named(name: &str, is_peer: bool, threads: u32) -> ScheduledCell {
    let (name, is_control) = match name.strip_suffix(" again") {
        Some(name) if !is_peer => (name, true),
        _ => (name, false),
    };
    let mut parts = name
        .split(" without ")
        .take(if is_peer { 1 } else { usize::MAX });
    let variant = parts.next().unwrap_or_default();
    ScheduledCell {
        variant: if is_peer { name } else { variant }.to_owned(),
        toggles: parts
            .map(|part| (part.to_owned(), OFF.to_owned()))
            .collect(),
        label: is_control.then(|| CONTROL_B.to_owned()),
        threads,
        rounds: 0,
    }
}

/// Rows in memory that several workers wrote once to shared chunks, or copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IngestRecord {
    /// The kind of rows.
    pub rows: String,
    /// A placement, or how they were copied.
    pub way: String,
    /// Threads that worked at once.
    pub workers: u32,
    /// Rounds count from 1; ratios are paired within one.
    pub round: u32,
    /// Wall time.
    pub seconds: f64,
    /// Bytes of the rows.
    pub bytes: u64,
    /// Rows that were written; 0 of a copy, which knows none.
    pub row_count: u64,
    /// Those of them that lie in two flushes.
    pub split_rows: u64,
    /// Addresses that were given away; what exceeds `bytes` is empty.
    pub reserved: u64,
}

/// The round of a sample of the ingest, once.
pub(super) type Placed = HashMap<(String, String, u32, u32), usize>;

/// Adds a sample of the ingest. Those of a run that was killed among them were measured again, all of them.
pub(super) fn add_ingest(run: &mut Run, placed: &mut Placed, record: IngestRecord) {
    let key = (
        record.rows.clone(),
        record.way.clone(),
        record.workers,
        record.round,
    );
    let name = format!("{INGEST}-{}", record.rows);
    add_workload(run, &name, INGEST);
    add_variant(run, &record.way, INGEST);
    let sample = SampleRecord {
        bytes: Some(record.bytes),
        counters: [
            (ROWS.to_owned(), record.row_count),
            (SPLIT_ROWS.to_owned(), record.split_rows),
            (RESERVED.to_owned(), record.reserved),
        ]
        .into(),
        ..sample(
            &name,
            &record.way,
            record.workers,
            record.round,
            record.seconds,
            // A copy knew no rows, and each worker wrote as many.
            Answer::default(),
        )
    };
    let at = *placed.entry(key).or_insert(run.samples.len());
    match run.samples.get_mut(at) {
        Some(old) => *old = sample,
        None => run.samples.push(sample),
    }
}

/// A run that has plans alone, in the folder `dir`.
pub(super) fn run_of(dir: &Path, plans: &Plans) -> Run {
    let id = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut run = Run::new(RunRecord {
        schema: SCHEMA,
        id: id.into_owned(),
        started: plans.started.clone(),
        seed: 1,
        size: Size::Full,
        modes: vec!["plans".to_owned()],
        command: plans.command.clone(),
        threads: vec![plans.threads],
        environment: plans.environment.clone(),
    });
    run.complete = true;
    run.notes.clone_from(&plans.notes);
    add_plans(&mut run, plans);
    run
}

/// Adds what a file of plans has.
pub(super) fn add_plans(run: &mut Run, plans: &Plans) {
    let has_control = plans.arms.iter().any(|arm| arm.kind == Kind::Control);
    let names = plans
        .arms
        .iter()
        .flat_map(|arm| arm.bundles.iter().flatten());
    let names = names.map(|measured| &measured.bundle);
    let failed = plans.failures.iter().map(|failure| &failure.bundle);
    for name in names.chain(failed) {
        add_workload(run, name, PLAN);
    }
    let cells: Vec<ScheduledCell> = plans
        .arms
        .iter()
        .enumerate()
        .map(|(at, arm)| {
            let mut cell = cell_of(arm, plans.threads);
            if at == 0 && has_control {
                cell.label = Some(CONTROL_A.to_owned());
            }
            cell.rounds = rounds(arm);
            cell
        })
        .collect();
    for (arm, cell) in plans.arms.iter().zip(&cells) {
        let family = if arm.kind == Kind::Peer { PEER } else { PLAN };
        add_variant(run, &cell.variant, family);
        for measured in arm.bundles.iter().flatten() {
            let all = std::iter::once(&measured.cold_seconds).chain(&measured.samples);
            for (round, &seconds) in (0..).zip(all) {
                let answer = Answer {
                    rows: measured.rows,
                    checksum: measured.checksum,
                    ..Answer::default()
                };
                run.samples.push(SampleRecord {
                    toggles: cell.toggles.clone(),
                    label: cell.label.clone(),
                    bytes: measured.peak_bytes,
                    system: None,
                    disturbed: false,
                    pair: 0,
                    source: match arm.kind {
                        Kind::Peer => Source::Peer,
                        _ => Source::Variant,
                    },
                    ..sample(
                        &measured.bundle,
                        &cell.variant,
                        plans.threads,
                        round,
                        seconds,
                        answer,
                    )
                });
            }
        }
    }
    for failure in &plans.failures {
        let arm = plans.arms.iter().find(|arm| arm.name == failure.arm);
        let is_peer = arm.is_some_and(|arm| arm.kind == Kind::Peer);
        let cell = named(&failure.arm, is_peer, plans.threads);
        run.failures.push(FailureRecord {
            round: 0,
            workload: failure.bundle.clone(),
            variant: cell.variant,
            toggles: cell.toggles,
            label: cell.label,
            threads: plans.threads,
            wrong: false,
            error: failure.error.clone(),
        });
    }
    let workloads = run.workloads.iter().filter(|w| w.experiment == PLAN);
    for workload in workloads {
        run.schedules.push(ScheduleRecord {
            workload: workload.name.clone(),
            seconds: 0.0,
            looks: 1,
            last: true,
            cells: cells.clone(),
        });
    }
}

fn rounds(arm: &Arm) -> u32 {
    let samples = arm.bundles.iter().flatten().map(|m| m.samples.len());
    u32::try_from(samples.max().unwrap_or(0)).unwrap_or(u32::MAX)
}

fn add_workload(run: &mut Run, name: &str, experiment: &str) {
    if run.workload(name).is_none() {
        run.workloads.push(WorkloadRecord {
            name: name.to_owned(),
            group: None,
            join_kind: None,
            condition: None,
            payload_bytes: None,
            experiment: experiment.to_owned(),
            sentence: String::new(),
            build_rows: 0,
            probe_rows: 0,
            key_type: String::new(),
            build_bytes: 0,
            probe_bytes: 0,
            expected: None,
            keys: None,
        });
    }
}

fn add_variant(run: &mut Run, name: &str, family: &str) {
    if run.variant(name).is_none() {
        run.variants.push(VariantRecord {
            name: name.to_owned(),
            family: family.to_owned(),
            build: None,
            probe: None,
            description: String::new(),
            definition: None,
        });
    }
}

fn sample(
    workload: &str,
    variant: &str,
    threads: u32,
    round: u32,
    seconds: f64,
    answer: Answer,
) -> SampleRecord {
    SampleRecord {
        round,
        order: 0,
        workload: workload.to_owned(),
        variant: variant.to_owned(),
        toggles: Toggles::new(),
        label: None,
        threads,
        seconds,
        phases: Vec::new(),
        answer,
        bytes: None,
        counters: [].into(),
        notes: Vec::new(),
        source: Source::Variant,
        system: None,
        disturbed: false,
        pair: 0,
    }
}
