//! A worker's table of one partition: memory that is used again for every partition and so stays in L2.

use std::marker::PhantomData;

use join_core::hash::KeyHash;
use join_core::join::{Sink, SinkRef};
use join_core::key::{Key, Tuple};
use join_core::memory::{Buffer, Memory, OutOfMemory};
use join_core::partition::Segments;
use join_core::unchained::Scheme;

/// Tuples behind the last one, so that a probe may read two tuples from any place.
const PADDING: usize = 2;

/// An unchained table of one partition. A directory entry is the END of its slot alone: half a cache line holds eight, and
/// inside L2 a tag spares too little to pay for its place.
pub(crate) struct LocalTable<K: Key, S> {
    /// Entry s + 1 is the END of slot s; entry 0 is directory[-1].
    ends: Buffer<u32>,
    tuples: Buffer<Tuple<K>>,
    len: usize,
    part_bits: u32,
    slots_per_tuple: f64,
    /// log2 of the slots in use.
    slot_bits: u32,
    scheme: PhantomData<S>,
}

impl<K: Key, S: Scheme> LocalTable<K, S> {
    /// Room for partitions of up to `largest` tuples.
    pub(crate) fn new(
        largest: usize,
        part_bits: u32,
        slots_per_tuple: f64,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        let slots = 1_usize << slot_bits(largest, slots_per_tuple);
        Ok(Self {
            ends: memory.zeroed(slots + 1)?,
            tuples: memory.zeroed(largest + PADDING)?,
            len: 0,
            part_bits,
            slots_per_tuple,
            slot_bits: 0,
            scheme: PhantomData,
        })
    }

    /// Size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.ends.bytes() + self.tuples.bytes()
    }

    /// The slot of a hash: the bits below the partition's.
    #[inline(always)]
    fn slot(hash: u64, part_bits: u32, slot_bits: u32) -> usize {
        ((hash << part_bits) >> (64 - slot_bits)) as usize
    }

    /// Makes this the table of partition `part`.
    pub(crate) fn build(&mut self, builds: &Segments<'_, Tuple<K>>, part: usize) {
        self.len = builds.len(part);
        self.slot_bits = slot_bits(self.len, self.slots_per_tuple);
        let (part_bits, slot_bits) = (self.part_bits, self.slot_bits);
        let slot = |tuple: &Tuple<K>| Self::slot(S::Hash::hash(tuple.key), part_bits, slot_bits);
        let ends = &mut self.ends[..(1 << slot_bits) + 1];
        ends.fill(0);
        // Counts stand one entry further than ENDs, so that their sums are the starts from which copying advances.
        let counts = &mut ends[1..];
        builds.for_each(part, |tuple| counts[slot(tuple)] += 1);
        let mut start = 0;
        for entry in counts.iter_mut() {
            start += std::mem::replace(entry, start);
        }
        let tuples = &mut self.tuples[..self.len + PADDING];
        builds.for_each(part, |tuple| {
            let place = &mut counts[slot(tuple)];
            tuples[*place as usize] = *tuple;
            *place += 1;
        });
    }

    /// Finds the matches of the probe entries.
    pub(crate) fn probe(&self, probes: &[&[Tuple<K>]], sink: SinkRef<'_, '_>) {
        match sink {
            SinkRef::Aggregate(sink) => self.probe_all(probes, sink),
            SinkRef::Pairs(sink) => self.probe_all(probes, sink),
        }
    }

    fn probe_all<O: Sink>(&self, probes: &[&[Tuple<K>]], sink: &mut O) {
        let (part_bits, slot_bits) = (self.part_bits, self.slot_bits);
        let ends = &self.ends[..(1 << slot_bits) + 1];
        let tuples = &self.tuples[..self.len + PADDING];
        for probe in probes.iter().copied().flatten() {
            let slot = Self::slot(S::Hash::hash(probe.key), part_bits, slot_bits);
            // SAFETY: a hash shifted by 64 − slot_bits is below 2^slot_bits, and there is one entry more.
            let (start, end) = unsafe {
                (
                    *ends.get_unchecked(slot) as usize,
                    *ends.get_unchecked(slot + 1) as usize,
                )
            };
            debug_assert!(start <= end && end <= self.len);
            // SAFETY: ENDs are at most `len`, and two more tuples stand behind it.
            let (first, second) =
                unsafe { (tuples.get_unchecked(start), tuples.get_unchecked(start + 1)) };
            sink.emit_if(
                (start < end) & (first.key == probe.key),
                first.row_id(),
                probe.row_id(),
            );
            sink.emit_if(
                (start + 1 < end) & (second.key == probe.key),
                second.row_id(),
                probe.row_id(),
            );
            for place in start + 2..end {
                // SAFETY: below an END.
                let tuple = unsafe { tuples.get_unchecked(place) };
                if tuple.key == probe.key {
                    sink.emit(tuple.row_id(), probe.row_id());
                }
            }
        }
    }
}

/// log2 of the slots for `tuples` tuples; at least one, so that no shift is by 64.
fn slot_bits(tuples: usize, slots_per_tuple: f64) -> u32 {
    let wanted = (tuples as f64 * slots_per_tuple).ceil().max(2.0) as usize;
    wanted.next_power_of_two().ilog2()
}
