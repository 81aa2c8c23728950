//! The probe, in every setting, against the oracle.

use join_core::conformance::{check_colliding_join, check_join, check_probe};
use join_core::directory::Sizing;
use join_core::directory::Split;
use join_core::hash::{Colliding, Crc32};
use join_core::input::InputMode;
use join_core::join::Schedule::{BySize, Direct, Interleaved, Staged};
use join_core::join::{BuildProbe, CacheSizes, DynJoin, Kernel, Schedule};
use join_core::parallel::{MorselSize, Sharing};
use join_core::simd::Compare;
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
