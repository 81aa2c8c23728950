//! Probing a table in the cache: which tuples of a slot's range have the probe's key.
//!
//! In the cache nothing is worth waiting for, and what costs is branches that are mispredicted: ranges are of any length.
//! So the first tuples are compared from wherever the range starts, those behind its end masked out, and only a longer
//! range takes a branch. With AVX2 they are four and one register ([`avx2`]); without, two, one after the other.

use std::marker::PhantomData;

use join_core::hash::KeyHash;
use join_core::join::{Sink, SinkRef};
use join_core::key::{Key, Tuple};

#[cfg(target_arch = "x86_64")]
mod avx2;

/// Tuples that stand behind the last one, so that four can be read from any place.
pub(crate) const PADDING: usize = 4;

/// How probes are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// Whether with AVX2, where the machine has it.
    pub(crate) simd: bool,
    /// Whether the probes are the join's build side, and the table is of its probe side.
    pub(crate) swapped: bool,
}

#[cfg(target_arch = "x86_64")]
use avx2::Lanes as LanesSink;
#[cfg(not(target_arch = "x86_64"))]
use join_core::join::Sink as LanesSink;

/// A directory of ENDs and the tuples that it divides.
pub(crate) struct Ranges<'t, K: Key, H> {
    /// Entry s + 1 is the END of slot s; entry 0 is directory[-1].
    ends: &'t [u32],
    tuples: &'t [Tuple<K>],
    skip: u32,
    shift: u32,
    hash: PhantomData<H>,
}

impl<'t, K: Key, H: KeyHash> Ranges<'t, K, H> {
    /// The slots are the `slot_bits` (at least one) bits of a hash below its top `skip`.
    ///
    /// # Panics
    ///
    /// If there are not [`PADDING`] tuples behind the last END, or ENDs decrease, or are not one more than slots.
    pub(crate) fn new(ends: &'t [u32], tuples: &'t [Tuple<K>], skip: u32, slot_bits: u32) -> Self {
        assert_eq!(ends.len(), (1 << slot_bits) + 1, "an END for each slot");
        let last = ends[ends.len() - 1] as usize;
        assert!(last + PADDING <= tuples.len(), "room to read behind");
        debug_assert!(ends.is_sorted());
        Self {
            ends,
            tuples,
            skip,
            shift: 64 - slot_bits,
            hash: PhantomData,
        }
    }

    /// Finds the matches of the probes.
    pub(crate) fn probe(
        &self,
        probes: impl Iterator<Item = Tuple<K>>,
        how: How,
        sink: SinkRef<'_, '_>,
    ) {
        match (sink, how.swapped) {
            (SinkRef::Aggregate(sink), false) => self.probe_with::<false, _>(probes, how, sink),
            (SinkRef::Aggregate(sink), true) => self.probe_with::<true, _>(probes, how, sink),
            (SinkRef::Pairs(sink), false) => self.probe_with::<false, _>(probes, how, sink),
            (SinkRef::Pairs(sink), true) => self.probe_with::<true, _>(probes, how, sink),
        }
    }

    #[inline]
    fn probe_with<const SWAPPED: bool, O: LanesSink>(
        &self,
        probes: impl Iterator<Item = Tuple<K>>,
        how: How,
        sink: &mut O,
    ) {
        #[cfg(target_arch = "x86_64")]
        if how.simd && avx2::available() {
            // SAFETY: it is.
            return unsafe { avx2::probe::<SWAPPED, K, H, O>(self, probes, sink) };
        }
        self.probe_scalar::<SWAPPED, O>(probes, sink);
    }

    /// Start and end of a key's range: `start <= end`, and `PADDING` tuples can be read from `end`.
    #[inline(always)]
    fn range(&self, key: K) -> (usize, usize) {
        let slot = ((H::hash(key) << self.skip) >> self.shift) as usize;
        debug_assert!(slot + 1 < self.ends.len());
        // SAFETY: a hash shifted by 64 − slot_bits is below 2^slot_bits, and there is one entry more.
        unsafe {
            (
                *self.ends.get_unchecked(slot) as usize,
                *self.ends.get_unchecked(slot + 1) as usize,
            )
        }
    }

    fn probe_scalar<const SWAPPED: bool, O: Sink>(
        &self,
        probes: impl Iterator<Item = Tuple<K>>,
        sink: &mut O,
    ) {
        let mut emit = |hit: bool, tuple: &Tuple<K>, probe: &Tuple<K>| {
            let (build, probe) = if SWAPPED {
                (probe, tuple)
            } else {
                (tuple, probe)
            };
            sink.emit_if(hit, build.row_id(), probe.row_id());
        };
        for probe in probes {
            let (start, end) = self.range(probe.key);
            // SAFETY: `PADDING` tuples stand behind every END.
            let (first, second) = unsafe {
                (
                    self.tuples.get_unchecked(start),
                    self.tuples.get_unchecked(start + 1),
                )
            };
            let hit = (start < end) & (first.key == probe.key);
            emit(hit, first, &probe);
            let hit = (start + 1 < end) & (second.key == probe.key);
            emit(hit, second, &probe);
            for place in start + 2..end {
                // SAFETY: below an END.
                let tuple = unsafe { self.tuples.get_unchecked(place) };
                if tuple.key == probe.key {
                    emit(true, tuple, &probe);
                }
            }
        }
    }
}
