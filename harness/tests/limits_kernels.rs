//! The kernels of `harness limits` do the work that their times stand for.

use harness::machine::limits::random::{self, Walk};
use harness::machine::limits::region::{LINE_WORDS, Line, Region, words, words_mut};
use harness::machine::limits::scatter::Partitions;
use harness::machine::limits::sequential;
use harness::machine::limits::team::{self, Amount};
use proptest::prelude::*;

const MIB: usize = 1 << 20;

fn region(bytes: usize) -> Region {
    Region::map(bytes, false).unwrap()
}

#[test]
fn fresh_memory_is_zero_and_has_the_length_asked_for() {
    for bytes in [1, 64, 4096, MIB, 3 * MIB + 64] {
        for huge_pages in [false, true] {
            let region = Region::map(bytes, huge_pages).unwrap();
            assert_eq!(size_of_val(region.lines()), bytes.next_multiple_of(64));
            assert_eq!(region.lines().as_ptr() as usize % (2 * MIB), 0);
            assert!(words(region.lines()).iter().all(|&word| word == 0));
        }
    }
}

#[test]
fn memory_that_does_not_exist_is_an_error() {
    assert!(Region::map(1 << 60, false).is_err());
}

#[test]
fn small_pages_are_never_reported_as_huge() {
    let mut region = region(4 * MIB);
    sequential::fill(words_mut(region.lines_mut()), 1);
    assert!(!region.is_huge());
}

#[test]
fn sequential_kernels_reach_every_word() {
    let mut from = region(MIB);
    let count = (MIB / size_of::<u64>()) as u64;
    for (i, word) in words_mut(from.lines_mut()).iter_mut().enumerate() {
        *word = i as u64;
    }
    assert_eq!(
        sequential::sum(words(from.lines())),
        count * (count - 1) / 2
    );

    let mut to = region(MIB);
    sequential::copy(words_mut(to.lines_mut()), words(from.lines()), 0);
    assert_eq!(to.lines(), from.lines());
    sequential::copy(words_mut(to.lines_mut()), words(from.lines()), 5);
    assert_eq!(words(to.lines())[7], 12);
    sequential::copy_streaming(to.lines_mut(), from.lines());
    assert_eq!(to.lines(), from.lines());

    sequential::fill(words_mut(to.lines_mut()), 3);
    assert_eq!(sequential::sum(words(to.lines())), 3 * count);
    sequential::fill_streaming(to.lines_mut(), 4);
    assert_eq!(sequential::sum(words(to.lines())), 4 * count);
}

#[test]
fn the_chase_is_one_full_cycle() {
    for lines in [1usize, 2, 3, 64, 1000, 16384] {
        let mut array = vec![Line([0; LINE_WORDS]); lines];
        random::link_cycle(&mut array, 7);
        let mut seen = vec![false; lines];
        let mut at = 0;
        for _ in 0..lines {
            assert!(!seen[at as usize], "{lines} lines: back at {at} too soon");
            seen[at as usize] = true;
            at = random::chase(&array, at, 1);
        }
        assert_eq!(at, 0, "{lines} lines: the cycle is not closed");
        assert_eq!(random::chase(&array, 0, lines as u64), 0);
    }
}

#[test]
fn random_places_cover_the_array_evenly() {
    let length = 1 << 12;
    let mut counts = vec![0u64; length];
    let mut array = vec![0u64; length];
    for seed in 0..64 {
        array.fill(0);
        random::write(&mut array, &mut Walk::new(seed), 1 << 11);
        for (count, &word) in counts.iter_mut().zip(&array) {
            *count += u64::from(word != 0);
        }
    }
    // 64 times about 63 % of the places: 40 on average, with a standard deviation of 4.
    assert!(counts.iter().all(|&count| (16..=62).contains(&count)));
    let total: u64 = counts.iter().sum();
    assert!((158_000..172_000).contains(&total), "{total}");
}

#[test]
fn walks_go_on_and_differ() {
    let array: Vec<u64> = (0..1 << 14).map(random::mix).collect();
    let mut walk = Walk::new(1);
    let first = random::sum(&array, &mut walk, 100);
    let second = random::sum(&array, &mut walk, 100);
    let mut again = Walk::new(1);
    let both = random::sum(&array, &mut again, 200);
    assert_eq!(first.wrapping_add(second), both);
    assert_ne!(first, second);
    assert_ne!(random::sum(&array, &mut Walk::new(2), 100), first);
}

#[test]
fn every_thread_works_in_every_repetition() {
    for threads in [1, 2, 5] {
        let mut done = vec![(0u64, 0u64); threads];
        let timing = team::run(&mut done, Amount::Fixed(3), 4, |(calls, total), amount| {
            *calls += 1;
            *total += amount;
        })
        .unwrap();
        assert_eq!(timing.seconds.len(), 4);
        assert_eq!(done, vec![(4, 12); threads]);
    }
    let mut totals = vec![0u64; 2];
    let amount = Amount::Lasting {
        first: 10,
        seconds: 0.0,
    };
    let timing = team::run(&mut totals, amount, 2, |total, amount| *total += amount).unwrap();
    assert_eq!(timing.amount, 1, "never nothing");
    assert_eq!(totals, [12, 12]);
}

proptest! {
    #[test]
    fn random_sums_agree_with_and_without_prefetch(
        array in prop::collection::vec(any::<u64>(), 0..300),
        seed in any::<u32>(),
        pairs in 0u64..200,
    ) {
        let (mut plain, mut prefetched) = (Walk::new(seed.into()), Walk::new(seed.into()));
        prop_assert_eq!(
            random::sum(&array, &mut plain, pairs),
            random::sum_prefetched(&array, &mut prefetched, pairs)
        );
        // Both have come to the same place.
        prop_assert_eq!(
            random::sum(&array, &mut plain, 1),
            random::sum(&array, &mut prefetched, 1)
        );
    }

    #[test]
    fn scattered_tuples_are_all_there_each_in_its_partition(
        tuples in prop::collection::vec(any::<u64>(), 0..2000),
        bits in 1u32..8,
        combined in any::<bool>(),
    ) {
        let mut partitions = Partitions::count(&tuples, bits);
        let lines = tuples.len().div_ceil(LINE_WORDS) + Partitions::slack_lines(bits);
        let mut output = vec![Line([0; LINE_WORDS]); lines];
        // Twice, because a measurement repeats it.
        for _ in 0..2 {
            output.fill(Line([0; LINE_WORDS]));
            if combined {
                partitions.scatter_combined(&tuples, &mut output);
            } else {
                partitions.scatter(&tuples, &mut output);
            }
        }
        let mut found = Vec::new();
        for (number, range) in partitions.ranges().enumerate() {
            for &tuple in &words(&output)[range] {
                prop_assert_eq!(tuple >> (64 - bits), number as u64);
                found.push(tuple);
            }
        }
        let mut wanted = tuples;
        // Tuples of one partition keep their order.
        wanted.sort_by_key(|tuple| tuple >> (64 - bits));
        prop_assert_eq!(found, wanted);
    }
}
