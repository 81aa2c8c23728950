//! Directories built in parts.

use super::*;
use proptest::prelude::*;

fn built<D: DirectoryLayout>(slots_of_tuples: &[usize], part: usize) {
    let slots = 64;
    let mut room = D::room(slots, &Memory::unlimited()).unwrap();
    let mut start = 0;
    let mut places = Vec::new();
    for (index, entries) in D::parts(&mut room, part).into_iter().enumerate() {
        let mut entries = entries.clear();
        let mine = || {
            slots_of_tuples
                .iter()
                .filter(|&&slot| slot / part == index)
                .map(|&slot| slot % part)
        };
        // SAFETY: the slots have just been cleared.
        unsafe {
            mine().for_each(|slot| entries.count(slot, 1 << (slot % 16)));
            let end = entries.prefix_sum(start);
            entries.rewind(start);
            places.extend(mine().map(|slot| entries.advance(slot)));
            start = end;
        }
    }
    places.sort_unstable();
    assert!(
        places.into_iter().eq(0..slots_of_tuples.len()),
        "every place once"
    );
    // SAFETY: every part was cleared, and every slot went to its END.
    let directory = unsafe { D::finished(room) };
    let mut previous = 0;
    for slot in 0..slots {
        let range = directory.range(slot);
        let count = slots_of_tuples
            .iter()
            .filter(|&&other| other == slot)
            .count();
        assert_eq!(
            (range.start, range.len()),
            (previous, count),
            "{} slot {slot}",
            D::NAME
        );
        previous = range.end;
        let (view, tag) = (directory.view(), directory.tag(slot));
        // SAFETY: a slot of this directory.
        unsafe {
            assert_eq!((view.range(slot), view.tag(slot)), (range.clone(), tag));
            assert_eq!(view.lookup(slot, tag), (range, true));
            assert!(!view.lookup(slot, !tag).1);
        }
    }
}

proptest! {
    #[test]
    fn ranges_follow_from_counts(slots in proptest::collection::vec(0_usize..64, 0..300), part_log in 0_u32..=6) {
        built::<Packed>(&slots, 1 << part_log);
        built::<Split>(&slots, 1 << part_log);
    }
}

#[test]
fn the_contest_engines_sizes() {
    assert_eq!(Sizing::CONTEST.bits(0), 10);
    assert_eq!(Sizing::CONTEST.bits(1 << 20), 17);
    assert_eq!(Sizing::CONTEST.bits(100 << 20), 18);
    assert_eq!(Sizing::per_tuple(2.0).bits(1000), 11);
}
