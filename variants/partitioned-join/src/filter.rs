//! A filter of the build side's keys, which probes pass before they are partitioned: a semi-join by a Bloom filter whose
//! bits of a key are all in one 64-bit word (Putze, Sanders, Singler: WEA 2007; in registers: Lang et al., VLDB 2019).

use std::marker::PhantomData;

use join_core::hash::KeyHash;
use join_core::input::{BlockRows, KeyBlock, KeyCursor, KeySource};
use join_core::join::{Context, JoinError};
use join_core::key::{Key, Tuple};
use join_core::memory::Buffer;
use join_core::parallel::{MorselSize, Sharing, Tasks};
use join_core::partition::Segments;

/// Keys of a word at most, so at least eight bits a key.
const KEYS_PER_WORD: usize = 8;

/// The filter: no key that was added is refused, and one in some thirty others passes.
pub(crate) struct Filter<H> {
    words: Buffer<u64>,
    shift: u32,
    hash: PhantomData<H>,
}

impl<H: KeyHash> Filter<H> {
    /// Bytes of a filter of so many keys in so many partitions.
    pub(crate) fn bytes(keys: usize, parts: usize) -> usize {
        let words = keys.div_ceil(KEYS_PER_WORD).next_power_of_two();
        words.max(parts).max(2) * size_of::<u64>()
    }

    /// The filter of all keys of the partitions, made partition by partition: the words of one are its own, because
    /// partitions and words are both chosen by the top bits of the hash.
    pub(crate) fn new<K: Key>(
        builds: &Segments<'_, Tuple<K>>,
        context: &Context<'_>,
    ) -> Result<Self, JoinError> {
        let keys = (0..builds.parts()).map(|part| builds.len(part)).sum();
        let len = Self::bytes(keys, builds.parts()) / size_of::<u64>();
        let mut words = context.memory.zeroed::<u64>(len)?;
        let shift = 64 - len.ilog2();
        let tasks = Tasks::new(words.chunks_mut(len / builds.parts()));
        let workers = context.team.workers_for(keys);
        context.team.run(vec![(); workers], |_, ()| {
            while let Some((part, words)) = tasks.take() {
                builds.for_each(part, |tuple| {
                    let hash = H::hash(tuple.key);
                    let word = (hash >> shift) as usize % words.len();
                    words[word] |= bits(hash);
                });
            }
        });
        drop(tasks);
        Ok(Self {
            words,
            shift,
            hash: PhantomData,
        })
    }

    /// Size in bytes.
    pub(crate) fn len_bytes(&self) -> usize {
        self.words.bytes()
    }

    #[inline(always)]
    fn passes<K: Key>(&self, key: K) -> bool {
        let hash = H::hash(key);
        let bits = bits(hash);
        self.words[(hash >> self.shift) as usize] & bits == bits
    }
}

/// Three bits of a word, from bits of a hash that neither partition nor word nor slot is chosen by.
#[inline(always)]
fn bits(hash: u64) -> u64 {
    let mixed = hash.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    1 << (mixed >> 58) | 1 << (mixed >> 52 & 63) | 1 << (mixed >> 46 & 63)
}

/// The keys of a source that pass a filter.
pub(crate) struct Passing<'a, S, H> {
    pub(crate) source: S,
    pub(crate) filter: &'a Filter<H>,
}

// SAFETY: what passes does not change, so each reading is as the source's.
unsafe impl<K: Key, S: KeySource<K>, H: KeyHash> KeySource<K> for Passing<'_, S, H> {
    fn rows(&self) -> Option<usize> {
        self.source.rows()
    }

    fn cursors<'s>(
        &'s self,
        workers: usize,
        sharing: Sharing,
        morsel: MorselSize,
    ) -> Vec<Box<dyn KeyCursor<K> + 's>> {
        let cursors = self.source.cursors(workers, sharing, morsel);
        let passing = cursors.into_iter().map(|cursor| {
            Box::new(PassingCursor {
                cursor,
                filter: self.filter,
                keys: Vec::new(),
                rows: Vec::new(),
            }) as Box<dyn KeyCursor<K> + 's>
        });
        passing.collect()
    }
}

struct PassingCursor<'s, K, H> {
    cursor: Box<dyn KeyCursor<K> + 's>,
    filter: &'s Filter<H>,
    keys: Vec<K>,
    rows: Vec<u32>,
}

impl<K: Key, H: KeyHash> KeyCursor<K> for PassingCursor<'_, K, H> {
    fn next_block(&mut self) -> Option<KeyBlock<'_, K>> {
        loop {
            let block = self.cursor.next_block()?;
            if self.keys.len() < block.keys.len() {
                self.keys.resize(block.keys.len(), K::zeroed());
                self.rows.resize(block.keys.len(), 0);
            }
            // Every key is written and counted only if it passes: no branch depends on what the filter says, and the
            // reads of its words overlap.
            let (keys, rows) = (&mut self.keys[..], &mut self.rows[..]);
            let mut passed = 0;
            block.for_each(|key, row| {
                keys[passed] = key;
                rows[passed] = row;
                passed += usize::from(self.filter.passes(key));
            });
            if passed > 0 {
                return Some(KeyBlock {
                    keys: &self.keys[..passed],
                    rows: BlockRows::List(&self.rows[..passed]),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use join_core::hash::{Fibonacci, Murmur};
    use join_core::join::Context;
    use join_core::memory::Memory;
    use join_core::parallel::Team;
    use join_core::partition::{ChunkSize, Collect, Partitioning, Plain};
    use join_core::table::Column;
    use join_core::unchained::DefaultScheme;

    #[test]
    fn no_build_key_is_refused_and_few_others_pass() {
        let keys: Vec<i32> = (0..10_000).map(|key| key * 3).collect();
        let column = Column::from_i32(&keys);
        let source = join_core::input::KeyColumn::<i32>::new(&column).unwrap();
        let (team, memory) = (Team::single(), Memory::unlimited());
        let context = Context::new(&team, &memory);
        let plan = Partitioning {
            part_bits: 3,
            prefix_bits: 3,
            workers: 1,
            rows: keys.len(),
            collect: Collect::Exact,
            chunk: ChunkSize::Expected,
            write_combining: true,
        };
        plan.collect::<i32, DefaultScheme, Plain, _>(&source, &context, |builds| {
            let filter = Filter::<Fibonacci>::new(builds, &context)?;
            assert!(keys.iter().all(|&key| filter.passes(key)));
            let others = (0..30_000).map(|key| Murmur::hash(key) as i32 | 1 << 30);
            let passed = others.filter(|&key| filter.passes(key)).count();
            assert!(passed < 3_000, "{passed} of 30000 pass");
            Ok(())
        })
        .unwrap();
    }
}
