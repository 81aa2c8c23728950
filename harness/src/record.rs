//! The record lines of a run: `samples.jsonl`, one JSON object a line, field `kind` tells which.
//!
//! Everything a report needs stands in this one file. Summary, charts and pages are derived from
//! it and never the other way round, so a record is written once and never changed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The file of a run's folder that holds its records.
pub const SAMPLES_FILE: &str = "samples.jsonl";

/// The version of the line format that this crate writes and reads.
pub const SCHEMA: u32 = 1;

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
    /// The ladder that this is a rung of.
    #[serde(default)]
    pub group: Option<String>,
    /// What it shows.
    pub sentence: String,
    /// Rows of the build side.
    pub build_rows: u64,
    /// Rows of the probe side.
    pub probe_rows: u64,
    /// `INT32` or `INT64`.
    pub key_type: String,
    /// Bytes of the build side's key column.
    pub build_bytes: u64,
    /// Bytes of the probe side's key column.
    pub probe_bytes: u64,
    /// The right answer.
    pub expected: Answer,
}

/// What a join answers: enough to compare two implementations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Result rows.
    pub rows: u64,
    /// Wrapping sum of the build sides' row ids.
    pub sum_build: u64,
    /// Wrapping sum of the probe sides' row ids.
    pub sum_probe: u64,
    /// Order-independent checksum.
    pub checksum: Checksum,
}

/// An order-independent checksum, 16 hex digits in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
        if text.len() != 16 {
            return Err(serde::de::Error::custom(format!(
                "checksum `{text}` is not 16 hex digits"
            )));
        }
        u64::from_str_radix(&text, 16).map(Checksum).map_err(|_| {
            serde::de::Error::custom(format!("checksum `{text}` is not 16 hex digits"))
        })
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
    /// Rounds count from 0; ratios are paired within one.
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
    /// `A` or `A'` for the two names of the control, else none.
    pub label: Option<String>,
    /// Threads of the join.
    pub threads: u32,
    /// Wall time of the join.
    pub seconds: f64,
    /// Wall time by phase, in the order of execution.
    pub phases: Vec<Phase>,
    /// What the join answered.
    #[serde(flatten)]
    pub answer: Answer,
    /// Bytes of the finished table, where the variant knows.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Whether this process or a peer did the work.
    pub source: Source,
}

/// Label of the control's first name.
pub const CONTROL_A: &str = "A";
/// Label of the control's second name.
pub const CONTROL_B: &str = "A'";

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
    /// Threads of the join.
    pub threads: u32,
    /// What happened, in one line.
    pub error: String,
    /// Whether the join ended with a wrong answer. Such a cell is never charted.
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

/// Why records could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A line is not a record.
    #[error("{}:{line}: {message}; delete the line or the run", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// There is no run record.
    #[error("{}: no `run` line, so this is not a run's folder", path.display())]
    NoRun {
        /// The file.
        path: PathBuf,
    },
}

impl RecordError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        RecordError::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Appends records to a run's file; each is in the kernel's hands when `write` returns.
#[derive(Debug)]
pub struct RecordWriter {
    path: PathBuf,
    file: File,
}

impl RecordWriter {
    /// Starts the file of a new run in folder `dir`, which is made if needed.
    ///
    /// # Errors
    /// The folder cannot be made, or holds a run already: recorded results are never overwritten.
    pub fn create(dir: &Path) -> Result<Self, RecordError> {
        std::fs::create_dir_all(dir).map_err(|e| RecordError::io(dir, e))?;
        let path = dir.join(SAMPLES_FILE);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| RecordError::io(&path, e))?;
        Ok(Self { path, file })
    }

    /// Goes on in the file of an interrupted run in folder `dir`; a torn last line is cut off.
    ///
    /// # Errors
    /// There is no such file, or it cannot be written.
    pub fn append(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(SAMPLES_FILE);
        let text = std::fs::read(&path).map_err(|e| RecordError::io(&path, e))?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|e| RecordError::io(&path, e))?;
        file.set_len(intact(&text) as u64)
            .map_err(|e| RecordError::io(&path, e))?;
        Ok(Self { path, file })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// The file system refuses (a full disk).
    pub fn write(&mut self, record: &Record) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(record)
            .map_err(|e| RecordError::io(&self.path, io::Error::other(e)))?;
        line.push(b'\n');
        // One write call a line: an interrupted run tears at most the last one.
        self.file
            .write_all(&line)
            .and_then(|()| self.file.flush())
            .map_err(|e| RecordError::io(&self.path, e))
    }
}

