//! Asynchronous memory access chaining (Kocberber, Falsafi, Grot, VLDB 2015): lookups in flight take turns, a step
//! each, and one that has ended makes room for the next key at once. So a key that its tag rules out leaves no gap, as it
//! does in a group.

use super::{Scheme, View};
use crate::directory::DirectoryLayout;
use crate::hash::KeyHash;
use crate::join::MAX_GROUP;
use crate::key::Key;
use crate::prefetch::prefetch_read;
use crate::simd::{Lanes, Matches, WithLanes};

/// A lookup in flight: what it waits for.
#[derive(Clone, Copy)]
enum Lookup {
    /// Its directory entry.
    Entry { index: u32, hash: u64 },
    /// The first of its tuples.
    Tuples { index: u32, start: u32, len: u32 },
    /// Nothing: there is no key left.
    Ended,
}

/// Probes with so many lookups in flight.
pub(super) struct Interleaved<'a, 's, K: Key, S: Scheme> {
    pub(super) table: View<'a, K, S>,
    pub(super) keys: &'a [K],
    pub(super) depth: usize,
    pub(super) matches: &'a mut Matches<'s>,
}

impl<K: Key, S: Scheme> WithLanes for Interleaved<'_, '_, K, S> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            table,
            keys,
            depth,
            matches,
        } = self;
        let first_probe = matches.first();
        let mut next = 0..keys.len();
        let mut start = || {
            next.next().map_or(Lookup::Ended, |index| {
                let mut hash = [0];
                S::Hash::hash_block(std::iter::once(keys[index]), &mut hash);
                let [hash] = hash;
                table.prefetch_tag(hash);
                if S::Directory::TAGS_APART {
                    table.prefetch_range(hash);
                }
                Lookup::Entry {
                    index: index as u32,
                    hash,
                }
            })
        };
        let mut lookups = [Lookup::Ended; MAX_GROUP];
        let lookups = &mut lookups[..depth];
        lookups.fill_with(&mut start);
        let mut end = matches.end();
        let mut ended = 0;
        while ended < depth {
            ended = 0;
            for lookup in &mut *lookups {
                *lookup = match *lookup {
                    Lookup::Entry { index, hash } => {
                        let range = table.candidates(hash);
                        if range.is_empty() {
                            start()
                        } else {
                            prefetch_read(table.tuples.as_ptr().wrapping_add(range.start));
                            Lookup::Tuples {
                                index,
                                start: range.start as u32,
                                len: range.len() as u32,
                            }
                        }
                    }
                    Lookup::Tuples {
                        index,
                        start: first,
                        len,
                    } => {
                        let (first, len) = (first as usize, len as usize);
                        let (key, probe) = (keys[index as usize], first_probe + index);
                        // SAFETY: a range ends at `len` at most, behind which the padding stands; lanes were
                        // dispatched.
                        end = unsafe {
                            matches.extend::<L, K>(end, table.tuples, first, len, key, probe)
                        };
                        start()
                    }
                    Lookup::Ended => {
                        ended += 1;
                        Lookup::Ended
                    }
                };
            }
        }
        // SAFETY: the last lookup's.
        unsafe { matches.set_end(end) };
    }
}
