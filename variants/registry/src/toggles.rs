//! The toggles of an ablation: settings of the default configuration that can be changed one at a time.

use join_core::directory::Sizing;
use join_core::input::InputMode;
use join_core::join::{Kernel, Schedule, Verify};
use join_core::memory::process::Origin;
use join_core::output::PairPlacement;
use join_core::parallel::{MorselSize, Sharing, ThreadStart};
use join_core::simd::Compare;
use partitioned_build::{ChunkSize, Collect, FanOut};
use partitioned_join::{MemoryUse, Passes, Semijoin};

use super::configuration::{Configuration, Directory, Expand, Hash, ListEntry, Tags, Values};

/// Which part of a join a toggle changes; a variant without that part is not ablated by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The unchained table.
    Table,
    /// The partitioning of the build side.
    Partitions,
    /// How keys are read, shared among threads and looked up.
    Probe,
    /// The partitioning of both sides, and the join of each partition.
    Sides,
    /// Threads and memory, of every variant.
    Process,
    /// The placing of result pairs, where the consumer wants pairs.
    Merge,
    /// The making of pairs from the ranges of a table, where the consumer wants pairs.
    Ranges,
    /// The comparing of keys of several columns and of strings.
    Keys,
    /// The fetching of values, where the consumer wants rows.
    Rows,
}

impl Part {
    /// Whether its toggles show only where the consumer wants pairs.
    pub fn needs_pairs(self) -> bool {
        matches!(self, Self::Merge | Self::Ranges)
    }
}

/// A toggle.
#[derive(Debug)]
pub struct Toggle {
    /// Its name on the command line and in records.
    pub name: &'static str,
    /// What it switches.
    pub sentence: &'static str,
    /// What it changes.
    pub part: Part,
    /// Its settings.
    pub settings: &'static [Setting],
}

/// A setting of a toggle.
#[derive(Debug)]
pub struct Setting {
    /// Its name in records.
    pub name: &'static str,
    apply: fn(&mut Configuration),
}

impl Setting {
    const fn new(name: &'static str, apply: fn(&mut Configuration)) -> Self {
        Self { name, apply }
    }

    /// `base` with this setting.
    pub fn of(&self, base: &Configuration) -> Configuration {
        let mut configuration = *base;
        (self.apply)(&mut configuration);
        configuration
    }
}

