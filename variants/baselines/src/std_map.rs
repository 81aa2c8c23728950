//! The map of the standard library, SipHash and all: what one writes first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use join_core::input::KeySource;
use join_core::join::{Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, Phases, RowIds};
use join_core::key::Key;
use join_core::memory::Reservation;
use join_core::output::Sink;

use crate::multimap::{Gathered, Links, Rows, map_bytes};

/// A multimap on `std::collections::HashMap` with its default hasher, built by one thread and with room for all rows
/// from the start where their number is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdHashMap;

struct Table<K> {
    map: HashMap<K, Rows>,
    rest: Gathered,
    tuples: usize,
    reservation: Reservation,
}

impl<K: Key> Table<K> {
    /// Makes room for `more` keys.
    fn reserve(&mut self, more: usize, context: &Context<'_>) -> Result<(), JoinError> {
        if self.map.capacity() - self.map.len() >= more {
            return Ok(());
        }
        // Twice the capacity at least, so that a stream of keys is rehashed a few times only.
        let capacity = (self.map.len() + more).max(self.map.capacity() * 2);
        let bytes = map_bytes(capacity, size_of::<(K, Rows)>());
        self.reservation
            .grow(bytes.saturating_sub(self.reservation.bytes()))?;
        self.map
            .try_reserve(capacity - self.map.len())
            .map_err(|_| context.memory.refused(bytes))?;
        Ok(())
    }
}

impl Build for StdHashMap {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let mut links = Links::new(context.memory)?;
        let mut table = Table {
            map: HashMap::new(),
            rest: Gathered::new(context.memory)?,
            tuples: 0,
            reservation: context.memory.reserve(0)?,
        };
        table.reserve(source.rows().unwrap_or(0), context)?;
        let mut cursor = source.whole();
        while let Some(block) = cursor.next_block() {
            table.reserve(block.keys.len(), context)?;
            let mut full = Ok(());
            block.for_each(|key, row| match table.map.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(Rows::one(row));
                }
                Entry::Occupied(mut entry) => {
                    if let Err(error) = links.add(entry.get_mut(), row) {
                        full = Err(error);
                    }
                }
            });
            full?;
            table.tuples += block.keys.len();
        }
        phases.lap("insert");
        table.rest = links.gather(table.map.values_mut(), context.memory)?;
        drop(links);
        phases.lap("gather duplicates");
        Ok(Box::new(table))
    }
}

impl<K: Key> JoinTable<K> for Table<K> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        for (index, key) in keys.iter().enumerate() {
            if let Some(&found) = self.map.get(key) {
                self.rest.emit(found, rows.row(index), sink);
            }
        }
    }

    fn tuples(&self) -> usize {
        self.tuples
    }

    fn bytes(&self) -> usize {
        self.reservation.bytes() + self.rest.bytes()
    }
}
