//! The folder of a run: a new one, or that of a run that goes on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::peers::Peers;
use super::request::Request;
use crate::cli::MeasureArgs;
use crate::machine;
use crate::record::{
    Environment, Record, RecordError, RecordWriter, Run, RunRecord, SCHEMA, read_run,
};
use crate::verbs::Ending;

/// The run's folder and its records: new ones, or those of the run that goes on.
pub(super) fn open(
    args: &MeasureArgs,
    command: &[String],
    request: &Request<'_>,
    environment: &Environment,
) -> Result<(PathBuf, RecordWriter, Option<Run>), Ending> {
    if let Some(folder) = &args.resume {
        let before = match read_run(folder) {
            Ok(before) => before,
            // Killed before its first line was written.
            Err(RecordError::NoRun { path }) if is_blank(&path) => {
                std::fs::remove_file(&path).map_err(Ending::usage)?;
                let out = Some(folder.clone());
                let args = MeasureArgs {
                    resume: None,
                    out,
                    ..args.clone()
                };
                return open(&args, command, request, environment);
            }
            Err(error) => {
                return Err(Ending::Usage(format!(
                    "--resume: {error}; name the folder of a run"
                )));
            }
        };
        same_run(folder, &before, command, request, environment)?;
        let writer = RecordWriter::append(folder).map_err(Ending::usage)?;
        return Ok((folder.clone(), writer, Some(before)));
    }
    let now = Timestamp::now();
    let id = format!(
        "{}-{:04x}",
        now.strftime("%Y%m%d-%H%M%S"),
        (now.as_nanosecond() as u64 ^ u64::from(std::process::id()) << 16) >> 8 & 0xFFFF
    );
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new("reports").join(&id));
    let cannot = |error: RecordError| {
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
    };
    let mut writer = RecordWriter::create(&folder).map_err(cannot)?;
    let modes = [(args.sweep, "sweep"), (args.ablate.is_some(), "ablate")];
    let run = RunRecord {
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
    };
    writer.write(&Record::Run(run)).map_err(cannot)?;
    Ok((folder, writer, None))
}

/// Whether a file holds no whole line.
fn is_blank(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|text| !text.contains(&b'\n'))
}

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
    if machine::id(then) != machine::id(environment) {
        return refuse("machine", &machine::id(then), &machine::id(environment));
    }
    let (then, now) = (Peers::of(before), request.peers.names());
    // Before the first plan not all of them may stand there.
    if then != now && !before.plans.is_empty() {
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
fn asked(command: &[String]) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        if word == "--out" || word == "--resume" {
            words.next();
        } else if !word.starts_with("--out=") && !word.starts_with("--resume=") {
            kept.push(word);
        }
    }
    kept.join(" ")
}
