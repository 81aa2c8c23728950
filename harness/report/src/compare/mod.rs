//! Two runs side by side: what became faster, what slower, what is within their noise, and what cannot be compared.
//!
//! Two runs share no rounds, so nothing can be paired between them and whatever the machine did in one and not in the other
//! looks like an effect. `docs/method.md` says what is done about it, and why.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

use serde::Serialize;

use crate::record::{Environment, Run, Size, Toggles};
use crate::stats::{self, Interval, Verdict, miss, normal_quantile, student_quantile};
use crate::summary::{CellSummary, Cells, Summary, summarise_cells};
use judge::Reach;

mod chart;
mod judge;
mod page;

pub use page::{COMPARISON_FILE, FILES, draw};

/// A variant's change by less than this share, or than half of what all moved by, may be the machine's: neighbours slow
/// variants that wait for memory or at barriers by more than others.
const UNEQUAL: f64 = 0.05;

/// Cells of a variant from which on their scatter tells more than what each says of itself.
const CELLS_FROM: usize = 6;

/// Variants of a workload that it takes to tell a change of one of them from a shift of all.
const SHIFT_FROM: usize = 5;

/// An effect shows in this share of all pairs of a sample before and one after, at least. A processor that changes between a
/// fast and a slow state for seconds at a time moves medians farther than any interval of theirs says, but both runs have
/// samples of both states.
const AGREEMENT: f64 = 0.95;

/// A shift of everything by less than this share is taken for the machine's: neighbours, clocks and placement in memory
/// differ between two runs for as long as they last, so nothing inside them can tell.
const DRIFT: f64 = 0.1;

/// Half of all normal values lie nearer to their middle than this share of their standard deviation.
const MEDIAN_DEVIATION: f64 = 0.6745;

/// Two runs side by side. Ratios are time in the second over time in the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Version of this layout: 1.
    pub schema: u32,
    /// The first run.
    pub before: Side,
    /// The second run.
    pub after: Side,
    /// What else differs between them.
    pub differences: Vec<Difference>,
    /// How many cells got which verdict.
    pub counts: Counts,
    /// Geometric mean over the workloads; none where nothing can be compared.
    pub total: Option<Change>,
    /// Geometric mean of `shifts` over the workloads. Within noise, they widen every interval; beyond it, all joins changed,
    /// or the machine did.
    pub common: Option<Change>,
    /// How far the variants of a workload moved together, where there are enough of them to tell.
    pub shifts: Vec<Shift>,
    /// Each variant, by name.
    pub variants: Vec<VariantChange>,
    /// Every cell that both runs measured, by workload, variant, toggles, threads.
    pub cells: Vec<CellChange>,
    /// The cells that cannot be compared.
    pub not_comparable: Vec<NotComparable>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The run's name.
    pub id: String,
    /// RFC 3339.
    pub started: String,
    /// The revision that was built.
    pub commit: String,
    /// Whether the tree had changes beside it.
    pub dirty: bool,
    /// Workload sizes.
    pub size: Size,
    /// [`Environment::machine_id`].
    pub machine: String,
    /// The run's noise floor.
    pub floor: Option<f64>,
}

/// Something that differs between the runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: &'static str,
    /// In the first run.
    pub before: String,
    /// In the second run.
    pub after: String,
}

/// How many cells got which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Less time.
    pub faster: usize,
    /// More time.
    pub slower: usize,
    /// No difference that these runs could show.
    pub within_noise: usize,
    /// Measured in one of them, or not alike.
    pub not_comparable: usize,
}

/// A ratio with its verdict. An effect's interval lies apart from 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// Time after over time before.
    pub ratio: Interval,
    /// What it says.
    pub verdict: Verdict,
}

impl Change {
    fn of(ratio: Interval) -> Self {
        Self {
            ratio,
            verdict: stats::verdict(ratio, 0.0),
        }
    }
}

/// How far the variants of a workload moved together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shift {
    /// The workload.
    pub workload: String,
    /// Threads of the joins.
    pub threads: u32,
    /// How many variants it is the median of.
    pub variants: usize,
    /// Time after over time before.
    pub ratio: f64,
}

