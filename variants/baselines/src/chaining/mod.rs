//! Chaining: a directory of heads, one chain of nodes per slot, new nodes in front.

mod bucket;
mod partitioned;

pub use bucket::BucketChaining;
pub use partitioned::PartitionedChaining;

use std::marker::PhantomData;

use join_core::hash::KeyHash;
use join_core::join::{JoinTable, Kernel, MAX_GROUP, RowIds};
use join_core::key::Key;
use join_core::memory::Buffer;
use join_core::output::Sink;
use join_core::prefetch::prefetch_read;
use join_core::tag::TagScheme;

/// A build tuple in a chain: 12 bytes for `i32`, 16 for `i64`. Key, row and the way on share a cache line.
#[derive(Clone, Copy)]
#[repr(C)]
struct Node<K> {
    key: K,
    row: u32,
    /// One more than the place of the next node; 0 is the end.
    next: u32,
}

/// The slot of a hash: its top bits.
#[inline(always)]
fn slot(hash: u64, bits: u32) -> usize {
    (hash >> (64 - bits)) as usize
}

/// A finished table. Tags, where the scheme has them, stand in an array of their own: 2 bytes a slot stay in the cache
/// much longer than the heads.
struct Chains<K, H, T> {
    /// One more than the place of each slot's first node; 0 is an empty slot.
    heads: Buffer<u32>,
    tags: Buffer<u16>,
    nodes: Buffer<Node<K>>,
    /// log2 of the slots.
    bits: u32,
    scheme: PhantomData<fn() -> (H, T)>,
}

impl<K: Key, H: KeyHash, T: TagScheme> Chains<K, H, T> {
    /// Whether the slot of a hash may hold its key, by its tag.
    #[inline(always)]
    fn passes(&self, hash: u64) -> bool {
        let tag = T::tag(hash, self.bits);
        tag & !self.tags[slot(hash, self.bits)] == 0
    }

    /// Asks for a node to be read soon: both its ends, since one in six nodes of 12 bytes lies across two lines.
    #[inline(always)]
    fn prefetch(&self, node: u32) {
        let end = self.nodes.as_ptr().wrapping_add(node as usize);
        prefetch_read(end.wrapping_sub(1));
        prefetch_read(end.cast::<u8>().wrapping_sub(1));
    }

    #[inline(always)]
    fn scalar<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let hash = H::hash(key);
            if T::ENABLED && !self.passes(hash) {
                continue;
            }
            let mut next = self.heads[slot(hash, self.bits)];
            while next != 0 {
                let node = &self.nodes[next as usize - 1];
                if node.key == key {
                    sink.emit(node.row, rows.row(index));
                }
                next = node.next;
            }
        }
    }

    /// Group prefetching (Chen et al., ICDE 2004): a group of keys goes through its stages together, and then along its
    /// chains together, a node per round, so that the cache misses of a group overlap.
    #[inline(always)]
    fn batched<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, group: usize, sink: &mut S) {
        let mut hashes = [0_u64; MAX_GROUP];
        // Keys whose tag did not say no.
        let mut passed = [0_u32; MAX_GROUP];
        // Keys that are still on their way, and the nodes that they come to next.
        let mut walkers = [(0_u32, 0_u32); MAX_GROUP];
        let mut first = 0;
        for keys in keys.chunks(group) {
            H::hash_block(keys.iter().copied(), &mut hashes);
            let hashes = &hashes[..keys.len()];
            let mut passing = keys.len();
            if T::ENABLED {
                for &hash in hashes {
                    prefetch_read(&raw const self.tags[slot(hash, self.bits)]);
                }
                passing = 0;
                for (index, &hash) in hashes.iter().enumerate() {
                    passed[passing] = index as u32;
                    passing += usize::from(self.passes(hash));
                    prefetch_read(&raw const self.heads[slot(hash, self.bits)]);
                }
            } else {
                for (index, (passed, &hash)) in passed.iter_mut().zip(hashes).enumerate() {
                    *passed = index as u32;
                    prefetch_read(&raw const self.heads[slot(hash, self.bits)]);
                }
            }
            let mut walking = 0;
            for &index in &passed[..passing] {
                let next = self.heads[slot(hashes[index as usize], self.bits)];
                self.prefetch(next);
                walkers[walking] = (index, next);
                walking += usize::from(next != 0);
            }
            while walking > 0 {
                let mut still = 0;
                for at in 0..walking {
                    let (index, next) = walkers[at];
                    let node = &self.nodes[next as usize - 1];
                    let hit = node.key == keys[index as usize];
                    sink.emit_if(hit, node.row, rows.row(first + index as usize));
                    self.prefetch(node.next);
                    walkers[still] = (index, node.next);
                    still += usize::from(node.next != 0);
                }
                walking = still;
            }
            first += keys.len();
        }
    }
}

impl<K: Key, H: KeyHash, T: TagScheme> JoinTable<K> for Chains<K, H, T> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S) {
        match kernel.group() {
            1 => self.scalar(keys, rows, sink),
            group => self.batched(keys, rows, group, sink),
        }
    }

    fn tuples(&self) -> usize {
        self.nodes.len()
    }

    fn bytes(&self) -> usize {
        self.heads.bytes() + self.tags.bytes() + self.nodes.bytes()
    }
}
