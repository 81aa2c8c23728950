//! Comparing a slot's tuples with a key where matches stay ranges.

use super::{Compare, Lanes, MAX_LANES, WithLanes};
use crate::input::BlockRows;
use crate::key::{Key, Tuple};
use crate::output::{MatchRange, RangeBuffer, without_lowest_run};

/// Tuples that are compared before their matches are noted: a bit each.
const BITS: usize = u64::BITS as usize;

/// Consecutive tuples that a key of a group is to be compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Candidates {
    /// The key's number in the group.
    pub index: u32,
    /// The first of the tuples.
    pub start: u32,
    /// How many they are.
    pub len: u32,
}

/// A group of probe keys and their candidates in a store. It knows neither hash nor directory, so that comparing is compiled
/// once per key type and kind of lanes.
pub struct RangeGroup<'a, K: Key> {
    /// The tuples, and [`MAX_LANES`] more.
    pub store: &'a [Tuple<K>],
    /// Where the first tuple stands among all that ranges may be of.
    pub base: usize,
    /// The keys.
    pub keys: &'a [K],
    /// Their rows.
    pub rows: BlockRows<'a>,
    /// Their candidates.
    pub candidates: &'a [Candidates],
}

impl<K: Key> RangeGroup<'_, K> {
    /// Adds the ranges of all matches to `found`.
    ///
    /// # Panics
    ///
    /// If candidates reach beyond the store, or are of a key that the group does not have.
    #[inline]
    pub fn find(self, compare: Compare, found: &mut RangeBuffer) {
        compare.dispatch(Find { group: self, found });
    }
}

struct Find<'a, 'f, K: Key> {
    group: RangeGroup<'a, K>,
    found: &'f mut RangeBuffer,
}

impl<K: Key> WithLanes for Find<'_, '_, K> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { group, found } = self;
        let mut left = group.candidates;
        while !left.is_empty() {
            let room = found.room(left.len());
            // The end of what is written stays in a register until something else than a single range is found.
            let (mut end, mut other) = (0, None);
            for (nth, candidates) in left.iter().enumerate() {
                let (at, len) = (candidates.start as usize, candidates.len as usize);
                assert!(
                    at + len + MAX_LANES <= group.store.len(),
                    "room to read behind"
                );
                let index = candidates.index as usize;
                let (key, probe) = (group.keys[index], group.rows.row(index));
                // SAFETY: the padding stands behind the candidates; lanes were dispatched.
                let matches = unsafe { equal::<L, K>(group.store, at, len.min(BITS), key) };
                if len > BITS || without_lowest_run(matches) != 0 {
                    other = Some((nth, matches));
                    break;
                }
                room[end].write(MatchRange::lowest(probe, group.base + at, matches));
                end += usize::from(matches != 0);
            }
            // SAFETY: so many have been written.
            unsafe { found.take(end) };
            let Some((nth, matches)) = other else {
                return;
            };
            let candidates = left[nth];
            left = &left[nth + 1..];
            let index = candidates.index as usize;
            let (key, probe) = (group.keys[index], group.rows.row(index));
            let (mut at, mut len) = (candidates.start as usize, candidates.len as usize);
            found.add(probe, group.base + at, matches);
            while len > BITS {
                (at, len) = (at + BITS, len - BITS);
                // SAFETY: as above.
                let matches = unsafe { equal::<L, K>(group.store, at, len.min(BITS), key) };
                found.go_on(probe, group.base + at, matches);
            }
        }
    }
}

/// Which of the `len` tuples from `at` on, at most [`BITS`], have the key: a bit each.
///
/// # Safety
///
/// The store goes on for [`MAX_LANES`] tuples at least behind them, and the machine has the instructions of `L`.
#[inline(always)]
unsafe fn equal<L: Lanes, K: Key>(store: &[Tuple<K>], at: usize, len: usize, key: K) -> u64 {
    debug_assert!(len <= BITS && at + len + MAX_LANES <= store.len());
    let (mut bits, mut done) = (0, 0);
    while done < len {
        // SAFETY: the caller promises the instructions and these tuples, of which one comparison takes so many.
        unsafe {
            let tuples = store.as_ptr().add(at + done);
            bits |= u64::from(L::equal(tuples, (len - done).min(L::TUPLES), key)) << done;
        }
        done += L::TUPLES;
    }
    bits
}
