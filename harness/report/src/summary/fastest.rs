//! The fastest variant of each workload, and the fastest setting of each engine against it, all at their best number of
//! threads within the run.

use serde::{Deserialize, Serialize};

use super::{CellSummary, Cells, NoiseFloor, Summary};
use crate::record::RUNS;
use crate::stats::{self, Interval, Verdict};

/// The fastest variant of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fastest {
    /// The workload.
    pub workload: String,
    /// The variant with the least median, in its own configuration.
    pub variant: String,
    /// Its threads.
    pub threads: u32,
    /// Its time.
    pub seconds: Interval,
    /// Median time over the time of the [limit's model](crate::limit_model).
    pub limit_ratio: Option<f64>,
    /// The variant whose code ran: this one, or the one that it picked.
    pub code: String,
    /// The variants that picked that code.
    pub picked_by: Vec<String>,
    /// The fastest of other code; none where all ran the same.
    pub next: Option<Next>,
}

/// The fastest variant of other code than the fastest of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// Its name.
    pub variant: String,
    /// Its threads.
    pub threads: u32,
    /// Its time over the fastest's, paired within rounds.
    pub ratio: Interval,
    /// What that says of it.
    pub verdict: Verdict,
}

/// The fastest variant of a workload against an engine, both at the number of threads that is best for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgainstPeer {
    /// The workload.
    pub workload: String,
    /// Threads of the variant.
    pub threads: u32,
    /// The variant with the least median, in its own configuration.
    pub variant: String,
    /// The engine.
    pub engine: String,
    /// Its setting with the least median.
    pub peer: String,
    /// Threads of the peer.
    pub peer_threads: u32,
    /// Time of the peer.
    pub peer_seconds: Interval,
    /// Time of the peer over time of the variant, paired within rounds.
    pub ratio: Interval,
}

impl Fastest {
    /// `partitioned-join, which adaptive picks`.
    pub fn name(&self) -> String {
        match &self.picked_by[..] {
            [] => self.code.clone(),
            by => format!("{}, which {} picks", self.code, by.join(" and ")),
        }
    }
}

/// The engine of a peer, whose name ends with a ` +` and a setting where it has one.
pub fn engine(peer: &str) -> &str {
    peer.split_once(" +").map_or(peer, |(engine, _)| engine)
}

impl Summary {
    /// The cells of a workload in the default configuration, each variant and peer at its best number of threads, fastest
    /// first.
    pub fn at_best(&self, workload: &str) -> Vec<&CellSummary> {
        at_best(self.results.iter().chain(&self.peers), workload)
    }

    /// What stands against the fastest variant of a workload, an engine each, fastest first.
    pub fn against(&self, workload: &str) -> impl Iterator<Item = &AgainstPeer> {
        let all = self.against_peers.iter();
        all.filter(move |against| against.workload == workload)
    }
}

fn at_best<'a>(
    cells: impl Iterator<Item = &'a CellSummary>,
    workload: &str,
) -> Vec<&'a CellSummary> {
    let of_workload = |cell: &&CellSummary| cell.workload == workload && cell.toggles.is_empty();
    let mut found: Vec<&CellSummary> = cells.filter(of_workload).collect();
    found.sort_by(|a, b| a.seconds.median.total_cmp(&b.seconds.median));
    let mut names: Vec<&str> = Vec::new();
    found.retain(|cell| {
        let is_first = !names.contains(&&*cell.variant);
        names.push(&cell.variant);
        is_first
    });
    found
}

/// The variant whose code a cell ran: what its notes say that it picked, unless that one's own say that it did otherwise.
fn code<'a>(cell: &'a CellSummary, all: &[CellSummary]) -> &'a str {
    let mut notes = cell.notes.iter();
    let Some(picked) = notes.find_map(|note| note.strip_prefix(RUNS)) else {
        return &cell.variant;
    };
    let mut others = all.iter().filter(|other| {
        (&*other.workload, &*other.variant, other.threads)
            == (&*cell.workload, picked, cell.threads)
            && other.toggles == cell.toggles
    });
    match others.all(|other| other.notes.iter().all(|note| cell.notes.contains(note))) {
        true => picked,
        false => &cell.variant,
    }
}

/// By workload, in the order of `results`; of the engines, the least ratio first. Where no round has both, there is no ratio.
pub(super) fn fastest(
    cells: &Cells<'_>,
    results: &[CellSummary],
    peers: &[CellSummary],
    floors: &NoiseFloor,
) -> (Vec<Fastest>, Vec<AgainstPeer>) {
    let mut workloads: Vec<&str> = results.iter().map(|c| c.workload.as_str()).collect();
    workloads.dedup();
    let cell_of =
        |cell: &CellSummary| cells.default_of(&cell.workload, &cell.variant, cell.threads);
    let over = |cell: &CellSummary, under: &CellSummary| cell_of(cell)?.over(&cell_of(under)?);
    let (mut found, mut against) = (Vec::new(), Vec::new());
    for workload in workloads {
        let ours = at_best(results.iter(), workload);
        let Some(&best) = ours.first() else { continue };
        let ran = code(best, results);
        let same = |cell: &&CellSummary| code(cell, results) == ran;
        let next = ours.iter().copied().find(|cell| !same(cell));
        let picked_by = ours.iter().filter(|cell| same(cell) && cell.variant != ran);
        found.push(Fastest {
            workload: workload.to_owned(),
            variant: best.variant.clone(),
            threads: best.threads,
            seconds: best.seconds,
            limit_ratio: best.limit_ratio,
            code: ran.to_owned(),
            picked_by: picked_by.map(|cell| cell.variant.clone()).collect(),
            next: next.and_then(|next| {
                let ratio = over(next, best)?;
                Some(Next {
                    variant: next.variant.clone(),
                    threads: next.threads,
                    ratio,
                    verdict: stats::verdict(ratio, floors.of(workload, best.threads)),
                })
            }),
        });
        let first = against.len();
        let mut engines: Vec<&str> = Vec::new();
        for peer in at_best(peers.iter(), workload) {
            let engine = engine(&peer.variant);
            if engines.contains(&engine) {
                continue;
            }
            engines.push(engine);
            against.extend(over(peer, best).map(|ratio| AgainstPeer {
                workload: workload.to_owned(),
                threads: best.threads,
                variant: best.variant.clone(),
                engine: engine.to_owned(),
                peer: peer.variant.clone(),
                peer_threads: peer.threads,
                peer_seconds: peer.seconds,
                ratio,
            }));
        }
        let ratio = |against: &AgainstPeer| against.ratio.median;
        against[first..].sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    }
    (found, against)
}
