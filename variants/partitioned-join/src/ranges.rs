//! Probing a table in the cache: which tuples of a slot's range have the probe's key.
//!
//! In the cache nothing is worth waiting for, and what costs is branches that are mispredicted (ranges are of any length)
//! and instructions. So a vector of tuples is compared from wherever the range starts, sums are kept in registers, and
//! only a range longer than a vector takes a branch.

use std::marker::PhantomData;

use join_core::hash::KeyHash;
use join_core::input::{BlockRows, HashedKeys, KeyBlock};
use join_core::join::{Kernel, RangeTable};
use join_core::key::{Key, Tuple};
use join_core::memory::OnDemand;
use join_core::output::{Aggregate, Enough, Pair, PairFilter, RangeBuffer, Sink, SinkRef};
use join_core::prefetch::prefetch_read;
use join_core::simd::{Candidates, Compare, Lanes, MAX_LANES, Matches, RangeGroup, WithLanes};

use crate::entries::pieces;

/// Tuples that stand behind the last one, so that a vector can be read from any place.
pub(crate) const PADDING: usize = MAX_LANES;

/// Probes that are made before the sink is asked whether it wants more (each may have any number of matches), or whose
/// ranges are found together.
const PROBES: usize = 512;

/// How probes are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// How tuples are compared.
    pub(crate) compare: Compare,
    /// Whether the probes are the join's build side, and the table is of its probe side.
    pub(crate) swapped: bool,
}

impl How {
    /// Whether it is enough to know which tuples of tables have a match.
    pub(crate) fn finds_tuples(self, filter: Option<&dyn PairFilter>) -> bool {
        let enough = filter.map_or(Enough::All, PairFilter::enough);
        let of_table = match self.swapped {
            true => enough.swapped(),
            false => enough,
        };
        of_table == Enough::OnePerBuildRow
    }
}

/// A directory of ENDs and the tuples that it divides.
pub(crate) struct Ranges<'t, K: Key, H> {
    /// Entry s + 1 is the END of slot s; entry 0 is directory[-1].
    ends: &'t [u32],
    tuples: &'t [Tuple<K>],
    slots: Slots,
    hash: PhantomData<H>,
}

// Not derived: a hash itself is never copied.
impl<K: Key, H> Clone for Ranges<'_, K, H> {
    fn clone(&self) -> Self {
        *self
    }
}

// A copy's pointers stay in registers whatever a kernel writes.
impl<K: Key, H> Copy for Ranges<'_, K, H> {}

/// Which bits of a hash choose a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots {
    shift: u32,
    mask: usize,
}

impl Slots {
    /// The `bits` bits below the top `skip`; `bits` is at least one, and both are less than 64 together.
    pub(crate) fn new(skip: u32, bits: u32) -> Self {
        Self {
            shift: 64 - skip - bits,
            mask: (1 << bits) - 1,
        }
    }

    /// How many.
    pub(crate) fn len(self) -> usize {
        self.mask + 1
    }

    /// The slot of a hash, below [`Self::len`].
    #[inline(always)]
    pub(crate) fn of(self, hash: u64) -> usize {
        (hash >> self.shift) as usize & self.mask
    }
}

impl<'t, K: Key, H: KeyHash> Ranges<'t, K, H> {
    /// # Panics
    ///
    /// If there are not [`PADDING`] tuples behind the last END, or ENDs are not one more than slots.
    pub(crate) fn new(ends: &'t [u32], tuples: &'t [Tuple<K>], slots: Slots) -> Self {
        assert_eq!(ends.len(), slots.len() + 1, "an END for each slot");
        let last = ends[slots.len()] as usize;
        assert!(last + PADDING <= tuples.len(), "room to read behind");
        debug_assert!(ends.is_sorted());
        Self {
            ends,
            tuples,
            slots,
            hash: PhantomData,
        }
    }

