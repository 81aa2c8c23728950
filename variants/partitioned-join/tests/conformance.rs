//! The join with both sides partitioned under the conformance suite.

use join_core::conformance::{check_colliding_join, check_join};
use join_core::directory::Packed;
use join_core::hash::{Colliding, Crc32};
use join_core::partition::Collect;
use join_core::simd::Compare;
use join_core::tag::NoTags;
use join_core::unchained::{DefaultScheme, SchemeOf};
use partitioned_join::{MemoryUse, PartitionedJoin, Passes, Semijoin, Settings};

#[test]
fn defaults() {
    check_join(&PartitionedJoin::<DefaultScheme>::new(Settings::DEFAULT));
}

#[test]
fn many_partitions_however_collected() {
    for (collect, write_combining) in [
        (Collect::Arena, false),
        (Collect::Boxes, true),
        (Collect::Exact, true),
    ] {
        check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
            part_bits: Some(5),
            collect,
            write_combining,
            ..Settings::DEFAULT
        }));
    }
}

#[test]
fn in_two_passes() {
    for (bits, filter) in [(2, Semijoin::Off), (7, Semijoin::On)] {
        check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
            part_bits: Some(bits),
            passes: Passes::Two,
            filter,
            ..Settings::DEFAULT
        }));
    }
}

#[test]
fn however_compared() {
    for compare in [Compare::Loop, Compare::BranchFree, Compare::Avx2] {
        for part_bits in [None, Some(2)] {
            check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
                part_bits,
                compare,
                ..Settings::DEFAULT
            }));
        }
    }
}

#[test]
fn the_build_side_is_the_table_even_if_it_is_larger() {
    for part_bits in [None, Some(4)] {
        check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
            part_bits,
            smaller_side: false,
            ..Settings::DEFAULT
        }));
    }
}

#[test]
fn a_round_at_a_time() {
    check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
        part_bits: Some(4),
        memory: MemoryUse::Low,
        ..Settings::DEFAULT
    }));
}

#[test]
fn filtered_first() {
    for (filter, bits) in [(Semijoin::On, 4), (Semijoin::On, 9), (Semijoin::Off, 4)] {
        check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
            part_bits: Some(bits),
            filter,
            ..Settings::DEFAULT
        }));
    }
}

#[test]
fn few_slots_and_so_long_ranges() {
    for part_bits in [None, Some(2)] {
        check_join(&PartitionedJoin::<DefaultScheme>::new(Settings {
            part_bits,
            slots_per_tuple: Some(0.1),
            ..Settings::DEFAULT
        }));
    }
}

#[test]
fn other_hashes() {
    let settings = Settings {
        part_bits: Some(3),
        ..Settings::DEFAULT
    };
    check_colliding_join(&PartitionedJoin::<SchemeOf<Colliding, NoTags, Packed>>::new(settings));
    check_join(&PartitionedJoin::<SchemeOf<Crc32, NoTags, Packed>>::new(
        settings,
    ));
}
