//! A peer's process: lines of JSON out and in, within a time limit. Whatever it does ends as an answer or as a fault,
//! and it does not outlive what holds it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use join_core::checksum::Checksum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{KeyFiles, Side};
use super::plan::PlanFiles;
use crate::machine::system::Watch;
use crate::question::{Less, NamedKind, Question};
use report::plain::plain;
use report::record::{Phase, SystemUse, is_time};

/// How often a wait looks whether someone pressed Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);

/// What is waited for without a word.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a process may take to end when it should.
const END: Duration = Duration::from_secs(2);

/// The longest line that is read.
const LONGEST_LINE: u64 = 1 << 16;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Someone pressed Ctrl-C.
    Interrupted,
    /// It crashed, hung, or answered nonsense: one line.
    Failed(String),
}

/// A line of work.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Request<'a> {
    Load {
        load: Load<'a>,
    },
    Join {
        join: &'a str,
        /// Left out of an inner join, which peers that know no kinds answer, too.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// In SQL.
        #[serde(skip_serializing_if = "Option::is_none")]
        condition: Option<&'a str>,
    },
    Execute {
        execute: Execute,
    },
}

#[derive(Debug, Serialize)]
struct Execute {
    checksum: bool,
}

/// What is to be loaded.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Load<'a> {
    Keys {
        threads: u32,
        build: &'a Side,
        probe: &'a Side,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<usize>,
    },
    Plan {
        threads: u32,
        plan: &'a Path,
    },
}

#[derive(Debug, Deserialize)]
struct Loaded {
    loaded: bool,
}

/// What a peer says of a join.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Wall time of the query alone.
    pub seconds: f64,
    /// Result rows.
    pub rows: u64,
    /// Wrapping sum of the build sides' row ids.
    pub sum_build: u64,
    /// Wrapping sum of the probe sides' row ids.
    pub sum_probe: u64,
    /// What the time went to, where it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What the system gave it from the request to the answer.
    #[serde(skip)]
    pub system: Option<SystemUse>,
}

/// What a peer says of a plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Executed {
    /// Wall time of the query alone.
    pub seconds: f64,
    /// Result rows.
    pub rows: u64,
    /// Of the result, where it was asked for.
    pub checksum: Option<Checksum>,
    /// What the system gave it from the request to the answer.
    #[serde(skip)]
    pub system: Option<SystemUse>,
}

