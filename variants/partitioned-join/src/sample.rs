//! What a sample of probes says about how many of them match.

use join_core::hash::KeyHash;
use join_core::input::{KeyColumn, KeySource};
use join_core::key::{Key, Tuple};
use join_core::output::{Aggregate, SinkRef};
use join_core::partition::Segments;
use join_core::simd::Compare;
use join_core::unchained::Scheme;

use crate::both::typical;
use crate::local::LocalTable;
use crate::ranges::How;

/// Sampled keys that a verdict needs at least.
const ENOUGH: usize = 32;

/// Places of the probe side that are looked at, evenly spread.
const PLACES: usize = 16;

/// Matches of a probe on average, as far as a sample tells; `None` where it is too small.
///
/// A partition holds all build keys of its hash prefix. So of probe keys from all over, those of one partition are
/// looked up in its table, and the others say nothing: a sample without a table of the whole build side. `table` is that of
/// the [`typical`] partition.
pub(crate) fn sampled<K: Key, S: Scheme>(
    probe: &KeyColumn<'_, K>,
    table: &LocalTable<K, S>,
    builds: &Segments<'_, Tuple<K>>,
    notes: &mut Vec<String>,
) -> Option<f64> {
    let parts = builds.parts();
    let part = typical(builds);
    let bits = parts.ilog2();
    let mut sample = Vec::with_capacity(4 * ENOUGH);
    let wanted = 4 * ENOUGH * parts;
    let rows = probe.len();
    for place in 0..PLACES {
        let start = rows / PLACES * place;
        let source = probe.slice(start..rows.min(start + wanted / PLACES));
        let mut cursor = source.whole();
        while let Some(block) = cursor.next_block() {
            block.for_each(|key, row| {
                if (S::Hash::hash(key) >> 1 >> (63 - bits)) as usize == part {
                    sample.push(Tuple::new(key, row));
                }
            });
        }
    }
    if sample.len() < ENOUGH {
        return None;
    }
    let how = How {
        compare: Compare::BranchFree,
        swapped: false,
    };
    let mut matches = Aggregate::default();
    let sink = SinkRef::Aggregate(&mut matches);
    table.ranges().probe(&[&sample], how, None, sink);
    let share = matches.rows as f64 / sample.len() as f64;
    notes.push(format!("a sampled probe has {share:.2} matches"));
    Some(share)
}
