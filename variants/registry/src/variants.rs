//! The variants, one line each.
//!
//! To add one: a dependency in `Cargo.toml` and a line in [`BUILDS`] (it then combines with every probe of [`PROBES`])
//! or in [`JOINS`]. `docs/add-a-variant.md` is a worked example.

use adaptive::{Adaptive, Candidate, Candidates};
use array_build::ArrayBuild;
use baselines::{
    BucketChaining, BucketComparison, Concise, Hashbrown, LinearChained, LinearProbing,
    PartitionedChaining, Radix, RobinHood, SortMerge, StdHashMap,
};
use join_core::directory::{Packed, Sizing, Split};
use join_core::hash::{Crc32, Fibonacci, KeyHash, Murmur};
use join_core::input::InputMode;
use join_core::join::{DynBuild, DynJoin, Kernel, Threshold};
use join_core::tag::{ContestBits, MaskTable};
use join_core::unchained::{DefaultScheme, Scheme, SchemeOf};
use partitioned_build::{Entry, PartitionedBuild, Plain, Settings, Tagged};
use partitioned_join::PartitionedJoin;
use serial_build::SerialBuild;

use super::configuration::{
    Configuration, Hash, ListEntry, NotCompiled, WithScheme, joined, with_scheme,
};
use super::toggles::Part::{
    self, Keys, Merge, Partitions, Probe, Process, Ranges, Rows, Sides, Table,
};

/// Makes a build under a configuration.
pub type MakeBuild = fn(&Configuration) -> Result<Box<dyn DynBuild>, NotCompiled>;

/// Makes a join under a configuration.
pub type Make = fn(&Configuration) -> Result<Box<dyn DynJoin>, NotCompiled>;

/// A way of building a table, combined with every probe; executors of whole plans can take it as well.
#[derive(Debug)]
pub struct BuildVariant {
    /// Its name.
    pub name: &'static str,
    pub(super) family: &'static str,
    pub(super) description: &'static str,
    /// The parts that it has, and so the toggles that change it.
    pub(super) parts: &'static [Part],
    /// The probes that a sweep measures it with when it is not told.
    pub(super) probes: &'static [&'static str],
    pub(super) make: MakeBuild,
}

impl BuildVariant {
    /// The build under a configuration.
    ///
    /// # Errors
    /// Nothing was compiled for this combination.
    pub fn make(&self, configuration: &Configuration) -> Result<Box<dyn DynBuild>, NotCompiled> {
        (self.make)(configuration)
    }
}

/// A way of probing a table.
pub struct ProbeVariant {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) choose: fn(&mut Configuration),
}

/// A join that is not a build and then a probe.
pub struct JoinVariant {
    pub(super) name: &'static str,
    pub(super) family: &'static str,
    pub(super) description: &'static str,
    pub(super) parts: &'static [Part],
    pub(super) make: Make,
}

const UNCHAINED: &[Part] = &[Table, Probe, Process, Merge, Ranges];
const PARTITIONED: &[Part] = &[Table, Partitions, Probe, Process, Merge, Ranges, Rows, Keys];
const ANY: &[Part] = &[Probe, Process, Merge];
const EVERY_PROBE: &[&str] = &["zero-copy", "materialised", "batched"];

