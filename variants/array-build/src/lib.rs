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
//! Keys that are spread wider, or repeat, or come from a stream that can be read only once, are left to another build. A small
//! array may have more empty places than a large one: dates as numbers, such as 19980802, have 24 places each.

use std::sync::atomic::Ordering;

use join_core::input::{KeyCursor, KeySource};
use join_core::join::{Build, Context, DynJoinTable, JoinError, JoinTable, Kernel, Phases, RowIds};
use join_core::key::Key;
use join_core::memory::Buffer;
use join_core::output::{Aggregate, Sink};
use join_core::parallel::Division;
use join_core::simd::{Lanes, WithLanes};

/// Builds an array where keys are dense and distinct, and otherwise what it is told.
#[derive(Debug, Clone, Copy)]
pub struct ArrayBuild<Otherwise> {
    /// The build of all other keys.
    pub otherwise: Otherwise,
}

/// Places of the array per key, at most: then it takes no more than an unchained table of INT32 keys with two slots per tuple.
/// Order keys of TPC-H, eight of each 32 numbers, just fit.
const PLACES_PER_KEY: u64 = 4;

/// The same of an array that takes up to half of L2, where lookups find it however many of its places are empty: more would
/// take longer to clear than another table takes to make.
const PLACES_PER_KEY_IN_L2: u64 = 32;

/// Places that an array of so many keys may have.
fn most_places(keys: u64, context: &Context<'_>) -> u64 {
    let in_l2 = context.caches.l2 / 2 / size_of::<u32>();
    let few = keys.saturating_mul(PLACES_PER_KEY_IN_L2).min(in_l2 as u64);
    keys.saturating_mul(PLACES_PER_KEY).max(few)
}

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
    let spans = context.team.run(cursors(), |_, cursor| {
        Span::of(cursor, most_places(rows as u64, context))
    });
    let span = spans.into_iter().flatten().reduce(Span::and);
    phases.lap("range");
    let Some(Span {
        least,
        greatest,
        keys,
    }) = span.filter(|span| span.is_within(most_places(span.keys, context)))
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
    /// The span of all keys of a cursor, or of the first ones, if these would have more than `most` places already. `None` without
    /// keys.
    fn of(mut cursor: Box<dyn KeyCursor<K> + '_>, most: u64) -> Option<Self> {
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
            if !span.is_within(most) {
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

    /// Whether an array of the keys has at most so many places.
    fn is_within(&self, most: u64) -> bool {
        self.greatest.offset_from(self.least) < most
    }
}

/// The row of each key from the least to the greatest.
pub struct Array<K> {
    least: K,
    keys: u64,
    /// A row's id and one, zero where there is none. The last place is for all other keys.
    rows: Buffer<u32>,
}

/// An array as its loops see it: its pointer stays in a register whatever they write.
#[derive(Clone, Copy)]
struct Places<'a, K> {
    least: K,
    rows: &'a [u32],
}

impl<K: Key> Places<'_, K> {
    /// What stands at a key's place: its row and one, or zero.
    #[inline(always)]
    fn at(self, key: K) -> u32 {
        let last = self.rows.len() - 1;
        let place = key.offset_from(self.least).min(last as u64);
        // SAFETY: it is one of the places. A check would make the compiler keep sums in memory, for who might see them after a
        // panic.
        unsafe { *self.rows.get_unchecked(place as usize) }
    }
}

impl<K: Key> JoinTable<K> for Array<K> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S) {
        let places = Places {
            least: self.least,
            rows: &self.rows,
        };
        if let Some(sums) = sink.sums() {
            return kernel.compare.dispatch(Sum {
                places,
                keys,
                rows,
                sums,
            });
        }
        for (index, &key) in keys.iter().enumerate() {
            let found = places.at(key);
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

/// Keys that are looked up together: as many sums as that are kept, in registers.
const GROUP: usize = 8;

/// Counts and sums the matches. Where there are vectors, a group's places are computed by them and what was found is added up by
/// them, so that for each key there is little more to do than to load: a third of the time of a loop over keys.
struct Sum<'a, K, R> {
    places: Places<'a, K>,
    keys: &'a [K],
    rows: R,
    sums: &'a mut Aggregate,
}

impl<K: Key, R: RowIds> WithLanes for Sum<'_, K, R> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            places,
            keys,
            rows,
            sums,
        } = self;
        let (mut hits, mut builds, mut probes) = ([0_u64; GROUP], [0_u64; GROUP], [0_u64; GROUP]);
        let (groups, rest) = keys.as_chunks::<GROUP>();
        for (nth, group) in groups.iter().enumerate() {
            let found = group.map(|key| places.at(key));
            for (lane, found) in found.into_iter().enumerate() {
                let is_hit = found != 0;
                let row = u64::from(rows.row(GROUP * nth + lane));
                hits[lane] += u64::from(is_hit);
                builds[lane] += u64::from(found);
                probes[lane] += if is_hit { row } else { 0 };
            }
        }
        let hits: u64 = hits.iter().sum();
        sums.merge(&Aggregate {
            rows: hits,
            // One too many of each.
            sum_build: builds.iter().sum::<u64>() - hits,
            sum_probe: probes.iter().sum(),
        });
        for (index, &key) in (keys.len() - rest.len()..).zip(rest) {
            let found = places.at(key);
            sums.emit_if(found != 0, found.wrapping_sub(1), rows.row(index));
        }
    }
}
