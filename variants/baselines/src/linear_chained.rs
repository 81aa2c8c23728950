//! Linear-chained hashing: linear probing over distinct keys, and a chain of all tuples of a key (DuckDB's join table:
//! Groß, ten Wolde, Boncz, CIDR 2025).
//!
//! A slot says where a chain begins, and in its upper 16 bits has the *salt* of the chain's key: the hash bits below
//! those that choose the slot. Tuples of other keys are never in a chain, they go to the following slots. So a search
//! reads slots until one is empty or has its salt, and then all but always compares one key, however many duplicates
//! that key has and however many other keys were in the way.
//!
//! DuckDB collects the build side by radix partition, too, and then inserts with all threads at once by compare-and-swap.
//! Here each partition has its range of slots to itself, as in the other tables of this crate, so that what differs
//! between them is the table.

use std::marker::PhantomData;

use join_core::hash::{Fibonacci, KeyHash};
use join_core::input::KeySource;
use join_core::join::{
    Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, MAX_GROUP, Phases, RowIds,
};
use join_core::key::{Key, Tuple};
use join_core::memory::Buffer;
use join_core::output::Sink;
use join_core::parallel::Tasks;
use join_core::prefetch::prefetch_read;

use crate::collect::Replayable;
use crate::counted::Counted;
use crate::partition::{HashBits, part_bits, partition};

/// Slots per tuple before rounding up to a power of two: DuckDB's load factor.
const SLOTS_PER_TUPLE: usize = 2;

/// log2 of the fewest slots.
const MIN_BITS: u32 = 6;

/// Keys that go through the stages of a search together: several in the cache as well, where a branch on what a slot
/// holds costs more than the stages.
pub(crate) fn group(kernel: Kernel) -> usize {
    match kernel.group() {
        1 => 64,
        group => group,
    }
}

/// The bits of a slot that say where a chain begins: one more than the place of its first tuple. The others are the
/// salt; a slot of 0 is empty.
const PLACE: u64 = (1 << 48) - 1;

/// The home slot of a hash among 2^`bits`: its top bits.
#[inline(always)]
fn home(hash: u64, bits: u32) -> usize {
    (hash >> (64 - bits)) as usize
}

/// The salt of a hash, where a slot has it: the bits below the top `bits`.
#[inline(always)]
fn salt(hash: u64, bits: u32) -> u64 {
    (hash << bits) & !PLACE
}

/// Whether a slot, which is not empty, has this salt.
#[inline(always)]
fn same_salt(slot: u64, salt: u64) -> bool {
    (slot ^ salt) & !PLACE == 0
}

/// The build of a linear-chained table.
pub struct LinearChained<H = Fibonacci> {
    hash: PhantomData<fn() -> H>,
}

impl<H> LinearChained<H> {
    /// A build.
    pub const fn new() -> Self {
        Self { hash: PhantomData }
    }
}

impl Default for LinearChained {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: KeyHash> Build for LinearChained<H> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let table = LinearChains::<K, H>::new(source, context, phases)?;
        Ok(Box::new(table))
    }
}

/// A part of the slots, and of the tuples and chains those that belong to them.
struct Part<'a, K: Key> {
    tuples: &'a [Tuple<K>],
    /// As in the finished table.
    chains: &'a mut [u32],
    slots: &'a mut [u64],
    /// The place of the part's first tuple in the table.
    first: usize,
    /// log2 of the table's slots.
    bits: u32,
}

/// What became of a tuple.
#[derive(PartialEq, Eq)]
enum Inserted {
    /// It is the first of its key.
    First,
    /// It is in front of others of its key.
    Chained,
    /// There was no slot for it up to the last one of the part.
    End,
}

impl<K: Key> Part<'_, K> {
    /// Inserts the part's tuple number `index`, looking from slot `at` on.
    #[inline(always)]
    fn insert<H: KeyHash>(&mut self, index: usize, at: usize) -> Inserted {
        let key = self.tuples[index].key;
        let salt = salt(H::hash(key), self.bits);
        let entry = salt | (self.first + index + 1) as u64;
        for slot in &mut self.slots[at..] {
            if *slot == 0 {
                *slot = entry;
                return Inserted::First;
            }
            if !same_salt(*slot, salt) {
                continue;
            }
            let next = (*slot & PLACE) as usize;
            if self.tuples[next - 1 - self.first].key == key {
                // At most as many tuples as rows, whose number 32 bits hold.
                self.chains[index] = next as u32;
                *slot = entry;
                return Inserted::Chained;
            }
        }
        Inserted::End
    }
}

