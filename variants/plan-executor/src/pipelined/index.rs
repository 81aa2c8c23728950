//! From a key to the entries of a table: by the key itself where keys are dense, by its hash otherwise.

use std::sync::atomic::Ordering;

use join_core::hash::{Fibonacci, KeyHash};
use join_core::memory::{Buffer, OutOfMemory, Reservation};
use join_core::parallel::Tasks;
use join_core::tag::{MaskTable, TagScheme};

use super::hands::{Hands, SHARE};
use super::keys::{KeyList, PlanKey};

/// A direct index may take so many slots an entry,
const SLOTS_AN_ENTRY: u64 = 8;

/// or this many in all: 256 KiB of them.
const SMALL: u64 = 1 << 16;

/// Slots a key up to which workers count each into slots of its own: they clear and sum up all of these.
const SHARED_SLOTS_A_KEY: usize = 4;

/// Entries of a slot from which on a run of equal keys is searched by halves.
const LONG_SLOT: usize = 16;

/// Where the entries of each key lie. Entries of one key lie together.
pub(super) enum Index {
    /// Slot `key - min` is `starts[slot]..starts[slot + 1]`; the slot behind the last is empty.
    Direct {
        min: i64,
        range: u64,
        starts: Buffer<u32>,
    },
    /// The unchained table's directory over the top bits of the hash; `keys` are the entries' own, sorted in a slot.
    Hashed {
        prefix_bits: u32,
        starts: Buffer<u32>,
        tags: Option<Buffer<u16>>,
        keys: KeyList,
        _reserved: Reservation,
    },
}

/// The least and the greatest key.
fn bounds<K: PlanKey>(keys: &[K]) -> Option<(K, K)> {
    let first = *keys.first()?;
    let fold = keys.iter().fold((first, first), |(min, max), &key| {
        (min.min(key), max.max(key))
    });
    Some(fold)
}

/// The least and the greatest key of several lists.
pub(super) fn bounds_of<K: PlanKey>(chunks: &[&[K]], hands: Hands<'_>) -> Option<(K, K)> {
    let wider = |a: (K, K), b: (K, K)| (a.0.min(b.0), a.1.max(b.1));
    let tasks = Tasks::new(chunks);
    let workers = hands.workers.min(chunks.len());
    let of_workers = hands.team.run(vec![(); workers], |_, ()| {
        let mut found = None;
        while let Some((_, keys)) = tasks.take() {
            found = found.into_iter().chain(bounds(keys)).reduce(wider);
        }
        found
    });
    of_workers.into_iter().flatten().reduce(wider)
}

/// The slots of a direct index over keys between these bounds, if that pays.
pub(super) fn direct_range<K: PlanKey>((min, max): (K, K), entries: usize) -> Option<u64> {
    let range = max.wide().wrapping_sub(min.wide()) as u64;
    (range < SMALL.max(entries as u64 * SLOTS_AN_ENTRY)).then(|| range + 1)
}

impl Index {
    /// An index of these keys, and the order that its entries have: entry e is key `order[e]`.
    pub fn new<K: PlanKey>(
        keys: &[K],
        direct: bool,
        tags: bool,
        hands: Hands<'_>,
    ) -> Result<(Index, Buffer<u32>), OutOfMemory> {
        let chunks: Vec<&[K]> = keys.chunks(SHARE).collect();
        let bounds = bounds_of(&chunks, hands).unwrap_or_default();
        match direct_range(bounds, keys.len()).filter(|_| direct) {
            Some(range) => {
                let min = bounds.0.wide();
                let slots = range as usize + 1;
                let (starts, order) = sort(keys, slots, hands, |key| key.distance(min) as usize)?;
                let index = Index::Direct { min, range, starts };
                Ok((index, order))
            }
            None => Index::hashed(keys, tags, hands),
        }
    }

