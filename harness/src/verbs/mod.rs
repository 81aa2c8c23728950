//! The verbs of the command line, one file each.

/// Prints a line; the verb ends where that fails.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::verbs::line(&format!($($text)*))?
    };
}

pub mod compare;
pub mod duel;
mod ended;
pub mod ingest;
pub mod limits;
pub mod list;
pub(crate) mod memory;
pub mod plan;
mod program;
pub mod report;
mod select;
pub mod sql;
pub mod sweep;
pub mod table;
pub mod verify;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// What records call the allocator.
pub const ALLOCATOR: &str = "a pool of mapped blocks from 1 MiB on, mimalloc below";

/// How a verb ended, where it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// A variant answered wrongly, or a comparison regressed. Exit status 1.
    #[error("{0}")]
    Wrong(String),
    /// The call or an input was wrong. Exit status 2.
    #[error("{0}")]
    Usage(String),
    /// Another program that was run for the verb has said what was wrong, and ended with this exit status.
    #[error("")]
    Said(u8),
    /// Someone pressed Ctrl-C. Exit status 130.
    #[error("{0}")]
    Interrupted(String),
}

impl Ending {
    /// The call or an input was wrong.
    pub fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    /// The exit status.
    pub fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Wrong(_) => 1,
            Self::Usage(_) => 2,
            Self::Said(status) => *status,
            Self::Interrupted(_) => INTERRUPTED,
        })
    }
}

/// A flag that Ctrl-C raises. The first time the sample at hand is finished; who cannot wait for that presses again.
pub fn interrupt_flag() -> Arc<AtomicBool> {
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
