//! Partitioned chaining: what the winners of the SIGMOD 2025 programming contest shipped, by the authors of the
//! unchained table.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use join_core::directory::Sizing;
use join_core::hash::{Fibonacci, KeyHash};
use join_core::input::KeySource;
use join_core::join::{Build, Context, DynJoinTable, JoinError, Phases};
use join_core::key::{Key, Tuple};
use join_core::parallel::Tasks;
use join_core::tag::{MaskTable, TagScheme};

use super::{Chains, Node, slot};
use crate::collect::Replayable;
use crate::partition::{HashBits, part_bits, partition};

/// Chaining with tuples contiguous by partition and 16-bit tags in an array of their own. Tuples are partitioned by the
/// top bits of their hash first; then each partition's range of the directory belongs to one thread, whose stores are
/// plain and stay in its cache.
pub struct PartitionedChaining<H = Fibonacci, T = MaskTable> {
    /// How many slots the directory gets.
    pub sizing: Sizing,
    scheme: PhantomData<fn() -> (H, T)>,
}

impl<H, T> PartitionedChaining<H, T> {
    /// A build with a directory of this sizing.
    pub fn new(sizing: Sizing) -> Self {
        Self {
            sizing,
            scheme: PhantomData,
        }
    }
}

impl Default for PartitionedChaining {
    fn default() -> Self {
        Self::new(Sizing::default())
    }
}

impl<H: KeyHash, T: TagScheme> Build for PartitionedChaining<H, T> {
    fn build<'a, K: Key>(
        &self,
        source: &'a dyn KeySource<K>,
        context: &Context<'_>,
        phases: &mut Phases,
    ) -> Result<Box<dyn DynJoinTable<K> + 'a>, JoinError> {
        let source = Replayable::new(source, context, phases)?;
        let workers = context.team.workers_for(source.rows());
        let bits = self.sizing.bits(source.rows());
        let table_bytes = (source.rows() * size_of::<Node<K>>()) + (6 << bits);
        let fan_out = part_bits(table_bytes, workers, context).min(bits);
        let digit = HashBits::<H>::new(0, fan_out);
        let partitions = partition(source.source(), workers, digit, context)?;
        drop(source);
        phases.lap("partition");

        let mut heads = context.memory.zeroed::<u32>(1 << bits)?;
        let tags_len = if T::ENABLED { 1 << bits } else { 0 };
        let mut tags = context.memory.zeroed::<u16>(tags_len)?;
        let mut nodes = context.memory.uninit::<Node<K>>(partitions.len())?;
        phases.lap("allocate");

        let slots = 1 << (bits - fan_out);
        let mut tags_left: &mut [_] = &mut tags;
        let mut nodes_left: &mut [_] = &mut nodes;
        let mut start = 0;
        let parts = partitions.parts().zip(heads.chunks_mut(slots)).enumerate();
        let parts = parts.map(|(part, (tuples, heads))| {
            start += tuples.len();
            Part {
                tuples,
                heads,
                tags: tags_left
                    .split_off_mut(..slots.min(tags_left.len()))
                    .expect("within bounds"),
                nodes: nodes_left
                    .split_off_mut(..tuples.len())
                    .expect("a node for every tuple"),
                first_slot: part * slots,
                first_node: start - tuples.len(),
            }
        });
        let parts = Tasks::new(parts);
        context.team.run(vec![(); workers], |_, ()| {
            while let Some((_, part)) = parts.take() {
                part.link::<H, T>(bits);
            }
        });
        drop(parts);
        // SAFETY: the parts divide the nodes, and each writes a node for each of its tuples.
        let nodes = unsafe { nodes.assume_init() };
        drop(partitions);
        phases.lap("link");
        Ok(Box::new(Chains::<K, H, T> {
            heads,
            tags,
            nodes,
            bits,
            scheme: PhantomData,
        }))
    }
}

/// One owner's share of the table.
struct Part<'a, K: Key> {
    tuples: &'a [Tuple<K>],
    heads: &'a mut [u32],
    /// Empty where the scheme has no tags.
    tags: &'a mut [u16],
    nodes: &'a mut [MaybeUninit<Node<K>>],
    first_slot: usize,
    first_node: usize,
}

impl<K: Key> Part<'_, K> {
    fn link<H: KeyHash, T: TagScheme>(self, bits: u32) {
        let numbers = self.first_node as u32 + 1..;
        for ((node, number), tuple) in self.nodes.iter_mut().zip(numbers).zip(self.tuples) {
            let hash = H::hash(tuple.key);
            let slot = slot(hash, bits) - self.first_slot;
            if T::ENABLED {
                self.tags[slot] |= T::tag(hash, bits);
            }
            node.write(Node {
                key: tuple.key,
                row: tuple.row_id(),
                next: std::mem::replace(&mut self.heads[slot], number),
            });
        }
    }
}
