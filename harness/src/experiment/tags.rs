//! How many probe keys without a match each tag scheme lets through.

use join_core::compound::Keys;
use join_core::directory::Sizing;
use join_core::hash::{Fibonacci, KeyHash};
use join_core::input::KeyColumn;
use join_core::join::JoinInput;
use join_core::key::Key;
use join_core::tag::{BelowPrefix, ContestBits, MaskTable, TagScheme};
use join_core::unchained::slot;

use super::Data;
use crate::workload::borrowed;
use report::record::TagsRecord;

/// Directory slots a build tuple: that of the source, the default, and twice that.
const SLOTS_PER_TUPLE: [f64; 3] = [0.125, 1.0, 2.0];

/// Probe keys that are looked at; more would not change the share.
const MOST_PROBES: usize = 1 << 20;

/// Whether most of a workload's probe keys have no match, so that tags have something to do.
pub fn matter(data: &Data<'_>) -> bool {
    let results = data.record.expected.map_or(0, |answer| answer.rows);
    results < data.record.probe_rows / 2
}

/// Counts, for each scheme and directory size, the keys without a match that a slot's tag lets through; without tags,
/// those whose slot is not empty.
///
/// # Errors
/// The key columns cannot be joined, in words.
pub fn count(data: &Data<'_>) -> Result<Vec<TagsRecord>, String> {
    let keys = Keys::new(&borrowed(data.columns)).map_err(|error| error.to_string())?;
    Ok(match &keys {
        Keys::Integer(JoinInput::Int32(build, probe)) => of_keys(data, build, probe),
        Keys::Integer(JoinInput::Int64(build, probe)) => of_keys(data, build, probe),
        // What stands in their slots is hashes of hashes.
        Keys::Compound(_) => Vec::new(),
    })
}

fn of_keys<K: Key>(
    data: &Data<'_>,
    build: &KeyColumn<'_, K>,
    probe: &KeyColumn<'_, K>,
) -> Vec<TagsRecord> {
    let mut build: Vec<K> = keys(build).collect();
    build.sort_unstable();
    let misses: Vec<K> = keys(probe)
        .take(MOST_PROBES)
        .filter(|key| build.binary_search(key).is_err())
        .collect();
    let mut records = Vec::new();
    for slots_per_tuple in SLOTS_PER_TUPLE {
        let bits = Sizing::per_tuple(slots_per_tuple).bits(build.len());
        type Tag = fn(u64, u32) -> u16;
        let counted: [(&str, Tag); 4] = [
            ("none", |_, _| 1),
            ("source", ContestBits::tag),
            ("below-prefix", BelowPrefix::tag),
            ("mask-table", MaskTable::tag),
        ];
        for (scheme, tag) in counted {
            records.push(TagsRecord {
                scheme: scheme.to_owned(),
                workload: data.record.name.clone(),
                directory_slots_per_tuple: slots_per_tuple,
                probes: misses.len() as u64,
                false_positives: passed(&build, &misses, bits, tag),
            });
        }
    }
    records
}

fn keys<'a, K: Key>(column: &'a KeyColumn<'_, K>) -> impl Iterator<Item = K> + 'a {
    column.rows().flatten()
}

/// How many of `misses` find all bits of their tag in their slot's.
fn passed<K: Key>(build: &[K], misses: &[K], bits: u32, tag: impl Fn(u64, u32) -> u16) -> u64 {
    let mut slots = vec![0_u16; 1 << bits];
    for &key in build {
        let hash = Fibonacci::hash(key);
        slots[slot(hash, bits)] |= tag(hash, bits);
    }
    let passes = misses.iter().filter(|&&key| {
        let hash = Fibonacci::hash(key);
        tag(hash, bits) & !slots[slot(hash, bits)] == 0
    });
    passes.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::hash::Murmur;

    #[test]
    fn tags_let_fewer_through_than_no_tags_and_never_hold_back_a_match() {
        let keys = |from: i64| {
            (from..from + 10_000)
                .map(|i| Murmur::hash(i) as i64)
                .collect()
        };
        let (build, misses): (Vec<i64>, Vec<i64>) = (keys(0), keys(1 << 40));
        let bits = 14;
        let none = passed(&build, &misses, bits, |_, _| 1);
        let masks = passed(&build, &misses, bits, MaskTable::tag);
        assert!(0 < masks && masks < none / 2, "{masks} {none}");
        for tag in [ContestBits::tag, BelowPrefix::tag, MaskTable::tag] {
            assert_eq!(passed(&build, &build, bits, tag), build.len() as u64);
        }
    }
}