/// What became of a variant over all its cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantChange {
    /// The variant.
    pub variant: String,
    /// What differs from the default configuration.
    pub toggles: Toggles,
    /// The change, against the variants that were measured beside it where there are enough of them.
    #[serde(flatten)]
    pub change: Change,
    /// Ratios of its cells as measured, in the order of [`Comparison::cells`].
    pub cells: Vec<f64>,
}

/// What became of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellChange {
    /// The workload.
    pub workload: String,
    /// The variant or peer.
    pub variant: String,
    /// What differs from the default configuration.
    pub toggles: Toggles,
    /// Threads of the join.
    pub threads: u32,
    /// Median before.
    pub seconds_before: f64,
    /// Median after.
    pub seconds_after: f64,
    /// Measurements before and after.
    pub samples: [usize; 2],
    /// Share of all pairs of a sample before and one after that differ in the direction of the ratio.
    pub agreement: f64,
    /// The change.
    #[serde(flatten)]
    pub change: Change,
}

/// A cell that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotComparable {
    /// The workload.
    pub workload: String,
    /// The variant or peer.
    pub variant: String,
    /// What differs from the default configuration.
    pub toggles: Toggles,
    /// Threads of the join.
    pub threads: u32,
    /// Why.
    pub reason: String,
}

/// Names a cell in both runs.
type Key<'a> = (&'a str, &'a str, &'a Toggles, u32);

/// A workload at a thread count: cells that were measured in the same rounds.
type Group<'a> = (&'a str, u32);

/// Compares `after` with `before`.
pub fn compare(before: &Run, after: &Run) -> Comparison {
    let cells = [before, after].map(Cells::new);
    let summaries = [
        summarise_cells(before, &cells[0]),
        summarise_cells(after, &cells[1]),
    ];
    let (pairs, not_comparable) = pair(&summaries, unlike(before, after).as_deref(), |workload| {
        other_keys(before, after, workload)
    });
    let measured = Measured::all(&summaries, &cells, &pairs);
    let floor = summaries.iter().filter_map(|s| s.noise_floor.floor);
    let floor = floor.fold(0.0, f64::max);
    let shifts = shifts(&measured);
    let none = Reach {
        low: 0.0,
        high: 0.0,
    };
    let of_shifts = shifts.iter().map(|s| (&*s.workload, s.ratio.ln(), none));
    let common = over_workloads(of_shifts, floor, 0.0);
    // A shift beyond what machines do between two runs is an effect, and nobody's noise.
    let drift = common.is_some_and(|common| common.verdict == Verdict::WithinNoise);
    let shift = |cell: &CellSummary| {
        let mut shifts = shifts.iter();
        let own = shifts.find(|shift| group(cell) == (&*shift.workload, shift.threads));
        own.map(|shift| if drift { shift.ratio.ln() } else { 0.0 })
    };
    let apart = apart(&measured, |cell| shift(cell).is_none());
    let cells: Vec<CellChange> = measured
        .iter()
        .map(|cell| match shift(cell.before) {
            Some(shift) => cell.judge(measured.len(), 0.0, shift),
            None => cell.judge(measured.len(), apart, 0.0),
        })
        .collect();
    let ratios = measured
        .iter()
        .map(|cell| (&*cell.before.workload, cell.ratio, cell.reach));
    let drift_of_all = common
        .filter(|_| drift)
        .map_or(0.0, |c| c.ratio.median.ln());
    let count = |wanted| cells.iter().filter(|c| c.change.verdict == wanted).count();
    Comparison {
        schema: 1,
        before: side(before, &summaries[0]),
        after: side(after, &summaries[1]),
        differences: differences(before, after),
        counts: Counts {
            faster: count(Verdict::Faster),
            slower: count(Verdict::Slower),
            within_noise: count(Verdict::WithinNoise),
            not_comparable: not_comparable.len(),
        },
        total: over_workloads(ratios, floor, drift_of_all),
        variants: variants(&measured, shift, drift_of_all),
        common,
        shifts,
        cells,
        not_comparable,
    }
}

fn side(run: &Run, summary: &Summary) -> Side {
    let environment = &run.run.environment;
    Side {
        id: run.run.id.clone(),
        started: run.run.started.clone(),
        commit: environment.commit.clone(),
        dirty: environment.dirty,
        size: run.run.size,
        machine: environment.machine_id(),
        floor: summary.noise_floor.floor,
    }
}

