//! Robin Hood hashing: who is farther from home takes the slot, so that all are about equally far.

use join_core::hash::KeyHash;
use join_core::key::{Key, Tuple};
use join_core::output::Sink;

use super::{MAX_COPIES, Placed, Space, home, is_empty, prefetch_slots, private};

/// Takes from the richest, that is the nearest to home; at most 7/8 full. A search ends where a resident is nearer to
/// its home than the key would be, so a miss does not need an empty slot to end.
#[derive(Debug)]
pub enum Richest {}

impl private::Placement for Richest {
    type Cell<K: Key> = Tuple<K>;
    type Glance = ();

    fn cells(tuples: usize) -> usize {
        tuples + tuples / 7 + 1
    }

    #[allow(private_interfaces)]
    #[inline(always)]
    fn place<K: Key, H: KeyHash>(
        slots: &mut [Tuple<K>],
        space: Space<H>,
        at: usize,
        mut entry: Tuple<K>,
    ) -> Placed<K> {
        let mask = (1 << space.bits) - 1;
        let distance = |at: usize, key: K| {
            (space.base + at).wrapping_sub(home::<K, H>(key, space.bits)) & mask
        };
        let mut away = distance(at, entry.key);
        let mut copies = 0;
        let mut carried = false;
        for (at, slot) in slots.iter_mut().enumerate().skip(at) {
            if is_empty(slot) {
                *slot = entry;
                return Placed::Slot { copy: copies > 0 };
            }
            // Copies of a key have one home, so all of them are met before anyone richer is.
            if !carried && slot.key == entry.key {
                copies += 1;
                if copies == MAX_COPIES {
                    return Placed::Copies(entry);
                }
            }
            let theirs = distance(at, slot.key);
            if theirs < away {
                std::mem::swap(slot, &mut entry);
                away = theirs;
                carried = true;
            }
            away += 1;
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
        start: usize,
        (): (),
        key: K,
        row: u32,
        sink: &mut S,
    ) -> u32 {
        let mask = slots.len() - 1;
        let bits = slots.len().ilog2();
        let mut copies = 0;
        for away in 0.. {
            let at = (start + away) & mask;
            let slot = &slots[at];
            let hit = slot.key == key && !is_empty(slot);
            sink.emit_if(hit, slot.row_id().wrapping_sub(1), row);
            copies += u32::from(hit);
            if UNIQUE && hit {
                break;
            }
            let theirs = at.wrapping_sub(home::<K, H>(slot.key, bits)) & mask;
            if is_empty(slot) || theirs < away {
                break;
            }
        }
        copies
    }
}
