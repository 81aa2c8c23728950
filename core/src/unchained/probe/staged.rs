//! Group prefetching (Chen et al., ICDE 2004): each stage runs over the whole group before the next one, so that a
//! group's cache misses overlap. Keys whose tag says no do not reach the last stage.

use super::{Scheme, View};
use crate::hash::KeyHash;
use crate::join::{Kernel, MAX_GROUP};
use crate::key::{Key, Tuple};
use crate::prefetch::prefetch_read;
use crate::simd::{Lanes, Matches, WithLanes};

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

pub(super) fn probe<K: Key, S: Scheme>(
    table: View<'_, K, S>,
    keys: &[K],
    kernel: Kernel,
    matches: &mut Matches<'_>,
) {
    let mut survivors = [Survivor::default(); MAX_GROUP];
    let mut first = matches.first();
    for keys in keys.chunks(kernel.group()) {
        let passed = look_up(table, keys, &mut survivors);
        kernel.compare.dispatch(Survivors {
            tuples: table.tuples,
            keys,
            first,
            survivors: &survivors[..passed],
            matches,
        });
        first = first.wrapping_add(keys.len() as u32);
    }
}

/// The stages before the comparison. Returns how many keys of the group survive them.
fn look_up<K: Key, S: Scheme>(
    table: View<'_, K, S>,
    keys: &[K],
    survivors: &mut [Survivor; MAX_GROUP],
) -> usize {
    let mut hashes = [0_u64; MAX_GROUP];
    let hashes = &mut hashes[..keys.len()];
    S::Hash::hash_block(keys.iter().copied(), hashes);
    for &hash in &*hashes {
        table.prefetch(hash);
    }
    let mut passed = 0;
    for (index, &hash) in hashes.iter().enumerate() {
        let range = table.candidates(hash);
        survivors[passed] = Survivor {
            index: index as u32,
            start: range.start as u32,
            len: range.len() as u32,
        };
        passed += usize::from(!range.is_empty());
        prefetch_read(table.tuples.as_ptr().wrapping_add(range.start));
    }
    passed
}

/// The last stage. It knows nothing of hash, tags and directory, so all schemes share it.
struct Survivors<'a, 's, K: Key> {
    tuples: &'a [Tuple<K>],
    keys: &'a [K],
    /// What the group's first key is called.
    first: u32,
    survivors: &'a [Survivor],
    matches: &'a mut Matches<'s>,
}

impl<K: Key> WithLanes for Survivors<'_, '_, K> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let mut end = self.matches.end();
        for survivor in self.survivors {
            let (start, len) = (survivor.start as usize, survivor.len as usize);
            let (key, probe) = (
                self.keys[survivor.index as usize],
                self.first + survivor.index,
            );
            // SAFETY: a range ends at the last tuple at most, behind which the padding stands; lanes were dispatched.
            end = unsafe {
                self.matches
                    .extend::<L, K>(end, self.tuples, start, len, key, probe)
            };
        }
        // SAFETY: the last survivor's.
        unsafe { self.matches.set_end(end) };
    }
}