/// Why nothing of two runs can be compared, if so.
fn unlike(before: &Run, after: &Run) -> Option<String> {
    let [a, b] = [before, after].map(|run| &run.run.environment);
    let [machine_a, machine_b] = [a, b].map(Environment::machine_id);
    if machine_a != machine_b {
        return Some(format!("different machine: {machine_a}, then {machine_b}"));
    }
    if before.run.size != after.run.size {
        let [a, b] = [before, after].map(|run| run.run.size);
        return Some(format!("different size: {a}, then {b}"));
    }
    (!a.optimised || !b.optimised).then(|| "a build was not optimised".to_owned())
}

/// Why two workloads of one name, size and answer are not the same thing.
fn other_keys(before: &Run, after: &Run, workload: &str) -> Option<String> {
    let (a, b) = (before.workload(workload)?, after.workload(workload)?);
    if a.key_type != b.key_type {
        return Some(format!(
            "different key type: {}, then {}",
            a.key_type, b.key_type
        ));
    }
    let (keys_a, keys_b) = (a.keys?, b.keys?);
    (keys_a != keys_b).then(|| format!("different keys: checksum {keys_a}, then {keys_b}"))
}

fn differences(before: &Run, after: &Run) -> Vec<Difference> {
    type Field = (&'static str, fn(&Environment) -> String);
    const FIELDS: [Field; 7] = [
        ("revision", |e| {
            let changed = if e.dirty { " with changes" } else { "" };
            format!("{}{changed}", e.commit)
        }),
        ("machine", Environment::machine_id),
        ("kernel", |e| e.kernel.clone()),
        ("transparent huge pages", |e| e.huge_pages.clone()),
        ("allocator", |e| e.allocator.clone()),
        ("compiler", |e| e.rustc.clone()),
        ("profile", |e| e.profile.clone()),
    ];
    let [a, b] = [before, after].map(|run| &run.run.environment);
    let fields = FIELDS.map(|(what, of)| (what, of(a), of(b)));
    let asked = |run: &Run| (run.run.size.to_string(), run.run.seed.to_string());
    let ((size_a, seed_a), (size_b, seed_b)) = (asked(before), asked(after));
    fields
        .into_iter()
        .chain([("sizes", size_a, size_b), ("seed", seed_a, seed_b)])
        .filter(|(_, before, after)| before != after)
        .map(|(what, before, after)| Difference {
            what,
            before,
            after,
        })
        .collect()
}

/// Finds each cell of one run in the other. `other_keys` says why a workload is not the same in both.
fn pair<'a>(
    summaries: &'a [Summary; 2],
    everything: Option<&str>,
    other_keys: impl Fn(&str) -> Option<String>,
) -> (Vec<[&'a CellSummary; 2]>, Vec<NotComparable>) {
    fn key(cell: &CellSummary) -> Key<'_> {
        (&cell.workload, &cell.variant, &cell.toggles, cell.threads)
    }
    fn cells(summary: &Summary) -> impl Iterator<Item = &CellSummary> {
        summary.results.iter().chain(&summary.peers)
    }
    let [a, b] = summaries;
    let by_key: [BTreeMap<Key<'_>, &CellSummary>; 2] =
        [a, b].map(|summary| cells(summary).map(|cell| (key(cell), cell)).collect());
    let (mut pairs, mut others) = (Vec::new(), Vec::new());
    let mut leave_out = |cell: &CellSummary, reason: String| {
        others.push(NotComparable {
            workload: cell.workload.clone(),
            variant: cell.variant.clone(),
            toggles: cell.toggles.clone(),
            threads: cell.threads,
            reason,
        });
    };
    for cell in cells(a) {
        let reason = match (everything, by_key[1].get(&key(cell))) {
            (Some(reason), _) => reason.to_owned(),
            (_, None) => missing(b, key(cell), "second"),
            (_, Some(other)) => {
                match mismatch(cell, other).or_else(|| other_keys(&cell.workload)) {
                    Some(reason) => reason,
                    None => {
                        pairs.push([cell, *other]);
                        continue;
                    }
                }
            }
        };
        leave_out(cell, reason);
    }
    for cell in cells(b).filter(|cell| !by_key[0].contains_key(&key(cell))) {
        let reason = everything.map_or_else(|| missing(a, key(cell), "first"), str::to_owned);
        leave_out(cell, reason);
    }
    (pairs, others)
}

/// Why a run has no times of a cell.
fn missing(summary: &Summary, key: Key<'_>, which: &str) -> String {
    let failure = summary
        .failures
        .iter()
        .find(|f| (&*f.workload, &*f.variant, &f.toggles, f.threads) == key);
    match failure {
        Some(failure) => format!("failed in the {which} run: {}", failure.error),
        None => format!("not measured in the {which} run"),
    }
}

/// Why two measured cells of one name are not the same thing.
fn mismatch(a: &CellSummary, b: &CellSummary) -> Option<String> {
    let sizes = |cell: &CellSummary| (cell.build_rows, cell.probe_rows);
    if sizes(a) != sizes(b) {
        let text = |(build, probe)| format!("{build} ⋈ {probe} rows");
        return Some(format!(
            "different size: {}, then {}",
            text(sizes(a)),
            text(sizes(b))
        ));
    }
    if (a.result_rows, a.checksum) != (b.result_rows, b.checksum) {
        return Some(format!(
            "different answers: checksum {}, then {}",
            a.checksum, b.checksum
        ));
    }
    (a.samples < 2 || b.samples < 2).then(|| "a single sample has no spread".to_owned())
}

/// A cell of both runs.
struct Measured<'a> {
    before: &'a CellSummary,
    after: &'a CellSummary,
    /// Logarithm of the ratio.
    ratio: f64,
    /// Its 95 % interval.
    reach: Reach,
    /// The greater noise floor of the two runs.
    floor: f64,
    agreement: f64,
}

