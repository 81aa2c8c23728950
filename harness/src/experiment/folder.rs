//! The folder of a run: a new one, or that of a run that goes on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::console::command_line;
use crate::peers::Found;
use report::html::shell_word;
use report::record::{
    Environment, Lock, Record, RecordError, RecordWriter, Run, RunRecord, SAMPLES_FILE, SCHEMA,
    Size, read_run,
};

/// What a run is asked to do, as far as its first record has it.
pub struct Asked<'a> {
    /// Where it is to be; `reports/<id>` if nowhere is named.
    pub out: Option<&'a Path>,
    /// The run that it goes on with.
    pub resume: Option<&'a Path>,
    /// Seed of data and of the order of measurements.
    pub seed: u64,
    /// Workload sizes.
    pub size: Size,
    /// `sweep`, `ablate`, `plans`, `ingest`.
    pub modes: Vec<String>,
    /// Thread counts.
    pub threads: Vec<u32>,
    /// Other engines.
    pub peers: &'a Found,
    /// The machine and the build.
    pub environment: &'a Environment,
}

/// A run's folder with its records.
pub type Opened = (PathBuf, RecordWriter, Option<Run>);

/// The run's folder and its records: new ones, or those of the run that goes on. No other process writes there meanwhile.
///
/// # Errors
/// The folder is taken, cannot be written, or is that of another run; in one line.
pub fn open(asked: &Asked<'_>) -> Result<Opened, String> {
    let Some(folder) = asked.resume else {
        let (id, now) = new_id();
        let default = || Path::new("reports").join(&id);
        let folder = asked.out.map_or_else(default, Path::to_owned);
        is_free(&folder)?;
        let writer = RecordWriter::create(&folder).map_err(cannot)?;
        return begin(folder, writer, asked.record((id, now)));
    };
    let refuse = |error: RecordError| match error {
        RecordError::Busy { .. } => format!("--resume: {error}"),
        _ => format!("--resume: {error}; name the folder of a run"),
    };
    let lock = Lock::take(folder).map_err(refuse)?;
    match read_run(folder) {
        Ok(before) => {
            asked.is_same(folder, &before)?;
            let writer = RecordWriter::go_on(lock).map_err(|error| error.to_string())?;
            Ok((folder.to_owned(), writer, Some(before)))
        }
        // Killed before its first line was written.
        Err(RecordError::NoRun { path }) if is_blank(&path) => {
            let writer = RecordWriter::go_on(lock).map_err(|error| error.to_string())?;
            begin(folder.to_owned(), writer, asked.record(new_id()))
        }
        Err(error) => Err(refuse(error)),
    }
}

/// Writes the first line.
fn begin(folder: PathBuf, mut writer: RecordWriter, run: RunRecord) -> Result<Opened, String> {
    writer.write(&Record::Run(run)).map_err(cannot)?;
    Ok((folder, writer, None))
}

fn cannot(error: RecordError) -> String {
    match &error {
        RecordError::Io { path, source } if source.kind() == ErrorKind::AlreadyExists => {
            format!(
                "{} is there already; name another folder with --out, or go on with --resume",
                path.display()
            )
        }
        _ => format!(
            "cannot write the report: {error}; name a folder that can be written with --out"
        ),
    }
}

/// A name for a run, and when it begins.
pub(crate) fn new_id() -> (String, Timestamp) {
    let now = Timestamp::now();
    let id = format!(
        "{}-{:04x}",
        now.strftime("%Y%m%d-%H%M%S"),
        (now.as_nanosecond() as u64 ^ u64::from(std::process::id()) << 16) >> 8 & 0xFFFF
    );
    (id, now)
}

/// Refuses a folder in which a report would stand among the files of others, or over them.
fn is_free(folder: &Path) -> Result<(), String> {
    // What is no folder, or cannot be read, is told of when it is written to.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let mut names = names.filter(|name| !name.to_string_lossy().starts_with('.'));
    match names.next() {
        Some(_) if folder.join(SAMPLES_FILE).exists() => Ok(()),
        Some(name) => Err(format!(
            "--out {}: it holds {} and is not a run's folder; name a new or an empty one",
            folder.display(),
            name.to_string_lossy()
        )),
        None => Ok(()),
    }
}

/// Whether a file holds no more than the beginning of a first line, or what a crash of the machine leaves of it.
fn is_blank(path: &Path) -> bool {
    const FIRST: &[u8] = b"{\"kind\":\"run\"";
    std::fs::read(path).is_ok_and(|text| {
        let begun = &text[..text.len().min(FIRST.len())];
        let is_begun = FIRST.starts_with(begun) && !text.contains(&b'\n');
        is_begun || text.iter().all(|&byte| byte == 0)
    })
}

/// What samples of one run have in common, beside machine and revision.
type Setting = (&'static str, fn(&Environment) -> &str);
const SETTINGS: [Setting; 4] = [
    ("transparent huge pages", |e| &e.huge_pages),
    ("allocator", |e| &e.allocator),
    ("compiler", |e| &e.rustc),
    ("profile", |e| &e.profile),
];

impl Asked<'_> {
    fn record(&self, (id, now): (String, Timestamp)) -> RunRecord {
        RunRecord {
            schema: SCHEMA,
            id,
            started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seed: self.seed,
            size: self.size,
            modes: self.modes.clone(),
            command: command_line(),
            threads: self.threads.clone(),
            environment: self.environment.clone(),
        }
    }

    /// Refuses to go on with a run that was asked for otherwise, of other code, or on another machine.
    fn is_same(&self, folder: &Path, before: &Run) -> Result<(), String> {
        let refuse = |what: &str, then: &str, now: &str| {
            Err(format!(
                "--resume {}: that run's {what} was `{then}`, now it is `{now}`; resume it with the same one or start \
                 a new run",
                folder.display()
            ))
        };
        let command = command_line();
        let (then, now) = (kept_words(&before.run.command), kept_words(&command));
        if then != now {
            let [then, now] = [then, now].map(|words| {
                let words = words.iter().map(|word| shell_word(word));
                words.collect::<Vec<_>>().join(" ")
            });
            return refuse("command line", &then, &now);
        }
        let (then, environment) = (&before.run.environment, self.environment);
        let revision = |environment: &Environment| {
            let changed = if environment.dirty {
                " with changes"
            } else {
                ""
            };
            format!("{}{changed}", environment.commit)
        };
        if revision(then) != revision(environment) {
            return refuse("commit", &revision(then), &revision(environment));
        }
        if then.machine_id() != environment.machine_id() {
            return refuse("machine", &then.machine_id(), &environment.machine_id());
        }
        for (what, of) in SETTINGS {
            if of(then) != of(environment) {
                return refuse(what, of(then), of(environment));
            }
        }
        if let Some((then, now)) = self.peers.change(before) {
            return refuse("peers", &then, &now);
        }
        if before.complete {
            return Err(format!(
                "--resume {}: that run is complete; start a new one, or draw it again with `harness report`",
                folder.display()
            ));
        }
        Ok(())
    }
}

/// A command line without the options that say where the run's folder is.
fn kept_words(command: &[String]) -> Vec<&str> {
    let mut kept: Vec<&str> = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        if word == "--out" || word == "--resume" {
            words.next();
        } else if !word.starts_with("--out=") && !word.starts_with("--resume=") {
            kept.push(word);
        }
    }
    kept
}
