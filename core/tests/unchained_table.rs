//! The finished unchained table, whatever the parts it was built in: one block of tuples ordered by slot (R3.4), slot s
//! the range [END(s-1), END(s)) (R7.2), an entry before slot 0 that holds 0 (R7.3), tags merged by OR (R7.4).

use join_core::directory::{DirectoryLayout, Packed, Split};
use join_core::hash::{Crc32, Fibonacci, KeyHash, Murmur};
use join_core::input::{BlockRows, KeyBlock};
use join_core::join::{DynJoinTable, Kernel, RangeTable, Schedule};
use join_core::key::{Key, Tuple};
use join_core::memory::Memory;
use join_core::output::{Aggregate, RangeBuffer, Sink, SinkRef};
use join_core::simd::Compare;
use join_core::tag::{BelowPrefix, ContestBits, MaskTable, NoTags, TagScheme};
use join_core::unchained::{Scheme, SchemeOf, Unchained, UnchainedBuilder};
use proptest::prelude::*;

/// Builds a table in 2^`part_bits` parts, one after the other.
fn table<K: Key, S: Scheme>(keys: &[K], prefix_bits: u32, part_bits: u32) -> Unchained<K, S> {
    let memory = Memory::unlimited();
    let mut parts: Vec<Vec<(u64, Tuple<K>)>> = vec![Vec::new(); 1 << part_bits];
    for (row, &key) in (0..).zip(keys) {
        let hash = S::Hash::hash(key);
        // Two shifts, because a shift by 64 is none.
        let part = (hash >> 1) >> (63 - part_bits);
        parts[part as usize].push((hash, Tuple::new(key, row)));
    }
    let mut builder = UnchainedBuilder::<K, S>::new(prefix_bits, &memory).expect("unlimited");
    let mut start = 0;
    for (slots, part) in builder.slot_parts(part_bits).into_iter().zip(&parts) {
        let mut slots = slots.clear();
        part.iter().for_each(|&(hash, _)| slots.count(hash));
        start = slots.prefix_sum(start);
    }
    assert_eq!(start, keys.len(), "the last END is the number of tuples");
    builder.allocate(keys.len(), &memory).expect("unlimited");
    let lens: Vec<usize> = parts.iter().map(Vec::len).collect();
    let mut written = 0;
    for ((slots, mut store), part) in builder
        .table_parts(part_bits, &lens)
        .into_iter()
        .zip(&parts)
    {
        // SAFETY: all parts were cleared.
        let mut slots = unsafe { slots.cleared() };
        assert_eq!((store.start(), store.len()), (written, part.len()));
        slots.rewind(store.start());
        part.iter()
            .for_each(|&(hash, tuple)| store.copy(&mut slots, hash, tuple));
        written += part.len();
    }
    // SAFETY: the store is allocated, the slots were cleared, and every tuple that was counted has been copied.
    unsafe { builder.finish() }
}

fn check<K: Key, S: Scheme>(keys: &[K], prefix_bits: u32, part_bits: u32) {
    let table = table::<K, S>(keys, prefix_bits, part_bits);
    let directory = table.directory();
    assert_eq!(directory.slots(), 1 << prefix_bits);
    assert_eq!(
        (table.len(), table.is_empty()),
        (keys.len(), keys.is_empty())
    );
    assert_eq!(directory.range(0).start, 0, "directory[-1] is 0");
    let mut end = 0;
    for slot in 0..directory.slots() {
        let range = directory.range(slot);
        assert_eq!(
            range.start, end,
            "slot {slot} starts where the one before it ends"
        );
        assert!(range.end >= range.start);
        end = range.end;
        let mut tags = 0;
        for tuple in &table.tuples()[range] {
            let hash = S::Hash::hash(tuple.key);
            assert_eq!(table.slot(hash), slot, "ordered by slot");
            assert_eq!(table.slot(hash), (hash >> (64 - prefix_bits)) as usize);
            tags |= table.tag(hash);
        }
        assert_eq!(
            directory.tag(slot),
            tags,
            "the OR of the tags of slot {slot}"
        );
    }
    assert_eq!(end, keys.len(), "the last slot ends at the last tuple");
    let mut rows: Vec<(u32, K)> = table
        .tuples()
        .iter()
        .map(|tuple| (tuple.row_id(), tuple.key))
        .collect();
    rows.sort_unstable();
    assert!(
        rows.into_iter().eq((0..).zip(keys.iter().copied())),
        "every tuple once"
    );
    probes_agree(&table, keys);
}

