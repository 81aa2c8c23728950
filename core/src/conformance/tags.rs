//! A tag may answer yes wrongly, never no wrongly.

use super::keys::{CaseKey, Keys, Random};
use crate::directory::{DirectoryLayout, DirectoryView, Packed, Split};
use crate::hash::{Colliding, Crc32, Fibonacci, KeyHash, Murmur};
use crate::key::{Key, Tuple};
use crate::memory::Memory;
use crate::tag::TagScheme;
use crate::unchained::{Scheme, SchemeOf, Unchained, UnchainedBuilder};

/// Checks a tag scheme under every hash and directory layout, for directories from two slots up: every key that was
/// inserted passes its slot's tag, and its tuple is in the slot's range.
///
/// # Panics
///
/// At the first key that a tag rules out wrongly.
pub fn check_tags<T: TagScheme>() {
    fn of_hash<H: KeyHash, T: TagScheme>() {
        of_scheme::<SchemeOf<H, T, Packed>>();
        of_scheme::<SchemeOf<H, T, Split>>();
    }
    of_hash::<Fibonacci, T>();
    of_hash::<Murmur, T>();
    of_hash::<Crc32, T>();
    of_hash::<Colliding, T>();
}

fn of_scheme<S: Scheme>() {
    let mut random = Random(0);
    for keys in [
        Keys::Dense,
        Keys::Sparse,
        Keys::SharedLow,
        Keys::SharedHigh,
        Keys::Extremes,
        Keys::Drawn(100),
    ] {
        for prefix_bits in [1, 2, 6, 10, 16] {
            of_keys::<i32, S>(keys, prefix_bits, &mut random);
            of_keys::<i64, S>(keys, prefix_bits, &mut random);
        }
    }
}

fn of_keys<K: CaseKey, S: Scheme>(keys: Keys, prefix_bits: u32, random: &mut Random) {
    let inserted: Vec<K> = keys.rows(1000, 0, random).into_iter().flatten().collect();
    let table = table::<K, S>(&inserted, prefix_bits);
    for (row, &key) in inserted.iter().enumerate() {
        let hash = S::Hash::hash(key);
        let slot = table.slot(hash);
        // SAFETY: `slot` is the slot of a hash under this table's prefix.
        let (range, passed) = unsafe { table.directory().view().lookup(slot, table.tag(hash)) };
        let place = || {
            format!(
                "{key:?} ({}) of {keys:?}, {} tags, {} hash, {} directory of 2^{prefix_bits} slots",
                K::DATA_TYPE,
                S::Tags::NAME,
                S::Hash::NAME,
                S::Directory::NAME,
            )
        };
        assert!(passed, "the tag says no wrongly: {}", place());
        assert_eq!(
            range,
            table.directory().range(slot),
            "range of slot {slot}: {}",
            place()
        );
        let found = table.tuples()[range]
            .iter()
            .any(|tuple| tuple.key == key && tuple.row_id() == row as u32);
        assert!(found, "not in its slot: {}", place());
    }
}

fn table<K: Key, S: Scheme>(keys: &[K], prefix_bits: u32) -> Unchained<K, S> {
    let memory = Memory::unlimited();
    let mut builder = UnchainedBuilder::<K, S>::new(prefix_bits, &memory).expect("unlimited");
    let mut slots = builder.slot_parts(0).pop().expect("one part").clear();
    keys.iter().for_each(|&key| slots.count(S::Hash::hash(key)));
    let len = slots.prefix_sum(0);
    drop(slots);
    builder.allocate(len, &memory).expect("unlimited");
    let (slots, mut store) = builder.table_parts(0, &[len]).pop().expect("one part");
    // SAFETY: the one part was cleared.
    let mut slots = unsafe { slots.cleared() };
    slots.rewind(0);
    for (row, &key) in keys.iter().enumerate() {
        store.copy(&mut slots, S::Hash::hash(key), Tuple::new(key, row as u32));
    }
    drop((slots, store));
    // SAFETY: the store is allocated, the slots were cleared, and each key that was counted has been copied.
    unsafe { builder.finish() }
}
