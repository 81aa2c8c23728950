//! The least time of a join, from the rates that this machine reached in the same run.
//!
//! Three ways of touching memory; the limit is the cheapest that applies. All leave out the first touch of fresh memory and
//! the barriers between phases.
//!
//! *In the cache*: a table that fits in half of L2 is looked up once per tuple, while the keys stream in. There the
//! instructions bind: a hash, a slot, a tuple and a comparison per key. Results beyond one per tuple of the probe side are
//! read and added up at the rate of sequential reads from L1.
//!
//! ```text
//! max(key_bytes / sequential, tuples / lookups(table)) + 8 * results beyond the probe side / sequential(L1)
//! ```
//!
//! *One line per tuple*: the same where the table is larger, at the rate of random reads from an array of the table's size
//! where that is lower than that of lookups.
//!
//! *Both sides partitioned*: every tuple is scattered once with software write-combining, into as many
//! partitions as it takes for a table to fit in half of L2; then the tuples stream in and are looked up
//! there.
//!
//! ```text
//! tuples / scatter(2^bits) + max(8 * tuples / sequential, tuples / lookups(L2 / 2)) + as above
//! ```

use crate::record::{Environment, LimitRecord, WorkloadRecord};

/// Bytes of a tuple: a 32-bit key and a 32-bit row id.
const TUPLE_BYTES: u64 = 8;

/// L2 of a core where the machine does not tell.
const USUAL_L2: u64 = 1 << 20;

/// No scatter is measured into more partitions than two to this.
const MOST_SCATTER_BITS: u32 = 16;

/// The least seconds that `workload` takes with `threads` threads; none where the machine's
/// limits were not measured at that thread count, where there is nothing to touch, or where rows are made of columns, of
/// which the model knows nothing.
pub fn seconds(
    workload: &WorkloadRecord,
    threads: u32,
    limits: &[LimitRecord],
    environment: &Environment,
) -> Option<f64> {
    if workload.payload_bytes.is_some() {
        return None;
    }
    let seconds = model(workload, threads, limits, environment)?;
    // No multiple of 0, nor of what is beyond all numbers, says anything of a time.
    (seconds > 0.0 && seconds.is_finite()).then_some(seconds)
}

fn model(
    workload: &WorkloadRecord,
    threads: u32,
    limits: &[LimitRecord],
    environment: &Environment,
) -> Option<f64> {
    let table_bytes = workload.build_rows.saturating_mul(TUPLE_BYTES);
    let in_cache = (l2_bytes(environment) / 2).max(1);
    let sequential = rate(limits, "read_bytes_per_second", threads, u64::MAX)?;
    let random = |bytes| rate(limits, "random_reads_per_second", threads, bytes);
    // Of arrays that caches hold, so nothing is slower elsewhere. A run without them has no reads from L1 either.
    let lookups = rate(limits, LOOKUP_LIMIT, threads, table_bytes.min(in_cache));
    let lookup = |bytes| Some(random(bytes)?.min(lookups.unwrap_or(f64::INFINITY)));
    let tuples = workload.tuples() as f64;
    let streamed = |bytes: f64| bytes / sequential;

    let key_bytes = workload.build_bytes as f64 + workload.probe_bytes as f64;
    let results = workload.expected.map_or(0, |answer| answer.rows);
    let multiplied = TUPLE_BYTES as f64 * results.saturating_sub(workload.probe_rows) as f64;
    let multiplied = match lookups {
        Some(_) => multiplied / rate(limits, "read_bytes_per_second", threads, 1)?,
        None => 0.0,
    };
    let in_order = streamed(key_bytes).max(tuples / lookup(table_bytes)?) + multiplied;
    let tables = table_bytes.div_ceil(in_cache).checked_next_power_of_two();
    let bits = tables.map_or(u64::BITS, u64::ilog2);
    let Some(scatter) = scatter_rate(limits, threads, bits) else {
        return Some(in_order);
    };
    let partition_by_partition =
        streamed(TUPLE_BYTES as f64 * tuples).max(tuples / lookup(in_cache)?);
    Some(in_order.min(tuples / scatter + partition_by_partition + multiplied))
}

