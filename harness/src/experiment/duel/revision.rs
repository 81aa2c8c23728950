//! The other build where a revision is named: built in a worktree of its own, and kept by its commit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Side;
use crate::console::tell;
use crate::peers::{group, kill};
use report::record::OTHER;

/// What a revision has that can take part in duels.
const PART: &str = "harness/src/experiment/duel/serve.rs";

/// Below the repository: a folder per commit with its program, and one in which all are built.
const FOLDER: &str = "target/duel";

/// Why there is no other build.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Someone pressed Ctrl-C.
    #[error("interrupted while the other build was made; nothing was measured")]
    Interrupted,
    /// One line.
    #[error("{0}")]
    Refused(String),
}

/// The build that `name` means: the program at that path, else the revision of the repository around the working folder,
/// which takes minutes to build the first time.
///
/// # Errors
/// It is neither, is older than duels, or cannot be built.
pub fn other(name: &str, interrupted: &AtomicBool) -> Result<Side, Error> {
    let side = |program, commit| Side {
        label: OTHER,
        name: name.to_owned(),
        program,
        commit,
    };
    if let Ok(program) = Path::new(name).canonicalize()
        && program.is_file()
    {
        return Ok(side(program, None));
    }
    let refuse = |why: &str| Err(Error::Refused(format!("{name}: {why}")));
    let root = git(Path::new("."), &["rev-parse", "--show-toplevel"]);
    let Ok(root) = root.map(PathBuf::from) else {
        return refuse(
            "no such file, and no git repository here that could have such a revision; name the path of a `harness` \
             binary, or go to the repository",
        );
    };
    let commit = format!("{name}^{{commit}}");
    let commit = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &commit,
    ];
    let Ok(commit) = git(&root, &commit) else {
        return refuse(
            "neither a file nor a revision; name the path of a `harness` binary, or see `git log`",
        );
    };
    if git(&root, &["cat-file", "-e", &format!("{commit}:{PART}")]).is_err() {
        return refuse(
            "this revision is older than `harness duel` and cannot take part; name a later one, or compare two sweeps \
             with `harness compare`",
        );
    }
    let program = built(&root, &commit, interrupted)?;
    Ok(side(program, Some(commit)))
}

/// The program of a commit, built unless it is there.
fn built(root: &Path, commit: &str, interrupted: &AtomicBool) -> Result<PathBuf, Error> {
    let refuse = |why: String| Error::Refused(format!("{commit} cannot be built: {why}"));
    let profile = match env!("JOINERY_PROFILE") {
        "debug" => "dev",
        other => other,
    };
    let folder = root.join(FOLDER);
    let program = folder.join(commit).join(format!("harness-{profile}"));
    if program.is_file() {
        return Ok(program);
    }
    let io = |error: std::io::Error| refuse(error.to_string());
    fs::create_dir_all(&folder).map_err(io)?;
    let lock = File::create(folder.join("lock")).map_err(io)?;
    if lock.try_lock().is_err() {
        return Err(refuse(
            "another duel is building; wait until it has built".to_owned(),
        ));
    }
    tell!(
        "building {commit} in {}; the first time that takes minutes",
        folder.display()
    );
    let source = Worktree::add(root, folder.join(commit).join("source"), commit).map_err(refuse)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&source.folder)
        .args([
            "build",
            "--package",
            "harness",
            "--locked",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(folder.join("build"))
        // In place of those of a configuration around the worktree.
        .env("CARGO_ENCODED_RUSTFLAGS", env!("JOINERY_RUSTFLAGS"))
        .stdin(Stdio::null());
    run(cargo, interrupted)?;
    let named = if profile == "dev" { "debug" } else { profile };
    // Whole or not at all, whatever ends this.
    let part = program.with_extension("part");
    fs::copy(folder.join("build").join(named).join("harness"), &part)
        .and_then(|_| fs::rename(&part, &program))
        .map_err(io)?;
    Ok(program)
}

/// Runs a command to its end, unless someone presses Ctrl-C.
fn run(mut command: Command, interrupted: &AtomicBool) -> Result<(), Error> {
    /// How often it is looked at.
    const LOOK: Duration = Duration::from_millis(50);
    let refuse = |why: String| Error::Refused(format!("the other build cannot be made: {why}"));
    group(&mut command);
    let child = command
        .spawn()
        .map_err(|error| refuse(format!("cargo does not start: {error}")))?;
    let mut child = Running(child);
    loop {
        match child.0.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return Err(refuse(format!(
                    "cargo ended with {status}, as it said above"
                )));
            }
            Ok(None) if interrupted.load(Ordering::Relaxed) => return Err(Error::Interrupted),
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => return Err(refuse(error.to_string())),
        }
    }
}

/// A child that does not outlive this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            kill(&mut self.0);
            let _ = self.0.wait();
        }
    }
}

/// A worktree that vanishes with this.
struct Worktree {
    root: PathBuf,
    folder: PathBuf,
}

impl Worktree {
    fn add(root: &Path, folder: PathBuf, commit: &str) -> Result<Self, String> {
        let tree = Self {
            root: root.to_owned(),
            folder,
        };
        // One that was killed leaves its own behind.
        tree.remove();
        let path = tree.folder.to_string_lossy().into_owned();
        git(
            root,
            &["worktree", "add", "--detach", "--quiet", &path, commit],
        )?;
        Ok(tree)
    }

    fn remove(&self) {
        let path = self.folder.to_string_lossy().into_owned();
        let _ = git(&self.root, &["worktree", "remove", "--force", &path]);
        let _ = fs::remove_dir_all(&self.folder);
        let _ = git(&self.root, &["worktree", "prune"]);
        // Where nothing was built, nothing is left.
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}

/// What git prints, or why it does not.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output();
    let output = output.map_err(|error| format!("git does not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