/// A peer that runs.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    watch: Watch,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// The program cannot be started, in one line.
    pub fn start(mut command: Command) -> Result<Self, String> {
        group(&mut command);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| cannot(&command, &error))?;
        expendable(&child);
        let (send, answers) = sync_channel(1);
        let output = child.stdout.take().expect("piped above");
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(line) = line(&mut output) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let errors = child.stderr.take().expect("piped above");
        Ok(Self {
            input: child.stdin.take().expect("piped above"),
            watch: Watch::of(child.id()),
            child,
            answers,
            errors: Some(std::thread::spawn(move || last_line(errors))),
        })
    }

    /// Has it load a workload in place of the one before.
    ///
    /// # Errors
    /// It did not.
    pub fn load(
        &mut self,
        threads: u32,
        files: &KeyFiles,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<(), Fault> {
        let keys = Load::Keys {
            threads,
            build: &files.build,
            probe: &files.probe,
            payload: files.payload,
        };
        self.have_loaded(keys, limit, interrupted)
    }

    /// Has it load a plan and its tables in place of what it held before.
    ///
    /// # Errors
    /// It did not.
    pub fn load_plan(
        &mut self,
        threads: u32,
        files: &PlanFiles,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<(), Fault> {
        let plan = files.folder();
        self.have_loaded(Load::Plan { threads, plan }, limit, interrupted)
    }

    fn have_loaded(
        &mut self,
        load: Load<'_>,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<(), Fault> {
        let loaded: Loaded = self.ask(&Request::Load { load }, limit, interrupted)?;
        match loaded.loaded {
            true => Ok(()),
            false => Err(Fault::Failed("did not load the data".to_owned())),
        }
    }

    /// Has it join what it loaded.
    ///
    /// # Errors
    /// It did not, or in a time that cannot be.
    pub fn join(
        &mut self,
        question: Question<'_>,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Joined, Fault> {
        let request = Request::Join {
            join: match (question.payload, question.pairs) {
                (Some(_), _) => "rows",
                (None, true) => "pairs",
                (None, false) => "aggregate",
            },
            kind: NamedKind::unless_inner(question.kind),
            condition: question.condition.map(|_| Less::SQL),
        };
        let watching = self.watch.start();
        let start = Instant::now();
        let mut joined: Joined = self.ask(&request, limit, interrupted)?;
        possible(joined.seconds, start.elapsed())?;
        for phase in &mut joined.phases {
            possible(phase.seconds, start.elapsed())?;
            phase.name = plain(&phase.name);
        }
        let system = Some(self.watch.since(&watching));
        Ok(Joined { system, ..joined })
    }

    /// Has it execute the plan that it loaded.
    ///
    /// # Errors
    /// It did not, or in a time that cannot be, or without a checksum that was asked for.
    pub fn execute(
        &mut self,
        checksum: bool,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Executed, Fault> {
        let watching = self.watch.start();
        let start = Instant::now();
        let execute = Execute { checksum };
        let executed: Executed = self.ask(&Request::Execute { execute }, limit, interrupted)?;
        possible(executed.seconds, start.elapsed())?;
        if checksum && executed.checksum.is_none() {
            return Err(Fault::Failed("answered no checksum".to_owned()));
        }
        let system = Some(self.watch.since(&watching));
        Ok(Executed { system, ..executed })
    }

    /// Sends a line and waits for the line that answers it. After a fault the process is of no more use.
    ///
    /// # Errors
    /// Anything but an answer within `limit`.
    pub(crate) fn ask<A: DeserializeOwned>(
        &mut self,
        request: &impl Serialize,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<A, Fault> {
        let mut line = serde_json::to_string(request)
            .map_err(|error| Fault::Failed(format!("cannot be asked: {error}")))?;
        line.push('\n');
        // One that has ended takes no line; that it answers none either says more.
        let _ = self.input.write_all(line.as_bytes());
        let start = Instant::now();
        let answer = loop {
            if interrupted.load(Ordering::Relaxed) {
                return Err(Fault::Interrupted);
            }
            match self.answers.recv_timeout(LOOK) {
                Ok(answer) => break answer,
                Err(RecvTimeoutError::Disconnected) => return Err(Fault::Failed(self.end())),
                Err(RecvTimeoutError::Timeout) if start.elapsed() >= limit => {
                    return Err(Fault::Failed(format!(
                        "did not answer within {:.0} s",
                        limit.as_secs_f64()
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        if let Ok(Refused { error }) = serde_json::from_str(&answer) {
            return Err(Fault::Failed(cut(&error)));
        }
        serde_json::from_str(&answer).map_err(|error| {
            Fault::Failed(format!("answered nonsense ({error}): {}", cut(&answer)))
        })
    }

    /// How it ended, with the last thing that it said of it.
    fn end(&mut self) -> String {
        let status = wait(&mut self.child, END);
        let how = match status {
            None => "closed its output".to_owned(),
            Some(status) => ended(status),
        };
        let said = self.errors.take().and_then(finished).unwrap_or_default();
        match said.is_empty() {
            true => how,
            false => format!("{how}: {}", cut(&said)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(&mut self.child);
        let _ = self.child.wait();
    }
}

/// Refuses a time that is longer than the answer took.
///
/// # Errors
/// It is.
pub(crate) fn possible(seconds: f64, passed: Duration) -> Result<(), Fault> {
    let passed = passed.as_secs_f64();
    match is_time(seconds) && seconds <= passed {
        true => Ok(()),
        false => Err(Fault::Failed(format!(
            "says that it took {seconds} s, and answered after {passed:.6} s"
        ))),
    }
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Runs a command to its end and returns what it printed, or in one line why it did not work. Calls `waiting` where that
/// takes so long that somebody may wonder.
pub(super) fn output(
    command: &mut Command,
    limit: Duration,
    waiting: impl FnOnce(),
) -> Result<String, String> {
    group(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot(command, &error))?;
    let mut output = child.stdout.take().expect("piped above");
    let printed = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = (&mut output).take(LONGEST_LINE).read_to_string(&mut text);
        text
    });
    let errors = child.stderr.take().expect("piped above");
    let said = std::thread::spawn(move || last_line(errors));
    let patience = PATIENCE.min(limit);
    let status = wait(&mut child, patience).or_else(|| {
        if patience < limit {
            waiting();
        }
        wait(&mut child, limit - patience)
    });
    let Some(status) = status else {
        kill(&mut child);
        let _ = child.wait();
        return Err(format!("no answer within {:.0} s", limit.as_secs_f64()));
    };
    if status.success() {
        // What it has started and left behind may hold the pipe for ever.
        return finished(printed)
            .ok_or_else(|| "a program that it started holds its output open".to_owned());
    }
    let said = finished(said).unwrap_or_default();
    Err(match said.is_empty() {
        true => ended(status),
        false => cut(&said),
    })
}

/// What a thread has read, if it comes to an end soon.
fn finished(reader: JoinHandle<String>) -> Option<String> {
    let deadline = Instant::now() + END;
    while !reader.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    reader
        .is_finished()
        .then(|| reader.join().unwrap_or_default())
}

/// Gives a command a process group of its own: a Ctrl-C is the harness's to deal with, and all that the command starts
/// can be ended with it.
pub(crate) fn group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// When memory runs out the peer is to go, not the harness.
fn expendable(child: &Child) {
    // Where there is no such file, there is nobody who would choose.
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), "1000");
}

/// Ends a child that has a group of its own, with all that it has started.
pub(crate) fn kill(child: &mut Child) {
    #[cfg(unix)]
    // SAFETY: a signal to the group of a child that has not been waited for, so that its id is still its own.
    unsafe {
        libc::kill(-(child.id() as i32), libc::SIGKILL);
    }
    let _ = child.kill();
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            _ => return None,
        }
    }
}

fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if std::os::unix::process::ExitStatusExt::signal(&status) == Some(libc::SIGKILL) {
        return "was killed (by the system where memory ran out)".to_owned();
    }
    format!("ended with {status}")
}

fn cannot(command: &Command, error: &std::io::Error) -> String {
    format!(
        "cannot start {}: {error}",
        command.get_program().to_string_lossy()
    )
}

/// A line, cut where it is longer than anyone has reason to write; none at the end.
fn line(from: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = from.take(LONGEST_LINE).read_until(b'\n', &mut bytes);
    matches!(read, Ok(1..)).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The last line that is not empty.
fn last_line(from: impl Read) -> String {
    let mut from = BufReader::new(from);
    let mut last = String::new();
    while let Some(line) = line(&mut from) {
        if !line.trim().is_empty() {
            last = line;
        }
    }
    last
}

/// The beginning of a text, in one line.
fn cut(text: &str) -> String {
    const MOST: usize = 300;
    let text = plain(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn output_of(script: &str) -> (Result<String, String>, Duration) {
        let start = Instant::now();
        let mut command = Command::new("sh");
        let found = output(
            command.args(["-c", script]),
            Duration::from_millis(300),
            || {},
        );
        (found, start.elapsed())
    }

    #[test]
    fn what_does_not_end_is_ended() {
        for (script, says) in [
            ("sleep 20", "no answer"),
            ("sleep 20 & echo 1.0", "holds its output open"),
            ("sleep 20 & echo broken >&2; exit 1", "exit status: 1"),
        ] {
            let (found, passed) = output_of(script);
            let error = found.unwrap_err();
            assert!(error.contains(says), "{script}: {error}");
            assert!(passed < Duration::from_secs(60), "{script}: {passed:?}");
        }
        assert_eq!(output_of("echo 1.0").0.as_deref(), Ok("1.0\n"));
    }

    #[test]
    fn times_that_no_clock_tells_are_refused() {
        let passed = Duration::from_secs(1);
        assert!(possible(1e-6, passed).is_ok());
        for seconds in [0.0, -1.0, 5e-324, 2.0, f64::NAN, f64::INFINITY] {
            assert!(possible(seconds, passed).is_err(), "{seconds}");
        }
    }
}
