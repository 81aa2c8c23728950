//! Verbs that other packages do, because what they need takes minutes to compile and no sweep needs it: the package's
//! program is built when it is first asked for.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Ending;
use crate::console::{self, tell};

/// A program that is built when it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Program {
    /// Its package.
    pub package: &'static str,
    /// The manifest of its workspace, from the project's folder.
    pub manifest: &'static str,
    /// Its features, separated by commas.
    pub features: &'static str,
    /// What the first build takes, where that is long.
    pub takes: Option<&'static str>,
}

impl Program {
    /// One of this workspace.
    pub(super) const fn of(package: &'static str) -> Program {
        Program {
            package,
            manifest: "Cargo.toml",
            features: "",
            takes: None,
        }
    }

    fn manifest(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(self.manifest)
    }

    /// Whether nothing of its workspace was built so far.
    fn is_new(self) -> bool {
        !self.manifest().with_file_name("target").exists()
    }
}

/// Reads chunks on a GPU. Its library takes long to compile, so it has a workspace of its own.
pub(super) const GPU: Program = Program {
    package: "joinery-gpu",
    manifest: "integrations/gpu/Cargo.toml",
    // The PostgreSQL client, where this program has it.
    features: if cfg!(feature = "ingest") {
        "ingest"
    } else {
        ""
    },
    takes: Some("about two minutes on two processors"),
};

/// Runs a program with these arguments in the current folder. Whatever it says of itself comes through; `verb` is what it is
/// run for.
pub(super) fn run<'a>(
    package: Program,
    verb: &str,
    arguments: impl IntoIterator<Item = &'a OsString>,
) -> Result<(), Ending> {
    build(package, verb)?;
    let status = cargo(package, "run")
        .arg("--quiet")
        .arg("--")
        .args(arguments)
        .status()
        .map_err(|error| cannot_start(verb, &error))?;
    match status.code() {
        Some(0) => Ok(()),
        // A wrong answer; all else is a wrong call or input.
        Some(1) => Err(Ending::Said(1)),
        _ => Err(Ending::Said(2)),
    }
}

/// Builds the program. What is being compiled is told; where nothing has to be, nothing is.
fn build(package: Program, verb: &str) -> Result<(), Ending> {
    if let Some(takes) = package.takes.filter(|_| package.is_new()) {
        tell!("{verb}: its program is built first, which takes {takes}");
    }
    let mut child = cargo(package, "build")
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(verb, &error))?;
    let lines = child
        .stderr
        .take()
        .into_iter()
        .flat_map(|errors| BufReader::new(errors).split(b'\n').map_while(Result::ok));
    for line in lines {
        let line = String::from_utf8_lossy(&line);
        if !line.trim_start().starts_with("Finished ") {
            console::write(&format!("{line}\n"));
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Ending::Said(2)),
        Err(error) => Err(cannot_start(verb, &error)),
    }
}

/// Cargo, to do something with a program's package.
fn cargo(package: Program, what: &str) -> Command {
    let mut command = Command::new(program());
    command
        .args([what, "--package", package.package])
        .args(["--features", package.features, "--manifest-path"])
        .arg(package.manifest());
    command
}

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn cannot_start(verb: &str, error: &std::io::Error) -> Ending {
    Ending::Usage(format!(
        "{verb}: {} cannot be started: {error}; it builds the program for this, put it on the PATH",
        Path::new(&program()).display()
    ))
}