/// What a search saw in a slot.
struct Seen {
    /// Where the slot's chain begins, by one more than a place; 0 where it is empty.
    place: u32,
    /// Whether there is a chain with the right salt.
    found: bool,
    /// Whether there is one with another salt.
    goes_on: bool,
}

/// A finished table.
pub(crate) struct LinearChains<K: Key, H> {
    slots: Buffer<u64>,
    tuples: Buffer<Tuple<K>>,
    /// For each tuple one more than the place of the next one of its key, 0 for the last; `None` where no key has two.
    chains: Option<Buffer<u32>>,
    /// log2 of the slots.
    bits: u32,
    hash: PhantomData<fn() -> H>,
}

impl<K: Key, H: KeyHash> LinearChains<K, H> {
    /// The table of all keys of a source.
    ///
    /// # Errors
    ///
    /// If memory runs out.
    pub(crate) fn new(
        source: Replayable<'_, K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Self, JoinError> {
        let rows = source.rows();
        let workers = context.team.workers_for(rows);
        let bits = (rows * SLOTS_PER_TUPLE).next_power_of_two().ilog2();
        let bits = bits.max(MIN_BITS);
        let bytes = rows * size_of::<Tuple<K>>() + (size_of::<u64>() << bits);
        let part_bits = part_bits(bytes, workers, context).min(bits);
        let digit = HashBits::<H>::new(0, part_bits);
        let partitions = partition(source.source(), workers, digit, context)?;
        drop(source);
        phases.lap("partition");

        let mut slots = context.memory.zeroed::<u64>(1 << bits)?;
        let mut chains = context.memory.zeroed::<u32>(partitions.len())?;
        phases.lap("allocate");
        let range = 1 << (bits - part_bits);
        let mut chains_left: &mut [_] = &mut chains;
        let mut end = 0;
        let parts = partitions.parts().zip(slots.chunks_mut(range));
        let parts = Tasks::new(parts.map(|(tuples, slots)| {
            let first = end;
            end += tuples.len();
            Part {
                tuples,
                chains: chains_left
                    .split_off_mut(..tuples.len())
                    .expect("one for every tuple"),
                slots,
                first,
                bits,
            }
        }));
        let done = context.team.run(vec![(); workers], |_, ()| {
            let mut unique = true;
            let mut spilled = Counted::new(context.memory)?;
            while let Some((part, mut tuples)) = parts.take() {
                for index in 0..tuples.tuples.len() {
                    let home = home(H::hash(tuples.tuples[index].key), bits) - part * range;
                    match tuples.insert::<H>(index, home) {
                        Inserted::First => {}
                        Inserted::Chained => unique = false,
                        Inserted::End => spilled.push(tuples.first + index)?,
                    }
                }
            }
            Ok((unique, spilled))
        });
        drop(parts);
        let tuples = partitions.into_tuples();
        let mut whole = Part {
            tuples: &tuples,
            chains: &mut chains,
            slots: &mut slots,
            first: 0,
            bits,
        };
        let mut unique = true;
        for worker in done {
            let (of_worker, spilled) = worker.map_err(JoinError::OutOfMemory)?;
            unique &= of_worker;
            for &index in spilled.iter() {
                let home = home(H::hash(tuples[index].key), bits);
                let mut inserted = whole.insert::<H>(index, home);
                if inserted == Inserted::End {
                    // There are more slots than tuples, so nothing runs off the end a second time.
                    inserted = whole.insert::<H>(index, 0);
                }
                unique &= inserted == Inserted::First;
            }
        }
        phases.lap("insert");
        Ok(Self {
            slots,
            tuples,
            chains: (!unique).then_some(chains),
            bits,
            hash: PhantomData,
        })
    }

    /// Whether no key is there twice.
    pub(crate) fn is_unique(&self) -> bool {
        self.chains.is_none()
    }

    /// Emits all tuples of `key`.
    fn find<S: Sink>(&self, hash: u64, key: K, row: u32, sink: &mut S) {
        for away in 0.. {
            let Seen {
                mut place,
                found,
                goes_on,
            } = self.look(hash, away);
            if found && self.tuples[place as usize - 1].key == key {
                while place != 0 {
                    sink.emit(self.tuples[place as usize - 1].row_id(), row);
                    place = self.after(place);
                }
                break;
            }
            if !(found | goes_on) {
                break;
            }
        }
    }

