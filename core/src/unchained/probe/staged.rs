//! Group prefetching (Chen et al., ICDE 2004): each stage runs over the whole group before the next one, so that a
//! group's cache misses overlap: hash, test tags, look ranges up, compare. Keys that a stage rules out do not reach the
//! next one, without a branch on each.
//!
//! The first group of a block asks the tags; the others only if that ruled out at least an eighth of its keys, since a tag
//! that says yes was looked at for nothing.

use super::{Scheme, View};
use crate::directory::DirectoryLayout;
use crate::hash::KeyHash;
use crate::join::MAX_GROUP;
use crate::key::Key;
use crate::prefetch::prefetch_read;
use crate::simd::{Candidates, Lanes, Matches, WithLanes};
use crate::tag::TagScheme;

/// Probes group by group.
pub(super) struct Staged<'a, 's, K: Key, S: Scheme> {
    pub(super) table: View<'a, K, S>,
    pub(super) keys: &'a [K],
    pub(super) group: usize,
    pub(super) matches: &'a mut Matches<'s>,
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
        let mut indexes = [0_u8; MAX_GROUP];
        let mut survivors = [Candidates::default(); MAX_GROUP];
        let mut end = matches.end();
        let mut first = matches.first();
        let mut ask_tags = S::Tags::ENABLED;
        let mut left = keys;
        while !left.is_empty() {
            // Twice as many where tags rule keys out, so that the later stages have as many misses to overlap.
            let wanted = if ask_tags { 2 * group } else { group };
            let (keys, later) = left.split_at(wanted.min(MAX_GROUP).min(left.len()));
            left = later;
            S::Hash::hash_block(keys.iter().copied(), &mut hashes);
            let hashes = &hashes[..keys.len()];
            let survived = if ask_tags {
                let passed = pass(table, hashes, &mut indexes);
                ask_tags = 8 * passed < 7 * keys.len();
                let passed = indexes[..passed].iter().map(|&index| usize::from(index));
                survive(
                    table,
                    passed.map(|index| (index, hashes[index])),
                    &mut survivors,
                )
            } else {
                for &hash in hashes {
                    table.prefetch_range(hash);
                }
                survive(table, hashes.iter().copied().enumerate(), &mut survivors)
            };
            for survivor in &survivors[..survived] {
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

/// The stage of the tags. Writes the numbers of the keys that their tags do not rule out, and returns how many they are.
#[inline(always)]
pub(super) fn pass<K: Key, S: Scheme>(
    table: View<'_, K, S>,
    hashes: &[u64],
    indexes: &mut [u8; MAX_GROUP],
) -> usize {
    for &hash in hashes {
        table.prefetch_tag(hash);
    }
    let mut passed = 0;
    for (index, &hash) in hashes.iter().enumerate() {
        indexes[passed] = index as u8;
        passed += usize::from(table.may_hold(hash));
    }
    if S::Directory::TAGS_APART {
        for &index in &indexes[..passed] {
            table.prefetch_range(hashes[usize::from(index)]);
        }
    }
    passed
}

/// The stage of the ranges. Writes the keys whose slots are not empty, asks for their tuples, and returns how many they
/// are. `hashes` are those that passed, with the numbers of their keys.
#[inline(always)]
pub(super) fn survive<K: Key, S: Scheme>(
    table: View<'_, K, S>,
    hashes: impl Iterator<Item = (usize, u64)>,
    survivors: &mut [Candidates; MAX_GROUP],
) -> usize {
    let mut passed = 0;
    for (index, hash) in hashes {
        let range = table.range(hash);
        survivors[passed] = Candidates {
            index: index as u32,
            start: range.start as u32,
            len: (range.end - range.start) as u32,
        };
        passed += usize::from(range.start < range.end);
        prefetch_read(table.tuples.as_ptr().wrapping_add(range.start));
    }
    passed
}
