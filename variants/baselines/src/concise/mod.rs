//! A concise hash table: a dense array of tuples under a sparse bitmap (Barber et al., VLDB 2014).
//!
//! A key's home is one of at least eight bits per tuple. A bit that is set stands for a tuple, and the number of bits
//! set before it is the tuple's place in an array without gaps: linear probing in a table that is nearly empty, at the
//! memory of one that is full. 32 bits and the number of those set before them are one [`Group`], so that a lookup
//! reads one word of the bitmap. A tuple whose bit is taken gets the following one; where that is taken as well it goes
//! to an overflow table, which a lookup needs only where both bits are set.
//!
//! The build side is partitioned by the groups' ranges, so that each range is written by one thread, in two passes: the
//! first sets bits, which tells where each range begins in the array, the second repeats the first and writes tuples.

mod ranks;

use std::marker::PhantomData;

use bytemuck::Zeroable;
use join_core::hash::{Fibonacci, KeyHash};
use join_core::input::KeySource;
use join_core::join::{
    Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, MAX_GROUP, Phases, RowIds,
};
use join_core::key::{Key, Tuple};
use join_core::memory::{Buffer, OnDemand};
use join_core::output::Sink;
use join_core::parallel::Tasks;
use join_core::prefetch::prefetch_read;

use crate::collect::{Collected, Replayable};
use crate::counted::Counted;
use crate::linear_chained::{LinearChains, group};
use crate::partition::{HashBits, part_bits, partition};
use ranks::{Group, Rank, look_up};

/// Bits of the bitmap per tuple, before rounding up to a power of two.
const BITS_PER_TUPLE: usize = 8;

/// The build of a concise hash table.
pub struct Concise<H = Fibonacci> {
    hash: PhantomData<fn() -> H>,
}

impl<H> Concise<H> {
    /// A build.
    pub const fn new() -> Self {
        Self { hash: PhantomData }
    }
}

impl Default for Concise {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a hash belongs in a bitmap of 2^`bits` bits: its group and the bit there.
#[inline(always)]
fn home(hash: u64, bits: u32) -> (usize, u32) {
    let bit = hash >> (64 - bits);
    ((bit / 32) as usize, bit as u32 % 32)
}

/// Tuples whose bits were taken, as lists of keys and rows.
struct Overflowing<K> {
    keys: Counted<K>,
    rows: Counted<u32>,
}

impl<K: Key> Overflowing<K> {
    fn new(context: &Context<'_>) -> Result<Self, JoinError> {
        Ok(Self {
            keys: Counted::new(context.memory)?,
            rows: Counted::new(context.memory)?,
        })
    }

    fn push(&mut self, tuple: &Tuple<K>) -> Result<(), JoinError> {
        self.keys.push(tuple.key)?;
        self.rows.push(tuple.row_id())?;
        Ok(())
    }
}

/// What a worker is to write of the array, and by which part of the bitmap.
struct Part<'a, K: Key> {
    tuples: &'a [Tuple<K>],
    groups: &'a mut [Group],
    array: &'a mut [Tuple<K>],
    /// The place of the part's first tuple in the array.
    first: usize,
}

impl<K: Key> Part<'_, K> {
    /// Writes the tuples to the places of their bits. `taken` are as many empty groups; `home` gives a key's group
    /// in the part, and its bit. Returns whether no key was met twice.
    #[inline(always)]
    fn write(
        self,
        taken: &mut [Group],
        home: impl Fn(K) -> (usize, u32),
        overflowing: &mut Overflowing<K>,
    ) -> Result<bool, JoinError> {
        let mut before = self.first;
        for group in &mut *self.groups {
            before = group.rank_from(before);
        }
        let mut unique = true;
        for tuple in self.tuples {
            let (group, bit) = home(tuple.key);
            let places = self.groups[group].places(bit);
            let places = places.map(|place| place as usize - self.first);
            let [first, second] = places;
            match taken[group].take(bit) {
                Some(0) => self.array[first] = *tuple,
                Some(_) => {
                    unique &= self.array[first].key != tuple.key;
                    self.array[second] = *tuple;
                }
                None => {
                    unique &= places
                        .iter()
                        .all(|&place| self.array[place].key != tuple.key);
                    overflowing.push(tuple)?;
                }
            }
        }
        Ok(unique)
    }
}

