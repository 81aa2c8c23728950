//! A multimap on hashbrown, the hash table that Rust programs use where speed matters (SIMD probing of control bytes,
//! after Google's SwissTable).

use std::marker::PhantomData;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use join_core::hash::{KeyHash, Murmur};
use join_core::input::KeySource;
use join_core::join::{Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, Phases, RowIds};
use join_core::key::Key;
use join_core::memory::{OutOfMemory, Reservation};
use join_core::output::Sink;
use join_core::parallel::Tasks;

use crate::collect::Replayable;
use crate::multimap::{Gathered, Links, Rows, map_buckets, map_bytes};
use crate::partition::{Digit, HashBits, partition};

/// Hash bits that no shard is chosen by: hashbrown keeps the top seven in its control bytes.
const SKIP: u32 = 8;

/// log2 of the most ranges of buckets.
const MAX_FAN_OUT: u32 = 10;

/// log2 of the most shards.
const MAX_SHARDS: u32 = 8;

/// Smallest map whose insertions are put in order, in caches of L2's size.
const ORDERED_FROM: usize = 4;

/// A multimap on hashbrown: a map per thread, of which a probe picks one by hash bits. The tuples of a large build side are
/// partitioned first and inserted in the order of their buckets, so that insertion stays in the cache.
pub struct Hashbrown<H = Murmur> {
    hash: PhantomData<fn() -> H>,
}

impl<H> Hashbrown<H> {
    /// A build.
    pub const fn new() -> Self {
        Self { hash: PhantomData }
    }
}

impl Default for Hashbrown {
    fn default() -> Self {
        Self::new()
    }
}

/// The shard of a key, and within it the range of buckets that it comes to lie in.
struct BucketRange<H> {
    shards: HashBits<H>,
    buckets: HashBits<H>,
}

impl<H> Clone for BucketRange<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for BucketRange<H> {}

impl<K: Key, H: KeyHash> Digit<K> for BucketRange<H> {
    fn parts(self) -> usize {
        Digit::<K>::parts(self.shards) * Digit::<K>::parts(self.buckets)
    }

    #[inline(always)]
    fn part(self, key: K) -> usize {
        self.shards.part(key) * Digit::<K>::parts(self.buckets) + self.buckets.part(key)
    }
}

/// A map that is being built.
struct Growing<K> {
    map: HashTable<(K, Rows)>,
    links: Links,
    reservation: Reservation,
}

impl<K: Key> Growing<K> {
    /// A map with room for `capacity` keys.
    fn new(capacity: usize, context: &Context<'_>) -> Result<Self, OutOfMemory> {
        let bytes = map_bytes(capacity, size_of::<(K, Rows)>());
        let reservation = context.memory.reserve(bytes)?;
        let mut map = HashTable::new();
        map.try_reserve(capacity, |_| 0)
            .map_err(|_| context.memory.refused(bytes))?;
        Ok(Self {
            map,
            links: Links::new(context.memory)?,
            reservation,
        })
    }

    #[inline(always)]
    fn insert<H: KeyHash>(&mut self, key: K, row: u32) -> Result<(), OutOfMemory> {
        let hash = H::hash(key);
        match self
            .map
            .entry(hash, |entry| entry.0 == key, |entry| H::hash(entry.0))
        {
            Entry::Vacant(entry) => {
                entry.insert((key, Rows::one(row)));
                Ok(())
            }
            Entry::Occupied(mut entry) => self.links.add(&mut entry.get_mut().1, row),
        }
    }

    fn finish(mut self, context: &Context<'_>) -> Result<Shard<K>, OutOfMemory> {
        let all = self.map.iter_mut().map(|entry| &mut entry.1);
        Ok(Shard {
            rest: self.links.gather(all, context.memory)?,
            map: self.map,
            _reservation: self.reservation,
        })
    }
}

/// A finished map.
struct Shard<K> {
    map: HashTable<(K, Rows)>,
    rest: Gathered,
    _reservation: Reservation,
}

struct Table<K, H> {
    shards: Vec<Shard<K>>,
    digit: HashBits<H>,
    tuples: usize,
}

impl<H: KeyHash> Build for Hashbrown<H> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let rows = source.rows();
        let bytes = map_bytes(rows, size_of::<(K, Rows)>());
        if bytes < ORDERED_FROM * context.caches.l2 {
            let mut shard = Growing::new(rows, context)?;
            let mut tuples = 0;
            let mut cursor = source.source().whole();
            while let Some(block) = cursor.next_block() {
                tuples += block.keys.len();
                let mut full = Ok(());
                block.for_each(|key, row| {
                    if let Err(error) = shard.insert::<H>(key, row) {
                        full = Err(error);
                    }
                });
                full?;
            }
            phases.lap("insert");
            return Ok(Box::new(Table {
                shards: vec![shard.finish(context)?],
                digit: HashBits::<H>::new(SKIP, 0),
                tuples,
            }));
        }
        let workers = context.team.workers_for(rows);
        let shard_bits = workers.next_power_of_two().ilog2().min(MAX_SHARDS);
        let shards = HashBits::<H>::new(SKIP, shard_bits);
        // The bucket is the hash's low bits; the highest of them put insertions in order.
        let bucket_bits = map_buckets(rows >> shard_bits).ilog2();
        let range_bits = bytes
            .div_ceil(context.caches.l2 / 2)
            .next_power_of_two()
            .ilog2();
        let range_bits = range_bits
            .saturating_sub(shard_bits)
            .min(MAX_FAN_OUT)
            .min(bucket_bits);
        let digit = BucketRange {
            shards,
            buckets: HashBits::<H>::new(64 - bucket_bits, range_bits),
        };
        let partitions = partition(source.source(), workers, digit, context)?;
        drop(source);
        phases.lap("partition");
        let parts: Vec<_> = partitions.parts().collect();
        let tasks = Tasks::new(parts.chunks(1 << range_bits));
        let shards = context.team.run(vec![(); workers], |_, ()| {
            let mut shards = Vec::new();
            while let Some((index, parts)) = tasks.take() {
                let mut shard = Growing::new(parts.iter().map(|part| part.len()).sum(), context)?;
                for tuple in parts.iter().copied().flatten() {
                    shard.insert::<H>(tuple.key, tuple.row_id())?;
                }
                shards.push((index, shard.finish(context)?));
            }
            Ok(shards)
        });
        let shards = shards
            .into_iter()
            .collect::<Result<Vec<_>, OutOfMemory>>()?;
        let mut shards: Vec<_> = shards.into_iter().flatten().collect();
        shards.sort_unstable_by_key(|&(index, _)| index);
        drop(tasks);
        phases.lap("insert");
        Ok(Box::new(Table {
            shards: shards.into_iter().map(|(_, shard)| shard).collect(),
            digit: digit.shards,
            tuples: partitions.len(),
        }))
    }
}

impl<K: Key, H: KeyHash> JoinTable<K> for Table<K, H> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let shard = &self.shards[self.digit.part(key)];
            if let Some(&(_, found)) = shard.map.find(H::hash(key), |entry| entry.0 == key) {
                shard.rest.emit(found, rows.row(index), sink);
            }
        }
    }

    fn tuples(&self) -> usize {
        self.tuples
    }

    fn bytes(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| size_of::<Shard<K>>() + shard.map.allocation_size() + shard.rest.bytes())
            .sum()
    }
}
