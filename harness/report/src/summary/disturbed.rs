//! How much of a run was disturbed, and what would be said of it otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cells, Summary, summarise_cells};
use crate::record::Run;
use crate::stats::{self, Interval, Verdict};

/// What the system says of a run's samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Samples of which the system said something.
    pub samples: usize,
    /// Those of them that are marked as disturbed.
    pub disturbed: usize,
    /// Of the time in which threads could have run, the share that they waited for a processor; none where the kernel
    /// does not say.
    pub waited: Option<f64>,
    /// The share of the time of all processors that the host took.
    pub stolen: f64,
    /// What all samples say and those that count do not.
    pub verdicts: Vec<DifferentVerdict>,
}

/// A verdict that depends on whether disturbed samples count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferentVerdict {
    /// What is judged.
    pub what: String,
    /// By the samples that count.
    pub verdict: String,
    /// By all samples.
    pub of_all: String,
}

/// Leaves of each round the samples that are not marked, and where it has none, the first.
pub fn undisturbed<T, R: Ord>(
    samples: &mut Vec<T>,
    round: impl Fn(&T) -> R,
    is_marked: impl Fn(&T) -> bool,
) {
    let unmarked = samples.iter().filter(|sample| !is_marked(sample));
    let mut rounds: BTreeSet<R> = unmarked.map(&round).collect();
    samples.retain(|sample| !is_marked(sample) || rounds.insert(round(sample)));
}

/// Of a run that recorded what the system gave its samples; `summary` is what those that count say.
pub(super) fn of(run: &Run, summary: &Summary) -> Option<Disturbance> {
    let known = run.samples.iter().filter(|sample| sample.round > 0);
    let known: Vec<_> = known.filter_map(|s| Some((s, s.system?))).collect();
    if known.is_empty() {
        return None;
    }
    let mut waiting = (0.0, 0.0);
    for (_, system) in &known {
        if let Some(waited) = system.waited_seconds {
            waiting = (waiting.0 + waited, waiting.1 + waited + system.cpu_seconds);
        }
    }
    let cores = f64::from(run.run.environment.cores.max(1));
    let seconds: f64 = known.iter().map(|(sample, _)| sample.seconds).sum();
    let stolen: f64 = known.iter().map(|(_, system)| system.stolen_seconds).sum();
    let disturbed = known.iter().filter(|(sample, _)| sample.disturbed).count();
    Some(Disturbance {
        samples: known.len(),
        disturbed,
        waited: (waiting.1 > 0.0).then(|| waiting.0 / waiting.1),
        stolen: stolen / (seconds * cores).max(f64::MIN_POSITIVE),
        verdicts: match disturbed {
            0 => Vec::new(),
            _ => differences(summary, &summarise_cells(run, &Cells::with_disturbed(run))),
        },
    })
}

fn differences(summary: &Summary, all: &Summary) -> Vec<DifferentVerdict> {
    let of_all = verdicts(all);
    let verdicts = verdicts(summary).into_iter();
    verdicts
        .filter_map(|(what, verdict)| {
            let of_all = of_all
                .get(&what)
                .filter(|other| **other != verdict)?
                .clone();
            Some(DifferentVerdict {
                what,
                verdict,
                of_all,
            })
        })
        .collect()
}

/// What a summary says, by what it says it of.
fn verdicts(summary: &Summary) -> BTreeMap<String, String> {
    let judged = |ratio: Interval, workload: &str, threads: u32| {
        let floor = summary.noise_floor.of(workload, threads);
        stats::verdict(ratio, floor).to_string()
    };
    let mut found = BTreeMap::new();
    let machine = if summary.noise_floor.quiet {
        "quiet"
    } else {
        "too noisy"
    };
    found.insert("the machine".to_owned(), machine.to_owned());
    for fastest in &summary.fastest {
        let what = format!("the fastest on {}", fastest.workload);
        let next = fastest
            .next
            .as_ref()
            .filter(|next| next.verdict == Verdict::WithinNoise);
        let verdict = match next {
            None => fastest.code.clone(),
            Some(next) => format!("{} or {}", fastest.code, next.variant),
        };
        found.insert(what, verdict);
    }
    for a in &summary.ablations {
        let what = format!(
            "{}={} of {} on {}, {} threads",
            a.toggle, a.setting, a.variant, a.workload, a.threads
        );
        found.insert(what, judged(a.ratio, &a.workload, a.threads));
    }
    for a in &summary.against_peers {
        let what = format!("{} over ours on {}", a.engine, a.workload);
        found.insert(what, judged(a.ratio, &a.workload, a.threads));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_sample_counts_where_its_round_has_no_others() {
        let mut samples = vec![(1, 'a', false), (2, 'b', true), (2, 'c', false)];
        samples.extend([(3, 'd', true), (3, 'e', true), (4, 'f', true)]);
        undisturbed(&mut samples, |sample| sample.0, |sample| sample.2);
        let left: String = samples.iter().map(|sample| sample.1).collect();
        assert_eq!(left, "acdf");
    }
}