impl<H: KeyHash> Build for Concise<H> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let rows = source.rows();
        let workers = context.team.workers_for(rows);
        let bits = (rows * BITS_PER_TUPLE).next_power_of_two().ilog2();
        let bits = bits.max(Group::BITS);
        let group_bits = bits - Group::BITS;
        let bytes = rows * size_of::<Tuple<K>>() + (size_of::<Group>() << group_bits);
        let part_bits = part_bits(bytes, workers, context).min(group_bits);
        let digit = HashBits::<H>::new(0, part_bits);
        let partitions = partition(source.source(), workers, digit, context)?;
        drop(source);
        phases.lap("partition");

        let mut groups = context.memory.zeroed::<Group>(1 << group_bits)?;
        let range = 1 << (group_bits - part_bits);
        let home_in = |part: usize| {
            move |key: K| {
                let (group, bit) = home(H::hash(key), bits);
                (group - part * range, bit)
            }
        };
        let tasks = Tasks::new(partitions.parts().zip(groups.chunks_mut(range)));
        let lens = context.team.run(vec![(); workers], |_, ()| {
            let mut lens = Vec::new();
            while let Some((part, (tuples, groups))) = tasks.take() {
                let home = home_in(part);
                for tuple in tuples {
                    let (group, bit) = home(tuple.key);
                    groups[group].take(bit);
                }
                lens.push((part, groups.iter().map(Group::len).sum::<usize>()));
            }
            lens
        });
        drop(tasks);
        let mut lens: Vec<_> = lens.into_iter().flatten().collect();
        lens.sort_unstable();
        phases.lap("set bits");

        let in_array = lens.iter().map(|&(_, len)| len).sum();
        let mut array = context.memory.zeroed::<Tuple<K>>(in_array)?;
        let mut left: &mut [_] = &mut array;
        let mut end = 0;
        let parts = partitions.parts().zip(groups.chunks_mut(range)).zip(lens);
        let parts = Tasks::new(parts.map(|((tuples, groups), (_, len))| {
            let first = end;
            end += len;
            Part {
                tuples,
                groups,
                array: left.split_off_mut(..len).expect("the lengths add up"),
                first,
            }
        }));
        let done = context.team.run(vec![(); workers], |_, ()| {
            let mut taken = OnDemand::new(context.memory, range)?;
            let mut overflowing = Overflowing::new(context)?;
            let mut unique = true;
            while let Some((part, task)) = parts.take() {
                let taken = taken.first(range);
                taken.fill(Group::zeroed());
                unique &= task.write(taken, home_in(part), &mut overflowing)?;
            }
            Ok((unique, overflowing))
        });
        drop(parts);
        let tuples = partitions.len();
        drop(partitions);
        let done = done.into_iter().collect::<Result<Vec<_>, JoinError>>()?;
        phases.lap("write tuples");

        let unique = done.iter().all(|(unique, _)| *unique);
        let lists = done.into_iter().map(|(_, list)| (list.keys, list.rows));
        let source = Replayable::Copied(Collected::of(lists.collect()));
        let overflow = LinearChains::new(source, context, &mut Phases::start())?;
        phases.lap("overflow");
        Ok(Box::new(Table::<K, H> {
            groups,
            array,
            unique: unique && overflow.is_unique(),
            overflow,
            bits,
            tuples,
        }))
    }
}

/// A finished table.
struct Table<K: Key, H> {
    groups: Buffer<Group>,
    array: Buffer<Tuple<K>>,
    overflow: LinearChains<K, H>,
    /// Whether no key is there twice.
    unique: bool,
    /// log2 of the bits in the bitmap.
    bits: u32,
    tuples: usize,
}

impl<K: Key, H: KeyHash> Table<K, H> {
    /// Emits the matches of a key in the array, and returns whether there may be more of them in the overflow table.
    #[inline(always)]
    fn find<S: Sink>(&self, rank: Rank, key: K, row: u32, sink: &mut S) -> bool {
        let tuple = &self.array[rank.first as usize];
        let hit = tuple.key == key;
        sink.emit_if(hit, tuple.row_id(), row);
        // One branch: whether there is a second tuple is hard to predict, whether it is needed is not.
        if (hit & self.unique) | !rank.has_second() {
            return false;
        }
        let tuple = &self.array[rank.second as usize];
        let hit = tuple.key == key;
        sink.emit_if(hit, tuple.row_id(), row);
        !(hit && self.unique)
    }
}

impl<K: Key, H: KeyHash> JoinTable<K> for Table<K, H> {
    /// Group prefetching (Chen et al., ICDE 2004): the bitmap, the array, and the overflow table, which has stages of
    /// its own.
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S) {
        let mut hashes = [0_u64; MAX_GROUP];
        // Keys whose bit is set, and where.
        let mut set = [0_u32; MAX_GROUP];
        let mut bits = [(Group::zeroed(), 0_u32); MAX_GROUP];
        let mut ranks = [Rank::default(); MAX_GROUP];
        // Keys of which the overflow table may have tuples, and their rows.
        let mut overflow_keys = [K::zeroed(); MAX_GROUP];
        let mut overflow_rows = [0_u32; MAX_GROUP];
        let mut over = 0;
        let mut first = 0;
        for keys in keys.chunks(group(kernel)) {
            H::hash_block(keys.iter().copied(), &mut hashes);
            let hashes = &hashes[..keys.len()];
            for &hash in hashes {
                prefetch_read(&raw const self.groups[home(hash, self.bits).0]);
            }
            let mut found = 0;
            for (index, &hash) in hashes.iter().enumerate() {
                let (group, bit) = home(hash, self.bits);
                let group = self.groups[group];
                set[found] = index as u32;
                bits[found] = (group, bit);
                found += usize::from(group.has(bit));
            }
            look_up(&bits[..found], &mut ranks);
            for rank in &ranks[..found] {
                prefetch_read(&raw const self.array[rank.first as usize]);
            }
            if over + found > MAX_GROUP {
                let (keys, rows) = (&overflow_keys[..over], &overflow_rows[..over]);
                self.overflow.probe_keys(keys, rows, kernel, sink);
                over = 0;
            }
            for (&index, &rank) in set[..found].iter().zip(&ranks) {
                let (key, row) = (keys[index as usize], rows.row(first + index as usize));
                overflow_keys[over] = key;
                overflow_rows[over] = row;
                over += usize::from(self.find(rank, key, row, sink));
            }
            first += keys.len();
        }
        let (keys, rows) = (&overflow_keys[..over], &overflow_rows[..over]);
        self.overflow.probe_keys(keys, rows, kernel, sink);
    }

    fn tuples(&self) -> usize {
        self.tuples
    }

    fn bytes(&self) -> usize {
        self.groups.bytes() + self.array.bytes() + JoinTable::bytes(&self.overflow)
    }
}