/// The limit of lookups of keys in a table that the cache holds.
pub const LOOKUP_LIMIT: &str = "hash_lookups_per_second";

/// The limit of additions to a counter that all threads share.
pub const SHARED_COUNTER_LIMIT: &str = "shared_counter_additions_per_second";

/// The limit of phases of a team that have no work.
pub const PHASE_LIMIT: &str = "empty_phases_per_second";

/// The name of the limit of a write-combining scatter into `2^bits` partitions.
pub fn scatter_limit(bits: u32) -> String {
    format!("scatter_combined_2^{bits}_tuples_per_second")
}

/// The rate of the write-combining scatter into at least `2^bits` partitions, of those that were measured: the
/// smallest fan-out that is large enough, else the largest.
fn scatter_rate(limits: &[LimitRecord], threads: u32, bits: u32) -> Option<f64> {
    let measured = (0..=MOST_SCATTER_BITS).filter_map(|measured| {
        let what = scatter_limit(measured);
        Some((measured, rate(limits, &what, threads, u64::MAX)?))
    });
    let (enough, less): (Vec<_>, Vec<_>) = measured.partition(|&(measured, _)| measured >= bits);
    enough.first().or(less.last()).map(|&(_, rate)| rate)
}

/// The measured rate for an array of `bytes`: of the smallest array that is at least as large,
/// else of the largest. Huge pages count where both were measured.
pub fn rate(limits: &[LimitRecord], what: &str, threads: u32, bytes: u64) -> Option<f64> {
    let measured = || {
        limits
            .iter()
            .filter(move |l| l.what == what && l.threads == threads && l.value > 0.0)
    };
    let enough = measured()
        .filter(|l| l.array_bytes >= bytes)
        .min_by_key(|l| (l.array_bytes, !l.huge_pages));
    let largest = || measured().max_by_key(|l| (l.array_bytes, l.huge_pages));
    enough.or_else(largest).map(|l| l.value)
}

