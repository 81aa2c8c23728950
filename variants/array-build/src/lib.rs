//! A table that is an array of row ids, indexed by the key itself: no hash, no tuple, nothing to compare.
//!
//! Where build keys are distinct and dense, as the surrogate keys of most dimension tables are, a key's distance from the
//! least one is a perfect hash. A lookup reads four bytes of one line (the "array join" of Schuh, Chen, Dittrich, SIGMOD
//! 2016; DuckDB's perfect hash join).
//!
//! 1. *range*: all workers look for the least and the greatest key
//! 2. *allocate*
//! 3. *scatter*: each worker writes its rows to their keys' places
//! 4. *check*: each worker reads its places again; where another row stands, two rows have the same key
//!
//! Keys that are spread wider, or repeat, or come from a stream that can be read only once, are left to another build.

use std::sync::atomic::Ordering;

use join_core::input::{KeyCursor, KeySource};
use join_core::join::{Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, Phases, RowIds};
use join_core::key::Key;
use join_core::memory::Buffer;
use join_core::output::Sink;
use join_core::parallel::Division;

/// Builds an array where keys are dense and distinct, and otherwise what it is told.
#[derive(Debug, Clone, Copy)]
pub struct ArrayBuild<Otherwise> {
    /// The build of all other keys.
    pub otherwise: Otherwise,
}

/// Places of the array per key, at most: then it takes no more than an unchained table of INT32 keys with two slots per tuple.
/// Order keys of TPC-H, eight of each 32 numbers, just fit.
const PLACES_PER_KEY: u64 = 4;

impl<O: Build> Build for ArrayBuild<O> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        match array(source, context, phases)? {
            Some(table) => Ok(Box::new(table)),
            None => self.otherwise.build(source, context, phases),
        }
    }
}

/// The array of all keys of `source`, which does not borrow it; `None` if they are not dense and distinct, or can be read only
/// once.
///
/// # Errors
///
/// If memory runs out.
pub fn array<K: Key>(
    source: &dyn KeySource<K>,
    context: &Context<'_>,
    phases: &mut Phases,
) -> Result<Option<Array<K>>, JoinError> {
    let Some(rows) = source.rows() else {
        return Ok(None);
    };
    let workers = context.team.workers_for(rows);
    let cursors = || source.cursors(Division::fixed(workers));
    let spans = context
        .team
        .run(cursors(), |_, cursor| Span::of(cursor, rows));
    let span = spans.into_iter().flatten().reduce(Span::and);
    phases.lap("range");
    let Some(Span {
        least,
        greatest,
        keys,
    }) = span.filter(|span| span.is_dense(span.keys))
    else {
        return Ok(None);
    };
    let places = greatest.offset_from(least) as usize + 1;
    // One more, of no key.
    let mut rows_by_key = context.memory.zeroed::<u32>(places + 1)?;
    phases.lap("allocate");
    let shared = rows_by_key.atomics();
    let place = |key: K| &shared[key.offset_from(least) as usize];
    context.team.run(cursors(), |_, mut cursor| {
        while let Some(block) = cursor.next_block() {
            // Relaxed: what others wrote is read when all threads have been joined.
            block.for_each(|key, row| place(key).store(row + 1, Ordering::Relaxed));
        }
    });
    phases.lap("scatter");
    let distinct = context.team.run(cursors(), |_, mut cursor| {
        let mut distinct = true;
        while distinct && let Some(block) = cursor.next_block() {
            block.for_each(|key, row| distinct &= place(key).load(Ordering::Relaxed) == row + 1);
        }
        distinct
    });
    phases.lap("check");
    Ok(distinct
        .into_iter()
        .all(|distinct| distinct)
        .then_some(Array {
            least,
            keys,
            rows: rows_by_key,
        }))
}

/// The least and the greatest of some keys, and how many they are.
struct Span<K> {
    least: K,
    greatest: K,
    keys: u64,
}

impl<K: Key> Span<K> {
    /// The span of all keys of a cursor, or of the first ones, if they are spread wider already than `rows` keys may be.
    /// `None` without keys.
    fn of(mut cursor: Box<dyn KeyCursor<K> + '_>, rows: usize) -> Option<Self> {
        let mut all: Option<Self> = None;
        while let Some(block) = cursor.next_block() {
            let Some(&first) = block.keys.first() else {
                continue;
            };
            let (least, greatest) = block
                .keys
                .iter()
                .fold((first, first), |(least, greatest), &key| {
                    (least.min(key), greatest.max(key))
                });
            let block = Self {
                least,
                greatest,
                keys: block.keys.len() as u64,
            };
            let span = match all {
                Some(all) => all.and(block),
                None => block,
            };
            if !span.is_dense(rows as u64) {
                return Some(span);
            }
            all = Some(span);
        }
        all
    }

    fn and(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
            keys: self.keys + other.keys,
        }
    }

    /// Whether so many keys are worth an array.
    fn is_dense(&self, keys: u64) -> bool {
        self.greatest.offset_from(self.least) < keys.saturating_mul(PLACES_PER_KEY)
    }
}

/// The row of each key from the least to the greatest.
pub struct Array<K> {
    least: K,
    keys: u64,
    /// A row's id and one, zero where there is none. The last place is for all other keys.
    rows: Buffer<u32>,
}

impl<K: Key> JoinTable<K> for Array<K> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, _: Kernel, sink: &mut S) {
        let (places, least) = (&self.rows[..], self.least);
        let last = places.len() - 1;
        for (index, &key) in keys.iter().enumerate() {
            let place = key.offset_from(least).min(last as u64);
            // SAFETY: it is one of the places. A check would make the compiler keep the sums in memory, for who might see
            // them after a panic.
            let found = unsafe { *places.get_unchecked(place as usize) };
            sink.emit_if(found != 0, found.wrapping_sub(1), rows.row(index));
        }
    }

    fn tuples(&self) -> usize {
        self.keys as usize
    }

    fn bytes(&self) -> usize {
        self.rows.bytes()
    }
}
