//! The oracle: joins that are too simple to be wrong, against which all others are checked.

use crate::input::KeyColumn;
use crate::join::{Aggregate, JoinInput, Pair, Sink};
use crate::key::Key;

/// All result pairs by nested loops, sorted. For small inputs.
pub fn nested_loops(input: &JoinInput<'_>) -> Vec<Pair> {
    fn pairs<K: Key>(build: &KeyColumn<'_, K>, probe: &KeyColumn<'_, K>) -> Vec<Pair> {
        let (build, probe) = (keys(build), keys(probe));
        let mut pairs = Vec::new();
        for &(build_key, build) in &build {
            for &(probe_key, probe) in &probe {
                if build_key == probe_key {
                    pairs.push(Pair { build, probe });
                }
            }
        }
        pairs
    }
    match input {
        JoinInput::Int32(build, probe) => pairs(build, probe),
        JoinInput::Int64(build, probe) => pairs(build, probe),
    }
}

/// Count and sums by sorting both sides, without any hashing. For large inputs.
pub fn sort_merge(input: &JoinInput<'_>) -> Aggregate {
    let mut sums = Aggregate::default();
    merge(input, |build, probe| sums.emit(build, probe));
    sums
}

/// All result pairs by sorting both sides, sorted. For large inputs.
pub fn sort_merge_pairs(input: &JoinInput<'_>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    merge(input, |build, probe| pairs.push(Pair { build, probe }));
    pairs.sort_unstable();
    pairs
}

fn merge(input: &JoinInput<'_>, emit: impl FnMut(u32, u32)) {
    fn matches<K: Key>(
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        mut emit: impl FnMut(u32, u32),
    ) {
        let (mut build, mut probe) = (keys(build), keys(probe));
        build.sort_unstable();
        probe.sort_unstable();
        let mut from = 0;
        let mut matched = 0..0;
        let mut last = None;
        for (key, probe) in probe {
            if last != Some(key) {
                last = Some(key);
                from += build[from..].partition_point(|&(other, _)| other < key);
                let equal = build[from..].partition_point(|&(other, _)| other == key);
                matched = from..from + equal;
            }
            for &(_, build) in &build[matched.clone()] {
                emit(build, probe);
            }
        }
    }
    match input {
        JoinInput::Int32(build, probe) => matches(build, probe, emit),
        JoinInput::Int64(build, probe) => matches(build, probe, emit),
    }
}

/// The keys of a column and their rows, read one by one through [`KeyColumn::key`].
fn keys<K: Key>(column: &KeyColumn<'_, K>) -> Vec<(K, u32)> {
    (0..column.len() as u32)
        .filter_map(|row| column.key(row).map(|key| (key, row)))
        .collect()
}