/// Every kernel finds the same, be the rows listed or consecutive.
fn probes_agree<K: Key, S: Scheme>(table: &Unchained<K, S>, keys: &[K]) {
    let rows: Vec<u32> = (10..).take(keys.len()).collect();
    let probe = |kernel: Kernel, rows: BlockRows<'_>| {
        let mut sums = Aggregate::default();
        DynJoinTable::probe(
            table,
            KeyBlock { keys, rows },
            kernel,
            SinkRef::Aggregate(&mut sums),
        );
        sums
    };
    let find = |kernel: Kernel, rows: BlockRows<'_>| {
        let mut found = RangeBuffer::new(&Memory::unlimited()).unwrap();
        table.find(KeyBlock { keys, rows }, kernel, &mut found);
        let mut sums = Aggregate::default();
        for range in found
            .finish()
            .unwrap()
            .iter()
            .flat_map(|chunk| chunk.iter())
        {
            let first = range.first as usize;
            for tuple in &table.store()[first..first + range.len as usize] {
                sums.emit(tuple.row_id(), range.probe);
            }
        }
        sums
    };
    let expected = probe(Kernel::SCALAR, BlockRows::From(10));
    assert!(expected.rows >= keys.len() as u64, "every key finds itself");
    let schedules = [1, 2, 7, 64, 256, 1000].map(|keys| {
        [
            Schedule::Staged(keys),
            Schedule::Interleaved(keys),
            Schedule::BySize(keys),
        ]
    });
    for &schedule in schedules.as_flattened().iter().chain([&Schedule::Direct]) {
        for compare in Compare::ALL {
            let kernel = Kernel { schedule, compare };
            assert_eq!(probe(kernel, BlockRows::From(10)), expected, "{kernel:?}");
            assert_eq!(
                probe(kernel, BlockRows::List(&rows)),
                expected,
                "{kernel:?}"
            );
            for rows in [BlockRows::From(10), BlockRows::List(&rows)] {
                assert_eq!(find(kernel, rows), expected, "ranges, {kernel:?}");
            }
        }
    }
}

fn check_all<K: Key>(keys: &[K], prefix_bits: u32, part_bits: u32) {
    fn of<K: Key, H: KeyHash, T: TagScheme>(keys: &[K], prefix_bits: u32, part_bits: u32) {
        check::<K, SchemeOf<H, T, Packed>>(keys, prefix_bits, part_bits);
        check::<K, SchemeOf<H, T, Split>>(keys, prefix_bits, part_bits);
    }
    of::<K, Fibonacci, MaskTable>(keys, prefix_bits, part_bits);
    of::<K, Fibonacci, ContestBits>(keys, prefix_bits, part_bits);
    of::<K, Murmur, BelowPrefix>(keys, prefix_bits, part_bits);
    of::<K, Crc32, NoTags>(keys, prefix_bits, part_bits);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn tables_are_ordered_by_slot(
        keys in proptest::collection::vec(prop_oneof![any::<i64>(), -20_i64..20], 0..400),
        prefix_bits in 1_u32..=9,
        parts in 0_u32..=9,
    ) {
        let part_bits = parts.min(prefix_bits);
        check_all(&keys, prefix_bits, part_bits);
        let narrow: Vec<i32> = keys.iter().map(|&key| key as i32).collect();
        check_all(&narrow, prefix_bits, part_bits);
    }
}

#[test]
fn tables_of_no_and_one_tuple() {
    check_all::<i32>(&[], 1, 0);
    check_all::<i64>(&[], 6, 6);
    check_all(&[i32::MIN], 1, 1);
    check_all(&[i64::MAX], 6, 0);
}

/// A shift of a hash by 64 would be undefined, and the probe trusts it.
#[test]
#[should_panic(expected = "2^0 slots")]
fn a_directory_of_one_slot_is_refused() {
    table::<i32, SchemeOf<Murmur, MaskTable, Packed>>(&[1], 0, 0);
}
