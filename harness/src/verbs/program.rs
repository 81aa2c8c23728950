//! Verbs that other packages do, because what they need takes minutes to compile and no sweep needs it: the package's
//! program is built when it is first asked for.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde::Deserialize;

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

    /// The folder of its workspace.
    fn folder(self) -> PathBuf {
        Path::new(ROOT).join(self.workspace)
    }

    /// Whether it is there already, of whatever age.
    fn is_built(self) -> bool {
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let folder = match self.profile {
            "dev" => "debug",
            named => named,
        };
        let name = format!("{}{}", self.package, env::consts::EXE_SUFFIX);
        let target = self.folder().join(target);
        target.join(folder).join(name).exists()
    }

    /// Builds it. In its workspace, wherever this was called: Cargo looks for flags from the current folder on, and builds all
    /// again with others.
    fn build(self) -> Command {
        let mut command = Command::new(program());
        command.args(["build", "--package", self.package]);
        command.args(["--profile", self.profile, "--features", self.features]);
        command.arg("--message-format=json-render-diagnostics");
        command.current_dir(self.folder());
        // What Cargo says of this program, where it runs it: build scripts that look there would do all again.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let is_ours = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
            if is_ours || text == "OUT_DIR" {
                command.env_remove(name);
            }
        }
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

/// Builds a program and becomes it, with these arguments in the current folder: a signal that is meant for one is meant for the
/// other, and there is no other. `verb` is what it is run for.
pub(super) fn run<'a>(
    program: Program,
    verb: &str,
    arguments: impl IntoIterator<Item = &'a OsString>,
) -> Result<(), Ending> {
    let built = build(program, verb)?;
    let error = Command::new(&built).args(arguments).exec();
    Err(Ending::Usage(format!(
        "{verb}: {} cannot be started: {error}; remove it, and it is built again",
        built.display()
    )))
}

/// Builds the program, and returns where it is. What is being compiled is told; where nothing has to be, nothing is.
fn build(program: Program, verb: &str) -> Result<PathBuf, Ending> {
    if let Some(takes) = program.takes.filter(|_| !program.is_built()) {
        tell!("{verb}: its program is built first, which takes {takes}");
    }
    let mut child = program
        .build()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(verb, &error))?;
    let messages = child.stdout.take().map(|messages| {
        // Beside what is told, or one would wait for the other.
        thread::spawn(move || executable(messages))
    });
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
    let status = child.wait().map_err(|error| cannot_start(verb, &error))?;
    let built = messages.and_then(|reading| reading.join().ok().flatten());
    // Where it was not built, Cargo has said why.
    built.filter(|_| status.success()).ok_or(Ending::Said(2))
}

/// The last program that Cargo's messages name.
fn executable(messages: impl Read) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        executable: Option<PathBuf>,
    }
    let lines = BufReader::new(messages).lines().map_while(Result::ok);
    let named = lines.filter_map(|line| serde_json::from_str::<Artifact>(&line).ok()?.executable);
    named.last()
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