/// All toggles.
pub static TOGGLES: &[Toggle] = &[
    Toggle {
        name: "bloom",
        sentence: "16-bit Bloom tags in the directory",
        part: Part::Table,
        settings: &[
            Setting::new("on", |c| c.tags = Tags::MaskTable),
            Setting::new("off", |c| c.tags = Tags::Off),
        ],
    },
    Toggle {
        name: "tags",
        sentence: "which bits of the hash make a tag: low ones (as in the contest engine), those below the directory prefix, or a table of 4-of-16 masks",
        part: Part::Table,
        settings: &[
            Setting::new("mask-table", |c| c.tags = Tags::MaskTable),
            Setting::new("below-prefix", |c| c.tags = Tags::BelowPrefix),
            Setting::new("low-bits", |c| c.tags = Tags::LowBits),
        ],
    },
    Toggle {
        name: "directory",
        sentence: "ENDs and tags of the slots in two arrays, or in one 64-bit word per slot",
        part: Part::Table,
        settings: &[
            Setting::new("split", |c| c.directory = Directory::Split),
            Setting::new("packed", |c| c.directory = Directory::Packed),
        ],
    },
    Toggle {
        name: "slots-per-tuple",
        sentence: "directory slots per build tuple: an eighth and at most 2^18 (as in the contest engine), one, or two",
        part: Part::Table,
        settings: &[
            Setting::new("1", |c| c.build.sizing = Sizing::per_tuple(1.0)),
            Setting::new("2", |c| c.build.sizing = Sizing::per_tuple(2.0)),
            Setting::new("1/8-capped", |c| c.build.sizing = Sizing::CONTEST),
        ],
    },
    Toggle {
        name: "hash",
        sentence: "how keys are hashed",
        part: Part::Table,
        settings: &[
            Setting::new("fibonacci", |c| c.hash = Hash::Fibonacci),
            Setting::new("crc32c", |c| c.hash = Hash::Crc32),
            Setting::new("murmur", |c| c.hash = Hash::Murmur),
        ],
    },
    Toggle {
        name: "input",
        sentence: "keys read from the pages, copied first, copied only where there are NULLs (as in the contest engine), or streamed without telling how many there are",
        part: Part::Probe,
        settings: &[
            Setting::new("zero-copy", |c| input(c, InputMode::ZeroCopy)),
            Setting::new("materialised", |c| input(c, InputMode::Materialised)),
            Setting::new("source-rule", |c| input(c, InputMode::Contest)),
            Setting::new("stream", |c| input(c, InputMode::Stream)),
        ],
    },
    Toggle {
        name: "probe",
        sentence: "probe keys looked up one by one in a table that fits into L2 and else in groups with software prefetch; always in groups; interleaved, each a state machine of its own; always one by one; or one by one with a branch on tag and tuple",
        part: Part::Probe,
        settings: &[
            Setting::new("batched", |c| {
                schedule(c, Schedule::BySize(Configuration::BATCH))
            }),
            Setting::new("staged", |c| {
                schedule(c, Schedule::Staged(Configuration::BATCH))
            }),
            Setting::new("interleaved", |c| schedule(c, Schedule::Interleaved(16))),
            Setting::new("direct", |c| schedule(c, Schedule::Direct)),
            Setting::new("scalar", |c| c.probe.kernel = Kernel::SCALAR),
        ],
    },
    Toggle {
        name: "batch-length",
        sentence: "keys of a group, where keys are looked up in groups",
        part: Part::Probe,
        settings: &[
            Setting::new("128", |c| schedule(c, Schedule::BySize(128))),
            Setting::new("16", |c| schedule(c, Schedule::BySize(16))),
            Setting::new("64", |c| schedule(c, Schedule::BySize(64))),
            Setting::new("256", |c| schedule(c, Schedule::BySize(256))),
        ],
    },
    Toggle {
        name: "compare",
        sentence: "a slot's tuples compared four at a time by AVX2, eight by AVX-512, two without a branch, or one by one in a loop",
        part: Part::Probe,
        settings: &[
            Setting::new("avx2", |c| c.probe.kernel.compare = Compare::Avx2),
            Setting::new("avx512", |c| c.probe.kernel.compare = Compare::Avx512),
            Setting::new("branch-free", |c| {
                c.probe.kernel.compare = Compare::BranchFree
            }),
            Setting::new("loop", |c| c.probe.kernel.compare = Compare::Loop),
        ],
    },
    Toggle {
        name: "sharing",
        sentence: "how threads share the probe side: an atomic counter, crossbeam deques, or static ranges",
        part: Part::Probe,
        settings: &[
            Setting::new("counter", |c| c.probe.sharing = Sharing::Counter),
            Setting::new("deques", |c| c.probe.sharing = Sharing::Deques),
            Setting::new("static", |c| c.probe.sharing = Sharing::Static),
        ],
    },
    Toggle {
        name: "steal-block",
        sentence: "probe rows that a thread takes at a time; the contest engine's rule is max(256, rows / (threads × 16))",
        part: Part::Probe,
        settings: &[
            Setting::new("64k", |c| c.probe.morsel = MorselSize::Units(1 << 16)),
            Setting::new("1k", |c| c.probe.morsel = MorselSize::Units(1 << 10)),
            Setting::new("8k", |c| c.probe.morsel = MorselSize::Units(1 << 13)),
            Setting::new("source-rule", |c| c.probe.morsel = MorselSize::Contest),
        ],
    },
    Toggle {
        name: "thread-start",
        sentence: "the threads of a phase handed over to by a caller that works too, woken in a rayon pool, or started for it (as in the contest engine)",
        part: Part::Process,
        settings: &[
            Setting::new("pool", |c| c.thread_start = ThreadStart::Pool),
            Setting::new("rayon", |c| c.thread_start = ThreadStart::Rayon),
            Setting::new("fresh", |c| c.thread_start = ThreadStart::Fresh),
        ],
    },
    Toggle {
        name: "fan-out",
        sentence: "partitions of the build side: sized for L2, a fixed number, or one per directory slot under the contest engine's directory",
        part: Part::Partitions,
        settings: &[
            Setting::new("cache", |c| c.build.fan_out = FanOut::Cache),
            Setting::new("2^4", |c| c.build.fan_out = FanOut::Bits(4)),
            Setting::new("2^8", |c| c.build.fan_out = FanOut::Bits(8)),
            Setting::new("2^12", |c| c.build.fan_out = FanOut::Bits(12)),
            Setting::new("slots", |c| {
                c.build.sizing = Sizing::CONTEST;
                c.build.fan_out = FanOut::Slots;
            }),
        ],
    },
    Toggle {
        name: "min-rows",
        sentence: "build rows under which the partitioned build hands over to the serial one",
        part: Part::Partitions,
        settings: &[
            Setting::new("256k", |c| c.min_rows = 1 << 18),
            Setting::new("0", |c| c.min_rows = 0),
            Setting::new("64k", |c| c.min_rows = 1 << 16),
            Setting::new("16m", |c| c.min_rows = 1 << 24),
        ],
    },
    Toggle {
        name: "write-combining",
        sentence: "tuples gathered to a cache line before they are written to their partition",
        part: Part::Partitions,
        settings: &[
            Setting::new("off", |c| c.build.write_combining = false),
            Setting::new("on", |c| c.build.write_combining = true),
        ],
    },
    Toggle {
        name: "count-and-copy",
        sentence: "a partition copied into place right after it has been counted, or (as in the contest engine) after all have been",
        part: Part::Partitions,
        settings: &[
            Setting::new("together", |c| c.build.phases_apart = false),
            Setting::new("apart", |c| c.build.phases_apart = true),
        ],
    },
    Toggle {
        name: "chunk-capacity",
        sentence: "tuples that a chunk of a partition's list holds: by what is expected, or fixed (256 in the contest engine)",
        part: Part::Partitions,
        settings: &[
            Setting::new("expected", |c| c.build.chunk = ChunkSize::Expected),
            Setting::new("64", |c| c.build.chunk = ChunkSize::Entries(64)),
            Setting::new("256", |c| c.build.chunk = ChunkSize::Entries(256)),
            Setting::new("4096", |c| c.build.chunk = ChunkSize::Entries(4096)),
        ],
    },
    Toggle {
        name: "list-entry",
        sentence: "lists hold the tuple, or the tuple and its tag (as in the contest engine)",
        part: Part::Partitions,
        settings: &[
            Setting::new("tuple", |c| c.list_entry = ListEntry::Tuple),
            Setting::new("tuple-and-tag", |c| c.list_entry = ListEntry::TupleAndTag),
        ],
    },
    Toggle {
        name: "join-fan-out",
        sentence: "partitions of both sides: sized for the cache, none at all, or a fixed number",
        part: Part::Sides,
        settings: &[
            Setting::new("cache", |c| c.join.part_bits = None),
            Setting::new("none", |c| c.join.part_bits = Some(0)),
            Setting::new("2^6", |c| c.join.part_bits = Some(6)),
            Setting::new("2^11", |c| c.join.part_bits = Some(11)),
        ],
    },
    Toggle {
        name: "join-passes",
        sentence: "both sides partitioned in one pass, or in two of the square root of the fan-out each",
        part: Part::Sides,
        settings: &[
            Setting::new("one", |c| c.join.passes = Passes::One),
            Setting::new("two", |c| c.join.passes = Passes::Two),
        ],
    },
    Toggle {
        name: "join-hash",
        sentence: "how the keys of both sides are hashed",
        part: Part::Sides,
        settings: &[
            Setting::new("fibonacci", |c| c.hash = Hash::Fibonacci),
            Setting::new("crc32c", |c| c.hash = Hash::Crc32),
            Setting::new("murmur", |c| c.hash = Hash::Murmur),
        ],
    },
    Toggle {
        name: "join-compare",
        sentence: "a slot's tuples compared eight at a time by AVX-512 (INT64: four), four by AVX2, two without a branch, or one by one in a loop",
        part: Part::Sides,
        settings: &[
            Setting::new("avx512", |c| c.join.compare = Compare::Avx512),
            Setting::new("avx2", |c| c.join.compare = Compare::Avx2),
            Setting::new("branch-free", |c| c.join.compare = Compare::BranchFree),
            Setting::new("loop", |c| c.join.compare = Compare::Loop),
        ],
    },
    Toggle {
        name: "join-slots-per-tuple",
        sentence: "directory slots per tuple of a partition's table: by how many tuples are compared at once (a half for eight, one for four), two where keys have many tuples each, or fixed",
        part: Part::Sides,
        settings: &[
            Setting::new("by-vector", |c| c.join.slots_per_tuple = None),
            Setting::new("1/4", |c| c.join.slots_per_tuple = Some(0.25)),
            Setting::new("1", |c| c.join.slots_per_tuple = Some(1.0)),
            Setting::new("2", |c| c.join.slots_per_tuple = Some(2.0)),
        ],
    },
    Toggle {
        name: "join-write-combining",
        sentence: "both sides' tuples gathered to four cache lines before they are written to their partition",
        part: Part::Sides,
        settings: &[
            Setting::new("on", |c| c.join.write_combining = true),
            Setting::new("off", |c| c.join.write_combining = false),
        ],
    },
    Toggle {
        name: "join-lists",
        sentence: "both sides partitioned to lists of chunks in one pass, or by a counting pass to exact places",
        part: Part::Sides,
        settings: &[
            Setting::new("lists", |c| c.join.collect = Collect::Arena),
            Setting::new("two-passes", |c| c.join.collect = Collect::Exact),
        ],
    },
    Toggle {
        name: "table-side",
        sentence: "tables made of the smaller side, or of the build side always",
        part: Part::Sides,
        settings: &[
            Setting::new("smaller", |c| c.join.smaller_side = true),
            Setting::new("build", |c| c.join.smaller_side = false),
        ],
    },
    Toggle {
        name: "semi-join-filter",
        sentence: "probes pass a Bloom filter of the build side before they are partitioned: where a sample says that it pays, never, or always",
        part: Part::Sides,
        settings: &[
            Setting::new("sampled", |c| c.join.filter = Semijoin::Sampled),
            Setting::new("off", |c| c.join.filter = Semijoin::Off),
            Setting::new("on", |c| c.join.filter = Semijoin::On),
        ],
    },
    Toggle {
        name: "low-memory",
        sentence: "the probe side partitioned a round at a time, within 1.5 × the bytes of a table, or all at once",
        part: Part::Sides,
        settings: &[
            Setting::new("off", |c| c.join.memory = MemoryUse::Fast),
            Setting::new("on", |c| c.join.memory = MemoryUse::Low),
        ],
    },
    Toggle {
        name: "process-allocator",
        sentence: "level 1: large blocks from a pool of touched memory, from mimalloc, or afresh from the system",
        part: Part::Process,
        settings: &[
            Setting::new("pool", |c| c.source = Origin::Pool),
            Setting::new("mimalloc", |c| c.source = Origin::Mimalloc),
            Setting::new("system", |c| c.source = Origin::System),
        ],
    },
    Toggle {
        name: "thread-allocator",
        sentence: "level 2: list chunks carved from a bump arena per thread, or allocated one by one",
        part: Part::Partitions,
        settings: &[
            Setting::new("arena", |c| c.build.collect = Collect::Arena),
            Setting::new("none", |c| c.build.collect = Collect::Boxes),
        ],
    },
    Toggle {
        name: "partition-lists",
        sentence: "level 3: lists of chunks in one pass, or a counting pass and exact places",
        part: Part::Partitions,
        settings: &[
            Setting::new("lists", |c| c.build.collect = Collect::Arena),
            Setting::new("two-passes", |c| c.build.collect = Collect::Exact),
        ],
    },
    Toggle {
        name: "huge-pages",
        sentence: "huge pages asked for by madvise",
        part: Part::Process,
        settings: &[
            Setting::new("on", |c| c.huge_pages = true),
            Setting::new("off", |c| c.huge_pages = false),
        ],
    },
    Toggle {
        name: "result-merge",
        sentence: "result pairs placed in parallel by prefix sums, copied by one thread (as in the contest engine), left in the threads' chunks, or handed on as produced",
        part: Part::Merge,
        settings: &[
            Setting::new("parallel", |c| c.merge = Some(PairPlacement::Parallel)),
            Setting::new("serial", |c| c.merge = Some(PairPlacement::Serial)),
            Setting::new("chunks", |c| c.merge = Some(PairPlacement::Chunks)),
            Setting::new("as-produced", |c| c.merge = None),
        ],
    },
    Toggle {
        name: "expand",
        sentence: "pairs made of a probe row's matches as they are found, made once the ranges of all rows' matches are known, each in its place, or never made: the ranges are the result (lookup without expand: Birler et al., VLDB 2024)",
        part: Part::Ranges,
        settings: &[
            Setting::new("at-once", |c| c.expand = Expand::AtOnce),
            Setting::new("placed", |c| c.expand = Expand::Placed),
            Setting::new("never", |c| c.expand = Expand::Never),
        ],
    },
    Toggle {
        name: "verify",
        sentence: "of keys of several columns and strings whose 64-bit hashes are equal, the keys compared where they lie, or first the lengths and first 12 bytes of strings, written beside the hashes; by a sample of the strings, always the keys, always these first, or (for measuring: one wrong match in 2^64) nothing",
        part: Part::Keys,
        settings: &[
            Setting::new("sampled", |c| c.verify = Verify::Sampled),
            Setting::new("keys", |c| c.verify = Verify::Keys),
            Setting::new("heads", |c| c.verify = Verify::HeadsFirst),
            Setting::new("none", |c| c.verify = Verify::Hashes),
        ],
    },
    Toggle {
        name: "values",
        sentence: "values of a result's rows fetched once pairs of rows are found, or moved with the keys through a partitioning of both sides, each pair of partitions joined by itself",
        part: Part::Rows,
        settings: &[
            Setting::new("late", |c| c.values = Values::Late),
            Setting::new("early", |c| c.values = Values::Early),
        ],
    },
];

fn input(configuration: &mut Configuration, mode: InputMode) {
    configuration.build_input = mode;
    configuration.probe.input = mode;
}

fn schedule(configuration: &mut Configuration, schedule: Schedule) {
    configuration.probe.kernel.schedule = schedule;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_toggle_has_one_default_and_settings_that_differ() {
        let mut base = Configuration::default();
        base.probe.kernel = Kernel::batched(Configuration::BATCH);
        for toggle in TOGGLES {
            let made: Vec<Configuration> = toggle.settings.iter().map(|s| s.of(&base)).collect();
            let defaults = made.iter().filter(|&c| *c == base).count();
            assert_eq!(defaults, 1, "{}", toggle.name);
            for (index, one) in made.iter().enumerate() {
                assert!(!made[..index].contains(one), "{}", toggle.name);
            }
        }
    }
}
