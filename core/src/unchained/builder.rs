//! A table being built, part by part.

use std::mem::MaybeUninit;

use super::{PADDING, Scheme, Unchained, slot};
use crate::directory::{DirectoryLayout, DirectoryPart};
use crate::key::{Key, Tuple};
use crate::memory::{Memory, OutOfMemory, UninitBuffer};
use crate::tag::TagScheme;

/// A table being built: first its directory, then its tuple store, each filled part by part.
pub struct UnchainedBuilder<K: Key, S: Scheme> {
    directory: <S::Directory as DirectoryLayout>::Room,
    tuples: Option<UninitBuffer<Tuple<K>>>,
    prefix_bits: u32,
}

impl<K: Key, S: Scheme> UnchainedBuilder<K, S> {
    /// A table of 2^`prefix_bits` slots, yet to be cleared.
    ///
    /// # Panics
    ///
    /// Unless `prefix_bits` is 1 to 48: a hash is shifted by 64 − `prefix_bits`, and tags are taken from below.
    pub fn new(prefix_bits: u32, memory: &Memory) -> Result<Self, OutOfMemory> {
        assert!((1..=48).contains(&prefix_bits), "2^{prefix_bits} slots");
        Ok(Self {
            directory: S::Directory::room(1 << prefix_bits, memory)?,
            tuples: None,
            prefix_bits,
        })
    }

    /// Divides the directory into 2^`part_bits` parts.
    pub fn slot_parts(&mut self, part_bits: u32) -> Vec<BlankSlots<'_, S>> {
        slot_parts::<S>(&mut self.directory, self.prefix_bits, part_bits)
    }

    /// Allocates the tuple store for `len` tuples.
    pub fn allocate(&mut self, len: usize, memory: &Memory) -> Result<(), OutOfMemory> {
        let mut tuples = memory.uninit(len + PADDING)?;
        for padding in &mut tuples[len..] {
            padding.write(bytemuck::Zeroable::zeroed());
        }
        self.tuples = Some(tuples);
        Ok(())
    }

    /// Divides the directory and the tuple store into 2^`part_bits` parts; `lens` are the parts' numbers of tuples.
    ///
    /// # Panics
    ///
    /// If there are not 2^`part_bits` lengths, or they do not add up to what was allocated.
    pub fn table_parts(
        &mut self,
        part_bits: u32,
        lens: &[usize],
    ) -> Vec<(BlankSlots<'_, S>, StorePart<'_, K>)> {
        let tuples = self.tuples.as_mut().expect("the tuple store is allocated");
        let total = tuples.len() - PADDING;
        assert_eq!(lens.len(), 1 << part_bits, "a length for every part");
        assert_eq!(lens.iter().sum::<usize>(), total, "every tuple in a part");
        let mut left: &mut [_] = &mut tuples[..total];
        let mut end = 0;
        let stores = lens.iter().map(|&len| {
            end += len;
            StorePart {
                store: left.split_off_mut(..len).expect("lengths were checked"),
                start: end - len,
            }
        });
        slot_parts::<S>(&mut self.directory, self.prefix_bits, part_bits)
            .into_iter()
            .zip(stores)
            .collect()
    }

    /// The finished table.
    ///
    /// # Safety
    ///
    /// The tuple store is allocated, all slots have been cleared, and every tuple that was counted into a slot has been
    /// copied, so that each place is written and each entry is its END again.
    pub unsafe fn finish(self) -> Unchained<K, S> {
        let tuples = self.tuples.expect("the tuple store is allocated");
        let len = tuples.len() - PADDING;
        // SAFETY: the caller promises that each slot was cleared and is at its END again.
        let directory = unsafe { S::Directory::finished(self.directory) };
        debug_assert_eq!(directory.range(directory.slots() - 1).end, len);
        Unchained {
            directory,
            // SAFETY: the caller promises the tuples; the padding was written when they were allocated.
            tuples: unsafe { tuples.assume_init() },
            len,
            prefix_bits: self.prefix_bits,
        }
    }
}

fn slot_parts<S: Scheme>(
    directory: &mut <S::Directory as DirectoryLayout>::Room,
    prefix_bits: u32,
    part_bits: u32,
) -> Vec<BlankSlots<'_, S>> {
    let slots = 1 << (prefix_bits - part_bits);
    S::Directory::parts(directory, slots)
        .into_iter()
        .enumerate()
        .map(|(index, entries)| {
            BlankSlots(SlotPart {
                entries,
                first_slot: index * slots,
                prefix_bits,
            })
        })
        .collect()
}

/// One writer's share of a directory: consecutive slots, to be cleared before anything is counted.
pub struct BlankSlots<'a, S: Scheme + 'a>(SlotPart<'a, S>);

impl<'a, S: Scheme> BlankSlots<'a, S> {
    /// The slots, empty.
    pub fn clear(self) -> SlotPart<'a, S> {
        SlotPart {
            entries: self.0.entries.clear(),
            ..self.0
        }
    }

    /// The slots as they were left.
    ///
    /// # Safety
    ///
    /// They have been cleared.
    pub unsafe fn cleared(self) -> SlotPart<'a, S> {
        self.0
    }
}

/// One writer's share of a directory: consecutive slots that have been cleared.
pub struct SlotPart<'a, S: Scheme + 'a> {
    entries: <S::Directory as DirectoryLayout>::Part<'a>,
    first_slot: usize,
    prefix_bits: u32,
}

impl<S: Scheme> SlotPart<'_, S> {
    /// The entry of a hash, counted from the part's first.
    #[inline(always)]
    fn entry(&self, hash: u64) -> usize {
        slot(hash, self.prefix_bits) - self.first_slot
    }

    /// Counts a tuple of this hash and ORs its tag into the slot (R6.1, R7.4).
    #[inline(always)]
    pub fn count(&mut self, hash: u64) {
        self.count_tagged(hash, S::Tags::tag(hash, self.prefix_bits));
    }

    /// As [`Self::count`], with a tag that was computed before.
    #[inline(always)]
    pub fn count_tagged(&mut self, hash: u64, tag: u16) {
        let entry = self.entry(hash);
        // SAFETY: slots that anybody has a part of have been cleared.
        unsafe { self.entries.count(entry, tag) };
    }

    /// Counts to ENDs, the first slot starting at `start` (R6.2). Returns the last END.
    pub fn prefix_sum(&mut self, start: usize) -> usize {
        // SAFETY: slots that anybody has a part of have been cleared.
        unsafe { self.entries.prefix_sum(start) }
    }

    /// ENDs to write pointers, the first at `start` (R7.1).
    pub fn rewind(&mut self, start: usize) {
        // SAFETY: slots that anybody has a part of have been cleared.
        unsafe { self.entries.rewind(start) };
    }
}

/// One writer's share of the tuple store: the tuples that belong into the slots beside it.
pub struct StorePart<'a, K: Key> {
    store: &'a mut [MaybeUninit<Tuple<K>>],
    start: usize,
}

impl<K: Key> StorePart<'_, K> {
    /// The part's first place in the tuple store.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Tuples that the part has room for.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether the part holds no tuple.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// Copies a tuple to its slot's write pointer and moves that on (R7.1).
    #[inline(always)]
    pub fn copy<S: Scheme>(&mut self, slots: &mut SlotPart<'_, S>, hash: u64, tuple: Tuple<K>) {
        let entry = slots.entry(hash);
        // SAFETY: slots that anybody has a part of have been cleared.
        let place = unsafe { slots.entries.advance(entry) };
        self.store[place - self.start].write(tuple);
    }
}
