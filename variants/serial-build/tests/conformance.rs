//! The serial build, in every scheme, against the oracle.

use join_core::conformance::{check_build, check_colliding_build};
use join_core::directory::{DirectoryLayout, Packed, Sizing, Split};
use join_core::hash::{Colliding, Crc32, Fibonacci, KeyHash, Murmur};
use join_core::tag::{BelowPrefix, ContestBits, MaskTable, NoTags, TagScheme};
use join_core::unchained::{DefaultScheme, SchemeOf};
use serial_build::SerialBuild;

fn check<H: KeyHash, T: TagScheme, D: DirectoryLayout>(sizing: Sizing) {
    check_build(&SerialBuild::<SchemeOf<H, T, D>>::new(sizing));
}

#[test]
fn default_scheme() {
    check_build(&SerialBuild::<DefaultScheme>::new(Sizing::default()));
}

#[test]
fn the_sources_scheme_and_sizing() {
    check::<Fibonacci, ContestBits, Packed>(Sizing::CONTEST);
}

#[test]
fn split_directory_two_slots_a_tuple() {
    check::<Fibonacci, MaskTable, Split>(Sizing::per_tuple(2.0));
}

#[test]
fn murmur_tags_below_the_prefix() {
    check::<Murmur, BelowPrefix, Packed>(Sizing::default());
}

#[test]
fn crc32c_split_directory() {
    check::<Crc32, BelowPrefix, Split>(Sizing::default());
}

#[test]
fn without_tags() {
    check::<Fibonacci, NoTags, Packed>(Sizing::default());
}

#[test]
fn without_tags_split_directory() {
    check::<Murmur, NoTags, Split>(Sizing::default());
}

#[test]
fn few_slots_for_many_tuples() {
    let sizing = Sizing {
        slots_per_tuple: 0.125,
        min_bits: 1,
        max_bits: 8,
    };
    check::<Crc32, MaskTable, Packed>(sizing);
}

#[test]
fn every_hash_colliding() {
    check_colliding_build(&SerialBuild::<SchemeOf<Colliding, MaskTable, Packed>>::new(
        Sizing::default(),
    ));
}