    /// Finds the matches of the probes, which lie in slices. `seen` is room for a byte a tuple, if this is the only worker of
    /// the table.
    pub(crate) fn probe(
        &self,
        probes: &[&[Tuple<K>]],
        how: How,
        seen: Option<&mut OnDemand<u8>>,
        sink: SinkRef<'_, '_>,
    ) {
        match sink {
            SinkRef::Aggregate(sums) => {
                let mut found = Aggregate::default();
                if self.is_fenced() {
                    how.compare.dispatch(Sum {
                        ranges: self,
                        probes,
                        found: &mut found,
                    });
                } else {
                    how.compare.dispatch(Find {
                        ranges: *self,
                        probes,
                        matches: &mut Matches::new(BlockRows::From(0), &mut found),
                    });
                }
                if how.swapped {
                    std::mem::swap(&mut found.sum_build, &mut found.sum_probe);
                }
                sums.merge(&found);
            }
            SinkRef::Pairs(pairs) => {
                let mut swapped;
                let sink: &mut dyn Sink = if how.swapped {
                    swapped = Swapped(pairs);
                    &mut swapped
                } else {
                    pairs
                };
                match (sink.enough(), seen) {
                    (Enough::OnePerProbeRow, _) if !self.store().is_empty() => {
                        how.compare.dispatch(FindProbes {
                            ranges: *self,
                            probes,
                            sink,
                        });
                    }
                    (Enough::OnePerBuildRow, Some(seen)) if !self.store().is_empty() => {
                        let seen = seen.first(self.store().len() + 1);
                        seen.fill(0);
                        how.compare.dispatch(FindTuples {
                            ranges: *self,
                            probes,
                            seen,
                        });
                        emit_seen(self.store(), seen, sink);
                    }
                    _ => how.compare.dispatch(Find {
                        ranges: *self,
                        probes,
                        matches: &mut Matches::new(BlockRows::From(0), sink),
                    }),
                }
            }
        }
    }

    /// As [`Self::probe`], where matches stay ranges, of places from `base` on.
    pub(crate) fn leave(
        &self,
        probes: &[&[Tuple<K>]],
        base: usize,
        compare: Compare,
        found: &mut RangeBuffer,
    ) {
        let mut lookups = Lookups::new(self, base, compare, found);
        let mut hashed = HashedKeys::default();
        let key = |probe: &Tuple<K>| probe.key;
        for (probes, ahead) in pieces(probes) {
            hashed.for_each_item::<H, K, _>(probes, key, |hash, probe| {
                prefetch_read(std::ptr::from_ref(probe).wrapping_byte_offset(ahead));
                lookups.add(hash, *probe);
            });
        }
        lookups.compare();
    }

    /// Whether no probe finds a match behind the last tuple, however far its vectors reach.
    ///
    /// There stand copies of the first tuple. Only probes of its key match them, and these read on from the first slot
    /// that has tuples: too few of the others behind them, and they would come to the copies.
    fn is_fenced(&self) -> bool {
        let last = self.ends[self.slots.len()] as usize;
        let Some(first) = self.tuples[..last].first() else {
            return false;
        };
        let (_, end) = self.range(H::hash(first.key));
        let behind = &self.tuples[last..last + PADDING];
        behind.iter().all(|copy| copy.key == first.key) && end.next_multiple_of(PADDING) <= last
    }

    /// Start and end of a hash's range.
    #[inline(always)]
    fn range(&self, hash: u64) -> (usize, usize) {
        let slot = self.slots.of(hash);
        // SAFETY: there is one END more than slots.
        unsafe {
            (
                *self.ends.get_unchecked(slot) as usize,
                *self.ends.get_unchecked(slot + 1) as usize,
            )
        }
    }
}

impl<K: Key, H: KeyHash> RangeTable<K> for Ranges<'_, K, H> {
    fn store(&self) -> &[Tuple<K>] {
        &self.tuples[..self.ends[self.slots.len()] as usize]
    }

    fn find(&self, block: KeyBlock<'_, K>, kernel: Kernel, found: &mut RangeBuffer) {
        let mut lookups = Lookups::new(self, 0, kernel.compare, found);
        let mut hashed = HashedKeys::default();
        hashed.for_each::<H, K>(block, |hash, probe| lookups.add(hash, probe));
        lookups.compare();
    }
}

/// Probes whose matches stay ranges: they are compared together, those that have anything to be compared with.
struct Lookups<'a, 't, K: Key, H> {
    ranges: &'a Ranges<'t, K, H>,
    base: usize,
    compare: Compare,
    keys: [K; PROBES],
    rows: [u32; PROBES],
    candidates: [Candidates; PROBES],
    len: usize,
    found: &'a mut RangeBuffer,
}

impl<'a, 't, K: Key, H: KeyHash> Lookups<'a, 't, K, H> {
    fn new(
        ranges: &'a Ranges<'t, K, H>,
        base: usize,
        compare: Compare,
        found: &'a mut RangeBuffer,
    ) -> Self {
        Self {
            ranges,
            base,
            compare,
            keys: [K::zeroed(); PROBES],
            rows: [0; PROBES],
            candidates: [Candidates::default(); PROBES],
            len: 0,
            found,
        }
    }

