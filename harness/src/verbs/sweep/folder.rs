//! The folder of a run: a new one, or that of a run that goes on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::request::Request;
use crate::cli::MeasureArgs;
use crate::verbs::Ending;
use report::page::html::shell_word;
use report::record::{
    Environment, Lock, Record, RecordError, RecordWriter, Run, RunRecord, SAMPLES_FILE, SCHEMA,
    read_run,
};

/// The run's folder and its records: new ones, or those of the run that goes on. No other process writes there meanwhile.
pub(super) fn open(
    args: &MeasureArgs,
    command: &[String],
    request: &Request<'_>,
    environment: &Environment,
) -> Result<(PathBuf, RecordWriter, Option<Run>), Ending> {
    let Some(folder) = &args.resume else {
        let (id, now) = new_id();
        let default = || Path::new("reports").join(&id);
        let folder = args.out.clone().unwrap_or_else(default);
        is_free(&folder)?;
        let writer = RecordWriter::create(&folder).map_err(cannot)?;
        let run = run_record(args, command, request, environment, (id, now));
        return begin(folder, writer, run);
    };
    let refuse = |error: RecordError| {
        Ending::Usage(match error {
            RecordError::Busy { .. } => format!("--resume: {error}"),
            _ => format!("--resume: {error}; name the folder of a run"),
        })
    };
    let lock = Lock::take(folder).map_err(refuse)?;
    match read_run(folder) {
        Ok(before) => {
            same_run(folder, &before, command, request, environment)?;
            let writer = RecordWriter::go_on(lock).map_err(Ending::usage)?;
            Ok((folder.clone(), writer, Some(before)))
        }
        // Killed before its first line was written.
        Err(RecordError::NoRun { path }) if is_blank(&path) => {
            let writer = RecordWriter::go_on(lock).map_err(Ending::usage)?;
            let run = run_record(args, command, request, environment, new_id());
            begin(folder.clone(), writer, run)
        }
        Err(error) => Err(refuse(error)),
    }
}

/// Writes the first line.
fn begin(
    folder: PathBuf,
    mut writer: RecordWriter,
    run: RunRecord,
) -> Result<(PathBuf, RecordWriter, Option<Run>), Ending> {
    writer.write(&Record::Run(run)).map_err(cannot)?;
    Ok((folder, writer, None))
}

fn cannot(error: RecordError) -> Ending {
    Ending::Usage(match &error {
        RecordError::Io { path, source } if source.kind() == ErrorKind::AlreadyExists => {
            format!(
                "{} is there already; name another folder with --out, or go on with --resume",
                path.display()
            )
        }
        _ => format!(
            "cannot write the report: {error}; name a folder that can be written with --out"
        ),
    })
}

/// A name for a run, and when it begins.
fn new_id() -> (String, Timestamp) {
    let now = Timestamp::now();
    let id = format!(
        "{}-{:04x}",
        now.strftime("%Y%m%d-%H%M%S"),
        (now.as_nanosecond() as u64 ^ u64::from(std::process::id()) << 16) >> 8 & 0xFFFF
    );
    (id, now)
}

fn run_record(
    args: &MeasureArgs,
    command: &[String],
    request: &Request<'_>,
    environment: &Environment,
    (id, now): (String, Timestamp),
) -> RunRecord {
    let modes = [(args.sweep, "sweep"), (args.ablate.is_some(), "ablate")];
    RunRecord {
        schema: SCHEMA,
        id,
        started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seed: args.seed.unwrap_or(1),
        size: args.size(),
        modes: modes
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, mode)| mode.to_owned())
            .collect(),
        command: command.to_vec(),
        threads: request.threads.clone(),
        environment: environment.clone(),
    }
}

/// Refuses a folder in which a report would stand among the files of others, or over them.
fn is_free(folder: &Path) -> Result<(), Ending> {
    // What is no folder, or cannot be read, is told of when it is written to.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let mut names = names.filter(|name| !name.to_string_lossy().starts_with('.'));
    match names.next() {
        Some(_) if folder.join(SAMPLES_FILE).exists() => Ok(()),
        Some(name) => Err(Ending::Usage(format!(
            "--out {}: it holds {} and is not a run's folder; name a new or an empty one",
            folder.display(),
            name.to_string_lossy()
        ))),
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

/// Refuses to go on with a run that was asked for otherwise, of other code, or on another machine.
fn same_run(
    folder: &Path,
    before: &Run,
    command: &[String],
    request: &Request<'_>,
    environment: &Environment,
) -> Result<(), Ending> {
    let refuse = |what: &str, then: &str, now: &str| {
        Err(Ending::Usage(format!(
            "--resume {}: that run's {what} was `{then}`, now it is `{now}`; resume it with the same one or start \
             a new run",
            folder.display()
        )))
    };
    let (then, now) = (asked(&before.run.command), asked(command));
    if then != now {
        let [then, now] = [then, now].map(|words| {
            let words = words.iter().map(|word| shell_word(word));
            words.collect::<Vec<_>>().join(" ")
        });
        return refuse("command line", &then, &now);
    }
    let then = &before.run.environment;
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
    if let Some((then, now)) = request.peers.change(before) {
        return refuse("peers", &then, &now);
    }
    if before.complete {
        return Err(Ending::Usage(format!(
            "--resume {}: that run is complete; start a new one, or draw it again with `harness report`",
            folder.display()
        )));
    }
    Ok(())
}

/// A command line without the options that say where the run's folder is.
fn asked(command: &[String]) -> Vec<&str> {
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
