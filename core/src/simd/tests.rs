//! All lanes against the one that compares tuple by tuple.

use super::*;
use crate::input::BlockRows;
use crate::output::{Enough, Sink};
use proptest::prelude::*;

#[derive(Default, Debug, PartialEq, Clone)]
struct Found(Vec<Pair>);

impl Sink for Found {
    fn emit_if(&mut self, hit: bool, build: u32, probe: u32) {
        if hit {
            self.0.push(Pair { build, probe });
        }
    }
}

/// Content with one match of each probe row.
#[derive(Default)]
struct FirstOf(Found);

impl Sink for FirstOf {
    fn emit_if(&mut self, hit: bool, build: u32, probe: u32) {
        self.0.emit_if(hit, build, probe);
    }

    fn enough(&self) -> Enough {
        Enough::OnePerProbeRow
    }
}

/// Looks all of `keys` up in the range of a store.
struct Lookups<'a, 's, K: Key> {
    store: &'a [Tuple<K>],
    start: usize,
    len: usize,
    keys: &'a [K],
    matches: &'a mut Matches<'s>,
}

impl<K: Key> WithLanes for Lookups<'_, '_, K> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            store, start, len, ..
        } = self;
        for (&key, probe) in self.keys.iter().zip(self.matches.first()..) {
            let end = self.matches.end();
            // SAFETY: the store is padded, and lanes were dispatched.
            unsafe {
                let end = self
                    .matches
                    .extend::<L, K>(end, store, start, len, key, probe);
                self.matches.set_end(end);
            }
        }
        self.matches.flush();
    }
}

fn found<K: Key, S: Sink + Default>(
    compare: Compare,
    (store, start, len): (&[Tuple<K>], usize, usize),
    keys: &[K],
    rows: BlockRows<'_>,
) -> S {
    let mut sink = S::default();
    compare.dispatch(Lookups {
        store,
        start,
        len,
        keys,
        matches: &mut Matches::new(rows, &mut sink),
    });
    sink
}

/// Which of the first tuples of a store have a key, asked for every number of tuples that lanes take.
struct Equal<'a, K: Key> {
    store: &'a [Tuple<K>],
    key: K,
    found: &'a mut Vec<u32>,
}

impl<K: Key> WithLanes for Equal<'_, K> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for len in 0..=L::TUPLES {
            // SAFETY: the store is as long as padding is, and lanes were dispatched.
            let equal = unsafe { L::equal(self.store.as_ptr(), len, self.key) };
            self.found.push(equal);
        }
    }
}

/// Whether lanes say which tuples have each key.
fn all_say_which<K: Key>(store: &[Tuple<K>], keys: &[K]) {
    for (store, &key) in store.windows(MAX_LANES).zip(keys) {
        // As many as lanes may read, so that AddressSanitizer sees one that reads further.
        let store: Box<[_]> = store.into();
        for compare in Compare::ALL {
            let mut found = Vec::new();
            compare.dispatch(Equal {
                store: &store,
                key,
                found: &mut found,
            });
            for (len, found) in found.into_iter().enumerate() {
                let tuples = store[..len].iter().enumerate();
                let expected = tuples.fold(0, |bits, (at, tuple)| {
                    bits | u32::from(tuple.key == key) << at
                });
                assert_eq!(found, expected, "{compare:?} of {len}");
            }
        }
    }
}

fn all_agree<K: Key>(tuples: &[K], start: usize, len: usize, keys: &[K]) {
    // Padding that looks like a match: a lane that ignores the length would find it.
    let padding = keys.first().copied().unwrap_or(K::zeroed());
    let padded = tuples.iter().copied().chain([padding; MAX_LANES]);
    // Exactly as long as it must be, so that AddressSanitizer sees a lane that reads further.
    let store: Box<[_]> = (1000..)
        .zip(padded)
        .map(|(row, key)| Tuple::new(key, row))
        .collect();
    all_say_which(&store, keys);
    let rows: Vec<u32> = (0..keys.len() as u32).map(|index| 7 * index + 3).collect();
    for rows in [
        BlockRows::From(0),
        BlockRows::From(u32::MAX - keys.len() as u32),
        BlockRows::List(&rows),
    ] {
        let row = |index: usize| match rows {
            BlockRows::From(first) => first + index as u32,
            BlockRows::List(rows) => rows[index],
        };
        let mut expected = Found::default();
        for (index, key) in keys.iter().enumerate() {
            for tuple in &store[start..start + len] {
                expected.emit_if(tuple.key == *key, tuple.row_id(), row(index));
            }
        }
        for compare in Compare::ALL {
            let all: Found = found(compare, (&store, start, len), keys, rows);
            assert_eq!(all, expected, "{compare:?} of {start}+{len} {rows:?}");
            let FirstOf(first) = found(compare, (&store, start, len), keys, rows);
            first_of_all(&first, &expected);
        }
    }
}