impl<'a> Measured<'a> {
    fn all(
        summaries: &[Summary; 2],
        cells: &[Cells<'_>; 2],
        pairs: &[[&'a CellSummary; 2]],
    ) -> Vec<Self> {
        let seconds = [0, 1].map(|side| {
            let seconds = pairs.iter().map(|pair| {
                let of = pair[side];
                let cell = cells[side].find(&of.workload, &of.variant, &of.toggles, of.threads);
                cell.map_or(Vec::new(), |cell| {
                    cell.samples().map(|s| s.seconds).collect::<Vec<f64>>()
                })
            });
            seconds.collect::<Vec<_>>()
        });
        let typical = [0, 1].map(|side| {
            let seconds = seconds[side].iter().map(Vec::as_slice);
            typical(pairs.iter().map(|pair| pair[side]).zip(seconds))
        });
        let reach = |side: usize, cell: &CellSummary| {
            let of_one = typical[side].get(&group(cell)).copied().unwrap_or(0.0);
            // The standard error of a median, of normal values.
            let error = of_one * (FRAC_PI_2 / cell.samples as f64).sqrt();
            Reach::of(cell.seconds).at_least(error * normal_quantile(1))
        };
        let floor = |summary: &Summary, cell: &CellSummary| {
            summary.noise_floor.of(&cell.workload, cell.threads)
        };
        let all = pairs.iter().zip(&seconds[0]).zip(&seconds[1]);
        all.map(|((&[before, after], seconds), seconds_after)| Self {
            before,
            after,
            ratio: (after.seconds.median / before.seconds.median).ln(),
            reach: Reach::of_ratio(reach(1, after), reach(0, before)),
            floor: floor(&summaries[0], before)
                .max(floor(&summaries[1], after))
                .ln_1p(),
            agreement: judge::agreement(seconds, seconds_after),
        })
        .collect()
    }

    /// The cell's change, one of so many; `shift` is how far its workload moved, or `apart` how far it may have.
    fn judge(&self, comparisons: usize, apart: f64, shift: f64) -> CellChange {
        let unknown = Reach {
            low: apart,
            high: apart,
        };
        let reach = Reach::of_ratio(self.reach, unknown)
            .scaled(normal_quantile(comparisons) / normal_quantile(1));
        let reach = reach.at_least(self.floor);
        let mut change = Change::of(reach.around(self.ratio, shift));
        if self.agreement < AGREEMENT {
            change.verdict = Verdict::WithinNoise;
        }
        let cell = self.before;
        CellChange {
            workload: cell.workload.clone(),
            variant: cell.variant.clone(),
            toggles: cell.toggles.clone(),
            threads: cell.threads,
            seconds_before: cell.seconds.median,
            seconds_after: self.after.seconds.median,
            samples: [cell.samples, self.after.samples],
            agreement: self.agreement,
            change,
        }
    }
}

fn group(cell: &CellSummary) -> Group<'_> {
    (&cell.workload, cell.threads)
}

/// How far single samples scatter by workload and threads, in logarithms: cells that were measured side by side are
/// disturbed alike, and one whose few samples happen to agree is no more certain than its neighbours.
fn typical<'a>(
    cells: impl Iterator<Item = (&'a CellSummary, &'a [f64])>,
) -> BTreeMap<Group<'a>, f64> {
    let mut found: BTreeMap<Group<'_>, Vec<f64>> = BTreeMap::new();
    for (cell, seconds) in cells {
        let scatter = stats::scatter(seconds, cell.seconds.median);
        found.entry(group(cell)).or_default().push(scatter);
    }
    found
        .into_iter()
        .map(|(group, scatter)| (group, judge::median(&scatter)))
        .collect()
}

