//! Open addressing: one array of slots, a tuple each, collisions in the following slots.
//!
//! A slot holds the key and one more than the row, so that a row field of 0 is an empty slot and no key is reserved.
//! The home of a key is a [*cell*](private::Placement::Cell): a slot, or a bucket of slots that are searched together.
//! Every tuple has a slot of its own, duplicates of a key too; but only [`MAX_COPIES`] of them, since a run of equal keys
//! makes every insertion of that key walk along it. The others go to a sorted list ([`overflow`]), which a probe looks
//! into when it has met that many copies.

mod buckets;
mod linear;
mod overflow;
mod robin_hood;

pub use buckets::Buckets;
pub use linear::Linear;
pub use robin_hood::Richest;

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
use overflow::Overflow;

/// Slots from which on further tuples of a key take none.
const MAX_COPIES: u32 = 16;

/// log2 of the fewest cells of a table.
const MIN_BITS: u32 = 6;

/// Linear probing (Knuth, vol. 3, 6.4).
pub type LinearProbing<H = Fibonacci> = OpenAddressing<Linear, H>;

/// Robin Hood hashing (Celis, Larson, Munro, FOCS 1985).
pub type RobinHood<H = Fibonacci> = OpenAddressing<Richest, H>;

/// Bucket-based comparison (Böther, Benson, Klimovic, Rabl, VLDB 2023).
pub type BucketComparison<H = Fibonacci> = OpenAddressing<Buckets, H>;

/// An entry for a slot, or the error for a row id that has no successor.
#[inline(always)]
fn entry<K: Key>(key: K, row: u32) -> Result<Tuple<K>, JoinError> {
    let stored = row.checked_add(1).ok_or(JoinError::TooManyRows)?;
    Ok(Tuple::new(key, stored))
}

/// Whether nothing is in a slot.
#[inline(always)]
fn is_empty<K: Key>(slot: &Tuple<K>) -> bool {
    slot.row_id() == 0
}

/// Asks for the slots that a search from `home` on reads.
#[inline(always)]
fn prefetch_slots<K: Key>(slots: &[Tuple<K>], home: usize) {
    // A search goes on for a slot or two: one in four begins so near the end of its line that it needs the next.
    prefetch_read(slots.as_ptr().wrapping_add(home));
    prefetch_read(slots.as_ptr().wrapping_add(home + 2));
}

/// Where the cells of a table or of a part of it are.
#[derive(Clone, Copy)]
struct Space<H> {
    /// log2 of the table's cells; a hash's top bits are its home cell.
    bits: u32,
    /// The first cell of the part.
    base: usize,
    hash: PhantomData<fn() -> H>,
}

impl<H: KeyHash> Space<H> {
    /// The home of a key among the cells of the part.
    #[inline(always)]
    fn home<K: Key>(&self, key: K) -> usize {
        home::<K, H>(key, self.bits) - self.base
    }
}

/// The home cell of a key.
#[inline(always)]
fn home<K: Key, H: KeyHash>(key: K, bits: u32) -> usize {
    (H::hash(key) >> (64 - bits)) as usize
}

/// What became of an entry.
enum Placed<K: Key> {
    /// It has a slot; whether another copy of its key was met on the way.
    Slot { copy: bool },
    /// Its key has [`MAX_COPIES`] slots at least.
    Copies(Tuple<K>),
    /// This entry, the given one or one that had to leave its slot, ran off the end of the part; whether another copy
    /// of the given one's key was met on the way.
    End { entry: Tuple<K>, copy: bool },
}

/// How collisions are resolved.
pub trait Placement: private::Placement {}

mod private {
    use super::{Placed, Space};
    use bytemuck::Zeroable;
    use join_core::hash::KeyHash;
    use join_core::key::{Key, Tuple};
    use join_core::output::Sink;

    pub trait Placement: Send + Sync + 'static {
        /// What a hash chooses: a slot or several.
        type Cell<K: Key>: Zeroable + Send + Sync;

        /// What a glance at a cell tells a search that begins there.
        type Glance: Copy + Default;

        /// Cells for so many tuples, before rounding up to a power of two.
        fn cells(tuples: usize) -> usize;

        /// Finds a slot for an entry, looking from cell `at` to the last of `cells`.
        #[allow(private_interfaces)]
        fn place<K: Key, H: KeyHash>(
            cells: &mut [Self::Cell<K>],
            space: Space<H>,
            at: usize,
            entry: Tuple<K>,
        ) -> Placed<K>;

