//! The probe, in every setting, against the oracle.

use join_core::conformance::{check_colliding_join, check_join, check_probe};
use join_core::directory::Sizing;
use join_core::directory::Split;
use join_core::hash::{Colliding, Crc32};
use join_core::input::InputMode;
use join_core::join::Schedule::{BySize, Direct, Interleaved, Staged};
use join_core::join::{BuildProbe, CacheSizes, Context, DynJoin, JoinInput, Kernel, Schedule};
use join_core::memory::Memory;
use join_core::output::{Consumer, Pair, PairFilter, PairPlacement, Results};
use join_core::parallel::{MorselSize, Sharing, Team, ThreadStart};
use join_core::simd::Compare;
use join_core::table::Column;
use join_core::tag::BelowPrefix;
use join_core::unchained::{DefaultScheme, Scheme, SchemeOf};
use probe::PipelinedProbe;
use serial_build::SerialBuild;

/// Over a table that ignores the kernel: how keys are read and shared.
#[test]
fn inputs_and_sharing() {
    for (input, sharing, morsel) in [
        (InputMode::Contest, Sharing::Counter, MorselSize::Contest),
        (InputMode::ZeroCopy, Sharing::Deques, MorselSize::Units(1)),
        (
            InputMode::ZeroCopy,
            Sharing::Static,
            MorselSize::Units(1 << 16),
        ),
        (
            InputMode::Materialised,
            Sharing::Deques,
            MorselSize::Units(7),
        ),
        (
            InputMode::Materialised,
            Sharing::Static,
            MorselSize::Contest,
        ),
    ] {
        check_probe(&PipelinedProbe {
            input,
            sharing,
            morsel,
            ..PipelinedProbe::default()
        });
    }
}

/// Over the unchained table: how it is probed.
fn join<S: Scheme>(schedule: Schedule, compare: Compare) -> impl DynJoin {
    BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SerialBuild::<S>::new(Sizing::default()),
        probe: PipelinedProbe {
            kernel: Kernel { schedule, compare },
            morsel: MorselSize::Units(300),
            ..PipelinedProbe::default()
        },
    }
}

fn kernels<S: Scheme>(schedules: &[Schedule], compare: Compare) {
    for &schedule in schedules {
        check_join(&join::<S>(schedule, compare));
    }
}

#[test]
fn one_key_after_the_other() {
    for compare in Compare::ALL {
        kernels::<DefaultScheme>(&[Direct], compare);
    }
}

#[test]
fn groups_by_vectors() {
    kernels::<DefaultScheme>(&[Staged(1), Staged(7), BySize(64)], Compare::Avx2);
    kernels::<DefaultScheme>(&[Staged(33)], Compare::Avx512);
}

#[test]
fn groups_without_vectors() {
    kernels::<DefaultScheme>(&[Staged(2), Staged(256)], Compare::Loop);
    kernels::<DefaultScheme>(&[Staged(7)], Compare::BranchFree);
}

#[test]
fn interleaved_lookups() {
    kernels::<DefaultScheme>(&[Interleaved(1), Interleaved(7)], Compare::Avx2);
    kernels::<DefaultScheme>(&[Interleaved(2)], Compare::Loop);
}

#[test]
fn kernels_that_hash_by_the_block() {
    kernels::<SchemeOf<Crc32, BelowPrefix, Split>>(
        &[Direct, Staged(64), Interleaved(5)],
        Compare::BranchFree,
    );
}

#[test]
fn kernels_over_colliding_hashes() {
    for schedule in [Direct, Staged(7), Interleaved(3)] {
        for compare in [Compare::BranchFree, Compare::Avx2, Compare::Avx512] {
            check_colliding_join(&join::<SchemeOf<Colliding, BelowPrefix, Split>>(
                schedule, compare,
            ));
        }
    }
}

/// A group longer than the longest is cut to it.
#[test]
fn a_group_too_long() {
    kernels::<DefaultScheme>(&[Staged(100_000), Interleaved(1000)], Compare::Loop);
}

/// A table in L2 is probed directly, and the join says so.
#[test]
fn the_size_of_a_table_chooses_the_schedule() {
    let chosen = |schedule, bytes| {
        let compare = Compare::Loop;
        let caches = CacheSizes { l1: 10, l2: 100 };
        Kernel { schedule, compare }
            .for_table(bytes, caches)
            .schedule
    };
    assert_eq!(chosen(BySize(64), 100), Direct);
    assert_eq!(chosen(BySize(64), 101), Staged(64));
    assert_eq!(chosen(Staged(64), 100), Staged(64));
    assert_eq!(chosen(Interleaved(64), 100), Interleaved(64));
}

/// Build keys 0, 1, 2 … in `each` rows each, in turn; every probe row finds all rows of its key, but every third none.
fn duplicates(keys: i32, each: usize) -> (Column, Column) {
    let build: Vec<i32> = (0..each).flat_map(|_| 0..keys).collect();
    let probe: Vec<i32> = (0..3 * keys)
        .map(|row| if row % 3 == 0 { -1 } else { row % keys })
        .collect();
    (Column::from_i32(&build), Column::from_i32(&probe))
}

/// A join whose pairs may stay ranges makes none, and counts each probe row's matches; with a filter it makes pairs.
#[test]
fn matches_stay_ranges() {
    let (build, probe) = duplicates(500, 130);
    let input = JoinInput::new(&build, &probe).unwrap();
    let join = BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SerialBuild::<DefaultScheme>::new(Sizing::default()),
        probe: PipelinedProbe::default(),
    };
    let memory = Memory::unlimited();
    let team = Team::new(3, ThreadStart::Fresh).parallel_from(0);
    let pairs = |placement, filter| {
        let context = Context {
            filter,
            ..Context::new(&team, &memory).with_consumer(Consumer::Pairs(placement))
        };
        match DynJoin::join(&join, &input, &context).unwrap().results {
            Results::Pairs(pairs) => pairs,
            other => panic!("{other:?}"),
        }
    };
    let found = pairs(PairPlacement::Ranges, None);
    let [ranges] = &found.ranges[..] else {
        panic!("{} tables", found.ranges.len());
    };
    assert!(found.chunks.is_empty());
    assert_eq!(ranges.build_rows().len(), 500 * 130);
    let mut counts = vec![0; 1500];
    for range in ranges.iter() {
        counts[range.probe as usize] += range.len;
        let rows = ranges.of(range);
        assert!(
            rows.iter()
                .all(|&row| row as i32 % 500 == range.probe as i32 % 500)
        );
    }
    let expected = (0..1500).map(|row| if row % 3 == 0 { 0 } else { 130 });
    assert!(expected.eq(counts));
    let expanded = pairs(PairPlacement::Expanded, None);
    assert_eq!((expanded.chunks.len(), expanded.ranges.len()), (1, 0));
    assert_eq!(expanded.checksum(), found.checksum());

    let filtered = pairs(PairPlacement::Ranges, Some(&All));
    assert!(filtered.ranges.is_empty());
    assert_eq!(filtered.checksum(), found.checksum());
}

struct All;

impl PairFilter for All {
    fn keep(&self, pairs: &mut [Pair]) -> usize {
        pairs.len()
    }
}
