//! The record lines of a run: `samples.jsonl`, one JSON object a line, field `kind` tells which.
//!
//! Everything a report needs stands in this one file. Summary, charts and pages are derived from
//! it and never the other way round, so a record is written once and never changed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod check;
mod file;
mod lock;
mod old;

pub use check::{LEAST_SECONDS, MOST_SECONDS, is_time};
pub use file::{RecordError, RecordWriter, Run, parse_run, read_regular, read_run};
pub use lock::Lock;
pub use old::{IngestRecord, PLANS_FILE};

/// The file of a run's folder that holds its records.
pub const SAMPLES_FILE: &str = "samples.jsonl";

/// The version of the line format that this crate writes. It reads version 1, too, which knew joins alone.
pub const SCHEMA: u32 = 2;

/// One line of `samples.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// What was asked for, and on which machine. The first line.
    Run(RunRecord),
    /// One workload (or one rung of a ladder), before its first sample.
    Workload(WorkloadRecord),
    /// One variant or peer, before its first sample.
    Variant(VariantRecord),
    /// How often each cell of a workload is measured, decided before its first sample but those of round 0.
    #[serde(alias = "plan")]
    Schedule(ScheduleRecord),
    /// One limit of this machine.
    Limit(LimitRecord),
    /// One measurement with a right answer.
    Sample(SampleRecord),
    /// One measurement that failed or gave a wrong answer.
    Failure(FailureRecord),
    /// The peak memory of one cell, measured in a process of its own.
    Memory(MemoryRecord),
    /// How many keys without a match a tag scheme lets through.
    Tags(TagsRecord),
    /// A sample of the ingest as version 1 has it.
    Ingest(IngestRecord),
    /// One of the two builds of a duel, before its first sample.
    Build(BuildRecord),
    /// A sentence that the report repeats (a peer that is missing, a workload that was left out).
    Note(NoteRecord),
    /// The run ended by itself. A run without it was interrupted.
    End(EndRecord),
}

/// The toggles of a cell that differ from the default configuration; empty for the default.
pub type Toggles = BTreeMap<String, String>;

/// What was asked for, and on which machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's name, which is also its folder's.
    pub id: String,
    /// RFC 3339.
    pub started: String,
    /// Seed of data and of the order of configurations.
    pub seed: u64,
    /// Workload sizes.
    pub size: Size,
    /// `sweep`, `ablate`, or both.
    pub modes: Vec<String>,
    /// The arguments, without the program's name.
    pub command: Vec<String>,
    /// Thread counts that were measured.
    pub threads: Vec<u32>,
    /// The machine and the build.
    pub environment: Environment,
}

impl RunRecord {
    /// A small sweep with one thread, for tests.
    #[doc(hidden)]
    pub fn of_a_test(environment: Environment) -> RunRecord {
        RunRecord {
            schema: SCHEMA,
            id: "test".to_owned(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            seed: 1,
            size: Size::Quick,
            modes: vec!["sweep".to_owned()],
            command: Vec::new(),
            threads: vec![1],
            environment,
        }
    }
}

/// How large the workloads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// Scaled down to end within a minute.
    Quick,
    /// Scaled down to end within five minutes.
    Default,
    /// As the workload files say.
    Full,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Size::Quick => "quick",
            Size::Default => "default",
            Size::Full => "full",
        })
    }
}

/// The machine, the toolchain and the build of a run. A text says what is unknown and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Model name of the processor.
    pub cpu: String,
    /// Logical processors that this process may use.
    pub cores: u32,
    /// Main memory.
    pub memory_bytes: u64,
    /// Data caches, smallest first.
    pub caches: Vec<Cache>,
    /// Name and version.
    pub kernel: String,
    /// The setting of transparent huge pages.
    pub huge_pages: String,
    /// The process allocator.
    pub allocator: String,
    /// The compiler's version.
    pub rustc: String,
    /// The cargo profile.
    pub profile: String,
    /// Whether the build is an optimised one.
    pub optimised: bool,
    /// The revision that was built, or why it is not known.
    pub commit: String,
    /// Whether the tree had changes beside that revision.
    pub dirty: bool,
    /// Version of this crate.
    pub harness_version: String,
    /// Which hardware counters were read, or why there are none.
    pub counters: String,
}

