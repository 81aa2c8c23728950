//! One key after the other, from its hash to its matches: for tables in the cache.

use super::{HASH_BLOCK, Scheme, View};
use crate::hash::KeyHash;
use crate::key::Key;
use crate::simd::{Lanes, Matches, WithLanes};

/// Probes key by key.
///
/// Lanes that do not branch look at the whole range without asking the tag first: in the cache a tuple costs no more
/// than its tag, and a branch on the tag much more where it is hard to predict.
pub(super) struct Direct<'a, 's, K: Key, S: Scheme> {
    pub(super) table: View<'a, K, S>,
    pub(super) keys: &'a [K],
    pub(super) matches: &'a mut Matches<'s>,
}

impl<K: Key, S: Scheme> WithLanes for Direct<'_, '_, K, S> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            table,
            keys,
            matches,
        } = self;
        let mut end = matches.end();
        let mut probes = matches.first()..;
        let mut look_up = |probe: u32, key: K, hash: u64| {
            let range = if L::BRANCHES {
                table.candidates(hash)
            } else {
                table.range(hash)
            };
            let (start, len) = (range.start, range.end - range.start);
            // SAFETY: a range ends at `len` at most, behind which the padding stands; lanes were dispatched.
            end = unsafe { matches.extend::<L, K>(end, table.tuples, start, len, key, probe) };
        };
        if S::Hash::BLOCKWISE {
            let mut hashes = [0; HASH_BLOCK];
            for keys in keys.chunks(HASH_BLOCK) {
                S::Hash::hash_block(keys.iter().copied(), &mut hashes);
                for ((&key, &hash), probe) in keys.iter().zip(&hashes).zip(&mut probes) {
                    look_up(probe, key, hash);
                }
            }
        } else {
            for (&key, probe) in keys.iter().zip(probes) {
                look_up(probe, key, S::Hash::hash(key));
            }
        }
        // SAFETY: the last lookup's.
        unsafe { matches.set_end(end) };
    }
}