    /// Looks at the slot so far from the home of a hash.
    #[inline(always)]
    fn look(&self, hash: u64, away: usize) -> Seen {
        let slot = self.slots[(home(hash, self.bits) + away) & (self.slots.len() - 1)];
        let same = same_salt(slot, salt(hash, self.bits));
        Seen {
            // A table has fewer than 2^32 tuples.
            place: slot as u32,
            found: (slot != 0) & same,
            goes_on: (slot != 0) & !same,
        }
    }

    /// What follows in a chain.
    #[inline(always)]
    fn after(&self, place: u32) -> u32 {
        match &self.chains {
            Some(chains) => chains[place as usize - 1],
            None => 0,
        }
    }

    /// Asks for a tuple and what follows it.
    #[inline(always)]
    fn prefetch(&self, place: u32) {
        let index = (place as usize).wrapping_sub(1);
        prefetch_read(self.tuples.as_ptr().wrapping_add(index));
        if let Some(chains) = &self.chains {
            prefetch_read(chains.as_ptr().wrapping_add(index));
        }
    }

    /// Emits what is left of several chains.
    #[inline(always)]
    fn walk<S: Sink>(&self, walkers: &mut [(u32, u32)], row: impl Fn(usize) -> u32, sink: &mut S) {
        let mut walking = walkers.len();
        for &(_, place) in &*walkers {
            self.prefetch(place);
        }
        while walking > 0 {
            let mut still = 0;
            for at in 0..walking {
                let (index, place) = walkers[at];
                sink.emit(
                    self.tuples[place as usize - 1].row_id(),
                    row(index as usize),
                );
                let next = self.after(place);
                self.prefetch(next);
                walkers[still] = (index, next);
                still += usize::from(next != 0);
            }
            walking = still;
        }
    }
}

impl<K: Key, H: KeyHash> JoinTable<K> for LinearChains<K, H> {
    /// Group prefetching (Chen et al., ICDE 2004): a group of keys goes from slot to slot together, without a branch on
    /// what a slot holds, then to the first tuples of their chains, and then along these.
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S) {
        let bits = self.bits;
        let mut hashes = [0_u64; MAX_GROUP];
        // Keys that have yet to find their salt, all of them equally far from home.
        let mut seekers = [0_u32; MAX_GROUP];
        // Keys that have found it, and the places that they come to next.
        let mut walkers = [(0_u32, 0_u32); MAX_GROUP];
        let mut first = 0;
        for keys in keys.chunks(group(kernel)) {
            H::hash_block(keys.iter().copied(), &mut hashes);
            for &hash in &hashes[..keys.len()] {
                prefetch_read(&raw const self.slots[home(hash, bits)]);
            }
            let mut walking = 0;
            let mut still = 0;
            for (index, &hash) in hashes[..keys.len()].iter().enumerate() {
                let seen = self.look(hash, 0);
                walkers[walking] = (index as u32, seen.place);
                walking += usize::from(seen.found);
                seekers[still] = index as u32;
                still += usize::from(seen.goes_on);
            }
            for away in 1.. {
                let seeking = std::mem::take(&mut still);
                if seeking == 0 {
                    break;
                }
                for seeker in 0..seeking {
                    let index = seekers[seeker];
                    let seen = self.look(hashes[index as usize], away);
                    walkers[walking] = (index, seen.place);
                    walking += usize::from(seen.found);
                    seekers[still] = index;
                    still += usize::from(seen.goes_on);
                }
            }
            for &(_, place) in &walkers[..walking] {
                self.prefetch(place);
            }
            let mut still = 0;
            for walker in 0..walking {
                let (index, place) = walkers[walker];
                let (key, row) = (keys[index as usize], rows.row(first + index as usize));
                let tuple = &self.tuples[place as usize - 1];
                if tuple.key != key {
                    // One in 2^16 keys that are met on the way has the same salt.
                    self.find(hashes[index as usize], key, row, sink);
                    continue;
                }
                sink.emit(tuple.row_id(), row);
                walkers[still] = (index, self.after(place));
                still += usize::from(walkers[still].1 != 0);
            }
            self.walk(&mut walkers[..still], |index| rows.row(first + index), sink);
            first += keys.len();
        }
    }

    fn tuples(&self) -> usize {
        self.tuples.len()
    }

    fn bytes(&self) -> usize {
        let chains = self.chains.as_ref().map_or(0, Buffer::bytes);
        self.slots.bytes() + self.tuples.bytes() + chains
    }
}
