//! The serial build of the unchained table: one thread, five phases (R3.1, R6.1, R6.2, R7.1).
//!
//! 1. *count and tag*: every tuple into its slot, its tag ORed in (R7.4)
//! 2. *prefix sum*: counts to ENDs
//! 3. *allocate*: the tuple store
//! 4. *write pointers*: each slot's to the previous END
//! 5. *copy*: tuples to their slot's write pointer
//!
//! Keys are read twice, straight from the pages where the input is zero-copy (R1.3). A source that can be read only
//! once is collected into a list of entries first (R4.1).

use std::marker::PhantomData;

use join_core::directory::Sizing;
use join_core::input::{HashedKeys, KeySource};
use join_core::join::{Build, Context, DynJoinTable, JoinError, Phases};
use join_core::key::{Key, Tuple};
use join_core::memory::Reservation;
use join_core::unchained::{Scheme, Unchained, UnchainedBuilder};

/// The serial build of a table of scheme `S`.
pub struct SerialBuild<S> {
    /// How many slots the directory gets.
    pub sizing: Sizing,
    scheme: PhantomData<S>,
}

impl<S: Scheme> SerialBuild<S> {
    /// A serial build with a directory of this sizing.
    pub fn new(sizing: Sizing) -> Self {
        Self {
            sizing,
            scheme: PhantomData,
        }
    }
}

impl<S: Scheme> Build for SerialBuild<S> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        Ok(Box::new(self.table(source, context, phases)?))
    }
}

impl<S: Scheme> SerialBuild<S> {
    /// Builds a table of all keys of `source`, which does not borrow it.
    ///
    /// # Errors
    ///
    /// If memory runs out.
    pub fn table<K: Key>(
        &self,
        source: &dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Unchained<K, S>, JoinError> {
        match source.rows() {
            Some(rows) => self.five_phases(rows, &Replayed(source), context, phases),
            None => {
                let entries = Collected::new(source, context)?;
                phases.lap("collect entries");
                self.five_phases(entries.tuples.len(), &entries, context, phases)
            }
        }
    }

    fn five_phases<K: Key>(
        &self,
        rows: usize,
        entries: &impl Entries<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Unchained<K, S>, JoinError> {
        let mut table = UnchainedBuilder::<K, S>::new(self.sizing.bits(rows), context.memory)?;
        let mut slots = table.slot_parts(0).pop().expect("one part").clear();
        entries.for_each::<S>(|hash, _| slots.count(hash));
        phases.lap("count and tag");
        let len = slots.prefix_sum(0);
        drop(slots);
        phases.lap("prefix sum");
        table.allocate(len, context.memory)?;
        phases.lap("allocate");
        let (slots, mut store) = table.table_parts(0, &[len]).pop().expect("one part");
        // SAFETY: the one part was cleared.
        let mut slots = unsafe { slots.cleared() };
        slots.rewind(0);
        phases.lap("write pointers");
        entries.for_each::<S>(|hash, tuple| store.copy(&mut slots, hash, tuple));
        drop((slots, store));
        // SAFETY: both passes saw the same entries (a list, or a source that promises it), so each that was counted
        // has been copied.
        let table = unsafe { table.finish() };
        phases.lap("copy");
        Ok(table)
    }
}

/// Entries that can be gone through twice, the same both times.
trait Entries<K: Key> {
    fn for_each<S: Scheme>(&self, each: impl FnMut(u64, Tuple<K>));
}

/// Entries read again from their source.
struct Replayed<'a, K>(&'a dyn KeySource<K>);

impl<K: Key> Entries<K> for Replayed<'_, K> {
    fn for_each<S: Scheme>(&self, mut each: impl FnMut(u64, Tuple<K>)) {
        let mut hashed = HashedKeys::default();
        let mut cursor = self.0.whole();
        while let Some(block) = cursor.next_block() {
            hashed.for_each::<S::Hash, K>(block, &mut each);
        }
    }
}

/// Entries collected from a source that can be read once.
struct Collected<K: Key> {
    tuples: Vec<Tuple<K>>,
    _reservation: Reservation,
}

impl<K: Key> Collected<K> {
    fn new(source: &dyn KeySource<K>, context: &Context<'_>) -> Result<Self, JoinError> {
        let mut tuples = Vec::new();
        let mut reservation = context.memory.reserve(0)?;
        let mut cursor = source.whole();
        while let Some(block) = cursor.next_block() {
            let room = tuples.capacity();
            tuples.reserve(block.keys.len());
            reservation.grow((tuples.capacity() - room) * size_of::<Tuple<K>>())?;
            block.for_each(|key, row| tuples.push(Tuple::new(key, row)));
        }
        Ok(Self {
            tuples,
            _reservation: reservation,
        })
    }
}

impl<K: Key> Entries<K> for Collected<K> {
    fn for_each<S: Scheme>(&self, mut each: impl FnMut(u64, Tuple<K>)) {
        HashedKeys::default().for_each_item::<S::Hash, K, _>(
            &self.tuples,
            |tuple| tuple.key,
            |hash, &tuple| each(hash, tuple),
        );
    }
}