    #[inline(always)]
    fn add(&mut self, hash: u64, probe: Tuple<K>) {
        let (start, end) = self.ranges.range(hash);
        let index = self.len;
        self.keys[index] = probe.key;
        self.rows[index] = probe.row_id();
        self.candidates[index] = Candidates {
            index: index as u32,
            start: start as u32,
            len: (end - start) as u32,
        };
        self.len += usize::from(start < end);
        if self.len == PROBES {
            self.compare();
        }
    }

    fn compare(&mut self) {
        let group = RangeGroup {
            store: self.ranges.tuples,
            base: self.base,
            keys: &self.keys,
            rows: BlockRows::List(&self.rows),
            candidates: &self.candidates[..self.len],
        };
        group.find(self.compare, self.found);
        self.len = 0;
    }
}

/// Counts and sums the matches; the table is fenced.
struct Sum<'a, 't, K: Key, H> {
    ranges: &'a Ranges<'t, K, H>,
    probes: &'a [&'a [Tuple<K>]],
    found: &'a mut Aggregate,
}

impl<K: Key, H: KeyHash> WithLanes for Sum<'_, '_, K, H> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { ranges, probes, .. } = self;
        // SAFETY: lanes were dispatched, so the machine has their instructions.
        let mut sums = unsafe { L::zero() };
        let mut hashed = HashedKeys::default();
        let key = |probe: &Tuple<K>| probe.key;
        for (probes, ahead) in pieces(probes) {
            hashed.for_each_item::<H, K, _>(probes, key, |hash, probe| {
                prefetch_read(std::ptr::from_ref(probe).wrapping_byte_offset(ahead));
                let (mut start, end) = ranges.range(hash);
                loop {
                    let tuples = ranges.tuples.as_ptr().wrapping_add(start);
                    // SAFETY: `start` is at most the last END, behind which the padding stands; lanes were dispatched.
                    unsafe { L::add(&mut sums, tuples, probe) };
                    start += L::summed::<K>();
                    if start >= end {
                        break;
                    }
                }
            });
        }
        // SAFETY: lanes were dispatched, so the machine has their instructions.
        *self.found = unsafe { L::aggregate(sums) };
    }
}

/// As [`pieces`], of [`PROBES`] probes at most.
fn chunks<'a, T>(probes: &'a [&'a [T]]) -> impl Iterator<Item = (&'a [T], isize)> {
    pieces(probes)
        .flat_map(|(probes, ahead)| probes.chunks(PROBES).map(move |chunk| (chunk, ahead)))
}

/// Finds the matches, pair by pair.
struct Find<'a, 't, 's, K: Key, H> {
    ranges: Ranges<'t, K, H>,
    probes: &'a [&'a [Tuple<K>]],
    matches: &'a mut Matches<'s>,
}

impl<K: Key, H: KeyHash> WithLanes for Find<'_, '_, '_, K, H> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            ranges,
            probes,
            matches,
        } = self;
        let tuples = ranges.tuples;
        let mut found = matches.end();
        let mut hashed = HashedKeys::default();
        let key = |probe: &Tuple<K>| probe.key;
        for (probes, ahead) in chunks(probes) {
            if matches.enough() == Enough::None {
                break;
            }
            hashed.for_each_item::<H, K, _>(probes, key, |hash, probe| {
                prefetch_read(std::ptr::from_ref(probe).wrapping_byte_offset(ahead));
                let (start, end) = ranges.range(hash);
                let (len, row) = (end - start, probe.row_id());
                // SAFETY: the padding stands behind every END; lanes were dispatched.
                found =
                    unsafe { matches.extend::<L, K>(found, tuples, start, len, probe.key, row) };
            });
        }
        // SAFETY: returned by the last key's matches.
        unsafe { matches.set_end(found) };
        matches.flush();
    }
}

/// Finds the probes that have a match; the table is not empty.
///
/// Here as below there is no mask: tuples behind a range belong to other slots and so have other keys, and what stands behind
/// the last one are copies of the first one, which match where that does.
struct FindProbes<'a, 't, 's, K: Key, H> {
    ranges: Ranges<'t, K, H>,
    probes: &'a [&'a [Tuple<K>]],
    sink: &'s mut dyn Sink,
}

