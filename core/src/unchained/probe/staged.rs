//! Group prefetching (Chen et al., ICDE 2004): each stage runs over the whole group before the next one, so that a
//! group's cache misses overlap. Keys whose tag says no do not reach the last stage.
//!
//! The first group of a block asks the tags; the others only if that ruled out at least an eighth of its keys, since a tag
//! that says yes was looked at for nothing.

use std::ops::Range;

use super::{Scheme, View};
use crate::hash::KeyHash;
use crate::join::MAX_GROUP;
use crate::key::Key;
use crate::prefetch::prefetch_read;
use crate::simd::{Lanes, Matches, WithLanes};
use crate::tag::TagScheme;

/// Probes group by group.
pub(super) struct Staged<'a, 's, K: Key, S: Scheme> {
    pub(super) table: View<'a, K, S>,
    pub(super) keys: &'a [K],
    pub(super) group: usize,
    pub(super) matches: &'a mut Matches<'s>,
}

/// A key of the group whose slot may hold it.
#[derive(Clone, Copy, Default)]
struct Survivor {
    /// Its number in the group.
    index: u32,
    /// The first tuple of its slot.
    start: u32,
    /// Tuples of its slot, at least one.
    len: u32,
}

impl<K: Key, S: Scheme> WithLanes for Staged<'_, '_, K, S> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            table,
            keys,
            group,
            matches,
        } = self;
        let mut hashes = [0_u64; MAX_GROUP];
        let mut survivors = [Survivor::default(); MAX_GROUP];
        let mut end = matches.end();
        let mut first = matches.first();
        let mut ask_tags = S::Tags::ENABLED;
        for keys in keys.chunks(group) {
            S::Hash::hash_block(keys.iter().copied(), &mut hashes);
            for &hash in &hashes[..keys.len()] {
                table.prefetch(hash);
            }
            let looked_up = hashes[..keys.len()].iter();
            let passed = if ask_tags {
                let passed = survive(table, looked_up, &mut survivors, View::candidates);
                ask_tags = 8 * passed < 7 * keys.len();
                passed
            } else {
                survive(table, looked_up, &mut survivors, View::range)
            };
            for survivor in &survivors[..passed] {
                let (start, len) = (survivor.start as usize, survivor.len as usize);
                let (key, probe) = (keys[survivor.index as usize], first + survivor.index);
                // SAFETY: a range ends at the last tuple at most, behind which the padding stands; lanes were
                // dispatched.
                end = unsafe { matches.extend::<L, K>(end, table.tuples, start, len, key, probe) };
            }
            first = first.wrapping_add(keys.len() as u32);
        }
        // SAFETY: the last survivor's.
        unsafe { matches.set_end(end) };
    }
}

/// Keeps the keys whose slots may hold them, and asks for their tuples. Returns how many they are.
#[inline(always)]
fn survive<'a, 'h, K: Key, S: Scheme>(
    table: View<'a, K, S>,
    hashes: impl Iterator<Item = &'h u64>,
    survivors: &mut [Survivor; MAX_GROUP],
    look_up: impl Fn(View<'a, K, S>, u64) -> Range<usize>,
) -> usize {
    let mut passed = 0;
    for (index, &hash) in hashes.enumerate() {
        let range = look_up(table, hash);
        survivors[passed] = Survivor {
            index: index as u32,
            start: range.start as u32,
            len: (range.end - range.start) as u32,
        };
        passed += usize::from(range.start < range.end);
        prefetch_read(table.tuples.as_ptr().wrapping_add(range.start));
    }
    passed
}
