//! Two builds in the same rounds: what became faster, what slower, what is within noise.
//!
//! The unit is a pair of processes, one of each build, since where memory lies is chance once per process. A pair has one
//! value per cell, the median over its rounds of the ratio of the two times; verdicts rest on how these values differ from
//! pair to pair. `docs/method.md` says why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::charts::{scale, threads_text};
use crate::record::{BuildRecord, OTHER, Run, SampleRecord, THIS};
use crate::stats::{self, Interval, Verdict};

mod judge;
mod page;

pub use page::{DUEL_FILE, MARKDOWN_FILE, draw};

/// Two builds in the same rounds. Ratios are time of this build over time of the other one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Duel {
    /// Version of this layout: 1.
    pub schema: u32,
    /// The run's name.
    pub id: String,
    /// RFC 3339.
    pub started: String,
    /// Whether the duel ended by itself.
    pub complete: bool,
    /// Both builds, this one first.
    pub builds: Vec<BuildRecord>,
    /// Pairs of processes that measured every cell.
    pub pairs: usize,
    /// Verdicts that the intervals hold for together.
    pub verdicts: usize,
    /// How often a duel of a build against itself may find anything.
    pub alpha: f64,
    /// All cells together; none where there is none.
    pub total: Option<Outcome>,
    /// Each variant over its cells.
    pub variants: Vec<VariantOutcome>,
    /// Each cell.
    pub cells: Vec<CellOutcome>,
}

/// A ratio with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Trimmed geometric mean over the pairs, with its interval.
    pub ratio: Interval,
    /// What it says.
    pub verdict: Verdict,
    /// Standard deviation of the pairs' logarithms.
    pub spread: f64,
    /// The ratio of each pair.
    pub pairs: Vec<f64>,
}

/// What a duel says of a variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantOutcome {
    /// The variant.
    pub variant: String,
    /// Over all its cells.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a duel says of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellOutcome {
    /// The workload.
    pub workload: String,
    /// The variant.
    pub variant: String,
    /// Threads of the join.
    pub threads: u32,
    /// Median of this build.
    pub seconds_this: f64,
    /// Median of the other build.
    pub seconds_other: f64,
    /// Samples of each build.
    pub samples: usize,
    /// Standard error of the logarithm of a pair's ratio that its rounds imply; the median over the pairs.
    pub within: f64,
    /// The ratio.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A workload, a variant, threads.
type Key<'a> = (usize, usize, u32, &'a str, &'a str);

/// Times by round, of this build and of the other one.
type Rounds = BTreeMap<u32, [Option<f64>; 2]>;

impl Outcome {
    fn of(values: &[f64], verdicts: usize) -> Self {
        let ratio = judge::interval(values, verdicts);
        Self {
            ratio,
            verdict: stats::verdict(ratio, 0.0),
            spread: judge::spread(values),
            pairs: values.iter().map(|value| value.exp()).collect(),
        }
    }
}

impl Duel {
    /// Judges the samples of a run.
    pub fn of(run: &Run) -> Self {
        let (mut cells, pairs) = whole(cells(run));
        cells.retain(|_, pairs| !pairs.is_empty());
        let names: Vec<&str> = {
            let mut names: Vec<(usize, &str)> = cells.keys().map(|key| (key.1, key.4)).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().map(|(_, name)| name).collect()
        };
        // One variant is all of them, and one cell is its variant.
        let of_variants = if names.len() > 1 { names.len() } else { 0 };
        let of_all = usize::from(cells.len() > 1);
        let verdicts = cells.len() + of_variants + of_all;
        let values: BTreeMap<Key<'_>, Vec<f64>> = cells
            .iter()
            .map(|(key, pairs)| (*key, pairs.values().map(|rounds| value(rounds).0).collect()))
            .collect();
        let mean_of = |is_part: &dyn Fn(&Key<'_>) -> bool| -> Vec<f64> {
            let parts: Vec<&Vec<f64>> = values
                .iter()
                .filter(|(key, _)| is_part(key))
                .map(|(_, values)| values)
                .collect();
            let mean =
                |pair: usize| parts.iter().map(|part| part[pair]).sum::<f64>() / parts.len() as f64;
            (0..pairs).map(mean).collect()
        };
        let variants = names.iter().map(|&variant| VariantOutcome {
            variant: variant.to_owned(),
            outcome: Outcome::of(&mean_of(&|key| key.4 == variant), verdicts),
        });
        Self {
            schema: 1,
            id: run.run.id.clone(),
            started: run.run.started.clone(),
            complete: run.complete,
            builds: run.builds.clone(),
            pairs,
            verdicts,
            alpha: judge::ALPHA,
            total: (!cells.is_empty()).then(|| Outcome::of(&mean_of(&|_| true), verdicts)),
            variants: variants.collect(),
            cells: cells
                .iter()
                .map(|(key, pairs)| cell(key, pairs, &values[key], verdicts))
                .collect(),
        }
    }

    /// Every verdict.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let cells = self.cells.iter().map(|cell| &cell.outcome);
        let variants = self.variants.iter().map(|variant| &variant.outcome);
        cells.chain(variants).chain(&self.total)
    }

    /// What one of the builds is called in sentences.
    fn title(&self, side: &str) -> String {
        let build = self.builds.iter().find(|build| build.side == side);
        build.map_or_else(|| side.to_owned(), title)
    }
}

