//! A multimap on hashbrown, the hash table that Rust programs use where speed matters (SIMD probing of control bytes,
//! after Google's SwissTable).

use std::marker::PhantomData;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use join_core::hash::{KeyHash, Murmur};
use join_core::input::KeySource;
use join_core::join::{
    Build, Context, JoinError, JoinTable, Kernel, Phases, ProbeTable, RowIds, Sink,
};
use join_core::key::Key;
use join_core::memory::{OutOfMemory, Reservation};
use join_core::parallel::Tasks;

use crate::collect::Replayable;
use crate::multimap::{Links, Rows, map_bytes};
use crate::partition::{Digit, HashBits, partition};

/// A hash whose top seven bits hashbrown keeps in its control bytes and whose low bits are the bucket; the bits in
/// between choose the shard.
const SKIP: u32 = 8;

/// log2 of the most shards.
const MAX_SHARDS: u32 = 12;

/// A multimap on hashbrown. A large build side becomes many maps, each of a partition by hash bits, so that each is
/// built in the cache by one thread; a probe picks the map first.
pub struct Hashbrown<H = Murmur> {
    /// Whether a large build side becomes many maps; one map is built by one thread.
    pub sharded: bool,
    hash: PhantomData<fn() -> H>,
}

impl<H> Hashbrown<H> {
    /// One map, or many where the build side is large.
    pub fn new(sharded: bool) -> Self {
        Self {
            sharded,
            hash: PhantomData,
        }
    }
}

impl Default for Hashbrown {
    fn default() -> Self {
        Self::new(true)
    }
}

struct Shard<K> {
    map: HashTable<(K, Rows)>,
    links: Links,
    _reservation: Reservation,
}

impl<K: Key> Shard<K> {
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
            _reservation: reservation,
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
    ) -> Result<Box<dyn JoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let all = map_bytes(source.rows(), size_of::<(K, Rows)>());
        let shards = if self.sharded {
            all.div_ceil(context.caches.l2 / 2)
        } else {
            1
        };
        let bits = shards.max(1).next_power_of_two().ilog2().min(MAX_SHARDS);
        let digit = HashBits::<H>::new(SKIP, bits);
        if bits == 0 {
            let mut shard = Shard::new(source.rows(), context)?;
            let mut tuples = 0;
            for mut cursor in source
                .source()
                .cursors(1, Default::default(), Default::default())
            {
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
            }
            phases.lap("insert");
            return Ok(Box::new(Table {
                shards: vec![shard],
                digit,
                tuples,
            }));
        }
        let workers = context.team.workers_for(source.rows());
        let partitions = partition(source.source(), workers, digit, context)?;
        phases.lap("partition");
        let mut shards: Vec<Option<Shard<K>>> = Vec::new();
        shards.resize_with(1 << bits, || None);
        let tasks = Tasks::new(partitions.parts().zip(&mut shards));
        let done = context.team.run(vec![(); workers], |_, ()| {
            while let Some((_, (tuples, shard))) = tasks.take() {
                let shard = shard.insert(Shard::new(tuples.len(), context)?);
                for tuple in tuples {
                    shard.insert::<H>(tuple.key, tuple.row_id())?;
                }
            }
            Ok(())
        });
        drop(tasks);
        done.into_iter().collect::<Result<(), OutOfMemory>>()?;
        phases.lap("insert");
        Ok(Box::new(Table {
            shards: shards.into_iter().flatten().collect(),
            digit,
            tuples: partitions.len(),
        }))
    }
}

impl<K: Key, H: KeyHash> ProbeTable<K> for Table<K, H> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let shard = &self.shards[self.digit.part(key)];
            if let Some(&(_, found)) = shard.map.find(H::hash(key), |entry| entry.0 == key) {
                shard.links.emit(found, rows.row(index), sink);
            }
        }
    }

    fn tuples(&self) -> usize {
        self.tuples
    }

    fn bytes(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| size_of::<Shard<K>>() + shard.map.allocation_size() + shard.links.bytes())
            .sum()
    }
}
