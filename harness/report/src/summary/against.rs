//! The fastest variant against the fastest peer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{CellSummary, Cells};
use crate::stats::Interval;

/// The fastest variant of a workload against its fastest peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgainstPeer {
    /// The workload.
    pub workload: String,
    /// Threads of both.
    pub threads: u32,
    /// The variant with the least median, in its own configuration.
    pub variant: String,
    /// The peer with the least median.
    pub peer: String,
    /// Time of the peer over time of the variant, paired within rounds.
    pub ratio: Interval,
}

/// By workload in the order of `results`, the most threads first. Where no round has both, there is no ratio.
pub(super) fn against_peers(
    cells: &Cells<'_>,
    results: &[CellSummary],
    peers: &[CellSummary],
) -> Vec<AgainstPeer> {
    let fastest = |of: &[CellSummary], workload: &str, threads: u32| -> Option<String> {
        of.iter()
            .filter(|c| c.workload == workload && c.threads == threads && c.toggles.is_empty())
            .min_by(|a, b| a.seconds.median.total_cmp(&b.seconds.median))
            .map(|cell| cell.variant.clone())
    };
    let mut workloads: Vec<&str> = results.iter().map(|c| c.workload.as_str()).collect();
    workloads.dedup();
    let threads: BTreeSet<u32> = peers.iter().map(|cell| cell.threads).collect();
    let pairs = workloads.into_iter().flat_map(|workload| {
        threads
            .iter()
            .rev()
            .map(move |&threads| (workload, threads))
    });
    pairs
        .filter_map(|(workload, threads)| {
            let variant = fastest(results, workload, threads)?;
            let peer = fastest(peers, workload, threads)?;
            let ours = cells.default_of(workload, &variant, threads)?;
            let theirs = cells.default_of(workload, &peer, threads)?;
            Some(AgainstPeer {
                workload: workload.to_owned(),
                threads,
                ratio: theirs.over(&ours)?,
                variant,
                peer,
            })
        })
        .collect()
}
