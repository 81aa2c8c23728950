//! The inner loops of a probe: one file per schedule.

mod direct;
mod interleaved;
mod ranges;
mod staged;

use std::ops::Range;

use super::{Scheme, Unchained, slot};
use crate::directory::{DirectoryLayout, DirectoryView};
use crate::join::{JoinTable, Kernel, RangeTable, RowIds, Schedule};
use crate::key::{Key, Tuple};
use crate::output::Sink;
use crate::simd::Matches;
use crate::tag::TagScheme;

/// Keys that are hashed together where the hash works on blocks.
const HASH_BLOCK: usize = 256;

/// A table as its kernels see it: a copy of its pointers, which stay in registers whatever a kernel writes.
struct View<'a, K: Key, S: Scheme + 'a> {
    directory: <S::Directory as DirectoryLayout>::View<'a>,
    /// The tuple store, its padding included.
    tuples: &'a [Tuple<K>],
    prefix_bits: u32,
}

// Not derived: a scheme itself is never copied.
impl<K: Key, S: Scheme> Clone for View<'_, K, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key, S: Scheme> Copy for View<'_, K, S> {}

impl<K: Key, S: Scheme> View<'_, K, S> {
    /// Asks for the range of a hash's slot.
    #[inline(always)]
    fn prefetch_range(self, hash: u64) {
        self.directory.prefetch_range(slot(hash, self.prefix_bits));
    }

    /// Asks for the tag of a hash's slot.
    #[inline(always)]
    fn prefetch_tag(self, hash: u64) {
        self.directory.prefetch_tag(slot(hash, self.prefix_bits));
    }

    /// Whether the slot's tag says that the hash may be there.
    #[inline(always)]
    fn may_hold(self, hash: u64) -> bool {
        let tag = S::Tags::tag(hash, self.prefix_bits);
        // SAFETY: a hash shifted by 64 − prefix_bits is below 2^prefix_bits, the number of slots.
        tag & !unsafe { self.directory.tag(slot(hash, self.prefix_bits)) } == 0
    }

    /// The slot's tuples, whatever its tag says.
    #[inline(always)]
    fn range(self, hash: u64) -> Range<usize> {
        // SAFETY: a hash shifted by 64 − prefix_bits is below 2^prefix_bits, the number of slots.
        unsafe { self.directory.range(slot(hash, self.prefix_bits)) }
    }

    /// The slot's tuples, or nothing where the tag rules them out.
    #[inline(always)]
    fn candidates(self, hash: u64) -> Range<usize> {
        let tag = S::Tags::tag(hash, self.prefix_bits);
        // SAFETY: a hash shifted by 64 − prefix_bits is below 2^prefix_bits, the number of slots.
        let (range, passed) = unsafe { self.directory.lookup(slot(hash, self.prefix_bits), tag) };
        if S::Tags::ENABLED && !passed {
            range.start..range.start
        } else {
            range
        }
    }
}

impl<K: Key, S: Scheme> Unchained<K, S> {
    fn view(&self) -> View<'_, K, S> {
        View {
            directory: self.directory.view(),
            tuples: &self.tuples,
            prefix_bits: self.prefix_bits,
        }
    }

    fn probe_block(&self, keys: &[K], kernel: Kernel, matches: &mut Matches<'_>) {
        let table = self.view();
        match kernel.schedule {
            Schedule::Direct => {
                let matches = &mut *matches;
                kernel.compare.dispatch(direct::Direct {
                    table,
                    keys,
                    matches,
                });
            }
            Schedule::Interleaved(_) => {
                let (depth, matches) = (kernel.group(), &mut *matches);
                kernel.compare.dispatch(interleaved::Interleaved {
                    table,
                    keys,
                    depth,
                    matches,
                });
            }
            Schedule::Staged(_) | Schedule::BySize(_) => {
                let (group, matches) = (kernel.group(), &mut *matches);
                kernel.compare.dispatch(staged::Staged {
                    table,
                    keys,
                    group,
                    matches,
                });
            }
        }
        matches.flush();
    }
}

impl<K: Key, S: Scheme> JoinTable<K> for Unchained<K, S> {
    fn probe_keys<R: RowIds, O: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut O) {
        self.probe_block(keys, kernel, &mut Matches::new(rows.rows(), sink));
    }

    fn as_ranges(&self) -> Option<&dyn RangeTable<K>> {
        Some(self)
    }

    fn tuples(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}