/// Whether each key's matches are its first ones: one at least where there is any, and no more than one comparison finds.
fn first_of_all(first: &Found, all: &Found) {
    let mut left = &first.0[..];
    for of_key in all.0.chunk_by(|a, b| a.probe == b.probe) {
        let own = left.iter().take_while(|pair| pair.probe == of_key[0].probe);
        let own = own.count();
        assert!((1..=MAX_LANES).contains(&own), "{own} of {}", of_key.len());
        assert_eq!(left[..own], of_key[..own]);
        left = &left[own..];
    }
    assert!(left.is_empty(), "{left:?}");
}

/// Sums the matches of all `keys` among all tuples, which are whole steps of every kind of lanes.
struct Sum<'a, K: Key> {
    tuples: &'a [Tuple<K>],
    probes: &'a [Tuple<K>],
    found: &'a mut Aggregate,
}

impl<K: Key> WithLanes for Sum<'_, K> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        // SAFETY: lanes were dispatched; every step reads a whole chunk.
        unsafe {
            let mut sums = L::zero();
            for probe in self.probes {
                for tuples in self.tuples.chunks_exact(L::summed::<K>()) {
                    L::add(&mut sums, tuples.as_ptr(), probe);
                }
            }
            *self.found = L::aggregate(sums);
        }
    }
}

fn all_sums_agree<K: Key>(keys: &[K], probes: &[K]) {
    let whole = keys.len() / MAX_LANES * MAX_LANES;
    // Rows up to the largest, so that sums leave 32 bits.
    let rows = |keys: &[K]| -> Box<[Tuple<K>]> {
        let rows = (0..=u32::MAX).rev();
        let tuples = keys.iter().zip(rows);
        tuples.map(|(&key, row)| Tuple::new(key, row)).collect()
    };
    let (tuples, probes) = (&rows(&keys[..whole]), &rows(probes));
    let mut expected = Aggregate::default();
    for probe in probes {
        for tuple in tuples {
            expected.emit_if(tuple.key == probe.key, tuple.row_id(), probe.row_id());
        }
    }
    for compare in Compare::ALL {
        let mut found = Aggregate::default();
        compare.dispatch(Sum {
            tuples,
            probes,
            found: &mut found,
        });
        assert_eq!(found, expected, "{compare:?}");
        assert!(
            MAX_LANES.is_multiple_of(compare.tuples::<K>()),
            "{compare:?}"
        );
    }
}

/// Keys of few different values, so that there are matches; some differ in the upper or the lower half alone.
fn keys(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<i64>> {
    let key = prop_oneof![
        0_i64..4,
        -2_i64..1,
        any::<i64>(),
        (0_i64..3).prop_map(|high| high << 32)
    ];
    proptest::collection::vec(key, len)
}

proptest! {
    #[test]
    fn every_kind_of_lanes_finds_the_same(
        tuples in keys(0..80),
        start: prop::sample::Index,
        len: prop::sample::Index,
        probes in keys(0..90),
    ) {
        let start = start.index(tuples.len() + 1);
        let len = len.index(tuples.len() - start + 1);
        all_agree(&tuples, start, len, &probes);
        let narrow = |keys: &[i64]| keys.iter().map(|&key| key as i32).collect::<Vec<_>>();
        all_agree(&narrow(&tuples), start, len, &narrow(&probes));
        all_sums_agree(&tuples, &probes);
        all_sums_agree(&narrow(&tuples), &narrow(&probes));
    }
}

#[test]
fn a_range_of_every_length_at_every_place() {
    for len in 0..=20 {
        for start in 0..=9 {
            all_agree(&[7_i32; 29], start, len, &[7, 8]);
            all_agree(&[7_i64; 29], start, len, &[7, 7 << 32]);
        }
    }
}

/// More matches than the buffer has room for.
#[test]
fn matches_reach_the_sink_in_blocks() {
    all_agree(&[1_i32; 3000], 0, 3000, &[1; 3]);
    all_agree(&[-1_i64; 700], 5, 600, &[-1; 40]);
}

#[test]
fn what_a_machine_lacks_is_replaced_by_what_it_has() {
    for compare in Compare::ALL {
        let available = compare.available();
        assert_eq!(available.available(), available);
    }
    assert_eq!(Compare::Loop.available(), Compare::Loop);
    assert_eq!(Compare::BranchFree.available(), Compare::BranchFree);
}
