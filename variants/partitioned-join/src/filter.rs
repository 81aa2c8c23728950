//! A filter of the build side's keys, which probes pass before they are partitioned: a semi-join by a Bloom filter whose
//! bits of a key are all in one 64-bit word (Putze, Sanders, Singler: WEA 2007; in registers: Lang et al., VLDB 2019).

#[cfg(target_arch = "x86_64")]
mod avx512;

use std::marker::PhantomData;

use join_core::cpu::has_avx512;
use join_core::hash::KeyHash;
use join_core::input::{BlockRows, KeyBlock, KeyCursor, KeySource};
use join_core::join::{Context, JoinError};
use join_core::key::{Key, Tuple};
use join_core::memory::Buffer;
use join_core::parallel::{Division, Morsels, Tasks};
use join_core::partition::Segments;

use crate::entries::{Entries, Partition};

/// Keys of a word at most, so at least eight bits a key.
const KEYS_PER_WORD: usize = 8;

/// Places behind as many keys as a block has, which a vector may write to.
const SPARE: usize = 8;

/// The matches a probe below which a filter of so many bytes costs less than it spares; `None` where it always costs more:
/// beyond L2, asking takes the longer the larger it is, and at sixteen times L2 longer than partitioning. Asked key by key
/// a filter pays in L2 alone.
pub(crate) fn worth_below(bytes: usize, l2: usize) -> Option<f64> {
    match (has_avx512(), bytes.div_ceil(l2.max(1))) {
        (true, 0..=1) => Some(0.4),
        (true, 2..=4) | (false, 0..=1) => Some(0.2),
        _ => None,
    }
}

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
                let entries = Partition(builds, part);
                #[cfg(target_arch = "x86_64")]
                if has_avx512() {
                    // SAFETY: the processor has AVX-512.
                    unsafe { avx512::add::<K, H>(&entries, shift, words) };
                    continue;
                }
                add_each::<K, H>(&entries, shift, words);
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

    /// Writes those of the block's keys that pass to the front of `keys`, and their rows; returns how many they are. There
    /// is room for [`SPARE`] more than the block has.
    fn pass<K: Key>(&self, block: KeyBlock<'_, K>, keys: &mut [K], rows: &mut [u32]) -> usize {
        #[cfg(target_arch = "x86_64")]
        if has_avx512() {
            // SAFETY: the processor has AVX-512.
            return unsafe { avx512::pass(self, block, keys, rows) };
        }
        self.pass_each(block, keys, rows)
    }

    /// Key by key: every key is written and counted only if it passes, so that no branch depends on what the filter says,
    /// and the reads of its words overlap.
    fn pass_each<K: Key>(&self, block: KeyBlock<'_, K>, keys: &mut [K], rows: &mut [u32]) -> usize {
        let mut passed = 0;
        block.for_each(|key, row| {
            keys[passed] = key;
            rows[passed] = row;
            passed += usize::from(self.passes(key));
        });
        passed
    }

    #[inline(always)]
    fn passes<K: Key>(&self, key: K) -> bool {
        let hash = H::hash(key);
        let bits = bits(hash);
        self.words[(hash >> self.shift) as usize] & bits == bits
    }
}

/// Sets the bits of all entries in the words of their partition.
#[inline(always)]
fn add_each<K: Key, H: KeyHash>(entries: &Partition<'_, K>, shift: u32, words: &mut [u64]) {
    let mask = words.len() - 1;
    entries.for_each::<H>(|hash, _| words[(hash >> shift) as usize & mask] |= bits(hash));
}

const MIX: u64 = 0xD6E8_FEB8_6659_FD93;

/// Three bits of a word, from bits of a hash that neither partition nor word nor slot is chosen by.
#[inline(always)]
fn bits(hash: u64) -> u64 {
    let mixed = hash.wrapping_mul(MIX);
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

    fn divide(&self, division: Division) -> Vec<Morsels> {
        self.source.divide(division)
    }

    fn cursor<'s>(&'s self, morsels: Morsels) -> Box<dyn KeyCursor<K> + 's> {
        Box::new(PassingCursor {
            cursor: self.source.cursor(morsels),
            filter: self.filter,
            keys: Vec::new(),
            rows: Vec::new(),
        })
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
            let room = block.keys.len() + SPARE;
            if self.keys.len() < room {
                self.keys.resize(room, K::zeroed());
                self.rows.resize(room, 0);
            }
            let passed = self.filter.pass(block, &mut self.keys, &mut self.rows);
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
        plan.collect::<i32, Fibonacci, Plain, _>(&source, &context, |builds| {
            let filter = Filter::<Fibonacci>::new(builds, &context)?;
            assert!(keys.iter().all(|&key| filter.passes(key)));
            let others = (0..30_000).map(|key| Murmur::hash(key) as i32 | 1 << 30);
            let passed = others.filter(|&key| filter.passes(key)).count();
            assert!(passed < 3_000, "{passed} of 30000 pass");
            vectors_agree(&filter);
            Ok(())
        })
        .unwrap();
    }

    /// What passes by vectors and key by key, of blocks of all lengths.
    fn vectors_agree(filter: &Filter<Fibonacci>) {
        let listed: Vec<u32> = (0..200).map(|row| row * 7).collect();
        for len in 0..200 {
            let narrow: Vec<i32> = (0..len).map(|key| key * len).collect();
            let wide: Vec<i64> = narrow.iter().map(|&key| i64::from(key)).collect();
            for rows in [BlockRows::From(5), BlockRows::List(&listed[..len as usize])] {
                agree(filter, &narrow, rows);
                agree(filter, &wide, rows);
            }
        }
    }

    fn agree<K: Key>(filter: &Filter<Fibonacci>, keys: &[K], rows: BlockRows<'_>) {
        let block = KeyBlock { keys, rows };
        let mut passing = [(); 2].map(|()| (vec![K::zeroed(); 208], vec![0; 208]));
        let [one, all] = &mut passing;
        let each = filter.pass_each(block, &mut one.0, &mut one.1);
        let vectors = filter.pass(block, &mut all.0, &mut all.1);
        assert_eq!(each, vectors);
        assert_eq!(one.0[..each], all.0[..each]);
        assert_eq!(one.1[..each], all.1[..each]);
    }
}