impl Environment {
    /// A name that stays the same as long as results of this machine can be compared: processor,
    /// cores, caches and memory in whole GiB. Letters, digits, `.` and `-` only, so it can name a file.
    pub fn machine_id(&self) -> String {
        let mut name = format!("{} {}c", self.cpu, self.cores);
        for cache in &self.caches {
            name += &format!(" l{} {}k", cache.level, cache.bytes >> 10);
        }
        let gib = (self.memory_bytes as f64 / f64::from(1u32 << 30)).round();
        name += &format!(" {gib}g");
        name.to_lowercase()
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-")
    }
}

/// One level of data cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// 1 is the closest to the core.
    pub level: u32,
    /// Capacity as one core sees it.
    pub bytes: u64,
}

/// One workload, or one rung of a ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// Unique in the run; a rung carries its size (`ladder-2^10`).
    pub name: String,
    /// The ladder that this is a rung of, or the set that it belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// What kind of experiment it is a case of: [`JOIN`], [`PLAN`], [`ONCE`], [`INGEST`], or another one's name.
    #[serde(default = "join")]
    pub experiment: String,
    /// The kind of a join that is no inner one, such as `probe-semi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_kind: Option<String>,
    /// What pairs must fulfil besides equal keys, such as `build.value < probe.value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Bytes of the columns, on each side, that rows of the result are made of; none where these are row ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<u32>,
    /// What it shows.
    pub sentence: String,
    /// Rows of the build side of a join.
    #[serde(default)]
    pub build_rows: u64,
    /// Rows of the probe side of a join; of other experiments, all rows that are read.
    pub probe_rows: u64,
    /// `INT32` or `INT64`, of a join.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key_type: String,
    /// Bytes of the build side's key column.
    #[serde(default)]
    pub build_bytes: u64,
    /// Bytes of the probe side's key column; of other experiments, all bytes that are read.
    #[serde(default)]
    pub probe_bytes: u64,
    /// The right answer, where it is known beforehand. Else all have to answer alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Answer>,
    /// Of the keys of both sides in the order of their rows, NULLs included, or of what else is read; not known of runs of
    /// before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Checksum>,
}

/// The experiment that joins two columns of keys.
pub const JOIN: &str = "join";
/// The experiment that executes whole plans.
pub const PLAN: &str = "plan";
/// The experiment that executes whole plans one after the other, each once in a process.
pub const ONCE: &str = "once";
/// The experiment that writes rows to shared chunks.
pub const INGEST: &str = "ingest";

fn join() -> String {
    JOIN.to_owned()
}

impl WorkloadRecord {
    /// Rows of both sides.
    pub fn tuples(&self) -> u64 {
        self.build_rows.saturating_add(self.probe_rows)
    }

    /// What the data of `now` have that is not as it was in these, in words; none where they are the same.
    pub fn change(&self, now: &WorkloadRecord) -> Option<String> {
        type Field = (&'static str, fn(&WorkloadRecord) -> Option<String>);
        const FIELDS: [Field; 10] = [
            ("build rows", |w| Some(w.build_rows.to_string())),
            ("probe rows", |w| Some(w.probe_rows.to_string())),
            ("key type", |w| Some(w.key_type.clone())),
            ("kind of join", |w| {
                Some(w.join_kind.clone().unwrap_or_else(|| "inner".to_owned()))
            }),
            ("bytes of payload", |w| {
                Some(w.payload_bytes.unwrap_or(0).to_string())
            }),
            ("result rows", |w| Some(w.expected?.rows.to_string())),
            ("answer", |w| Some(w.expected?.checksum.to_string())),
            ("keys", |w| w.keys.map(|keys| keys.to_string())),
            ("build pages", |w| Some(format!("{} B", w.build_bytes))),
            ("probe pages", |w| Some(format!("{} B", w.probe_bytes))),
        ];
        FIELDS.iter().find_map(|(what, of)| {
            let (then, now) = (of(self)?, of(now)?);
            (then != now).then(|| format!("{what}: {then} then, {now} now"))
        })
    }
}

/// What a join answers: enough to compare two implementations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Result rows.
    pub rows: u64,
    /// Wrapping sum of the build sides' row ids, of a join.
    #[serde(default)]
    pub sum_build: u64,
    /// Wrapping sum of the probe sides' row ids, of a join.
    #[serde(default)]
    pub sum_probe: u64,
    /// Order-independent checksum.
    pub checksum: Checksum,
}

