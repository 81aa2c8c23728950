//! Lanes on any machine.

use super::Lanes;
use crate::key::{Key, Tuple};
use crate::output::{Aggregate, Pair, Sink};

/// One tuple, with a branch: what a plain loop does.
#[derive(Clone, Copy)]
pub(super) struct One;

/// Two tuples without a branch: at one slot per tuple, most ranges hold no more.
#[derive(Clone, Copy)]
pub(super) struct Two;

// SAFETY: a match is written and counted.
unsafe impl Lanes for One {
    const TUPLES: usize = 1;
    const BRANCHES: bool = true;

    #[inline(always)]
    unsafe fn compare<K: Key>(
        tuples: *const Tuple<K>,
        len: usize,
        key: K,
        probe: u32,
        pairs: *mut Pair,
    ) -> usize {
        // SAFETY: the caller promises a tuple to read.
        let tuple = unsafe { *tuples };
        if len == 0 || tuple.key != key {
            return 0;
        }
        // SAFETY: the caller promises room for a pair.
        unsafe { pairs.write(pair(tuple, probe)) };
        1
    }

    #[inline(always)]
    unsafe fn equal<K: Key>(tuples: *const Tuple<K>, len: usize, key: K) -> u32 {
        // SAFETY: the caller promises a tuple to read.
        u32::from(len > 0 && unsafe { (*tuples).key } == key)
    }

    type Sums = Aggregate;

    unsafe fn zero() -> Aggregate {
        Aggregate::default()
    }

    #[inline(always)]
    unsafe fn add<K: Key>(sums: &mut Aggregate, tuples: *const Tuple<K>, probe: &Tuple<K>) {
        // SAFETY: the caller promises so many tuples.
        let tuples = unsafe { std::slice::from_raw_parts(tuples, Self::TUPLES) };
        for tuple in tuples {
            if tuple.key == probe.key {
                sums.emit(tuple.row_id(), probe.row_id());
            }
        }
    }

    unsafe fn aggregate(sums: Aggregate) -> Aggregate {
        sums
    }
}

// SAFETY: each pair is written where the next match belongs, and stays if it is one.
unsafe impl Lanes for Two {
    const TUPLES: usize = 2;

    #[inline(always)]
    unsafe fn compare<K: Key>(
        tuples: *const Tuple<K>,
        len: usize,
        key: K,
        probe: u32,
        pairs: *mut Pair,
    ) -> usize {
        // SAFETY: the caller promises two tuples to read.
        let (first, second) = unsafe { (*tuples, *tuples.add(1)) };
        let hit = usize::from((len > 0) & (first.key == key));
        // SAFETY: the caller promises room for two pairs; the second goes to the first or the second place.
        unsafe {
            pairs.write(pair(first, probe));
            pairs.add(hit).write(pair(second, probe));
        }
        hit + usize::from((len > 1) & (second.key == key))
    }

    #[inline(always)]
    unsafe fn equal<K: Key>(tuples: *const Tuple<K>, len: usize, key: K) -> u32 {
        // SAFETY: the caller promises two tuples to read.
        let (first, second) = unsafe { ((*tuples).key, (*tuples.add(1)).key) };
        u32::from((len > 0) & (first == key)) | u32::from((len > 1) & (second == key)) << 1
    }

    type Sums = Aggregate;

    unsafe fn zero() -> Aggregate {
        Aggregate::default()
    }

    #[inline(always)]
    unsafe fn add<K: Key>(sums: &mut Aggregate, tuples: *const Tuple<K>, probe: &Tuple<K>) {
        // SAFETY: the caller promises so many tuples.
        let tuples = unsafe { std::slice::from_raw_parts(tuples, Self::TUPLES) };
        for tuple in tuples {
            let hit = tuple.key == probe.key;
            sums.emit_if(hit, tuple.row_id(), probe.row_id());
        }
    }

    unsafe fn aggregate(sums: Aggregate) -> Aggregate {
        sums
    }
}

#[inline(always)]
fn pair<K: Key>(tuple: Tuple<K>, probe: u32) -> Pair {
    Pair {
        build: tuple.row_id(),
        probe,
    }
}