/// The build variants.
#[rustfmt::skip] // a line per variant
pub static BUILDS: &[BuildVariant] = &[
    BuildVariant { name: "serial", family: "unchained", description: "unchained table built by one thread in five phases", parts: UNCHAINED, probes: EVERY_PROBE, make: |c| with_scheme(c, Serial) },
    BuildVariant { name: "partitioned", family: "unchained", description: "unchained table built by all threads: partition, then count, tag and copy partition by partition; from 256 K rows on, below serially", parts: PARTITIONED, probes: EVERY_PROBE, make: partitioned },
    BuildVariant { name: "serial-source", family: "source", description: "the serial build with the contest engine's directory and tags", parts: ANY, probes: &["zero-copy"], make: |_| Ok(Box::new(SerialBuild::<ContestScheme>::new(Sizing::CONTEST))) },
    BuildVariant { name: "partitioned-source", family: "source", description: "the partitioned build with the contest engine's settings: one list per directory slot, chunks of 256 tuples", parts: ANY, probes: &["zero-copy"], make: |_| Ok(Box::new(PartitionedBuild::<ContestScheme, Tagged<ContestBits>>::new(Settings::CONTEST))) },
    BuildVariant { name: "array", family: "baseline", description: "row ids in an array indexed by the key, where build keys are dense and distinct; otherwise as partitioned", parts: ANY, probes: &["batched"], make: |c| Ok(array(c)) },
    BuildVariant { name: "std-hashmap", family: "baseline", description: "a multimap on the standard library's HashMap", parts: ANY, probes: &["zero-copy"], make: |_| Ok(Box::new(StdHashMap)) },
    BuildVariant { name: "hashbrown", family: "baseline", description: "a multimap on hashbrown: a map per thread, filled in the order of its buckets", parts: ANY, probes: &["zero-copy"], make: |_| Ok(Box::new(Hashbrown::default())) },
    BuildVariant { name: "bucket-chaining", family: "baseline", description: "bucket chaining, built by atomic exchanges", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(BucketChaining::default())) },
    BuildVariant { name: "partitioned-chaining", family: "baseline", description: "chaining with tags, built partition by partition, as the contest's winners shipped it", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(PartitionedChaining::default())) },
    BuildVariant { name: "linear-probing", family: "baseline", description: "open addressing with linear probing, built range by range", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(LinearProbing::default())) },
    BuildVariant { name: "robin-hood", family: "baseline", description: "open addressing with Robin Hood hashing, built range by range", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(RobinHood::default())) },
    BuildVariant { name: "linear-chained", family: "baseline", description: "linear probing over distinct keys by 16-bit salts, a chain per key, built range by range; DuckDB's join table", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(LinearChained::default())) },
    BuildVariant { name: "bucket-comparison", family: "baseline", description: "buckets of 16 slots whose one-byte fingerprints one vector instruction compares, built range by range", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(BucketComparison::default())) },
    BuildVariant { name: "concise", family: "baseline", description: "a dense array of tuples under a bitmap with the counts of its bits, and an overflow table", parts: ANY, probes: &["batched"], make: |_| Ok(Box::new(Concise::default())) },
];

/// The probe variants.
#[rustfmt::skip] // a line per variant
pub static PROBES: &[ProbeVariant] = &[
    ProbeVariant { name: "zero-copy", description: "probe keys read from the pages and looked up one by one", choose: |c| c.probe.kernel = Kernel::SCALAR },
    ProbeVariant { name: "materialised", description: "probe keys copied first, then looked up one by one", choose: |c| { c.probe.input = InputMode::Materialised; c.probe.kernel = Kernel::SCALAR } },
    ProbeVariant { name: "batched", description: "probe keys read from the pages and looked up without a branch, in groups with software prefetch where the table exceeds L2", choose: |c| c.probe.kernel = Kernel::batched(Configuration::BATCH) },
];

/// The joins that see both sides before they match anything.
#[rustfmt::skip] // a line per variant
pub static JOINS: &[JoinVariant] = &[
    JoinVariant { name: "partitioned-join", family: "unchained", description: "both sides partitioned, each partition an unchained table in the cache", parts: &[Sides, Process, Merge, Ranges, Rows, Keys], make: |c| Ok(both_sides(c)) },
    JoinVariant { name: "adaptive", family: "unchained", description: "an array of row ids where a sample finds dense build keys; one table of the smaller side where it fits in L2 or a sample of probes finds few hot keys; a table of the build side where rows carry 64 bytes and more, else both sides partitioned; filtered first where a sample finds few matches", parts: &[Process, Merge], make: |c| Ok(Box::new(adaptive(c))) },
    JoinVariant { name: "radix", family: "baseline", description: "both sides partitioned with software write-combining, then joined in the cache", parts: &[Process, Merge], make: |_| Ok(Box::new(Radix::default())) },
    JoinVariant { name: "sort-merge", family: "baseline", description: "both sides sorted by radix, then merged", parts: &[Process, Merge], make: |_| Ok(Box::new(SortMerge)) },
];

