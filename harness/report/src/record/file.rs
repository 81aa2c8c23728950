//! A run's file: appended line by line, read back whole.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{
    BuildRecord, FailureRecord, LimitRecord, Lock, MemoryRecord, Record, RunRecord, SAMPLES_FILE,
    SCHEMA, SampleRecord, ScheduleRecord, TagsRecord, VariantRecord, WorkloadRecord, old,
};
use crate::plain::plain;

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
    /// What should be a file is a device, a pipe or a folder.
    #[error("{}: not a regular file; pipes, devices and folders are not read", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// Another process writes into the folder.
    #[error(
        "{}: another process is writing into this run's folder; wait until it has ended, or end it",
        folder.display()
    )]
    Busy {
        /// The run's folder.
        folder: PathBuf,
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
    /// What was measured of plans is not what it should be.
    #[error("{}:{line}: {message}; measure the plans again, or delete the file", path.display())]
    Plans {
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
    /// What the system said of a file or a folder.
    pub fn io(path: &Path, source: io::Error) -> Self {
        RecordError::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Appends records to a run's file; each is in the kernel's hands when `write` returns.
///
/// It holds the folder while it lives, so that no other process writes there.
#[derive(Debug)]
pub struct RecordWriter(Lock);

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
        Lock::of(path, file).map(Self)
    }

    /// Goes on in the file of an interrupted run in folder `dir`; a torn last line is cut off.
    ///
    /// # Errors
    /// There is no such file, it cannot be written, or another process writes it.
    pub fn append(dir: &Path) -> Result<Self, RecordError> {
        Self::go_on(Lock::take(dir)?)
    }

    /// [`RecordWriter::append`] in a folder that is held already.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn go_on(lock: Lock) -> Result<Self, RecordError> {
        let Lock { path, file } = &lock;
        let text = std::fs::read(path).map_err(|e| RecordError::io(path, e))?;
        file.set_len(intact(&text) as u64)
            .map_err(|e| RecordError::io(path, e))?;
        Ok(Self(lock))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path.parent().unwrap_or(Path::new(""))
    }

    /// Appends one line.
    ///
    /// # Errors
    /// The file system refuses (a full disk).
    pub fn write(&mut self, record: &Record) -> Result<(), RecordError> {
        let Lock { path, file } = &mut self.0;
        let mut line =
            serde_json::to_vec(record).map_err(|e| RecordError::io(path, io::Error::other(e)))?;
        line.push(b'\n');
        // One write call a line: an interrupted run tears at most the last one.
        file.write_all(&line)
            .and_then(|()| file.flush())
            .map_err(|e| RecordError::io(path, e))
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
    /// How often each cell is measured.
    pub schedules: Vec<ScheduleRecord>,
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
    /// The two builds of a duel, of one each side; of other runs none.
    pub builds: Vec<BuildRecord>,
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
    /// A run that has measured nothing yet.
    pub fn new(run: RunRecord) -> Self {
        Self {
            run,
            workloads: Vec::new(),
            variants: Vec::new(),
            schedules: Vec::new(),
            limits: Vec::new(),
            samples: Vec::new(),
            failures: Vec::new(),
            memory: Vec::new(),
            tags: Vec::new(),
            builds: Vec::new(),
            notes: Vec::new(),
            finished: None,
            complete: false,
            torn: false,
        }
    }

    /// How often the times of a workload may have been looked at before measuring stopped.
    pub fn looks(&self, workload: &str) -> u32 {
        let mut schedules = self.schedules.iter();
        let found = schedules.find(|schedule| schedule.workload == workload);
        found.map_or(1, |schedule| schedule.looks)
    }

    /// What it has of the workloads that are cases of `experiment`, and the variants that took part in no other alone.
    pub fn part(&self, experiment: &str) -> Run {
        let workloads = self.workloads.iter();
        let (ours, others): (Vec<_>, Vec<_>) =
            workloads.partition(|workload| workload.experiment == experiment);
        let [ours, others] =
            [ours, others].map(|list| list.iter().map(|w| &*w.name).collect::<HashSet<_>>());
        let took_part = |in_these: &HashSet<&str>| -> HashSet<&str> {
            let samples = self.samples.iter().map(|s| (&s.workload, &s.variant));
            let failures = self.failures.iter().map(|f| (&f.workload, &f.variant));
            let all = samples.chain(failures);
            let those = all.filter(|(workload, _)| in_these.contains(&***workload));
            those.map(|(_, variant)| &**variant).collect()
        };
        let (here, elsewhere) = (took_part(&ours), took_part(&others));
        let stays = |name: &str| here.contains(name) || !elsewhere.contains(name);
        Run {
            run: self.run.clone(),
            workloads: kept(&self.workloads, |w| ours.contains(&*w.name)),
            variants: kept(&self.variants, |v| stays(&v.name)),
            schedules: kept(&self.schedules, |s| ours.contains(&*s.workload)),
            limits: self.limits.clone(),
            samples: kept(&self.samples, |s| ours.contains(&*s.workload)),
            failures: kept(&self.failures, |f| ours.contains(&*f.workload)),
            memory: kept(&self.memory, |m| ours.contains(&*m.workload)),
            tags: kept(&self.tags, |t| ours.contains(&*t.workload)),
            builds: self.builds.clone(),
            notes: self.notes.clone(),
            finished: self.finished.clone(),
            ..*self
        }
    }

    /// The workload of that name.
    pub fn workload(&self, name: &str) -> Option<&WorkloadRecord> {
        self.workloads.iter().find(|w| w.name == name)
    }

    /// The variant of that name.
    pub fn variant(&self, name: &str) -> Option<&VariantRecord> {
        self.variants.iter().find(|v| v.name == name)
    }
}

/// Reads the records of the run in folder `dir`, those of earlier versions of this crate, too.
///
/// # Errors
/// The file cannot be read, a line other than a torn last one is not a record, or there is no
/// `run` line.
pub fn read_run(dir: &Path) -> Result<Run, RecordError> {
    let path = dir.join(SAMPLES_FILE);
    let plans = old::Plans::read(dir)?;
    if let Some(plans) = &plans
        && !path.exists()
    {
        return Ok(old::run_of(dir, plans));
    }
    let mut run = parse_run(&path, &read_regular(&path)?)?;
    if let Some(plans) = &plans {
        old::add_plans(&mut run, plans);
    }
    Ok(run)
}

/// Reads a file, and nothing that may have no end or keep its reader waiting.
///
/// # Errors
/// It is no regular file, or cannot be read.
pub fn read_regular(path: &Path) -> Result<Vec<u8>, RecordError> {
    regular(path)?;
    std::fs::read(path).map_err(|e| RecordError::io(path, e))
}

/// Refuses what is no file: opening a pipe waits for whoever writes to it.
pub(super) fn regular(path: &Path) -> Result<(), RecordError> {
    let found = std::fs::metadata(path).map_err(|e| RecordError::io(path, e))?;
    match found.is_file() {
        true => Ok(()),
        false => Err(RecordError::NotAFile {
            path: path.to_path_buf(),
        }),
    }
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
        let record: Record =
            serde_json::from_slice(line).map_err(|e| error(plain(&e.to_string())))?;
        if let Some(fault) = record.fault() {
            return Err(error(fault));
        }
        if let Record::Run(found) = &record
            && !(1..=SCHEMA).contains(&found.schema)
        {
            return Err(error(format!(
                "schema {} is none of the schemas 1 to {SCHEMA} that this program reads",
                found.schema
            )));
        }
        records.push(record);
    }
    let header = records.iter().find_map(|record| match record {
        Record::Run(header) => Some(header.clone()),
        _ => None,
    });
    let header = header.ok_or_else(|| RecordError::NoRun {
        path: path.to_path_buf(),
    })?;
    let mut run = Run::new(header);
    run.complete = matches!(records.last(), Some(Record::End(end)) if end.complete);
    run.torn = whole < text.len();
    let mut placed = old::Placed::new();
    for record in records {
        match record {
            Record::Run(_) => {}
            Record::Workload(r) => replace(&mut run.workloads, r, |r| &r.name),
            Record::Variant(r) => replace(&mut run.variants, r, |r| &r.name),
            Record::Schedule(r) => replace(&mut run.schedules, r, |r| &r.workload),
            Record::Limit(r) => run.limits.push(r),
            Record::Sample(r) => run.samples.push(old::naming_what_ran(r)),
            Record::Failure(r) => run.failures.push(r),
            Record::Memory(r) => run.memory.push(r),
            Record::Tags(r) => run.tags.push(r),
            Record::Ingest(r) => old::add_ingest(&mut run, &mut placed, r),
            Record::Build(r) => replace(&mut run.builds, r, |r| &r.side),
            Record::Note(r) => run.notes.push(r.text),
            Record::End(r) => run.finished = Some(r.finished),
        }
    }
    Ok(run)
}

fn kept<T: Clone>(list: &[T], stays: impl Fn(&T) -> bool) -> Vec<T> {
    list.iter().filter(|item| stays(item)).cloned().collect()
}

fn replace<T>(list: &mut Vec<T>, item: T, name: impl Fn(&T) -> &str) {
    match list.iter_mut().find(|old| name(old) == name(&item)) {
        Some(old) => *old = item,
        None => list.push(item),
    }
}
