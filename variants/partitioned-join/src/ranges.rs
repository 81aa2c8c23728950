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

    /// Finds the matches of the probes, with AVX2 if `simd` and the machine has it.
    pub(crate) fn probe(
        &self,
        probes: impl Iterator<Item = Tuple<K>>,
        simd: bool,
        sink: SinkRef<'_, '_>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if simd && avx2::serves::<K>() {
            // SAFETY: it has just said that it does.
            unsafe {
                return match sink {
                    SinkRef::Aggregate(sink) => avx2::probe(self, probes, sink),
                    SinkRef::Pairs(sink) => avx2::probe(self, probes, sink),
                };
            }
        }
        match sink {
            SinkRef::Aggregate(sink) => self.probe_scalar(probes, sink),
            SinkRef::Pairs(sink) => self.probe_scalar(probes, sink),
        }
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

    fn probe_scalar<O: Sink>(&self, probes: impl Iterator<Item = Tuple<K>>, sink: &mut O) {
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
            sink.emit_if(hit, first.row_id(), probe.row_id());
            let hit = (start + 1 < end) & (second.key == probe.key);
            sink.emit_if(hit, second.row_id(), probe.row_id());
            for place in start + 2..end {
                // SAFETY: below an END.
                let tuple = unsafe { self.tuples.get_unchecked(place) };
                if tuple.key == probe.key {
                    sink.emit(tuple.row_id(), probe.row_id());
                }
            }
        }
    }
}
