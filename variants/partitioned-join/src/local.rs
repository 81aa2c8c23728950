//! The unchained table of one partition, in a worker's memory that is used again for every partition and so stays in the
//! cache; or, where nothing is partitioned, of the whole build side.

use std::marker::PhantomData;

use join_core::key::{Key, Tuple};
use join_core::memory::{Memory, OnDemand, OutOfMemory};
use join_core::output::SinkRef;
use join_core::unchained::Scheme;

use crate::entries::Entries;
use crate::ranges::{How, PADDING, Ranges, Slots};

/// An unchained table whose directory entry is the END of its slot alone: inside the cache a tag spares too little to pay
/// for its place.
pub(crate) struct LocalTable<K: Key, S> {
    /// Entry s + 1 is the END of slot s; entry 0 is directory[-1].
    ends: OnDemand<u32>,
    tuples: OnDemand<Tuple<K>>,
    /// As [`Ranges::probe`] wants it.
    seen: Option<OnDemand<u8>>,
    part_bits: u32,
    slots_per_tuple: f64,
    /// Those in use.
    slots: Slots,
    scheme: PhantomData<S>,
}

impl<K: Key, S: Scheme> LocalTable<K, S> {
    /// Room for partitions of up to `largest` tuples, whose hashes share their top `part_bits` bits.
    pub(crate) fn new(
        largest: usize,
        part_bits: u32,
        slots_per_tuple: f64,
        memory: &Memory,
    ) -> Result<Self, OutOfMemory> {
        let slots = 1_usize << slot_bits(largest, slots_per_tuple);
        Ok(Self {
            ends: OnDemand::new(memory, slots + 1)?,
            tuples: OnDemand::new(memory, largest + PADDING)?,
            seen: None,
            part_bits,
            slots_per_tuple,
            slots: Slots::new(part_bits, 1),
            scheme: PhantomData,
        })
    }

    /// The same with a byte a tuple, for probes that are to find tuples alone.
    pub(crate) fn with_seen(self, memory: &Memory) -> Result<Self, OutOfMemory> {
        let tuples = self.tuples.bytes() / size_of::<Tuple<K>>();
        let seen = Some(OnDemand::new(memory, tuples)?);
        Ok(Self { seen, ..self })
    }

    /// Size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.ends.bytes() + self.tuples.bytes()
    }

    /// Makes this the table of these entries, of which there are at most as many as there is room for.
    pub(crate) fn build(&mut self, entries: &impl Entries<K>) {
        let at_most = entries.at_most();
        let slot_bits = slot_bits(at_most, self.slots_per_tuple);
        self.slots = Slots::new(self.part_bits, slot_bits);
        let slots = self.slots;
        let ends = self.ends.first(slots.len() + 1);
        ends.fill(0);
        // Counts stand one entry further than ENDs, so that their sums are the starts from which copying advances.
        let counts = &mut ends[1..];
        assert_eq!(counts.len(), slots.len());
        // SAFETY: a hash's slot is below their number.
        entries.for_each::<S::Hash>(|hash, _| unsafe {
            *counts.get_unchecked_mut(slots.of(hash)) += 1;
        });
        let mut start = 0;
        for entry in counts.iter_mut() {
            start += std::mem::replace(entry, start);
        }
        let tuples = self.tuples.first(at_most + PADDING);
        entries.for_each::<S::Hash>(|hash, tuple| {
            // SAFETY: a hash's slot is below their number.
            let place = unsafe { counts.get_unchecked_mut(slots.of(hash)) };
            tuples[*place as usize] = tuple;
            *place += 1;
        });
        // See `Ranges::is_fenced`.
        let first = tuples[0];
        tuples[start as usize..][..PADDING].fill(first);
    }

    /// How many tuples a key has on average, as far as the number of slots in use tells; not with fewer than one slot per
    /// two keys.
    pub(crate) fn tuples_per_key(&self) -> f64 {
        let ends = &self.ends[..=self.slots.len()];
        let slots = self.slots.len() as f64;
        let used = ends.windows(2).filter(|ends| ends[0] < ends[1]).count() as f64;
        // So many slots are missed by as many keys as this, if each is as likely as another.
        let keys = -slots * (-used / slots).ln_1p();
        f64::from(ends[self.slots.len()]) / keys
    }

    /// The table as probes see it.
    pub(crate) fn ranges(&self) -> Ranges<'_, K, S::Hash> {
        Ranges::new(&self.ends[..=self.slots.len()], &self.tuples, self.slots)
    }

    /// As [`Ranges::probe`].
    pub(crate) fn probe(&mut self, probes: &[&[Tuple<K>]], how: How, sink: SinkRef<'_, '_>) {
        let ranges =
            Ranges::<K, S::Hash>::new(&self.ends[..=self.slots.len()], &self.tuples, self.slots);
        ranges.probe(probes, how, self.seen.as_mut(), sink);
    }
}

/// log2 of the slots for `tuples` tuples, to the nearest power of two; at least one, so that no shift is by 64.
fn slot_bits(tuples: usize, slots_per_tuple: f64) -> u32 {
    (tuples as f64 * slots_per_tuple).log2().round().max(1.0) as u32
}

#[cfg(test)]
mod tests {
    use join_core::input::KeyColumn;
    use join_core::table::Column;
    use join_core::unchained::DefaultScheme;

    use super::*;

    fn tuples_per_key(keys: &[i32], slots_per_tuple: f64) -> f64 {
        let column = Column::from_i32(keys);
        let keys = KeyColumn::new(&column).expect("an INT32 column");
        let memory = Memory::unlimited();
        let table = LocalTable::<i32, DefaultScheme>::new(keys.len(), 0, slots_per_tuple, &memory);
        let mut table = table.expect("unlimited");
        table.build(&keys);
        table.tuples_per_key()
    }

    #[test]
    fn slots_in_use_tell_how_many_tuples_a_key_has() {
        for (per_key, slots) in [(1, 0.5), (1, 2.0), (3, 1.0), (8, 0.5), (100, 0.5)] {
            // Numbers in a row would be spread more evenly than at random.
            let keys: Vec<i32> = (0..20_000)
                .map(|row: i32| (row / per_key + 1).pow(2))
                .collect();
            let found = tuples_per_key(&keys, slots) / f64::from(per_key);
            assert!((0.7..1.4).contains(&found), "{found} times {per_key}");
        }
        assert!(tuples_per_key(&[], 1.0).is_nan());
    }
}