/// The variant that an ablation changes.
pub const DEFAULT: &str = "partitioned+batched";

/// The variants whose times are stated however fast the others are.
pub const HEADLINES: [&str; 2] = [DEFAULT, "adaptive"];

/// The variants that an ablation changes, in order: a toggle is shown on the first that has its part.
pub(super) const ABLATED: &[&str] = &[DEFAULT, "partitioned-join"];

/// Hash, tags and directory of the contest engine.
type ContestScheme = SchemeOf<Fibonacci, ContestBits, Packed>;

struct Serial;

impl WithScheme for Serial {
    fn make<S: Scheme>(self, configuration: &Configuration) -> Box<dyn DynBuild> {
        Box::new(SerialBuild::<S>::new(configuration.build.sizing))
    }
}

struct Partitioned;

impl WithScheme for Partitioned {
    fn make<S: Scheme>(self, configuration: &Configuration) -> Box<dyn DynBuild> {
        Box::new(from_min_rows::<S, Plain>(configuration))
    }
}

fn partitioned(configuration: &Configuration) -> Result<Box<dyn DynBuild>, NotCompiled> {
    match configuration.list_entry {
        ListEntry::Tuple => with_scheme(configuration, Partitioned),
        // Compiled for the default scheme alone.
        ListEntry::TupleAndTag => Ok(Box::new(from_min_rows::<DefaultScheme, Tagged<MaskTable>>(
            configuration,
        ))),
    }
}

/// The partitioned build from so many rows on, below the serial one (R3.1).
fn from_min_rows<S: Scheme, E: Entry>(
    configuration: &Configuration,
) -> Threshold<SerialBuild<S>, PartitionedBuild<S, E>> {
    Threshold {
        min_rows: configuration.min_rows,
        small: SerialBuild::new(configuration.build.sizing),
        large: PartitionedBuild::new(configuration.build),
    }
}

fn array(configuration: &Configuration) -> Box<dyn DynBuild> {
    let otherwise = from_min_rows::<DefaultScheme, Plain>(configuration);
    Box::new(ArrayBuild { otherwise })
}

/// The join with both sides partitioned, whose table has no use for tags and directory layouts.
fn both_sides(configuration: &Configuration) -> Box<dyn DynJoin> {
    fn of<H: KeyHash>(configuration: &Configuration) -> Box<dyn DynJoin> {
        Box::new(PartitionedJoin::<SchemeOf<H, MaskTable, Split>>::new(
            configuration.join,
        ))
    }
    match configuration.hash {
        Hash::Fibonacci => of::<Fibonacci>(configuration),
        Hash::Crc32 => of::<Crc32>(configuration),
        Hash::Murmur => of::<Murmur>(configuration),
    }
}

/// The joins that `adaptive` picks from; when it picks which, its own crate says.
fn adaptive(configuration: &Configuration) -> Adaptive {
    let both_sides = |part_bits| {
        let settings = partitioned_join::Settings {
            part_bits,
            ..configuration.join
        };
        Candidate {
            variant: "partitioned-join",
            join: Box::new(PartitionedJoin::<DefaultScheme>::new(settings)),
        }
    };
    let mut batched = *configuration;
    batched.probe.kernel = Kernel::batched(Configuration::BATCH);
    Adaptive(Candidates {
        array: Candidate {
            variant: "array+batched",
            join: joined(array(configuration), &batched),
        },
        one_table: both_sides(Some(0)),
        in_order: Candidate {
            variant: "partitioned+batched",
            join: joined(
                Box::new(from_min_rows::<DefaultScheme, Plain>(configuration)),
                &batched,
            ),
        },
        partitioned: both_sides(configuration.join.part_bits),
    })
}