        /// Asks for what [`Self::glance`] reads.
        fn prefetch<K: Key>(cells: &[Self::Cell<K>], home: usize);

        /// Looks at the home of a key, and may ask for what [`Self::find`] reads.
        fn glance<K: Key, H: KeyHash>(cells: &[Self::Cell<K>], home: usize, key: K)
        -> Self::Glance;

        /// Emits all slots of `key` and returns how many they are, or 1 at most where keys are `UNIQUE`.
        fn find<const UNIQUE: bool, K: Key, H: KeyHash, S: Sink>(
            cells: &[Self::Cell<K>],
            home: usize,
            glance: Self::Glance,
            key: K,
            row: u32,
            sink: &mut S,
        ) -> u32;
    }
}

impl<P: private::Placement> Placement for P {}

/// A build of an open-addressing table. A large build side is partitioned by the cells' ranges first: each range is
/// filled by one thread, with plain stores that stay in its cache. The few tuples that run off the end of a range are
/// placed at the end, by one thread.
pub struct OpenAddressing<P, H = Fibonacci> {
    scheme: PhantomData<fn() -> (P, H)>,
}

impl<P, H> OpenAddressing<P, H> {
    /// A build.
    pub const fn new() -> Self {
        Self {
            scheme: PhantomData,
        }
    }
}

impl<P> Default for OpenAddressing<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a worker could not place in its ranges.
struct Leftovers<K: Key> {
    unique: bool,
    copies: Counted<Tuple<K>>,
    spilled: Counted<Tuple<K>>,
}

impl<K: Key> Leftovers<K> {
    fn new(context: &Context<'_>) -> Result<Self, JoinError> {
        Ok(Self {
            unique: true,
            copies: Counted::new(context.memory)?,
            spilled: Counted::new(context.memory)?,
        })
    }

    #[inline(always)]
    fn note(&mut self, placed: Placed<K>) -> Result<(), JoinError> {
        match placed {
            Placed::Slot { copy } => self.unique &= !copy,
            Placed::Copies(entry) => self.copies.push(entry)?,
            Placed::End { entry, copy } => {
                self.unique &= !copy;
                self.spilled.push(entry)?;
            }
        }
        Ok(())
    }
}

impl<P: Placement, H: KeyHash> Build for OpenAddressing<P, H> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let bits = P::cells(source.rows()).next_power_of_two().ilog2();
        let bits = bits.max(MIN_BITS);
        let table_bytes = size_of::<P::Cell<K>>() << bits;
        let whole = Space::<H> {
            bits,
            base: 0,
            hash: PhantomData,
        };
        let mut tuples = 0;
        let mut cells;
        let leftovers = if table_bytes <= context.caches.l2 / 2 {
            cells = context.memory.zeroed::<P::Cell<K>>(1 << bits)?;
            let mut leftovers = Leftovers::new(context)?;
            let mut cursor = source.source().whole();
            while let Some(block) = cursor.next_block() {
                tuples += block.keys.len();
                let mut done = Ok(());
                block.for_each(|key, row| {
                    let placed = entry(key, row).and_then(|entry| {
                        let home = whole.home(key);
                        leftovers.note(P::place(&mut cells, whole, home, entry))
                    });
                    if placed.is_err() {
                        done = placed;
                    }
                });
                done?;
            }
            vec![leftovers]
        } else {
            let workers = context.team.workers_for(source.rows());
            let fan_out = part_bits(table_bytes, workers, context).min(bits);
            let digit = HashBits::<H>::new(0, fan_out);
            let partitions = partition(source.source(), workers, digit, context)?;
            tuples = partitions.len();
            phases.lap("partition");
            cells = context.memory.zeroed::<P::Cell<K>>(1 << bits)?;
            phases.lap("allocate");
            let range = 1 << (bits - fan_out);
            let tasks = Tasks::new(partitions.parts().zip(cells.chunks_mut(range)));
            let workers = context.team.run(vec![(); workers], |_, ()| {
                let mut leftovers = Leftovers::new(context)?;
                while let Some((part, (tuples, cells))) = tasks.take() {
                    let space = Space {
                        base: part * range,
                        ..whole
                    };
                    for tuple in tuples {
                        let entry = entry(tuple.key, tuple.row_id())?;
                        let home = space.home(tuple.key);
                        leftovers.note(P::place(cells, space, home, entry))?;
                    }
                }
                Ok(leftovers)
            });
            drop(tasks);
            workers.into_iter().collect::<Result<Vec<_>, JoinError>>()?
        };
        let mut rest = Leftovers::new(context)?;
        for leftovers in leftovers {
            rest.unique &= leftovers.unique;
            rest.copies.extend(&leftovers.copies)?;
            for &entry in leftovers.spilled.iter() {
                place_anywhere::<P, K, H>(&mut cells, whole, entry, &mut rest)?;
            }
        }
        phases.lap("insert");
        Ok(Box::new(Table::<K, P, H> {
            cells,
            bits,
            unique: rest.unique,
            overflow: Overflow::new(rest.copies),
            tuples,
            scheme: PhantomData,
        }))
    }
}