/// An order-independent checksum, 16 hex digits in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Checksum(pub u64);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let error = || serde::de::Error::custom(format!("checksum `{text}` is not 16 hex digits"));
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(error());
        }
        u64::from_str_radix(&text, 16)
            .map(Checksum)
            .map_err(|_| error())
    }
}

/// One variant or peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantRecord {
    /// Unique in the run.
    pub name: String,
    /// Which group of implementations it belongs to (`unchained`, `baseline`, `peer` …).
    pub family: String,
    /// The build variant, where the join is a build and then a probe.
    pub build: Option<String>,
    /// The probe variant, where the join is a build and then a probe.
    pub probe: Option<String>,
    /// One sentence.
    pub description: String,
    /// Of a peer: checksum of how it is run; not known of runs of before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Checksum>,
}

/// The family of peers.
pub const PEER: &str = "peer";

impl VariantRecord {
    /// Whether it is another engine.
    pub fn is_peer(&self) -> bool {
        self.family == PEER
    }
}

/// How often each cell of a workload is measured. Decided from the times of a warm-up round, so that a run that goes on
/// later keeps to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// A workload record's name.
    pub workload: String,
    /// Seconds that the workload takes in all, by the warm-up.
    pub seconds: f64,
    /// How often the times may be looked at before measuring stops: 1 where the rounds were fixed beforehand. Intervals are
    /// as much wider as that asks for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub looks: u32,
    /// Whether no other schedule of the workload follows.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub last: bool,
    /// The cells, each measured in the rounds 1 to `rounds`.
    pub cells: Vec<ScheduledCell>,
}

fn one() -> u32 {
    1
}

pub(crate) fn is_one(looks: &u32) -> bool {
    *looks == 1
}

fn yes() -> bool {
    true
}

fn is_yes(last: &bool) -> bool {
    *last
}

/// One cell of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduledCell {
    /// A variant record's name.
    pub variant: String,
    /// What differs from the default configuration.
    #[serde(default)]
    pub toggles: Toggles,
    /// As in a sample.
    pub label: Option<String>,
    /// Threads of the join.
    pub threads: u32,
    /// Samples; 0 where the warm-up failed.
    pub rounds: u32,
}

/// One limit of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitRecord {
    /// `read_bytes_per_second`, `random_reads_per_second` …
    pub what: String,
    /// Threads that worked at once; the value is what all of them reached together.
    pub threads: u32,
    /// The array that was walked.
    pub array_bytes: u64,
    /// Whether huge pages were asked for.
    pub huge_pages: bool,
    /// In the unit that `what` names.
    pub value: f64,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleRecord {
    /// Rounds count from 1; ratios are paired within one. 0 is a first, cold execution, which stands apart.
    pub round: u32,
    /// Place in the round's shuffled order.
    pub order: u32,
    /// A workload record's name.
    pub workload: String,
    /// A variant record's name.
    pub variant: String,
    /// What differs from the default configuration.
    #[serde(default)]
    pub toggles: Toggles,
    /// `A` or `A'` for the two names of the control, [`THIS`] or [`OTHER`] for the two builds of a duel, else none.
    pub label: Option<String>,
    /// The pair of processes of a duel, from 1; else 0. Rounds count within it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pair: u32,
    /// Threads that worked.
    pub threads: u32,
    /// Wall time.
    pub seconds: f64,
    /// Wall time by phase, in the order of execution.
    pub phases: Vec<Phase>,
    /// What was answered.
    #[serde(flatten)]
    pub answer: Answer,
    /// Bytes of the finished table, of a join that knows them; the most that a plan held at a time; those of the rows that
    /// were written.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// What processor and kernel counted meanwhile, all threads together.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// What was observed and chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether this process or a peer did the work.
    pub source: Source,
    /// What the system gave the process that worked, where that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemUse>,
    /// Whether `system` differs from what is usual for the cell so much that something else was in the way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disturbed: bool,
}

