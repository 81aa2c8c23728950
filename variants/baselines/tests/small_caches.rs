//! Every baseline under caches so small that a handful of rows is partitioned, ranged and sharded, against the oracle.

use baselines::{
    BucketChaining, BucketComparison, Concise, Hashbrown, LinearChained, LinearProbing,
    PartitionedChaining, Radix, RobinHood, SortMerge, StdHashMap,
};
use join_core::conformance::{SimpleProbe, only_fresh, small};
use join_core::directory::Sizing;
use join_core::hash::Colliding;
use join_core::input::InputMode;
use join_core::join::{
    Build, BuildProbe, CacheSizes, Context, DynJoin, JoinInput, Kernel, Schedule,
};
use join_core::memory::Memory;
use join_core::oracle;
use join_core::output::{Consumer, PairPlacement, Results};
use join_core::parallel::{Team, ThreadStart};
use join_core::simd::Compare;
use join_core::tag::MaskTable;
use proptest::prelude::*;

fn join(build: impl Build + 'static, group: usize) -> Box<dyn DynJoin> {
    Box::new(BuildProbe {
        build_input: InputMode::ZeroCopy,
        build,
        probe: SimpleProbe {
            kernel: Kernel {
                schedule: match group {
                    0 => Schedule::Direct,
                    group => Schedule::Staged(group),
                },
                compare: Compare::Loop,
            },
        },
    })
}

fn joins() -> Vec<(&'static str, Box<dyn DynJoin>)> {
    vec![
        ("std", join(StdHashMap, 0)),
        ("hashbrown", join(<Hashbrown>::default(), 0)),
        (
            "hashbrown, colliding",
            join(Hashbrown::<Colliding>::new(), 0),
        ),
        ("bucket", join(<BucketChaining>::default(), 5)),
        ("partitioned", join(<PartitionedChaining>::default(), 5)),
        (
            "partitioned, colliding",
            join(
                PartitionedChaining::<Colliding, MaskTable>::new(Sizing::default()),
                5,
            ),
        ),
        ("linear", join(<LinearProbing>::default(), 5)),
        (
            "linear, colliding",
            join(LinearProbing::<Colliding>::new(), 0),
        ),
        ("robin hood", join(<RobinHood>::default(), 5)),
        (
            "robin hood, colliding",
            join(RobinHood::<Colliding>::new(), 0),
        ),
        ("buckets", join(<BucketComparison>::default(), 5)),
        (
            "buckets, colliding",
            join(BucketComparison::<Colliding>::new(), 5),
        ),
        ("linear-chained", join(<LinearChained>::default(), 5)),
        (
            "linear-chained, colliding",
            join(LinearChained::<Colliding>::new(), 5),
        ),
        ("concise", join(<Concise>::default(), 5)),
        ("concise, colliding", join(Concise::<Colliding>::new(), 5)),
        ("radix", Box::new(<Radix>::default())),
        ("radix, two passes", Box::new(<Radix>::with_passes(2, 3))),
        ("radix, colliding", Box::new(Radix::<Colliding>::new())),
        ("sort-merge", Box::new(SortMerge)),
    ]
}

/// Keys of a few kinds: rare ones, ones that most rows share, the extremes, NULLs.
fn keys(most: usize) -> impl Strategy<Value = Vec<Option<i64>>> {
    let key = prop_oneof![
        4 => (0..400_i64).prop_map(|key| Some(key.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64))),
        3 => (0..400_i64).prop_map(Some),
        2 => Just(Some(7)),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1)].prop_map(Some),
        1 => Just(None),
    ];
    proptest::collection::vec(key, 0..most)
}

fn check(input: &JoinInput<'_>, threads: usize) {
    let wanted = oracle::nested_loops(input);
    let start = if only_fresh() {
        ThreadStart::Fresh
    } else {
        ThreadStart::Pool
    };
    let team = Team::new(threads, start).parallel_from(0);
    for (name, join) in joins() {
        let memory = Memory::unlimited();
        let mut context =
            Context::new(&team, &memory).with_consumer(Consumer::Pairs(PairPlacement::Parallel));
        context.caches = CacheSizes { l1: 64, l2: 256 };
        let outcome = join.join(input, &context).expect("memory is unlimited");
        let Results::Pairs(pairs) = outcome.results else {
            panic!("{name}: not pairs");
        };
        let mut pairs: Vec<_> = pairs.iter().collect();
        pairs.sort_unstable();
        assert!(
            pairs == wanted,
            "{name} on {threads} threads: {} pairs, {} wanted",
            pairs.len(),
            wanted.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if small() { 10 } else { 60 }, ..ProptestConfig::default() })]

    #[test]
    fn all_agree_with_nested_loops(build in keys(1500), probe in keys(300), threads in 1_usize..5) {
        use join_core::table::Column;
        let narrow = |keys: &[Option<i64>]| {
            // The upper half of a key, so that the extremes stay extremes.
            let keys = keys.iter().map(|key| key.map(|key| (key >> 32) as i32 ^ key as i32));
            Column::from_i32_options(keys)
        };
        check(&JoinInput::new(&narrow(&build), &narrow(&probe)).unwrap(), threads);
        let wide = |keys: &[Option<i64>]| Column::from_options::<i64>(keys.iter().copied());
        check(&JoinInput::new(&wide(&build), &wide(&probe)).unwrap(), threads);
    }
}
