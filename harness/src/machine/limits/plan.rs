//! What is to be measured.

use crate::machine;
use report::limit_model::{LOOKUP_LIMIT, PHASE_LIMIT, SHARED_COUNTER_LIMIT, scatter_limit};
use report::record::Environment;

const MIB: u64 = 1 << 20;

/// A cache line, in bytes: where a shared counter lies.
const LINE: u64 = 64;

/// One way of touching memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Sequential read.
    Read,
    /// Sequential write with plain stores.
    Write,
    /// Sequential write with non-temporal stores.
    WriteStreaming,
    /// First half of the array to the second, plain stores.
    Copy,
    /// First half of the array to the second, non-temporal stores.
    CopyStreaming,
    /// Writing memory that the kernel has yet to provide.
    FirstTouch,
    /// Random reads that overlap.
    RandomRead,
    /// Random reads, each address known only after the read before it.
    DependentRead,
    /// Random reads in batches of prefetches.
    PrefetchedRead,
    /// Hash, slot, tuple and comparison of random keys.
    Lookup,
    /// Random writes, each thread to its own share of the array.
    RandomWrite,
    /// An addition to a counter that all threads share.
    SharedCounter,
    /// A phase of a team without any work: woken, and waited for.
    Phase,
    /// Partitioning into `2^bits` with a plain store a tuple.
    Scatter {
        /// Logarithm of the fan-out.
        bits: u32,
    },
    /// Partitioning into `2^bits` through a buffered cache line a partition.
    ScatterCombined {
        /// Logarithm of the fan-out.
        bits: u32,
    },
}

impl Kernel {
    /// The name of its limit; ends in what is counted and `_per_second`.
    pub fn what(self) -> String {
        match self {
            Kernel::Read => "read_bytes_per_second".to_owned(),
            Kernel::Write => "write_bytes_per_second".to_owned(),
            Kernel::WriteStreaming => "write_streaming_bytes_per_second".to_owned(),
            Kernel::Copy => "copy_bytes_per_second".to_owned(),
            Kernel::CopyStreaming => "copy_streaming_bytes_per_second".to_owned(),
            Kernel::FirstTouch => "first_touch_bytes_per_second".to_owned(),
            Kernel::RandomRead => "random_reads_per_second".to_owned(),
            Kernel::DependentRead => "dependent_random_reads_per_second".to_owned(),
            Kernel::PrefetchedRead => "prefetched_random_reads_per_second".to_owned(),
            Kernel::Lookup => LOOKUP_LIMIT.to_owned(),
            Kernel::RandomWrite => "random_writes_per_second".to_owned(),
            Kernel::SharedCounter => SHARED_COUNTER_LIMIT.to_owned(),
            Kernel::Phase => PHASE_LIMIT.to_owned(),
            Kernel::Scatter { bits } => format!("scatter_2^{bits}_tuples_per_second"),
            Kernel::ScatterCombined { bits } => scatter_limit(bits),
        }
    }

    /// What is counted, by the second.
    pub fn unit(self) -> &'static str {
        match self {
            Kernel::Read
            | Kernel::Write
            | Kernel::WriteStreaming
            | Kernel::Copy
            | Kernel::CopyStreaming
            | Kernel::FirstTouch => "B/s",
            Kernel::RandomRead | Kernel::DependentRead | Kernel::PrefetchedRead => "reads/s",
            Kernel::Lookup => "lookups/s",
            Kernel::RandomWrite => "writes/s",
            Kernel::SharedCounter => "additions/s",
            Kernel::Phase => "phases/s",
            Kernel::Scatter { .. } | Kernel::ScatterCombined { .. } => "tuples/s",
        }
    }
}

/// One kernel on one array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// What to do.
    pub kernel: Kernel,
    /// Bytes of the array that all threads share or divide.
    pub array_bytes: u64,
    /// Whether to ask for huge pages.
    pub huge_pages: bool,
}

/// Every item at every thread count.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In this order; neighbours with the same array and pages share one allocation.
    pub items: Vec<Item>,
    /// Thread counts, each at least 1.
    pub threads: Vec<u32>,
    /// How often each is measured; the fastest is the limit.
    pub repetitions: usize,
    /// About how long one repetition lasts. One walk through the array is the least.
    pub seconds: f64,
}

impl Plan {
    /// Sequential reads, random reads by array size, lookups in the cache and scatters by fan-out, in huge pages where the
    /// kernel has them, and what threads cost each other: what [`report::limit_model`] and [`report::threads_model`] need, in less
    /// than three seconds on two cores that have nothing else to do.
    pub fn quick(environment: &Environment, threads: &[u32]) -> Self {
        let largest = beyond_caches(environment, 256 * MIB);
        let huge_pages = machine::offers_huge_pages(environment);
        let item = |kernel, array_bytes| Item {
            kernel,
            array_bytes,
            huge_pages,
        };
        let mut items = Vec::new();
        for bytes in in_cache(environment) {
            items
                .extend([Kernel::RandomRead, Kernel::Lookup, Kernel::Read].map(|k| item(k, bytes)));
        }
        let beyond = [4, 16, 64].map(|mib| mib * MIB).into_iter();
        items.extend(
            beyond
                .filter(|&bytes| bytes < largest)
                .map(|bytes| item(Kernel::RandomRead, bytes)),
        );
        items.push(item(Kernel::RandomRead, largest));
        items.push(item(Kernel::Read, largest));
        items.extend([6, 9].map(|bits| item(Kernel::ScatterCombined { bits }, largest)));
        items.extend([Kernel::SharedCounter, Kernel::Phase].map(|kernel| item(kernel, LINE)));
        Self {
            items,
            threads: threads.to_vec(),
            repetitions: 4,
            seconds: 0.02,
        }
    }