    fn hashed<K: PlanKey>(
        keys: &[K],
        with_tags: bool,
        hands: Hands<'_>,
    ) -> Result<(Index, Buffer<u32>), OutOfMemory> {
        let memory = hands.memory;
        let prefix_bits = keys.len().next_power_of_two().ilog2().max(4);
        let slot = |key: K| (Fibonacci::hash(key) >> (64 - prefix_bits)) as usize;
        let (starts, mut order) = sort(keys, 1 << prefix_bits, hands, slot)?;
        for slot in starts.windows(2) {
            let entries = &mut order[slot[0] as usize..slot[1] as usize];
            if entries.len() > 1 {
                entries.sort_unstable_by_key(|&entry| keys[entry as usize]);
            }
        }
        let tags = if with_tags {
            let mut tags: Buffer<u16> = memory.zeroed(1 << prefix_bits)?;
            for &key in keys {
                let hash = Fibonacci::hash(key);
                tags[(hash >> (64 - prefix_bits)) as usize] |= MaskTable::tag(hash, prefix_bits);
            }
            Some(tags)
        } else {
            None
        };
        let reserved = memory.reserve(size_of_val(keys))?;
        let mut list = match K::DATA_TYPE {
            join_core::page::DataType::Int64 => KeyList::Int64(Vec::new()),
            _ => KeyList::Int32(Vec::new()),
        };
        K::of_mut(&mut list).extend(order.iter().map(|&entry| keys[entry as usize]));
        let index = Index::Hashed {
            prefix_bits,
            starts,
            tags,
            keys: list,
            _reserved: reserved,
        };
        Ok((index, order))
    }

    /// Calls `found` with the place of each of `keys` at `places` that has entries, and with these.
    #[inline(always)]
    pub fn lookup<K: PlanKey>(
        &self,
        keys: &[K],
        places: &[u32],
        mut found: impl FnMut(u32, u32, u32),
    ) {
        match self {
            Index::Direct { min, range, starts } => {
                let starts = &starts[..];
                for &place in places {
                    let slot = keys[place as usize].distance(*min).min(*range) as usize;
                    let (start, end) = (starts[slot], starts[slot + 1]);
                    if start < end {
                        found(place, start, end);
                    }
                }
            }
            Index::Hashed {
                prefix_bits,
                starts,
                tags,
                keys: entries,
                ..
            } => {
                let entries = K::of(entries);
                for &place in places {
                    let key = keys[place as usize];
                    let hash = Fibonacci::hash(key);
                    let slot = (hash >> (64 - prefix_bits)) as usize;
                    if let Some(tags) = tags
                        && MaskTable::tag(hash, *prefix_bits) & !tags[slot] != 0
                    {
                        continue;
                    }
                    let (start, end) = (starts[slot] as usize, starts[slot + 1] as usize);
                    let (from, to) = equal(&entries[start..end], key);
                    if from < to {
                        found(place, (start + from) as u32, (start + to) as u32);
                    }
                }
            }
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Index::Direct { starts, .. } => starts.bytes(),
            Index::Hashed {
                starts, tags, keys, ..
            } => {
                let keys = match keys {
                    KeyList::Int32(keys) => 4 * keys.len(),
                    KeyList::Int64(keys) => 8 * keys.len(),
                };
                starts.bytes() + tags.as_ref().map_or(0, Buffer::bytes) + keys
            }
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Index::Direct { .. } => "direct",
            Index::Hashed { .. } => "hashed",
        }
    }
}

/// The run of `key` in sorted keys.
#[inline(always)]
fn equal<K: PlanKey>(keys: &[K], key: K) -> (usize, usize) {
    if keys.len() > LONG_SLOT {
        let from = keys.partition_point(|&other| other < key);
        let length = keys[from..].partition_point(|&other| other == key);
        return (from, from + length);
    }
    let Some(from) = keys.iter().position(|&other| other == key) else {
        return (0, 0);
    };
    let length = keys[from..].iter().take_while(|&&other| other == key);
    (from, from + length.count())
}

/// Sorts by slot, in linear time: where each of `slots` slots starts, one more behind the last, and the keys in order.
fn sort<K: PlanKey>(
    keys: &[K],
    slots: usize,
    hands: Hands<'_>,
    slot: impl Fn(K) -> usize + Sync,
) -> Result<(Buffer<u32>, Buffer<u32>), OutOfMemory> {
    if hands.workers > 1 && slots <= keys.len() * SHARED_SLOTS_A_KEY {
        return sort_shared(keys, slots, hands, slot);
    }
    // Counted two behind, so that after the sums entry s + 1 is where slot s starts, and after copying where it ends.
    let mut starts: Buffer<u32> = hands.memory.zeroed(slots + 2)?;
    for &key in keys {
        starts[slot(key) + 2] += 1;
    }
    let mut sum = 0;
    for start in &mut starts[2..] {
        sum += *start;
        *start = sum;
    }
    let mut order: Buffer<u32> = hands.memory.zeroed(keys.len())?;
    for (number, &key) in (0..).zip(keys) {
        let place = &mut starts[slot(key) + 1];
        order[*place as usize] = number;
        *place += 1;
    }
    starts.truncate(slots + 1);
    Ok((starts, order))
}

