//! The oracle: joins that are too simple to be wrong, against which all others are checked.

use crate::input::KeyColumn;
use crate::join::JoinInput;
use crate::key::Key;
use crate::output::{Aggregate, Pair};

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

/// Count and sums by sorting both sides, without any hashing and without making a pair. For large inputs and results.
pub fn sort_merge(input: &JoinInput<'_>) -> Aggregate {
    let mut sums = Aggregate::default();
    merge(input, |build, probe| {
        // Each row of a side stands in as many pairs as the other side has rows.
        let (builds, probes) = (build.len() as u64, probe.len() as u64);
        sums.merge(&Aggregate {
            rows: builds * probes,
            sum_build: sum(build).wrapping_mul(probes),
            sum_probe: sum(probe).wrapping_mul(builds),
        });
    });
    sums
}

fn sum(rows: &[u32]) -> u64 {
    rows.iter().map(|&row| u64::from(row)).sum()
}

/// All result pairs by sorting both sides, sorted. For large inputs.
pub fn sort_merge_pairs(input: &JoinInput<'_>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    merge(input, |build, probe| {
        for &build in build {
            pairs.extend(probe.iter().map(|&probe| Pair { build, probe }));
        }
    });
    pairs.sort_unstable();
    pairs
}

/// Calls `matched` for each key that both sides have, with its rows on either side.
fn merge(input: &JoinInput<'_>, matched: impl FnMut(&[u32], &[u32])) {
    fn matches<K: Key>(
        build: &KeyColumn<'_, K>,
        probe: &KeyColumn<'_, K>,
        mut matched: impl FnMut(&[u32], &[u32]),
    ) {
        let (mut build, mut probe) = (keys(build), keys(probe));
        build.sort_unstable();
        probe.sort_unstable();
        let rows = |side: &[(K, u32)]| side.iter().map(|&(_, row)| row).collect::<Vec<_>>();
        let (build_rows, probe_rows) = (rows(&build), rows(&probe));
        let (mut from, mut at) = (0, 0);
        for same in probe.chunk_by(|a, b| a.0 == b.0) {
            let key = same[0].0;
            from += build[from..].partition_point(|&(other, _)| other < key);
            let equal = build[from..].partition_point(|&(other, _)| other == key);
            let probe_rows = &probe_rows[at..at + same.len()];
            if equal > 0 {
                matched(&build_rows[from..from + equal], probe_rows);
            }
            at += same.len();
        }
    }
    match input {
        JoinInput::Int32(build, probe) => matches(build, probe, matched),
        JoinInput::Int64(build, probe) => matches(build, probe, matched),
    }
}

/// The keys of a column and their rows, read one by one through [`KeyColumn::key`].
fn keys<K: Key>(column: &KeyColumn<'_, K>) -> Vec<(K, u32)> {
    (0..column.len() as u32)
        .filter_map(|row| column.key(row).map(|key| (key, row)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;

    #[test]
    fn more_pairs_than_anybody_could_make_are_summed() {
        const ROWS: u64 = 1 << 20;
        let column = Column::from_i64(&vec![7; ROWS as usize]);
        let sums = sort_merge(&JoinInput::new(&column, &column).unwrap());
        let of_rows = ROWS * (ROWS - 1) / 2;
        assert_eq!(
            (sums.rows, sums.sum_build, sums.sum_probe),
            (ROWS * ROWS, of_rows * ROWS, of_rows * ROWS)
        );
    }
}