/// Length of the part of a file that holds whole lines of JSON.
fn intact(text: &[u8]) -> usize {
    let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let last = text[..whole.saturating_sub(1)]
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |i| i + 1);
    // After a crash of the machine the tail may be blocks of zeros that end in a newline of luck.
    match serde_json::from_slice::<serde::de::IgnoredAny>(&text[last..whole]) {
        Ok(_) => whole,
        Err(_) if text[last..whole].trim_ascii().is_empty() => whole,
        Err(_) => last,
    }
}

/// All records of a run, sorted by kind, each kind in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The first `run` line.
    pub run: RunRecord,
    /// One a name; a later line replaces an earlier one in its place.
    pub workloads: Vec<WorkloadRecord>,
    /// One a name; a later line replaces an earlier one in its place.
    pub variants: Vec<VariantRecord>,
    /// Limits of the machine.
    pub limits: Vec<LimitRecord>,
    /// Measurements with a right answer.
    pub samples: Vec<SampleRecord>,
    /// Measurements without one.
    pub failures: Vec<FailureRecord>,
    /// Peaks of memory.
    pub memory: Vec<MemoryRecord>,
    /// False positives of the tags.
    pub tags: Vec<TagsRecord>,
    /// Sentences for the report.
    pub notes: Vec<String>,
    /// When the run ended, RFC 3339.
    pub finished: Option<String>,
    /// Whether the last line says that everything was measured.
    pub complete: bool,
    /// Whether the file ended in the middle of a line.
    pub torn: bool,
}

impl Run {
    /// The workload of that name.
    pub fn workload(&self, name: &str) -> Option<&WorkloadRecord> {
        self.workloads.iter().find(|w| w.name == name)
    }

    /// The variant of that name.
    pub fn variant(&self, name: &str) -> Option<&VariantRecord> {
        self.variants.iter().find(|v| v.name == name)
    }
}

/// Reads the records of the run in folder `dir`.
///
/// # Errors
/// The file cannot be read, a line other than a torn last one is not a record, or there is no
/// `run` line.
pub fn read_run(dir: &Path) -> Result<Run, RecordError> {
    let path = dir.join(SAMPLES_FILE);
    let text = std::fs::read(&path).map_err(|e| RecordError::io(&path, e))?;
    parse_run(&path, &text)
}

/// Sorts the lines of a run's file; `path` is only named in errors.
///
/// # Errors
/// As [`read_run`].
pub fn parse_run(path: &Path, text: &[u8]) -> Result<Run, RecordError> {
    let whole = intact(text);
    let mut records = Vec::new();
    for (at, line) in text[..whole].split(|&b| b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let error = |message: String| RecordError::Line {
            path: path.to_path_buf(),
            line: at + 1,
            message,
        };
        let record: Record = serde_json::from_slice(line).map_err(|e| error(e.to_string()))?;
        if let Record::Run(found) = &record
            && found.schema != SCHEMA
        {
            return Err(error(format!(
                "schema {} is not the schema {SCHEMA} that this program reads",
                found.schema
            )));
        }
        records.push(record);
    }
    let header = records.iter().find_map(|record| match record {
        Record::Run(header) => Some(header.clone()),
        _ => None,
    });
    let mut run = Run {
        run: header.ok_or_else(|| RecordError::NoRun {
            path: path.to_path_buf(),
        })?,
        workloads: Vec::new(),
        variants: Vec::new(),
        limits: Vec::new(),
        samples: Vec::new(),
        failures: Vec::new(),
        memory: Vec::new(),
        tags: Vec::new(),
        notes: Vec::new(),
        finished: None,
        complete: matches!(records.last(), Some(Record::End(end)) if end.complete),
        torn: whole < text.len(),
    };
    for record in records {
        match record {
            Record::Run(_) => {}
            Record::Workload(r) => replace(&mut run.workloads, r, |r| &r.name),
            Record::Variant(r) => replace(&mut run.variants, r, |r| &r.name),
            Record::Limit(r) => run.limits.push(r),
            Record::Sample(r) => run.samples.push(r),
            Record::Failure(r) => run.failures.push(r),
            Record::Memory(r) => run.memory.push(r),
            Record::Tags(r) => run.tags.push(r),
            Record::Note(r) => run.notes.push(r.text),
            Record::End(r) => run.finished = Some(r.finished),
        }
    }
    Ok(run)
}

fn replace<T>(list: &mut Vec<T>, item: T, name: impl Fn(&T) -> &str) {
    match list.iter_mut().find(|old| name(old) == name(&item)) {
        Some(old) => *old = item,
        None => list.push(item),
    }
}
