//! Every baseline against the conformance suite.

use baselines::{
    BucketChaining, BucketComparison, Concise, Hashbrown, LinearChained, LinearProbing,
    PartitionedChaining, Radix, RobinHood, SortMerge, StdHashMap,
};
use join_core::conformance::{
    check_build, check_colliding_build, check_colliding_join, check_join,
};
use join_core::directory::Sizing;
use join_core::hash::{Colliding, Fibonacci};
use join_core::tag::NoTags;

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

#[test]
fn linear_probing() {
    check_build(&<LinearProbing>::default());
}

#[test]
fn robin_hood() {
    check_build(&<RobinHood>::default());
}

#[test]
fn bucket_comparison() {
    check_build(&<BucketComparison>::default());
}

#[test]
fn linear_chained() {
    check_build(&<LinearChained>::default());
}

#[test]
fn concise() {
    check_build(&<Concise>::default());
}

#[test]
fn radix() {
    check_join(&Radix::default());
    check_join(&Radix::<Fibonacci>::with_passes(5, 0));
    check_join(&Radix::<Fibonacci>::with_passes(3, 4));
}

#[test]
fn sort_merge() {
    check_join(&SortMerge);
}

#[test]
fn all_hashes_collide() {
    check_colliding_build(&PartitionedChaining::<Colliding, NoTags>::new(
        Sizing::CONTEST,
    ));
    check_colliding_join(&Radix::<Colliding>::with_passes(3, 0));
}