/// How far the variants of each workload moved together.
fn shifts(measured: &[Measured<'_>]) -> Vec<Shift> {
    let mut groups: BTreeMap<Group<'_>, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    for cell in measured {
        let variants = groups.entry(group(cell.before)).or_default();
        let ratios = variants.entry(&cell.before.variant).or_default();
        ratios.push(cell.ratio);
    }
    groups
        .into_iter()
        .filter(|(_, variants)| variants.len() >= SHIFT_FROM)
        .map(|((workload, threads), variants)| {
            let each: Vec<f64> = variants.values().map(|own| judge::median(own)).collect();
            Shift {
                workload: workload.to_owned(),
                threads,
                variants: each.len(),
                ratio: judge::median(&each).exp(),
            }
        })
        .collect()
}

/// How far workloads with too few variants to tell their shift moved apart from one another, as the reach of one of them: by
/// the median deviation, so that the few that changed do not hide themselves. Where a process has its data in memory
/// moves plans of less than a millisecond by a tenth and more, all executors alike.
fn apart(measured: &[Measured<'_>], is_unknown: impl Fn(&CellSummary) -> bool) -> f64 {
    let mut workloads: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for cell in measured.iter().filter(|cell| is_unknown(cell.before)) {
        let workload = workloads.entry(&cell.before.workload).or_default();
        workload.push(cell.ratio);
    }
    let each: Vec<f64> = workloads.values().map(|own| judge::median(own)).collect();
    let centre = judge::median(&each);
    let off: Vec<f64> = each.iter().map(|of| (of - centre).abs()).collect();
    let deviation = judge::median(&off) / MEDIAN_DEVIATION;
    // A median deviation is worth as much as a standard deviation of a third of the values.
    deviation * student_quantile(miss(1), (each.len() / 3).max(1))
}

/// The geometric mean over the workloads, each of which counts once. What disturbs the machine for a while moves whole
/// workloads, so their scatter is part of the interval.
fn over_workloads<'a>(
    values: impl Iterator<Item = (&'a str, f64, Reach)>,
    floor: f64,
    shift: f64,
) -> Option<Change> {
    let mut workloads: BTreeMap<&str, Vec<(f64, Reach)>> = BTreeMap::new();
    for (workload, value, reach) in values {
        workloads.entry(workload).or_default().push((value, reach));
    }
    if workloads.is_empty() {
        return None;
    }
    let means = workloads
        .values()
        .map(|of| judge::mean(of, normal_quantile(1)));
    // One wrong verdict here would make hundreds, so 99.5 %.
    let (mean, reach) = judge::mean(&means.collect::<Vec<_>>(), normal_quantile(10));
    let reach = reach.at_least(floor.max(DRIFT).ln_1p());
    Some(Change::of(reach.around(mean, shift)))
}

/// What became of each variant; `shift` is how far a cell moved with its workload, and none where nobody knows, `drift` how
/// far all moved.
///
/// A variant is judged against those that were measured beside it, by the median of its cells: the machine moves all
/// variants of a workload alike, and what it does to single cells goes up as often as down.
fn variants(
    measured: &[Measured<'_>],
    shift: impl Fn(&CellSummary) -> Option<f64>,
    drift: f64,
) -> Vec<VariantChange> {
    let mut found: BTreeMap<(&str, &Toggles), Vec<&Measured<'_>>> = BTreeMap::new();
    for cell in measured {
        let key = (&*cell.before.variant, &cell.before.toggles);
        found.entry(key).or_default().push(cell);
    }
    let count = found.len();
    let change = |cells: &[&Measured<'_>]| {
        let against = |cell: &&Measured<'_>| Some((cell.ratio - shift(cell.before)?).exp());
        let against: Vec<f64> = cells.iter().filter_map(against).collect();
        if against.len() >= CELLS_FROM {
            return stats::interval_at(&against, miss(count)).expect("there are cells");
        }
        let ratios = cells
            .iter()
            .map(|cell| (cell.ratio, cell.reach.at_least(cell.floor)));
        let (mean, reach) = judge::mean(&ratios.collect::<Vec<_>>(), normal_quantile(count));
        let shifts = cells.iter().filter_map(|cell| shift(cell.before));
        // Nobody beside it tells a shift of that size, which comes to what its cells leave open.
        let reach = reach.widened(if against.is_empty() {
            DRIFT.ln_1p()
        } else {
            0.0
        });
        reach.around(mean, shifts.sum::<f64>() / cells.len() as f64)
    };
    let change = |cells: &[&Measured<'_>]| {
        let ratio = change(cells);
        Change {
            ratio,
            verdict: stats::verdict(ratio, UNEQUAL.max((drift.abs() / 2.0).exp_m1())),
        }
    };
    found
        .into_iter()
        .map(|((variant, toggles), cells)| VariantChange {
            variant: variant.to_owned(),
            toggles: toggles.clone(),
            change: change(&cells),
            cells: cells.iter().map(|cell| cell.ratio.exp()).collect(),
        })
        .collect()
}

/// What a comparison says, in sentences.
pub fn findings(comparison: &Comparison) -> Vec<String> {
    let counts = comparison.counts;
    let others = match counts.not_comparable {
        0 => String::new(),
        others => format!("; {others} more are not comparable"),
    };
    let mut found = vec![format!(
        "Of {} cells, {} are slower, {} faster, {} within noise{others}.",
        comparison.cells.len(),
        counts.slower,
        counts.faster,
        counts.within_noise,
    )];
    if let Some(total) = comparison.total {
        found.push(format!("All workloads together: {}.", change_text(&total)));
    }
    if let Some(common) = comparison.common {
        found.push(match common.verdict {
            Verdict::WithinNoise => format!(
                "All variants moved together by ×{}, as machines do between two runs; each is judged against the others.",
                crate::charts::scale::short(common.ratio.median)
            ),
            _ => format!(
                "All variants moved together ({}): either all joins changed, or the machine did. Two runs cannot tell; \
                 measure the first again before believing it.",
                change_text(&common)
            ),
        });
    }
    for (verdict, word) in [(Verdict::Slower, "Slower"), (Verdict::Faster, "Faster")] {
        let variants = comparison.variants.iter();
        let names: Vec<String> = variants
            .filter(|v| v.change.verdict == verdict)
            .map(|v| {
                let name = chart::name(&v.variant, &v.toggles);
                format!(
                    "{name} (×{})",
                    crate::charts::scale::short(v.change.ratio.median)
                )
            })
            .collect();
        if !names.is_empty() {
            found.push(format!("{word} over all cells: {}.", names.join("; ")));
        }
    }
    if comparison.cells.is_empty() {
        let reason = comparison.not_comparable.first().map(|cell| &*cell.reason);
        found.push(format!(
            "Nothing can be compared: {}.",
            reason.unwrap_or("neither run has measured anything")
        ));
    }
    found
}

fn change_text(change: &Change) -> String {
    let [median, low, high] =
        [change.ratio.median, change.ratio.low, change.ratio.high].map(crate::charts::scale::short);
    format!("×{median} [{low}, {high}], {}", change.verdict)
}