/// A range of slots, while several workers sort by slot.
struct SlotRange<'s> {
    starts: &'s mut [u32],
    /// Of each worker, how many of its keys each slot has; then where its next one belongs.
    counts: Vec<&'s mut [u32]>,
    /// Keys in the ranges before.
    before: u32,
}

/// The same by several workers. Each has its share of the keys, and counts them by itself, so that it knows where its own
/// begin in each slot: behind those of the workers before it.
fn sort_shared<K: PlanKey>(
    keys: &[K],
    slots: usize,
    hands: Hands<'_>,
    slot: impl Fn(K) -> usize + Sync,
) -> Result<(Buffer<u32>, Buffer<u32>), OutOfMemory> {
    let Hands {
        workers,
        team,
        memory,
    } = hands;
    let share = keys.len().div_ceil(workers);
    let counted = team.run(keys.chunks(share).collect(), |_, keys: &[K]| {
        let mut counts: Buffer<u32> = memory.zeroed(slots)?;
        keys.iter().for_each(|&key| counts[slot(key)] += 1);
        Ok::<_, OutOfMemory>(counts)
    });
    let counted = counted.into_iter().collect::<Result<Vec<_>, _>>();
    let mut counted = counted?;
    let mut starts: Buffer<u32> = memory.zeroed(slots + 1)?;
    let range = slots.div_ceil(workers);
    let ranges = starts[..slots].chunks_mut(range).map(|starts| SlotRange {
        starts,
        counts: Vec::new(),
        before: 0,
    });
    let mut ranges: Vec<SlotRange<'_>> = ranges.collect();
    for counts in &mut counted {
        for (range, counts) in ranges.iter_mut().zip(counts.chunks_mut(range)) {
            range.counts.push(counts);
        }
    }
    let sums = team.run(ranges.iter().collect(), |_, range: &SlotRange<'_>| {
        let sums = range.counts.iter().map(|counts| counts.iter().sum::<u32>());
        sums.sum::<u32>()
    });
    let mut sum = 0;
    for (range, of_range) in ranges.iter_mut().zip(sums) {
        range.before = sum;
        sum += of_range;
    }
    team.run(ranges, |_, mut range| {
        let mut sum = range.before;
        for (place, start) in range.starts.iter_mut().enumerate() {
            *start = sum;
            for counts in &mut range.counts {
                let count = std::mem::replace(&mut counts[place], sum);
                sum += count;
            }
        }
    });
    starts[slots] = sum;
    let mut order: Buffer<u32> = memory.zeroed(keys.len())?;
    let places = order.atomics();
    let shares = keys.chunks(share).zip(counted).enumerate();
    team.run(shares.collect(), |_, (nth, (keys, mut next))| {
        for (number, &key) in ((nth * share) as u32..).zip(keys) {
            let next = &mut next[slot(key)];
            // Nobody else has this place, and nobody reads it before all workers are through.
            places[*next as usize].store(number, Ordering::Relaxed);
            *next += 1;
        }
    });
    Ok((starts, order))
}

#[cfg(test)]
mod tests {
    use join_core::memory::Memory;
    use join_core::parallel::{Team, ThreadStart};

    use super::*;

    #[test]
    fn workers_sort_as_one_does() {
        let (team, memory) = (Team::new(3, ThreadStart::Pool), Memory::unlimited());
        let hands = |workers| Hands {
            workers,
            team: &team,
            memory: &memory,
        };
        for count in [1, 2, 3, 100, 1001] {
            let keys: Vec<i32> = (0..count).map(|nth| nth * 7919 % 257).collect();
            let slot = |key: i32| key as usize;
            let (starts, order) = sort(&keys, 258, hands(1), slot).unwrap();
            for workers in [2, 3] {
                let shared = sort_shared(&keys, 258, hands(workers), slot).unwrap();
                assert_eq!(shared.0[..], starts[..], "{count} keys, {workers} workers");
                assert_eq!(shared.1[..], order[..], "{count} keys, {workers} workers");
            }
        }
    }
}
