//! The verbs of the command line, one file each.

/// Prints a line; the verb ends where that fails.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::verbs::line(&format!($($text)*))?
    };
}

mod compare;
mod ended;
pub mod ingest;
mod list;
mod memory;
pub mod plan;
mod program;
mod select;
mod sweep;
pub mod table;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::error::ErrorKind;

use crate::cli::{Cli, Verb};
use crate::console::tell;
use crate::limits;

/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// What records call the allocator.
const ALLOCATOR: &str = "a pool of mapped blocks from 1 MiB on, mimalloc below";

/// How a verb ended, where it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// A variant answered wrongly, or a comparison regressed. Exit status 1.
    #[error("{0}")]
    Wrong(String),
    /// The call or an input was wrong. Exit status 2.
    #[error("{0}")]
    Usage(String),
    /// Another program that was run for the verb has said what was wrong. Exit status 2.
    #[error("")]
    Said,
    /// Someone pressed Ctrl-C. Exit status 130.
    #[error("{0}")]
    Interrupted(String),
}

impl Ending {
    /// The call or an input was wrong.
    pub fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Wrong(_) => 1,
            Self::Usage(_) | Self::Said => 2,
            Self::Interrupted(_) => INTERRUPTED,
        })
    }
}

/// A flag that Ctrl-C raises. The first time the sample at hand is finished; who cannot wait for that presses again.
fn interrupt_flag() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    // A second handler in one process is an error; then there is one already.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    interrupted
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<(), Ending> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Ending::Usage(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// [`print`]s a line.
fn line(text: &str) -> Result<(), Ending> {
    print(&format!("{text}\n"))
}

/// Does what the command line asks and says how it ended.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.verb {
        None => sweep::run(&cli.measure),
        Some(Verb::List { what }) => list::run(what),
        Some(Verb::Ingest(verb)) => ingest::run(&verb),
        Some(Verb::Limits(args)) => limits::command(&args).map_err(Ending::usage),
        Some(Verb::Report { run }) => report::page::redraw(&run)
            .map_err(|error| Ending::Usage(format!("{error}; name the folder of a run")))
            .and_then(|page| line(&page.display().to_string())),
        Some(Verb::Table { what }) => table::run(&what),
        Some(Verb::Compare(args)) => compare::run(&args),
        Some(Verb::Verify { only, random, seed }) => match random {
            None => verify::run(&only),
            Some(joins) => verify::random::run(joins, seed.unwrap_or(0), &only),
        },
        Some(Verb::Plan(verb)) => plan::run(&verb),
        Some(Verb::Memory) => memory::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => {
            if !matches!(ending, Ending::Said) {
                tell!("error: {ending}");
            }
            ending.status()
        }
    }
}

/// Answers a command line that clap did not take: help and version as they are, an error in one line.
pub fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // A reader that has seen enough is no error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let told: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .collect();
    tell!("{}; `harness --help` shows the options", told.join("; "));
    ExitCode::from(2)
}
