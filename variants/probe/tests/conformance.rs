//! The probe, in every setting, against the oracle.

use join_core::conformance::{check_colliding_join, check_join, check_probe};
use join_core::directory::Sizing;
use join_core::directory::Split;
use join_core::hash::{Colliding, Crc32};
use join_core::input::InputMode;
use join_core::join::{BuildProbe, Compare, Join, Kernel};
use join_core::parallel::{MorselSize, Sharing};
use join_core::tag::BelowPrefix;
use join_core::unchained::{DefaultScheme, Scheme, SchemeOf};
use probe::PipelinedProbe;
use serial_build::SerialBuild;

/// Over a table that ignores the kernel: how keys are read and shared.
#[test]
fn inputs_and_sharing() {
    for (input, sharing, morsel) in [
        (InputMode::Source, Sharing::Counter, MorselSize::Source),
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
        (InputMode::Materialised, Sharing::Static, MorselSize::Source),
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
fn join<S: Scheme>(group: usize, compare: Compare) -> impl Join {
    BuildProbe {
        build_input: InputMode::ZeroCopy,
        build: SerialBuild::<S>::new(Sizing::default()),
        probe: PipelinedProbe {
            kernel: Kernel { group, compare },
            morsel: MorselSize::Units(300),
            ..PipelinedProbe::default()
        },
    }
}

fn kernels<S: Scheme>(groups: &[usize], compare: Compare) {
    for &group in groups {
        check_join(&join::<S>(group, compare));
    }
}

#[test]
fn scalar_and_batched_kernels() {
    kernels::<DefaultScheme>(&[0, 1, 7], Compare::BranchFree);
}

#[test]
fn kernels_that_compare_in_a_loop() {
    kernels::<DefaultScheme>(&[0, 2, 256], Compare::Loop);
}

#[test]
fn kernels_that_hash_by_the_block() {
    kernels::<SchemeOf<Crc32, BelowPrefix, Split>>(&[0, 64], Compare::BranchFree);
}

#[test]
fn kernels_over_colliding_hashes() {
    for group in [0, 7] {
        let compare = Compare::BranchFree;
        check_colliding_join(&join::<SchemeOf<Colliding, BelowPrefix, Split>>(
            group, compare,
        ));
    }
}

/// A group longer than the longest is cut to it.
#[test]
fn a_group_too_long() {
    kernels::<DefaultScheme>(&[100_000], Compare::Loop);
}
