//! The partitioned build under the conformance suite, in every setting.

use join_core::conformance::{check_build, check_colliding_build};
use join_core::directory::{Packed, Sizing, Split};
use join_core::hash::{Colliding, Crc32, Fibonacci, Murmur};
use join_core::tag::{BelowPrefix, ContestBits, MaskTable, NoTags};
use join_core::unchained::{DefaultScheme, SchemeOf};
use partitioned_build::{ChunkSize, Collect, FanOut, PartitionedBuild, Plain, Settings, Tagged};

fn default_scheme(settings: Settings) {
    check_build(&PartitionedBuild::<DefaultScheme, Plain>::new(settings));
}

#[test]
fn defaults() {
    default_scheme(Settings::DEFAULT);
}

#[test]
fn the_contest_engines_settings() {
    let settings = Settings {
        // Between 2^10 and 2^18 in the contest engine: as many lists, of which most tests would fill few.
        sizing: Sizing {
            min_bits: 6,
            max_bits: 8,
            ..Sizing::CONTEST
        },
        ..Settings::CONTEST
    };
    check_colliding_build(&PartitionedBuild::<
        SchemeOf<Fibonacci, ContestBits, Packed>,
        Tagged<ContestBits>,
    >::new(settings));
}

#[test]
fn many_partitions_and_small_chunks() {
    default_scheme(Settings {
        fan_out: FanOut::Bits(5),
        chunk: ChunkSize::Entries(1),
        ..Settings::DEFAULT
    });
}

#[test]
fn count_and_copy_apart() {
    default_scheme(Settings {
        fan_out: FanOut::Bits(4),
        phases_apart: true,
        ..Settings::DEFAULT
    });
}

#[test]
fn write_combining() {
    default_scheme(Settings {
        fan_out: FanOut::Bits(4),
        write_combining: true,
        ..Settings::DEFAULT
    });
}

#[test]
fn an_allocation_a_chunk() {
    default_scheme(Settings {
        fan_out: FanOut::Bits(4),
        collect: Collect::Boxes,
        ..Settings::DEFAULT
    });
}

#[test]
fn exact_places() {
    for write_combining in [false, true] {
        default_scheme(Settings {
            fan_out: FanOut::Bits(4),
            collect: Collect::Exact,
            write_combining,
            ..Settings::DEFAULT
        });
    }
}

#[test]
fn other_schemes() {
    let settings = Settings {
        fan_out: FanOut::Bits(3),
        ..Settings::DEFAULT
    };
    check_colliding_build(&PartitionedBuild::<
        SchemeOf<Colliding, MaskTable, Packed>,
        Plain,
    >::new(settings));
    check_build(&PartitionedBuild::<
        SchemeOf<Crc32, BelowPrefix, Split>,
        Plain,
    >::new(settings));
    check_build(&PartitionedBuild::<
        SchemeOf<Murmur, NoTags, Split>,
        Tagged<NoTags>,
    >::new(settings));
}