/// L2 of a core.
pub fn l2_bytes(environment: &Environment) -> u64 {
    let l2 = environment.caches.iter().find(|cache| cache.level == 2);
    l2.map_or(USUAL_L2, |cache| cache.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Answer, Cache, JOIN};

    fn workload(build_rows: u64, probe_rows: u64) -> WorkloadRecord {
        WorkloadRecord {
            name: "w".into(),
            group: None,
            sentence: String::new(),
            build_rows,
            probe_rows,
            key_type: "INT32".into(),
            build_bytes: build_rows * 4,
            probe_bytes: probe_rows * 4,
            join_kind: None,
            condition: None,
            payload_bytes: None,
            experiment: JOIN.into(),
            expected: None,
            keys: None,
        }
    }

    fn environment() -> Environment {
        Environment {
            cpu: String::new(),
            cores: 2,
            memory_bytes: 0,
            caches: vec![Cache {
                level: 2,
                bytes: 1 << 20,
            }],
            kernel: String::new(),
            huge_pages: String::new(),
            allocator: String::new(),
            rustc: String::new(),
            profile: String::new(),
            optimised: true,
            commit: String::new(),
            dirty: false,
            harness_version: String::new(),
            counters: String::new(),
        }
    }

    fn limit(what: &str, array_bytes: u64, value: f64) -> LimitRecord {
        LimitRecord {
            what: what.into(),
            threads: 2,
            array_bytes,
            huge_pages: true,
            value,
        }
    }

    #[test]
    fn a_small_table_is_read_in_cache() {
        let w = workload(1000, 999_000);
        let of = |random| {
            let limits = [
                limit("read_bytes_per_second", 1 << 30, 1e10),
                limit("random_reads_per_second", 1 << 14, random),
                limit("random_reads_per_second", 1 << 30, 1e8),
            ];
            seconds(&w, 2, &limits, &environment()).unwrap()
        };
        assert_eq!(of(1e9), 1e6 / 1e9);
        assert_eq!(of(1e11), 4e6 / 1e10);
    }

    #[test]
    fn in_the_cache_instructions_bind_and_results() {
        let mut w = workload(1000, 999_000);
        let limits = [
            limit("read_bytes_per_second", 1 << 14, 1e11),
            limit("read_bytes_per_second", 1 << 30, 1e10),
            limit("random_reads_per_second", 1 << 14, 2e9),
            limit(LOOKUP_LIMIT, 1 << 14, 5e8),
            limit(LOOKUP_LIMIT, 1 << 19, 4e8),
        ];
        let of = |w: &WorkloadRecord| seconds(w, 2, &limits, &environment()).unwrap();
        assert_eq!(of(&w), 1e6 / 5e8);
        w.expected = Some(Answer {
            rows: 2_999_000,
            ..Answer::default()
        });
        assert_eq!(of(&w), 1e6 / 5e8 + 8.0 * 2e6 / 1e11);
    }

    #[test]
    fn where_nothing_is_touched_there_is_no_limit() {
        let limits = |value| {
            [
                limit("read_bytes_per_second", 1 << 30, value),
                limit("random_reads_per_second", 1 << 30, value),
            ]
        };
        assert_eq!(
            seconds(&workload(0, 0), 2, &limits(1e9), &environment()),
            None
        );
        let some = workload(1000, 1000);
        assert!(seconds(&some, 2, &limits(1e9), &environment()).is_some());
        for value in [0.0, 5e-324] {
            assert_eq!(seconds(&some, 2, &limits(value), &environment()), None);
        }
    }

    #[test]
    fn what_no_machine_has_is_no_panic() {
        let limits = [
            limit("read_bytes_per_second", 1 << 30, 1e9),
            limit("random_reads_per_second", 1 << 30, 1e9),
        ];
        let mut all = workload(0, 0);
        (all.build_rows, all.probe_rows) = (u64::MAX, u64::MAX);
        (all.build_bytes, all.probe_bytes) = (u64::MAX, u64::MAX);
        let mut without = environment();
        without.caches[0].bytes = 0;
        assert!(seconds(&all, 2, &limits, &without).is_some());
    }

    #[test]
    fn a_large_table_takes_the_cheaper_way() {
        let w = workload(16 << 20, 64 << 20);
        let tuples = (80 << 20) as f64;
        // 128 MiB in halves of L2: 2^8 partitions.
        let of = |random, combined| {
            let limits = [
                limit("read_bytes_per_second", 1 << 30, 2e10),
                limit("random_reads_per_second", 1 << 19, 1e9),
                limit("random_reads_per_second", 1 << 30, random),
                limit("scatter_combined_2^6_tuples_per_second", 1 << 28, 9e9),
                limit("scatter_combined_2^9_tuples_per_second", 1 << 28, combined),
            ];
            seconds(&w, 2, &limits, &environment()).unwrap()
        };
        assert_eq!(of(1e8, 3e8), tuples / 3e8 + tuples / 1e9);
        assert_eq!(of(9e8, 3e8), tuples / 9e8);
    }

    #[test]
    fn without_a_scatter_tuples_come_in_order() {
        let limits = [
            limit("read_bytes_per_second", 1 << 30, 2e10),
            limit("random_reads_per_second", 1 << 30, 1e8),
        ];
        let w = workload(16 << 20, 64 << 20);
        let found = seconds(&w, 2, &limits, &environment());
        assert_eq!(found, Some((80 << 20) as f64 / 1e8));
    }

    #[test]
    fn the_array_fits_the_table() {
        let limits = [
            limit("random_reads_per_second", 1 << 20, 9e8),
            limit("random_reads_per_second", 1 << 24, 2e8),
            limit("random_reads_per_second", 1 << 28, 1e8),
        ];
        let of = |bytes| rate(&limits, "random_reads_per_second", 2, bytes);
        assert_eq!(of(1 << 22), Some(2e8));
        assert_eq!(of(1 << 24), Some(2e8));
        assert_eq!(of(1 << 40), Some(1e8));
        assert_eq!(rate(&limits, "random_reads_per_second", 1, 1), None);
    }
}