/// `this build (0123456789ab with changes)`.
fn title(build: &BuildRecord) -> String {
    let commit: String = build.commit.chars().take(12).collect();
    let changed = if build.dirty { " with changes" } else { "" };
    let slowed = if build.profile.contains("slowed") {
        ", slowed on purpose"
    } else {
        ""
    };
    match build.name.starts_with(&commit) && !build.dirty {
        true => build.name.clone(),
        false => format!("{} ({commit}{changed}{slowed})", build.name),
    }
}

/// The samples by cell, pair and round.
fn cells(run: &Run) -> BTreeMap<Key<'_>, BTreeMap<u32, Rounds>> {
    let mut found: BTreeMap<Key<'_>, BTreeMap<u32, Rounds>> = BTreeMap::new();
    for sample in run.samples.iter().filter(|sample| sample.pair > 0) {
        let workload = run.workloads.iter().position(|w| w.name == sample.workload);
        let variant = run.variants.iter().position(|v| v.name == sample.variant);
        let (Some(workload), Some(variant), Some(side)) = (workload, variant, side(sample)) else {
            continue;
        };
        let key = (
            workload,
            variant,
            sample.threads,
            &*sample.workload,
            &*sample.variant,
        );
        let rounds = found
            .entry(key)
            .or_default()
            .entry(sample.pair)
            .or_default();
        rounds.entry(sample.round).or_default()[side] = Some(sample.seconds);
    }
    found
}

fn side(sample: &SampleRecord) -> Option<usize> {
    [THIS, OTHER]
        .iter()
        .position(|side| sample.label.as_deref() == Some(side))
}

/// What every cell has of pairs, and how many those are. A pair that was interrupted is no pair.
fn whole<'a>(
    mut cells: BTreeMap<Key<'a>, BTreeMap<u32, Rounds>>,
) -> (BTreeMap<Key<'a>, BTreeMap<u32, Rounds>>, usize) {
    for pairs in cells.values_mut() {
        for rounds in pairs.values_mut() {
            rounds.retain(|_, [this, other]| this.is_some() && other.is_some());
        }
        pairs.retain(|_, rounds| !rounds.is_empty());
    }
    let all: Vec<Vec<u32>> = cells
        .values()
        .map(|pairs| pairs.keys().copied().collect())
        .collect();
    let is_whole = |pair: &u32| all.iter().all(|pairs| pairs.contains(pair));
    for pairs in cells.values_mut() {
        pairs.retain(|pair, _| is_whole(pair));
    }
    let pairs = cells.values().next().map_or(0, BTreeMap::len);
    (cells, pairs)
}

/// A pair's value, and the standard error that its rounds imply.
fn value(rounds: &Rounds) -> (f64, f64) {
    /// Of a median, in standard errors of a mean.
    const OF_MEDIAN: f64 = 1.2533;
    let logs = rounds
        .values()
        .filter_map(|[this, other]| Some(((*this)? / (*other)?).ln()));
    let logs: Vec<f64> = logs.collect();
    let error = judge::spread(&logs) / (logs.len() as f64).sqrt() * OF_MEDIAN;
    (stats::median(&logs).unwrap_or(0.0), error)
}

fn cell(
    key: &Key<'_>,
    pairs: &BTreeMap<u32, Rounds>,
    values: &[f64],
    verdicts: usize,
) -> CellOutcome {
    let seconds = |side: usize| -> Vec<f64> {
        let rounds = pairs.values().flat_map(BTreeMap::values);
        rounds.filter_map(|sides| sides[side]).collect()
    };
    let median = |side: usize| stats::median(&seconds(side)).unwrap_or(0.0);
    let within: Vec<f64> = pairs.values().map(|rounds| value(rounds).1).collect();
    CellOutcome {
        workload: key.3.to_owned(),
        variant: key.4.to_owned(),
        threads: key.2,
        seconds_this: median(0),
        seconds_other: median(1),
        samples: seconds(0).len(),
        within: stats::median(&within).unwrap_or(0.0),
        outcome: Outcome::of(values, verdicts),
    }
}

/// What a duel says, in sentences.
pub fn findings(duel: &Duel) -> Vec<String> {
    let mut found = vec![format!(
        "{} against {}, {} pairs of processes:",
        duel.title(THIS),
        duel.title(OTHER),
        duel.pairs
    )];
    let Some(total) = &duel.total else {
        found.push("No pair of processes measured every cell, so nothing can be said.".to_owned());
        return found;
    };
    let cells = duel.cells.iter().map(|cell| {
        let name = format!(
            "{}, {}, {}",
            cell.workload,
            cell.variant,
            threads_text(cell.threads)
        );
        (name, &cell.outcome)
    });
    let variants = duel.variants.iter().filter(|_| duel.variants.len() > 1);
    let variants =
        variants.map(|variant| (format!("{}, all cells", variant.variant), &variant.outcome));
    let all = (duel.cells.len() > 1).then(|| ("all cells".to_owned(), total));
    for (name, outcome) in cells.chain(variants).chain(all) {
        found.push(format!("{name:<48} {}", text(outcome)));
    }
    found
}

/// `×1.050 [×1.032, ×1.068] slower`.
fn text(outcome: &Outcome) -> String {
    let Interval { median, low, high } = outcome.ratio;
    let [median, low, high] = [median, low, high].map(fine);
    format!("{median} [{low}, {high}] {}", outcome.verdict)
}

/// A ratio near 1, to a tenth of a per cent.
fn fine(ratio: f64) -> String {
    match ratio {
        0.5..2.0 => format!("×{ratio:.3}"),
        _ => scale::times(ratio),
    }
}
