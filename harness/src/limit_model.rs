//! A lower bound for a join's time from what this machine's memory can do.
//!
//! Two models; the limit is the smaller of the two. Neither is reached: both leave out the
//! instructions, the first touch of fresh memory and the barriers between phases.
//!
//! *One line a tuple*: the keys of both sides stream in once, and each build tuple and each probe
//! tuple touches one cache line of a table of 8-byte tuples at random. Reads that overlap hide
//! behind each other, so the limit is the slower of the two streams, not their sum. A table
//! that fits in L2 costs no random line.
//!
//! *Partition both sides*: keys are read twice (histogram, scatter), 8-byte tuples are written
//! once and read once, and all matching happens in L2:
//!
//! ```text
//! max((build_bytes + probe_bytes) / sequential, (build_rows + probe_rows) / random)
//! (2 · (build_bytes + probe_bytes) + 2 · 8 · (build_rows + probe_rows)) / sequential
//! ```
//!
//! The scatter runs at the sequential rate in this model, which software write-combining comes
//! close to but does not reach.

use crate::record::{Environment, LimitRecord, WorkloadRecord};

/// Bytes of a tuple: a 32-bit key and a 32-bit row id.
const TUPLE_BYTES: u64 = 8;

/// L2 of a core where the machine does not tell.
const USUAL_L2: u64 = 1 << 20;

/// The least seconds that `workload` takes with `threads` threads; none where the machine's
/// limits were not measured at that thread count.
pub fn seconds(
    workload: &WorkloadRecord,
    threads: u32,
    limits: &[LimitRecord],
    environment: &Environment,
) -> Option<f64> {
    let table_bytes = workload.build_rows * TUPLE_BYTES;
    let sequential = rate(limits, "read_bytes_per_second", threads, u64::MAX)?;
    let key_bytes = (workload.build_bytes + workload.probe_bytes) as f64;
    let tuples = (workload.build_rows + workload.probe_rows) as f64;
    let streamed = key_bytes / sequential;
    if table_bytes <= l2_bytes(environment) {
        return Some(streamed);
    }
    let partitioned = (2.0 * key_bytes + 2.0 * TUPLE_BYTES as f64 * tuples) / sequential;
    let random = rate(limits, "random_reads_per_second", threads, table_bytes)?;
    Some(streamed.max(tuples / random).min(partitioned))
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
    use crate::record::{Answer, Cache, Checksum};

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
            expected: Answer {
                rows: 0,
                sum_build: 0,
                sum_probe: 0,
                checksum: Checksum(0),
            },
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
    fn a_small_table_streams() {
        let limits = [limit("read_bytes_per_second", 1 << 30, 1e10)];
        let found = seconds(&workload(1000, 999_000), 2, &limits, &environment());
        assert_eq!(found, Some(4e6 / 1e10));
    }

    #[test]
    fn a_large_table_takes_the_cheaper_model() {
        let w = workload(16 << 20, 64 << 20);
        let (keys, tuples) = (4.0 * (80 << 20) as f64, (80 << 20) as f64);
        let of = |random| {
            let limits = [
                limit("read_bytes_per_second", 1 << 30, 2e10),
                limit("random_reads_per_second", 1 << 30, random),
            ];
            seconds(&w, 2, &limits, &environment()).unwrap()
        };
        assert_eq!(of(1e8), (2.0 * keys + 16.0 * tuples) / 2e10);
        assert_eq!(of(1e9), tuples / 1e9);
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
