//! Verbs that other packages do, because what they need takes minutes to compile and no sweep needs it: the package's
//! program is built when it is first asked for.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Ending;
use crate::console::{self, tell};

/// The root of this workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A program that is built when it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Program {
    /// Its package.
    pub(super) package: &'static str,
    /// Its workspace, from the root of this one.
    pub(super) workspace: &'static str,
    /// The profile that it is built with.
    pub(super) profile: &'static str,
    /// Its features, separated by commas.
    pub(super) features: &'static str,
    /// What the first build takes, where that is long.
    pub(super) takes: Option<&'static str>,
}

impl Program {
    /// One of this workspace.
    pub(super) const fn of(package: &'static str) -> Self {
        Self {
            package,
            workspace: ".",
            profile: "dev",
            features: "",
            takes: None,
        }
    }

    /// Whether it is there already, of whatever age.
    fn is_built(self) -> bool {
        let own = Path::new(ROOT).join(self.workspace).join("target");
        let target = env::var_os("CARGO_TARGET_DIR").map_or(own, Into::into);
        let folder = match self.profile {
            "dev" => "debug",
            named => named,
        };
        let name = format!("{}{}", self.package, env::consts::EXE_SUFFIX);
        target.join(folder).join(name).exists()
    }

    /// Cargo, to do something with it.
    fn cargo(self, what: &str) -> Command {
        let manifest = Path::new(ROOT).join(self.workspace).join("Cargo.toml");
        let mut command = Command::new(program());
        command.args([what, "--package", self.package, "--profile", self.profile]);
        command.args(["--features", self.features]);
        command.arg("--manifest-path").arg(manifest);
        command
    }
}

/// Reads chunks on a GPU. Its library takes long to compile, so it has a workspace of its own.
pub(super) const GPU: Program = Program {
    workspace: "integrations/gpu",
    // The PostgreSQL client, where this program has it.
    features: if cfg!(feature = "ingest") {
        "ingest"
    } else {
        ""
    },
    takes: Some("about two minutes on two processors"),
    ..Program::of("joinery-gpu")
};

/// Runs a program with these arguments in the current folder. Whatever it says of itself comes through; `verb` is what it is
/// run for.
pub(super) fn run<'a>(
    program: Program,
    verb: &str,
    arguments: impl IntoIterator<Item = &'a OsString>,
) -> Result<(), Ending> {
    build(program, verb)?;
    let status = program
        .cargo("run")
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
fn build(program: Program, verb: &str) -> Result<(), Ending> {
    if let Some(takes) = program.takes.filter(|_| !program.is_built()) {
        tell!("{verb}: its program is built first, which takes {takes}");
    }
    let mut child = program
        .cargo("build")
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

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn cannot_start(verb: &str, error: &std::io::Error) -> Ending {
    Ending::Usage(format!(
        "{verb}: {} cannot be started: {error}; it builds the program for this, put it on the PATH",
        Path::new(&program()).display()
    ))
}
