//! Verbs that other packages do, because what they need takes minutes to compile and no sweep needs it: the package's
//! program is built when it is first asked for.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Ending;
use crate::console;

/// Runs the program of `package` with these arguments in the current folder. Whatever it says of itself comes through;
/// `verb` is what it is run for.
pub(super) fn run<'a>(
    package: &str,
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
    match status.success() {
        true => Ok(()),
        false => Err(Ending::Said),
    }
}

/// Builds the program. What is being compiled is told; where nothing has to be, nothing is.
fn build(package: &str, verb: &str) -> Result<(), Ending> {
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
        Ok(_) => Err(Ending::Said),
        Err(error) => Err(cannot_start(verb, &error)),
    }
}

/// Cargo, to do something with a package of this workspace.
fn cargo(package: &str, what: &str) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = Command::new(program());
    command
        .args([what, "--package", package, "--manifest-path"])
        .arg(manifest);
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
