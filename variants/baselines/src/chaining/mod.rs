//! Chaining: a directory of heads, one chain of nodes a slot, new nodes in front.

mod bucket;
mod partitioned;

pub use bucket::BucketChaining;
pub use partitioned::PartitionedChaining;

use std::marker::PhantomData;

use join_core::hash::KeyHash;
use join_core::join::{Kernel, MAX_GROUP, ProbeTable, RowIds, Sink};
use join_core::key::Key;
use join_core::memory::Buffer;
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
    /// The head of the chain that may hold keys of this hash; 0 where there is none.
    #[inline(always)]
    fn head(&self, hash: u64) -> u32 {
        let slot = slot(hash, self.bits);
        if T::ENABLED {
            let tag = T::tag(hash, self.bits);
            if tag & !self.tags[slot] != 0 {
                return 0;
            }
        }
        self.heads[slot]
    }

    #[inline(always)]
    fn scalar<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, sink: &mut S) {
        for (index, &key) in keys.iter().enumerate() {
            let mut next = self.head(H::hash(key));
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
    /// chains together, a node a round, so that the cache misses of a group overlap.
    #[inline(always)]
    fn batched<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, group: usize, sink: &mut S) {
        let mut hashes = [0_u64; MAX_GROUP];
        // Keys that are still on their way, and the nodes that they come to next.
        let mut walkers = [(0_u32, 0_u32); MAX_GROUP];
        let mut first = 0;
        for keys in keys.chunks(group.min(MAX_GROUP)) {
            H::hash_block(keys, &mut hashes);
            let hashes = &hashes[..keys.len()];
            for &hash in hashes {
                let slot = slot(hash, self.bits);
                if T::ENABLED {
                    prefetch_read(&raw const self.tags[slot]);
                }
                prefetch_read(&raw const self.heads[slot]);
            }
            let mut walking = 0;
            for (index, &hash) in hashes.iter().enumerate() {
                let next = self.head(hash);
                prefetch_read(
                    self.nodes
                        .as_ptr()
                        .wrapping_add(next as usize)
                        .wrapping_sub(1),
                );
                walkers[walking] = (index as u32, next);
                walking += usize::from(next != 0);
            }
            while walking > 0 {
                let mut still = 0;
                for at in 0..walking {
                    let (index, next) = walkers[at];
                    let node = &self.nodes[next as usize - 1];
                    let hit = node.key == keys[index as usize];
                    sink.emit_if(hit, node.row, rows.row(first + index as usize));
                    prefetch_read(
                        self.nodes
                            .as_ptr()
                            .wrapping_add(node.next as usize)
                            .wrapping_sub(1),
                    );
                    walkers[still] = (index, node.next);
                    still += usize::from(node.next != 0);
                }
                walking = still;
            }
            first += keys.len();
        }
    }
}

impl<K: Key, H: KeyHash, T: TagScheme> ProbeTable<K> for Chains<K, H, T> {
    fn probe_keys<R: RowIds, S: Sink>(&self, keys: &[K], rows: R, kernel: Kernel, sink: &mut S) {
        match kernel.group {
            0 => self.scalar(keys, rows, sink),
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
