//! The join with both sides partitioned under the conformance suite.

use join_core::conformance::{check_colliding_join, check_join};
use join_core::directory::Packed;
use join_core::hash::{Colliding, Crc32};
use join_core::partition::Collect;
use join_core::tag::NoTags;
use join_core::unchained::{DefaultScheme, SchemeOf};
use partitioned_join::{PartitionedJoin, Settings};

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
