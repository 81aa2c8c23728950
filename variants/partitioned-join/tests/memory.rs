//! What a join may take, and what it chooses.

use join_core::join::{Context, DynJoin, JoinInput};
use join_core::memory::Memory;
use join_core::oracle;
use join_core::output::{Consumer, PairPlacement, Results};
use join_core::parallel::{Team, ThreadStart};
use join_core::table::Column;
use join_core::unchained::DefaultScheme;
use partitioned_join::{MemoryUse, PartitionedJoin, Semijoin, Settings};

/// Keys that look random, each of `distinct` about equally often.
fn keys(rows: u32, distinct: u32) -> Column {
    let keys = (0..rows).map(|row| ((row % distinct) as i32).wrapping_mul(-0x61C8_8647));
    Column::from_i32(&keys.collect::<Vec<_>>())
}

#[test]
fn low_memory_is_one_and_a_half_tables() {
    let (build, probe) = (keys(200_000, 200_000), keys(1_000_000, 300_000));
    let input = JoinInput::new(&build, &probe).unwrap();
    let join = PartitionedJoin::<DefaultScheme>::new(Settings {
        memory: MemoryUse::Low,
        ..Settings::DEFAULT
    });
    for threads in [1, 2, 4] {
        let team = Team::new(threads, ThreadStart::Fresh);
        let memory = Memory::unlimited();
        let context = Context::new(&team, &memory);
        let outcome = join.join(&input, &context).unwrap();
        assert_eq!(
            outcome.results.aggregate(),
            Some(oracle::sort_merge(&input))
        );
        let (peak, table) = (memory.peak(), outcome.table_bytes);
        assert!(
            peak * 2 <= table * 3,
            "{threads} threads: {peak} bytes for a table of {table}"
        );
        assert!(outcome.notes.iter().any(|note| note.contains("rounds")));
    }
}

#[test]
fn pairs_of_all_rounds_are_placed_once() {
    let (build, probe) = (keys(200_000, 200_000), keys(600_000, 300_000));
    let input = JoinInput::new(&build, &probe).unwrap();
    let join = PartitionedJoin::<DefaultScheme>::new(Settings {
        memory: MemoryUse::Low,
        ..Settings::DEFAULT
    });
    let team = Team::new(2, ThreadStart::Fresh);
    for placement in [
        PairPlacement::Serial,
        PairPlacement::Parallel,
        PairPlacement::Chunks,
        PairPlacement::Expanded,
        PairPlacement::Ranges,
    ] {
        let memory = Memory::unlimited();
        let context = Context::new(&team, &memory).with_consumer(Consumer::Pairs(placement));
        let outcome = join.join(&input, &context).unwrap();
        assert_eq!(
            outcome.results.aggregate(),
            Some(oracle::sort_merge(&input))
        );
        let Results::Pairs(pairs) = outcome.results else {
            panic!("pairs were wanted");
        };
        // A table's ranges for each round, and no pair beside them.
        let stay_ranges = placement == PairPlacement::Ranges;
        assert_eq!(pairs.ranges.len() > 1, stay_ranges, "{placement:?}");
        assert_eq!(pairs.chunks.is_empty(), stay_ranges, "{placement:?}");
    }
}

#[test]
fn a_filter_only_where_a_sample_finds_few_matches() {
    let build = keys(200_000, 200_000);
    for (probe, wanted) in [
        (keys(600_000, 600_000), true),
        (keys(600_000, 200_000), false),
    ] {
        let input = JoinInput::new(&build, &probe).unwrap();
        let join = PartitionedJoin::<DefaultScheme>::new(Settings {
            filter: Semijoin::Sampled,
            ..Settings::DEFAULT
        });
        let team = Team::single();
        let memory = Memory::unlimited();
        let outcome = join.join(&input, &Context::new(&team, &memory)).unwrap();
        assert_eq!(
            outcome.results.aggregate(),
            Some(oracle::sort_merge(&input))
        );
        let filtered = outcome.notes.iter().any(|note| note.contains("filter"));
        assert_eq!(filtered, wanted, "{:?}", outcome.notes);
    }
}