    /// Everything, in about a minute on two cores that have nothing else to do.
    pub fn full(environment: &Environment, threads: &[u32]) -> Self {
        const SEQUENTIAL: [Kernel; 6] = [
            Kernel::FirstTouch,
            Kernel::Read,
            Kernel::Write,
            Kernel::WriteStreaming,
            Kernel::Copy,
            Kernel::CopyStreaming,
        ];
        const RANDOM: [Kernel; 4] = [
            Kernel::DependentRead,
            Kernel::RandomRead,
            Kernel::PrefetchedRead,
            Kernel::RandomWrite,
        ];
        const SCATTERS: [Kernel; 6] = [
            Kernel::Scatter { bits: 6 },
            Kernel::ScatterCombined { bits: 6 },
            Kernel::Scatter { bits: 9 },
            Kernel::ScatterCombined { bits: 9 },
            Kernel::Scatter { bits: 12 },
            Kernel::ScatterCombined { bits: 12 },
        ];
        let largest = largest_array();
        let pages: &[bool] = if machine::offers_huge_pages(environment) {
            &[true, false]
        } else {
            &[false]
        };
        let mut items = Vec::new();
        let mut add = |kernels: &[Kernel], array_bytes| {
            for &huge_pages in pages {
                items.extend(kernels.iter().map(|&kernel| Item {
                    kernel,
                    array_bytes,
                    huge_pages,
                }));
            }
        };
        add(&SEQUENTIAL, beyond_caches(environment, 512 * MIB));
        for bytes in in_cache(environment) {
            add(&RANDOM, bytes);
            add(&[Kernel::Lookup, Kernel::Read], bytes);
        }
        for mib in [4, 16, 64, 256, 1024] {
            if mib * MIB <= largest {
                add(&RANDOM, mib * MIB);
            }
        }
        add(&SCATTERS, beyond_caches(environment, 256 * MIB));
        items.extend([Kernel::SharedCounter, Kernel::Phase].map(|kernel| Item {
            kernel,
            array_bytes: LINE,
            huge_pages: pages[0],
        }));
        Self {
            items,
            threads: threads.to_vec(),
            repetitions: 5,
            seconds: 0.03,
        }
    }
}

/// One thread, two, and all: enough to see whether the memory or the core sets the pace.
pub fn default_threads(cores: u32) -> Vec<u32> {
    let cores = cores.max(1);
    let mut threads = vec![1, 2, cores];
    threads.retain(|&threads| threads <= cores);
    threads.sort_unstable();
    threads.dedup();
    threads
}

/// Arrays that take half of the first- and of the second-level cache.
fn in_cache(environment: &Environment) -> [u64; 2] {
    let half = |level, usual| {
        let cache = environment.caches.iter().find(|cache| cache.level == level);
        cache.map_or(usual, |cache| cache.bytes) / 2
    };
    [half(1, MIB / 32), half(2, MIB)]
}

/// `base`, or four times the largest cache where that is more, and no more than memory allows.
fn beyond_caches(environment: &Environment, base: u64) -> u64 {
    let cache = environment.caches.iter().map(|cache| cache.bytes).max();
    let wanted = base.max(4 * cache.unwrap_or(0)).next_power_of_two();
    wanted.min(largest_array())
}

/// A power of two that leaves three quarters of the free memory alone.
fn largest_array() -> u64 {
    let quarter = machine::available_bytes().unwrap_or(4 << 30) / 4;
    1 << quarter.max(MIB).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_counts_never_exceed_the_cores_and_never_repeat() {
        assert_eq!(default_threads(1), [1]);
        assert_eq!(default_threads(2), [1, 2]);
        assert_eq!(default_threads(6), [1, 2, 6]);
        assert_eq!(default_threads(0), [1]);
    }

    #[test]
    fn arrays_lie_beyond_the_caches() {
        let mut machine = machine::environment("mimalloc");
        machine.huge_pages = "never".to_owned();
        let quick = Plan::quick(&machine, &[1, 2]);
        assert!(quick.items.iter().all(|item| !item.huge_pages));
        let largest = machine.caches.iter().map(|cache| cache.bytes).max();
        let wanted = (256 * MIB).max(4 * largest.unwrap_or(0));
        for kernel in [Kernel::Read, Kernel::RandomRead] {
            assert!(quick.items.iter().any(|item| {
                item.kernel == kernel && item.array_bytes >= wanted.min(largest_array())
            }));
        }
        machine.huge_pages = "madvise".to_owned();
        assert!(
            Plan::full(&machine, &[1])
                .items
                .iter()
                .any(|item| item.huge_pages)
        );
    }

    #[test]
    fn every_name_ends_in_its_unit() {
        let machine = machine::environment("mimalloc");
        for item in Plan::full(&machine, &[1]).items {
            let counted = match item.kernel.unit() {
                "B/s" => "bytes_per_second",
                "additions/s" => "additions_per_second",
                "phases/s" => "phases_per_second",
                "reads/s" => "reads_per_second",
                "lookups/s" => "lookups_per_second",
                "writes/s" => "writes_per_second",
                "tuples/s" => "tuples_per_second",
                other => panic!("{other}"),
            };
            assert!(item.kernel.what().ends_with(counted));
        }
    }
}