impl<K: Key, H: KeyHash> WithLanes for FindProbes<'_, '_, '_, K, H> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            ranges,
            probes,
            sink,
        } = self;
        let mut found = [0; PROBES];
        let mut hashed = HashedKeys::default();
        let key = |probe: &Tuple<K>| probe.key;
        for (probes, ahead) in chunks(probes) {
            let mut end = 0;
            hashed.for_each_item::<H, K, _>(probes, key, |hash, probe| {
                prefetch_read(std::ptr::from_ref(probe).wrapping_byte_offset(ahead));
                let (mut start, slot_end) = ranges.range(hash);
                let has_match = loop {
                    let tuples = ranges.tuples.as_ptr().wrapping_add(start);
                    // SAFETY: `start` is at most the last END, behind which the padding stands; lanes were dispatched.
                    let equal = unsafe { L::equal(tuples, L::TUPLES, probe.key) };
                    start += L::TUPLES;
                    if start >= slot_end || equal != 0 {
                        break equal != 0;
                    }
                };
                // The rest of a division by a power of two spares a comparison.
                found[end % PROBES] = probe.row_id();
                end += usize::from(has_match);
            });
            sink.emit_rows(&found[..end]);
        }
    }
}

/// Finds the tuples that a probe matches; the table is not empty.
///
/// Which of a vector's tuples have the key is noted where the vector starts: one byte is changed, whatever there is to note.
struct FindTuples<'a, 't, K: Key, H> {
    ranges: Ranges<'t, K, H>,
    probes: &'a [&'a [Tuple<K>]],
    /// Of each tuple and behind the last one: which of those from it on a probe has matched, a bit each.
    seen: &'a mut [u8],
}

impl<K: Key, H: KeyHash> WithLanes for FindTuples<'_, '_, K, H> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            ranges,
            probes,
            seen,
        } = self;
        assert!(seen.len() > ranges.store().len());
        let mut hashed = HashedKeys::default();
        let key = |probe: &Tuple<K>| probe.key;
        for (probes, ahead) in pieces(probes) {
            hashed.for_each_item::<H, K, _>(probes, key, |hash, probe| {
                prefetch_read(std::ptr::from_ref(probe).wrapping_byte_offset(ahead));
                let (mut start, end) = ranges.range(hash);
                loop {
                    let tuples = ranges.tuples.as_ptr().wrapping_add(start);
                    // SAFETY: `start` is at most the last END, behind which the padding stands; lanes were dispatched.
                    let equal = unsafe { L::equal(tuples, L::TUPLES, probe.key) } as u8;
                    // SAFETY: there is one byte more than tuples.
                    let seen = unsafe { seen.get_unchecked_mut(start) };
                    let before = std::mem::replace(seen, *seen | equal);
                    start += L::TUPLES;
                    // A key that has been here has noted all its tuples.
                    if start >= end || before & equal != 0 {
                        break;
                    }
                }
            });
        }
    }
}

/// Hands on the rows of the tuples that have been seen.
fn emit_seen<K: Key>(tuples: &[Tuple<K>], seen: &[u8], sink: &mut dyn Sink) {
    let mut rows = [0; PROBES];
    // What is noted of this tuple and those behind it.
    let mut noted = 0;
    for (tuples, seen) in tuples.chunks(PROBES).zip(seen.chunks(PROBES)) {
        let mut end = 0;
        for (tuple, seen) in tuples.iter().zip(seen) {
            noted = noted >> 1 | seen;
            rows[end % PROBES] = tuple.row_id();
            end += usize::from(noted & 1);
        }
        sink.emit_rows(&rows[..end]);
    }
}

/// A sink of pairs whose sides are exchanged.
struct Swapped<'a>(&'a mut dyn Sink);

