//! Bucket chaining: the hash join of the textbooks, and of Balkesen et al. (ICDE 2013) as "no partitioning".

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use join_core::directory::Sizing;
use join_core::hash::{Fibonacci, KeyHash};
use join_core::input::{KeyCursor, KeySource};
use join_core::join::{Build, Context, DynJoinTable, JoinError, Phases};
use join_core::key::Key;
use join_core::parallel::Division;
use join_core::prefetch::prefetch_read;
use join_core::tag::NoTags;

use super::{Chains, Node, slot};
use crate::collect::Replayable;

/// Keys whose heads are prefetched together while building.
const GROUP: usize = 64;

/// Bucket chaining: heads over copied tuples. All threads build one table; each puts its nodes in front of the chains by
/// an atomic exchange.
pub struct BucketChaining<H = Fibonacci> {
    /// How many slots the directory gets.
    pub sizing: Sizing,
    hash: PhantomData<fn() -> H>,
}

impl<H> BucketChaining<H> {
    /// A build with a directory of this sizing.
    pub fn new(sizing: Sizing) -> Self {
        Self {
            sizing,
            hash: PhantomData,
        }
    }
}

impl Default for BucketChaining {
    /// Two slots per tuple: without tags, what shortens chains pays.
    fn default() -> Self {
        Self::new(Sizing::per_tuple(2.0))
    }
}

impl<H: KeyHash> Build for BucketChaining<H> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let workers = context.team.workers_for(source.rows());
        let cursors = || source.source().cursors(Division::fixed(workers));
        let lens = context.team.run(cursors(), |_, mut cursor| {
            let mut len = 0;
            while let Some(block) = cursor.next_block() {
                len += block.keys.len();
            }
            len
        });
        let total = lens.iter().sum();
        let bits = self.sizing.bits(total);
        let mut heads = context.memory.zeroed::<u32>(1 << bits)?;
        let mut nodes = context.memory.uninit::<Node<K>>(total)?;
        phases.lap("allocate");

        let shared = heads.atomics();
        let mut left: &mut [_] = &mut nodes;
        let mut start = 0;
        let shares = cursors().into_iter().zip(lens).map(|(cursor, len)| {
            let place = left.split_off_mut(..len).expect("the lengths add up");
            start += len;
            Share {
                cursor,
                place,
                first: start - len,
            }
        });
        let shares: Vec<_> = shares.collect();
        if workers == 1 {
            // A load and a store instead of an exchange, whose full barrier keeps cache misses from overlapping.
            context.team.run(shares, |_, share| {
                share.link::<H>(bits, shared, |head, node| {
                    let next = head.load(Ordering::Relaxed);
                    head.store(node, Ordering::Relaxed);
                    next
                });
            });
        } else {
            // Relaxed: nobody follows a chain before all threads have been joined.
            context.team.run(shares, |_, share| {
                share.link::<H>(bits, shared, |head, node| {
                    head.swap(node, Ordering::Relaxed)
                });
            });
        }
        // SAFETY: the shares divide the nodes, and each has checked that it wrote all of its own.
        let nodes = unsafe { nodes.assume_init() };
        phases.lap("link");
        Ok(Box::new(Chains::<K, H, NoTags> {
            heads,
            tags: context.memory.zeroed(0)?,
            nodes,
            bits,
            scheme: PhantomData,
        }))
    }
}

/// A worker's rows and the nodes that they become.
struct Share<'s, K> {
    cursor: Box<dyn KeyCursor<K> + 's>,
    place: &'s mut [MaybeUninit<Node<K>>],
    first: usize,
}

impl<K: Key> Share<'_, K> {
    /// Writes all nodes; `exchange` puts a node at a head and returns the node that was there.
    #[inline(always)]
    fn link<H: KeyHash>(
        mut self,
        bits: u32,
        heads: &[AtomicU32],
        exchange: impl Fn(&AtomicU32, u32) -> u32,
    ) {
        let mut place = self.place.iter_mut().zip(self.first as u32 + 1..);
        let mut slots = [0; GROUP];
        while let Some(block) = self.cursor.next_block() {
            for block in block.chunks(GROUP) {
                for (slot_of, &key) in slots.iter_mut().zip(block.keys) {
                    *slot_of = slot(H::hash(key), bits);
                    prefetch_read(&raw const heads[*slot_of]);
                }
                let mut slots = slots.iter();
                block.for_each(|key, row| {
                    let &slot = slots.next().expect("a slot for every key");
                    let (place, node) = place.next().expect("as many keys as counted");
                    let next = exchange(&heads[slot], node);
                    place.write(Node { key, row, next });
                });
            }
        }
        assert!(place.next().is_none(), "as many keys as counted");
    }
}
