//! The oracle: joins that are too simple to be wrong, against which all others are checked.

use std::collections::{BTreeMap, HashMap};

use crate::input::KeyColumn;
use crate::join::{JoinInput, Side};
use crate::key::Key;
use crate::kind::{Kind, NO_ROW, Semantics};
use crate::output::{Aggregate, Pair, PairFilter, Sink};
use crate::table::{Column, Value};

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

/// Count and sums of a join of any kind by sorting both sides, where NULLs equal nothing. For large inputs; with a
/// condition, which is asked of each pair, for such as have few enough of them, and of no kind that asks what a NULL might
/// equal.
pub fn sums_of_kind(
    input: &JoinInput<'_>,
    kind: Kind,
    condition: Option<&dyn PairFilter>,
) -> Aggregate {
    let sides = [Side::Build, Side::Probe];
    let mut matched = sides.map(|side| vec![false; input.rows(side)]);
    let mut kept = Aggregate::default();
    merge(input, |build, probe| {
        let Some(condition) = condition else {
            for (matched, rows) in matched.iter_mut().zip([build, probe]) {
                rows.iter().for_each(|&row| matched[row as usize] = true);
            }
            return;
        };
        for &build in build {
            let pairs = probe.iter().map(|&probe| Pair { build, probe });
            let mut pairs: Vec<Pair> = pairs.collect();
            let holds = condition.keep(&mut pairs);
            for pair in &pairs[..holds] {
                kept.emit(pair.build, pair.probe);
                matched[0][pair.build as usize] = true;
                matched[1][pair.probe as usize] = true;
            }
        }
    });
    let mut sums = match (kind.has_pairs(), condition) {
        (false, _) => Aggregate::default(),
        (true, None) => sort_merge(input),
        (true, Some(_)) => kept,
    };
    for (side, matched) in sides.into_iter().zip(&matched) {
        if !kind.has_rest(side) {
            continue;
        }
        let others = input.rows(side.other());
        let any_might = input.has_nulls(side.other());
        let mut nulls = input.nulls(side).peekable();
        for (row, &is_matched) in matched.iter().enumerate() {
            let is_null = nulls.next_if_eq(&(row as u32)).is_some();
            let might = others > 0 && (is_null || any_might);
            let partner = match (kind, is_matched) {
                (Kind::Semi(_), true) => u64::from(NO_ROW),
                (Kind::Mark(_), true) => 1,
                (Kind::Mark(_), false) => 2 * u64::from(might),
                (Kind::NullAwareAnti(_), false) if might => continue,
                (Kind::Semi(_), false) | (_, true) => continue,
                (_, false) => u64::from(NO_ROW),
            };
            let (build, probe) = match side {
                Side::Build => (row as u64, partner),
                Side::Probe => (partner, row as u64),
            };
            sums.merge(&Aggregate {
                rows: 1,
                sum_build: build,
                sum_probe: probe,
            });
        }
    }
    sums
}

/// All results of a join of any kind, sorted, by asking of each row of each side what SQL asks. For small inputs, with a
/// condition for small ones that have few NULLs.
pub fn of_kind(input: &JoinInput<'_>, semantics: &Semantics<'_>) -> Vec<Pair> {
    match input {
        JoinInput::Int32(build, probe) => results(build, probe, semantics),
        JoinInput::Int64(build, probe) => results(build, probe, semantics),
    }
}

fn results<K: Key>(
    build: &KeyColumn<'_, K>,
    probe: &KeyColumn<'_, K>,
    semantics: &Semantics<'_>,
) -> Vec<Pair> {
    let rows = |column: &KeyColumn<'_, K>| {
        let mut rows: BTreeMap<Option<K>, Vec<u32>> = BTreeMap::new();
        for row in 0..column.len() as u32 {
            rows.entry(column.key(row)).or_default().push(row);
        }
        rows
    };
    let (build, probe) = (rows(build), rows(probe));
    let holds = |pair: &Pair| match semantics.condition {
        None => true,
        Some(condition) => condition.keep(&mut [*pair]) == 1,
    };
    let mut found = Vec::new();
    for side in [Side::Build, Side::Probe] {
        let pair = |row: u32, other: u32| match side {
            Side::Build => Pair {
                build: row,
                probe: other,
            },
            Side::Probe => Pair {
                build: other,
                probe: row,
            },
        };
        let (own, others) = match side {
            Side::Build => (&build, &probe),
            Side::Probe => (&probe, &build),
        };
        let no_rows = Vec::new();
        for (key, rows) in own {
            let equal = match key.is_some() || semantics.nulls_equal {
                true => others.get(key).unwrap_or(&no_rows),
                false => &no_rows,
            };
            for &row in rows {
                let partners: Vec<Pair> = equal
                    .iter()
                    .map(|&other| pair(row, other))
                    .filter(holds)
                    .collect();
                let might = |of: &[u32]| of.iter().any(|&other| holds(&pair(row, other)));
                let unknown = || match key {
                    _ if semantics.nulls_equal => false,
                    Some(_) => others.get(&None).is_some_and(|nulls| might(nulls)),
                    None => others.values().any(|others| might(others)),
                };
                let alone = partners.is_empty();
                let emitted = match semantics.kind {
                    Kind::Outer(own) => (own == side && alone).then_some(NO_ROW),
                    Kind::FullOuter => alone.then_some(NO_ROW),
                    Kind::Semi(own) => (own == side && !alone).then_some(NO_ROW),
                    Kind::Anti(own) => (own == side && alone).then_some(NO_ROW),
                    Kind::NullAwareAnti(own) => {
                        (own == side && alone && !unknown()).then_some(NO_ROW)
                    }
                    Kind::Mark(own) => (own == side).then(|| match (alone, unknown()) {
                        (false, _) => 1,
                        (true, true) => 2,
                        (true, false) => 0,
                    }),
                    Kind::Inner => None,
                };
                found.extend(emitted.map(|other| pair(row, other)));
                if side == Side::Build && semantics.kind.has_pairs() {
                    found.extend(partners);
                }
            }
        }
    }
    found.sort_unstable();
    found
}

/// Keys of any columns as numbers: equal ones have equal numbers, and one with a NULL in it is NULL.
pub fn numbered(columns: &[(&Column, &Column)]) -> (Column, Column) {
    let mut numbers: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut number = |columns: Vec<&Column>| {
        let mut values: Vec<_> = columns.iter().map(|column| column.values()).collect();
        let rows = (0..columns[0].row_count()).map(|_| {
            let mut key = Vec::new();
            let mut is_null = false;
            for values in &mut values {
                match values.next() {
                    Some(Value::Int32(value)) => key.extend(value.to_le_bytes()),
                    Some(Value::Int64(value)) => key.extend(value.to_le_bytes()),
                    Some(Value::Fp64(value)) => key.extend(value.to_bits().to_le_bytes()),
                    Some(Value::Varchar(string)) => {
                        key.extend(string.len().to_le_bytes());
                        key.extend_from_slice(&string);
                    }
                    Some(Value::Null) | None => is_null = true,
                }
            }
            let next = numbers.len() as i64;
            (!is_null).then(|| *numbers.entry(key).or_insert(next))
        });
        Column::from_options(rows.collect::<Vec<_>>())
    };
    let build = number(columns.iter().map(|(build, _)| *build).collect());
    let probe = number(columns.iter().map(|(_, probe)| *probe).collect());
    (build, probe)
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
