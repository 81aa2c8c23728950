//! Every baseline against the conformance suite.

use baselines::{BucketChaining, Hashbrown, PartitionedChaining, StdHashMap};
use join_core::conformance::check_build;

#[test]
fn std_hash_map() {
    check_build(&StdHashMap);
}

#[test]
fn hashbrown() {
    check_build(&Hashbrown::default());
}

#[test]
fn bucket_chaining() {
    check_build(&BucketChaining::default());
}

#[test]
fn partitioned_chaining() {
    check_build(&PartitionedChaining::default());
}
