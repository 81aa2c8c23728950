//! The table of one partition, in a worker's memory that is used for all of them.

use bytemuck::Zeroable;
use join_core::hash::KeyHash;
use join_core::key::{Key, Tuple};
use join_core::memory::{Memory, OnDemand, OutOfMemory};
use join_core::output::Sink;
use join_core::parallel::Tasks;

/// Room for the table of a partition.
pub(super) struct LocalTable<K: Key> {
    slots: OnDemand<Tuple<K>>,
    /// Where each slot's group of tuples ends.
    ends: OnDemand<u32>,
}

/// A partition of the build side and a piece of the probe side's.
pub(super) type Task<'a, K> = (&'a [Tuple<K>], &'a [Tuple<K>]);

impl<K: Key> LocalTable<K> {
    /// Room for partitions of up to `longest` tuples.
    pub(super) fn new(longest: usize, memory: &Memory) -> Result<Self, OutOfMemory> {
        Ok(Self {
            slots: OnDemand::new(memory, slots(longest))?,
            ends: OnDemand::new(memory, longest.next_power_of_two())?,
        })
    }

    /// Takes tasks until none is left. Hashes are used below their top `skip` bits, which a partition shares.
    #[inline(always)]
    pub(super) fn join_all<H: KeyHash, S: Sink>(
        &mut self,
        tasks: &Tasks<Task<'_, K>>,
        skip: u32,
        sink: &mut S,
    ) {
        while let Some((_, (build, probe))) = tasks.take() {
            if !self.linear::<H, S>(build, probe, skip, sink) {
                self.grouped::<H, S>(build, probe, skip, sink);
            }
        }
    }

    /// Joins by linear probing in packed slots; `false`, with nothing emitted, where the build keys are not unique: runs
    /// of equal keys would make insertion quadratic.
    #[inline(always)]
    fn linear<H: KeyHash, S: Sink>(
        &mut self,
        build: &[Tuple<K>],
        probe: &[Tuple<K>],
        skip: u32,
        sink: &mut S,
    ) -> bool {
        // A row field of one more than the row, so that 0 is an empty slot; a column has at most u32::MAX rows.
        let slots = self.slots.first(slots(build.len()));
        let (mask, bits) = (slots.len() - 1, slots.len().ilog2());
        slots.fill(Zeroable::zeroed());
        for tuple in build {
            let mut at = home::<K, H>(tuple.key, skip, bits);
            loop {
                let slot = &mut slots[at & mask];
                if slot.row_id() == 0 {
                    *slot = Tuple::new(tuple.key, tuple.row_id() + 1);
                    break;
                }
                if slot.key == tuple.key {
                    return false;
                }
                at += 1;
            }
        }
        for tuple in probe {
            let mut at = home::<K, H>(tuple.key, skip, bits);
            loop {
                let slot = &slots[at & mask];
                let (end, hit) = (slot.row_id() == 0, slot.key == tuple.key);
                if end | hit {
                    sink.emit_if(!end, slot.row_id().wrapping_sub(1), tuple.row_id());
                    break;
                }
                at += 1;
            }
        }
        true
    }

    /// Joins by grouping the tuples of a slot side by side, which duplicates do not hurt (the histogram join of Kim et
    /// al., VLDB 2009).
    #[inline(always)]
    fn grouped<H: KeyHash, S: Sink>(
        &mut self,
        build: &[Tuple<K>],
        probe: &[Tuple<K>],
        skip: u32,
        sink: &mut S,
    ) {
        let bits = build.len().next_power_of_two().ilog2();
        let ends = self.ends.first(1 << bits);
        let groups = self.slots.first(build.len());
        ends.fill(0);
        for tuple in build {
            ends[home::<K, H>(tuple.key, skip, bits)] += 1;
        }
        let mut end = 0;
        for count in ends.iter_mut() {
            end += *count;
            *count = end;
        }
        // From the last place of a group to its first, so that what was its end becomes its start.
        for tuple in build {
            let place = &mut ends[home::<K, H>(tuple.key, skip, bits)];
            *place -= 1;
            groups[*place as usize] = *tuple;
        }
        let starts = ends;
        for tuple in probe {
            let slot = home::<K, H>(tuple.key, skip, bits);
            let end = starts
                .get(slot + 1)
                .map_or(groups.len(), |&next| next as usize);
            for candidate in &groups[starts[slot] as usize..end] {
                let hit = candidate.key == tuple.key;
                sink.emit_if(hit, candidate.row_id(), tuple.row_id());
            }
        }
    }
}

/// Slots for so many tuples: at most a third full, since each tuple that is not where its key belongs is a branch that is
/// mispredicted.
fn slots(tuples: usize) -> usize {
    (tuples * 3 + 1).next_power_of_two()
}

/// The slot of a key among 2^`bits`.
#[inline(always)]
fn home<K: Key, H: KeyHash>(key: K, skip: u32, bits: u32) -> usize {
    // In two shifts, since no bits at all is a shift by 64.
    ((H::hash(key) << skip) >> 1 >> (63 - bits)) as usize
}
