//! The inner loops of a probe.

use std::ops::Range;

use super::{Scheme, Unchained, slot};
use crate::directory::DirectoryLayout;
use crate::hash::KeyHash;
use crate::join::{Compare, Kernel, MAX_GROUP, ProbeTable, RowIds, Sink};
use crate::key::Key;
use crate::prefetch::prefetch_read;
use crate::tag::TagScheme;

/// Keys that are hashed together where the hash works on blocks.
const HASH_BLOCK: usize = 256;

impl<K: Key, S: Scheme> Unchained<K, S> {
    /// The slot's tuples, or nothing where the tag rules them out.
    #[inline(always)]
    fn candidates(&self, hash: u64) -> Range<usize> {
        let slot = slot(hash, self.prefix_bits);
        // SAFETY: a hash shifted by 64 − prefix_bits is below 2^prefix_bits, the number of slots.
        let (range, passed) = unsafe { self.directory.lookup(slot, self.tag(hash)) };
        if S::Tags::ENABLED && !passed {
            range.start..range.start
        } else {
            range
        }
    }

    /// Emits the matches among the tuples of `range`.
    #[inline(always)]
    fn compare<const BRANCH_FREE: bool, O: Sink>(
        &self,
        range: Range<usize>,
        key: K,
        row: u32,
        sink: &mut O,
    ) {
        let Range { mut start, end } = range;
        debug_assert!(end <= self.len);
        if BRANCH_FREE {
            // SAFETY: ENDs are at most `len`, behind which two padding tuples stand.
            let (first, second) = unsafe {
                (
                    self.tuples.get_unchecked(start),
                    self.tuples.get_unchecked(start + 1),
                )
            };
            sink.emit_if((start < end) & (first.key == key), first.row_id(), row);
            sink.emit_if(
                (start + 1 < end) & (second.key == key),
                second.row_id(),
                row,
            );
            start += 2;
        }
        while start < end {
            // SAFETY: `start` is below an END, and ENDs are at most `len`.
            let tuple = unsafe { self.tuples.get_unchecked(start) };
            if tuple.key == key {
                sink.emit(tuple.row_id(), row);
            }
            start += 1;
        }
    }

    #[inline(always)]
    fn scalar<const BRANCH_FREE: bool, R: RowIds, O: Sink>(
        &self,
        keys: &[K],
        rows: R,
        sink: &mut O,
    ) {
        if S::Hash::BLOCKWISE {
            let mut hashes = [0; HASH_BLOCK];
            for (block, keys) in keys.chunks(HASH_BLOCK).enumerate() {
                S::Hash::hash_block(keys, &mut hashes);
                for (index, (&key, &hash)) in keys.iter().zip(&hashes).enumerate() {
                    let row = rows.row(block * HASH_BLOCK + index);
                    self.compare::<BRANCH_FREE, _>(self.candidates(hash), key, row, sink);
                }
            }
        } else {
            for (index, &key) in keys.iter().enumerate() {
                let range = self.candidates(S::Hash::hash(key));
                self.compare::<BRANCH_FREE, _>(range, key, rows.row(index), sink);
            }
        }
    }

    /// Group prefetching (Chen et al., ICDE 2004): each stage runs over the whole group before the next one, so that a
    /// group's cache misses overlap. Keys whose tag says no do not reach the last stage.
    #[inline(always)]
    fn batched<const BRANCH_FREE: bool, R: RowIds, O: Sink>(
        &self,
        keys: &[K],
        rows: R,
        group: usize,
        sink: &mut O,
    ) {
        let group = group.min(MAX_GROUP);
        let mut hashes = [0_u64; MAX_GROUP];
        let mut survivors = [(0_u32, 0_u32, 0_u32); MAX_GROUP];
        let mut first = 0;
        for keys in keys.chunks(group) {
            S::Hash::hash_block(keys, &mut hashes);
            for &hash in &hashes[..keys.len()] {
                self.directory.prefetch(slot(hash, self.prefix_bits));
            }
            let mut passed = 0;
            for (index, &hash) in hashes[..keys.len()].iter().enumerate() {
                let range = self.candidates(hash);
                survivors[passed] = (index as u32, range.start as u32, range.end as u32);
                passed += usize::from(range.start < range.end);
                prefetch_read(self.tuples.as_ptr().wrapping_add(range.start));
            }
            for &(index, start, end) in &survivors[..passed] {
                let index = index as usize;
                let range = start as usize..end as usize;
                self.compare::<BRANCH_FREE, _>(range, keys[index], rows.row(first + index), sink);
            }
            first += keys.len();
        }
    }
}

impl<K: Key, S: Scheme> ProbeTable<K> for Unchained<K, S> {
    fn probe_keys<R: RowIds, O: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut O) {
        match (kernel.group, kernel.compare) {
            (0, Compare::Loop) => self.scalar::<false, _, _>(keys, rows, sink),
            (0, Compare::BranchFree) => self.scalar::<true, _, _>(keys, rows, sink),
            (group, Compare::Loop) => self.batched::<false, _, _>(keys, rows, group, sink),
            (group, Compare::BranchFree) => self.batched::<true, _, _>(keys, rows, group, sink),
        }
    }

    fn tuples(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}