/// Places an entry from its home on and, past the end of the table, from the start on.
fn place_anywhere<P: Placement, K: Key, H: KeyHash>(
    cells: &mut [P::Cell<K>],
    whole: Space<H>,
    entry: Tuple<K>,
    rest: &mut Leftovers<K>,
) -> Result<(), JoinError> {
    let placed = P::place(cells, whole, whole.home(entry.key), entry);
    let placed = match placed {
        Placed::End { entry, copy } => {
            rest.unique &= !copy;
            P::place(cells, whole, 0, entry)
        }
        placed => placed,
    };
    // There are more slots than tuples, so nothing runs off the end a second time.
    rest.note(placed)
}

/// A finished table.
struct Table<K: Key, P: Placement, H> {
    cells: Buffer<P::Cell<K>>,
    bits: u32,
    /// Whether no key is there twice.
    unique: bool,
    overflow: Overflow<K>,
    tuples: usize,
    scheme: PhantomData<fn() -> (P, H)>,
}

impl<K: Key, P: Placement, H: KeyHash> Table<K, P, H> {
    #[inline(always)]
    fn find<const UNIQUE: bool, S: Sink>(
        &self,
        (home, glance): (usize, P::Glance),
        key: K,
        row: u32,
        sink: &mut S,
    ) {
        let copies = P::find::<UNIQUE, K, H, S>(&self.cells, home, glance, key, row, sink);
        if !UNIQUE && copies >= MAX_COPIES {
            self.overflow.emit(key, row, sink);
        }
    }

    #[inline(always)]
    fn scalar<const UNIQUE: bool, R: RowIds, S: Sink>(&self, keys: &[K], rows: R, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let home = home::<K, H>(key, self.bits);
            let glance = P::glance::<K, H>(&self.cells, home, key);
            self.find::<UNIQUE, S>((home, glance), key, rows.row(index), sink);
        }
    }

    /// Group prefetching (Chen et al., ICDE 2004).
    #[inline(always)]
    fn batched<const UNIQUE: bool, R: RowIds, S: Sink>(
        &self,
        keys: &[K],
        rows: R,
        group: usize,
        sink: &mut S,
    ) {
        let mut homes = [(0_usize, P::Glance::default()); MAX_GROUP];
        let mut first = 0;
        for keys in keys.chunks(group) {
            let homes = &mut homes[..keys.len()];
            for ((home_of, _), &key) in homes.iter_mut().zip(keys) {
                *home_of = home::<K, H>(key, self.bits);
                P::prefetch(&self.cells, *home_of);
            }
            for ((home, glance), &key) in homes.iter_mut().zip(keys) {
                *glance = P::glance::<K, H>(&self.cells, *home, key);
            }
            for (index, (&home, &key)) in homes.iter().zip(keys).enumerate() {
                self.find::<UNIQUE, S>(home, key, rows.row(first + index), sink);
            }
            first += keys.len();
        }
    }
}

impl<K: Key, P: Placement, H: KeyHash> JoinTable<K> for Table<K, P, H> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S) {
        match (kernel.group(), self.unique) {
            (1, false) => self.scalar::<false, _, _>(keys, rows, sink),
            (1, true) => self.scalar::<true, _, _>(keys, rows, sink),
            (group, false) => self.batched::<false, _, _>(keys, rows, group, sink),
            (group, true) => self.batched::<true, _, _>(keys, rows, group, sink),
        }
    }

    fn tuples(&self) -> usize {
        self.tuples
    }

    fn bytes(&self) -> usize {
        self.cells.bytes() + self.overflow.bytes()
    }
}