/// What the system gave a process during a sample.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SystemUse {
    /// CPU time of all threads.
    pub cpu_seconds: f64,
    /// Time that threads could have run and did not, of all threads; none where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_seconds: Option<f64>,
    /// Times that a thread was put aside for another.
    pub involuntary_switches: u64,
    /// What the host took from all processors.
    pub stolen_seconds: f64,
}

/// The counter of rows that were written; 0 of a copy, which knows none.
pub const ROWS: &str = "rows";
/// The counter of rows that lie in two flushes.
pub const SPLIT_ROWS: &str = "split_rows";
/// The counter of addresses that were given away; what exceeds the bytes of the rows is empty.
pub const RESERVED: &str = "reserved";

/// How a note begins that names the variant whose code ran, of one that picks among others.
pub const RUNS: &str = "runs ";

/// What a technique is set to where an executor does without it.
pub const OFF: &str = "off";

/// Label of the control's first name.
pub const CONTROL_A: &str = "A";
/// Label of the control's second name.
pub const CONTROL_B: &str = "A'";

/// Label of the build that a duel was started from.
pub const THIS: &str = "this";
/// Label of the build that it is held against.
pub const OTHER: &str = "other";

/// One of the two builds of a duel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRecord {
    /// [`THIS`] or [`OTHER`].
    pub side: String,
    /// As the command line has it: a revision, or a path.
    pub name: String,
    /// The revision that was built, or why it is not known.
    pub commit: String,
    /// Whether the tree had changes beside it.
    pub dirty: bool,
    /// The cargo profile.
    pub profile: String,
    /// The compiler's version.
    pub rustc: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Wall time of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Unique in its sample.
    pub name: String,
    /// Wall time.
    pub seconds: f64,
}

/// Who did the work of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A variant of this workbench.
    Variant,
    /// Another engine in a process of its own.
    Peer,
}

/// One measurement that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The round, as in a sample.
    pub round: u32,
    /// A workload record's name.
    pub workload: String,
    /// A variant record's name.
    pub variant: String,
    /// What differs from the default configuration.
    #[serde(default)]
    pub toggles: Toggles,
    /// As in a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Threads that worked.
    pub threads: u32,
    /// What happened, in one line.
    pub error: String,
    /// Whether there was a wrong answer. Such a cell is never charted.
    pub wrong: bool,
}

/// The peak memory of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemoryRecord {
    /// A workload record's name.
    pub workload: String,
    /// A variant record's name.
    pub variant: String,
    /// What differs from the default configuration.
    #[serde(default)]
    pub toggles: Toggles,
    /// Threads of the join.
    pub threads: u32,
    /// Peak of the process above what it held before the join.
    pub peak_bytes: u64,
}

/// How many keys without a match a tag scheme lets through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagsRecord {
    /// The scheme's name; `none` stands for a directory without tags.
    pub scheme: String,
    /// A workload record's name.
    pub workload: String,
    /// Directory slots a build tuple.
    pub directory_slots_per_tuple: f64,
    /// Probe keys without a match.
    pub probes: u64,
    /// Those of them that went on to the tuples.
    pub false_positives: u64,
}

/// A sentence for the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoteRecord {
    /// The sentence.
    pub text: String,
}

/// The run ended by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndRecord {
    /// Whether everything that was asked for was measured.
    pub complete: bool,
    /// RFC 3339.
    pub finished: String,
}