impl Sink for Swapped<'_> {
    fn emit_if(&mut self, hit: bool, build_row: u32, probe_row: u32) {
        self.0.emit_if(hit, probe_row, build_row);
    }

    fn emit_block(&mut self, pairs: &[Pair]) {
        let mut swapped = [Pair { build: 0, probe: 0 }; 64];
        for pairs in pairs.chunks(swapped.len()) {
            let swapped = &mut swapped[..pairs.len()];
            for (to, from) in swapped.iter_mut().zip(pairs) {
                (to.build, to.probe) = (from.probe, from.build);
            }
            self.0.emit_block(swapped);
        }
    }

    fn emit_rows(&mut self, rows: &[u32]) {
        self.0.emit_rows(rows);
    }

    fn enough(&self) -> Enough {
        self.0.enough().swapped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::LocalTable;
    use join_core::input::KeyColumn;
    use join_core::memory::Memory;
    use join_core::output::PairBuffer;
    use join_core::table::Column;
    use join_core::unchained::DefaultScheme;

    /// Tables of few tuples, where vectors reach beyond the last one: whatever the number of slots and of equal keys,
    /// and whichever key the first tuple has. Calls `check` with a table, its keys, probes and what is asked about.
    fn few_tuples(
        mut check: impl FnMut(&mut LocalTable<i32, DefaultScheme>, &[i32], &[Tuple<i32>], How, &str),
    ) {
        let memory = Memory::unlimited();
        for len in 0..40_i32 {
            for each in [1, 2, 9, 40] {
                for slots in [0.1, 1.0, 2.0] {
                    let keys: Vec<i32> = (0..len).map(|row| row / each).collect();
                    let column = Column::from_i32(&keys);
                    let entries = KeyColumn::<i32>::new(&column).unwrap();
                    let table = LocalTable::new(100, 0, slots, &memory).unwrap();
                    let mut table = table.with_seen(&memory).unwrap();
                    // What an earlier partition leaves.
                    let earlier = Column::from_i32(&[0; 100]);
                    table.build(&KeyColumn::<i32>::new(&earlier).unwrap());
                    table.build(&entries);
                    let probes: Vec<_> = (-1..=len)
                        .map(|key| Tuple::new(key, key.unsigned_abs()))
                        .collect();
                    for compare in Compare::ALL {
                        let how = How {
                            compare,
                            swapped: false,
                        };
                        let name = format!("{len} / {each}, {slots} slots, {compare}");
                        check(&mut table, &keys, &probes, how, &name);
                    }
                }
            }
        }
    }

    #[test]
    fn what_stands_behind_the_last_tuple_matches_nothing() {
        few_tuples(|table, keys, probes, how, name| {
            let mut expected = Aggregate::default();
            for probe in probes {
                for (row, _) in keys.iter().enumerate().filter(|row| *row.1 == probe.key) {
                    expected.emit(row as u32, probe.row_id());
                }
            }
            let mut found = Aggregate::default();
            let sink = SinkRef::Aggregate(&mut found);
            table.ranges().probe(&[probes], how, None, sink);
            assert_eq!(found, expected, "{name}");
        });
    }

    /// Keeps all pairs, and would do with fewer.
    struct Content(Enough);

    impl PairFilter for Content {
        fn keep(&self, pairs: &mut [Pair]) -> usize {
            pairs.len()
        }

        fn enough(&self) -> Enough {
            self.0
        }
    }

    #[test]
    fn each_row_that_matches_is_found_where_one_match_is_enough() {
        let memory = Memory::unlimited();
        few_tuples(|table, keys, probes, how, name| {
            let of_build = (0..keys.len() as u32)
                .filter(|&row| probes.iter().any(|probe| probe.key == keys[row as usize]));
            let of_probe = probes.iter().filter(|probe| keys.contains(&probe.key));
            let of_probe = of_probe.map(|probe| probe.row_id());
            let (of_build, of_probe): (Vec<_>, Vec<_>) = (of_build.collect(), of_probe.collect());
            for swapped in [false, true] {
                let how = How { swapped, ..how };
                // The sides as tables see them.
                let [build, probe] = match swapped {
                    false => [Enough::OnePerBuildRow, Enough::OnePerProbeRow],
                    true => [Enough::OnePerProbeRow, Enough::OnePerBuildRow],
                };
                for (enough, expected) in [(build, &of_build), (probe, &of_probe)] {
                    let filter = Content(enough);
                    let mut pairs = PairBuffer::keeping(&memory, Some(&filter)).unwrap();
                    table.probe(&[probes], how, SinkRef::Pairs(&mut pairs));
                    let chunks = pairs.finish().unwrap().0;
                    let found = chunks.iter().flat_map(|chunk| chunk.iter());
                    let mut found: Vec<u32> = found
                        .map(|pair| match enough {
                            Enough::OnePerBuildRow => pair.build,
                            _ => pair.probe,
                        })
                        .collect();
                    found.sort_unstable();
                    assert_eq!(&found, expected, "{enough:?}: {name}");
                }
            }
        });
    }
}
