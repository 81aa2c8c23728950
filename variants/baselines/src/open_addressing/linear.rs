//! Linear probing: a tuple goes to the first empty slot from its home on.

use join_core::hash::KeyHash;
use join_core::key::{Key, Tuple};
use join_core::output::Sink;

use super::{MAX_COPIES, Placed, Space, is_empty, prefetch_slots, private};

/// First come, first served, at most half full.
#[derive(Debug)]
pub enum Linear {}

impl private::Placement for Linear {
    type Cell<K: Key> = Tuple<K>;
    type Glance = ();

    fn cells(tuples: usize) -> usize {
        tuples * 2
    }

    #[allow(private_interfaces)]
    #[inline(always)]
    fn place<K: Key, H: KeyHash>(
        slots: &mut [Tuple<K>],
        _: Space<H>,
        at: usize,
        entry: Tuple<K>,
    ) -> Placed<K> {
        let mut copies = 0;
        for slot in &mut slots[at..] {
            if is_empty(slot) {
                *slot = entry;
                return Placed::Slot { copy: copies > 0 };
            }
            if slot.key == entry.key {
                copies += 1;
                if copies == MAX_COPIES {
                    return Placed::Copies(entry);
                }
            }
        }
        Placed::End {
            entry,
            copy: copies > 0,
        }
    }

    #[inline(always)]
    fn prefetch<K: Key>(slots: &[Tuple<K>], home: usize) {
        prefetch_slots(slots, home);
    }

    #[inline(always)]
    fn glance<K: Key, H: KeyHash>(_: &[Tuple<K>], _: usize, _: K) {}

    #[inline(always)]
    fn find<const UNIQUE: bool, K: Key, H: KeyHash, S: Sink>(
        slots: &[Tuple<K>],
        home: usize,
        (): (),
        key: K,
        row: u32,
        sink: &mut S,
    ) -> u32 {
        let mask = slots.len() - 1;
        let mut at = home;
        let mut copies = 0;
        loop {
            let slot = &slots[at & mask];
            let (end, hit) = (is_empty(slot), slot.key == key);
            if UNIQUE {
                if end | hit {
                    sink.emit_if(!end, slot.row_id().wrapping_sub(1), row);
                    return u32::from(!end);
                }
            } else {
                if end {
                    return copies;
                }
                sink.emit_if(hit, slot.row_id().wrapping_sub(1), row);
                copies += u32::from(hit);
            }
            at += 1;
        }
    }
}
