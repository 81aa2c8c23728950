//! `peer.toml`: how to get a peer's version, how to run it, how to install it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use join_core::checksum::RowHasher;
use join_core::kind::Kind;
use serde::Deserialize;

use super::process;
use crate::console::tell;
use crate::machine;
use crate::question::NamedKind;
use report::plain::plain;
use report::record::{Checksum, Environment, RecordError, read_regular};

/// The file of a peer's folder that defines it.
pub const FILE: &str = "peer.toml";

/// The folder beside those of peers that programs are looked for in first.
const PROGRAMS: &str = ".venv/bin";

/// What a peer may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(60);

/// Of a file that a peer names, what tells it from others.
const MOST_BYTES: u64 = 64 << 20;

/// A name of a second page setting.
const HUGE_PAGES: &str = "+huge-pages";

/// Why there is no such peer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No folder has this name.
    #[error(
        "--peers {name}: no peer has this name{near}; see `harness list peers`, or name the folder of one with a / in it"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that may have been meant.
        near: String,
    },
    /// Its definition cannot be read.
    #[error("cannot read {0}; a peer is a folder with such a file (harness/peers/README.md)")]
    Io(RecordError),
    /// Its definition is wrong.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The definition.
        path: PathBuf,
        /// What is wrong, in one line.
        message: String,
    },
}

/// A peer that does not run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not installed ({reason}); install it with: {install}")]
pub struct Missing {
    /// The peer.
    pub name: String,
    /// What it said when it was asked for its version.
    pub reason: String,
    /// A line for a shell.
    pub install: String,
}

/// The fields of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Fields {
    description: String,
    version: Vec<String>,
    run: Vec<String>,
    install: String,
    timeout_seconds: Option<f64>,
    #[serde(default)]
    kinds: Vec<NamedKind>,
    #[serde(default)]
    rows: bool,
    #[serde(default)]
    plans: bool,
    #[serde(default)]
    huge_pages: BTreeMap<String, String>,
}

/// A peer as its folder defines it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its folder's name.
    pub name: String,
    /// One line.
    pub description: String,
    folder: PathBuf,
    fields: Fields,
}

/// A peer of a version with one setting of its pages: what is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Unique in a run.
    pub name: String,
    /// One line.
    pub description: String,
    /// What a sample may take, where the peer says.
    pub limit: Option<Duration>,
    /// The kinds of join that it knows.
    pub kinds: Vec<Kind>,
    /// Whether it makes rows of further columns.
    pub rows: bool,
    folder: PathBuf,
    run: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Peer {
    /// Reads the peer in `folder`.
    ///
    /// # Errors
    /// There is no definition, or it is wrong.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = read_regular(&path).map_err(Error::Io)?;
        let folder = folder.canonicalize();
        let folder = folder.map_err(|error| Error::Io(RecordError::io(&path, error)))?;
        let invalid = |message: String| Error::Invalid {
            path: path.clone(),
            message,
        };
        let text = String::from_utf8(text)
            .map_err(|_| invalid("it is not UTF-8; save it as UTF-8".to_owned()))?;
        let fields: Fields = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text[..span.start].bytes().filter(|&b| b == b'\n').count() + 1
            });
            let message = plain(&error.message().replace('\n', ", "));
            invalid(format!("line {line}: {message}"))
        })?;
        for (field, words) in [("version", &fields.version), ("run", &fields.run)] {
            if words.is_empty() {
                return Err(invalid(format!(
                    "`{field}` is empty; give a program and its arguments, such as [\"python3\", \"main.py\"]"
                )));
            }
        }
        let positive = |seconds: f64| seconds > 0.0 && Duration::try_from_secs_f64(seconds).is_ok();
        if !fields.timeout_seconds.is_none_or(positive) {
            return Err(invalid(
                "`timeout-seconds` is no positive number of seconds".to_owned(),
            ));
        }
        let name = folder.file_name().unwrap_or_default();
        Ok(Self {
            name: plain(&name.to_string_lossy()),
            description: one_line(&fields.description),
            folder,
            fields,
        })
    }

    /// Whether it executes whole plans.
    pub fn executes_plans(&self) -> bool {
        self.fields.plans
    }

    /// The version that is installed.
    ///
    /// # Errors
    /// It does not run here.
    pub fn version(&self) -> Result<String, Missing> {
        let mut command = command(&self.folder, &self.fields.version);
        let waiting = || {
            let most = VERSION_LIMIT.as_secs();
            tell!(
                "waiting for {} to tell its version, {most} s at most",
                self.name
            );
        };
        process::output(command.stdin(Stdio::null()), VERSION_LIMIT, waiting)
            .and_then(|text| match one_line(&text) {
                version if version.is_empty() => Err("it told no version".to_owned()),
                version => Ok(version),
            })
            .map_err(|reason| Missing {
                name: self.name.clone(),
                reason,
                install: self.install(),
            })
    }

    /// The line for a shell that installs it.
    pub fn install(&self) -> String {
        let here = std::env::current_dir().and_then(|folder| folder.canonicalize());
        let folder = here
            .ok()
            .and_then(|here| self.folder.strip_prefix(here).ok())
            .unwrap_or(&self.folder);
        format!("(cd {} && {})", folder.display(), self.fields.install)
    }

    /// What is run of an installed peer: with the system's ordinary pages, and with huge pages where that is another
    /// thing. The text says why it is not run with huge pages where it would be.
    pub fn setups(&self, version: &str, environment: &Environment) -> (Vec<Setup>, Option<String>) {
        let ordinary = Setup {
            name: format!("{} {version}", self.name),
            description: self.description.clone(),
            limit: self.fields.timeout_seconds.map(Duration::from_secs_f64),
            rows: self.fields.rows,
            kinds: match &*self.fields.kinds {
                [] => vec![Kind::Inner],
                named => named.iter().map(|named| named.0).collect(),
            },
            folder: self.folder.clone(),
            run: self.fields.run.clone(),
            environment: BTreeMap::new(),
        };
        let settings = &self.fields.huge_pages;
        if settings.is_empty() || !machine::huge_pages_on_request(environment) {
            return (vec![ordinary], None);
        }
        // The loader would go on without it, and the measurement would not be what its name says.
        let preload = settings.get("LD_PRELOAD");
        if let Some(missing) = preload.filter(|file| !self.folder.join(file).is_file()) {
            let note = format!(
                "{} is not measured with huge pages: {missing} is missing in {}; install it with: {}",
                self.name,
                self.folder.display(),
                self.install()
            );
            return (vec![ordinary], Some(note));
        }
        let huge = Setup {
            name: format!("{} {HUGE_PAGES}", ordinary.name),
            description: format!("{}; on huge pages", self.description),
            environment: settings.clone(),
            ..ordinary.clone()
        };
        (vec![ordinary, huge], None)
    }
}

impl Setup {
    /// The command that runs it.
    pub fn command(&self) -> Command {
        let mut command = command(&self.folder, &self.run);
        command.envs(&self.environment);
        command
    }

    /// Of how it is run: command, environment and limit, and the files that command and environment name.
    pub fn checksum(&self) -> Checksum {
        let mut hasher = RowHasher::new();
        hasher.float(self.limit.map_or(0.0, |limit| limit.as_secs_f64()));
        let settings = self.environment.iter();
        let settings = settings.flat_map(|(name, value)| [name, value]);
        for word in self.run.iter().chain(settings) {
            hasher.string(word.as_bytes());
            let path = self.folder.join(word);
            if !path.is_file() {
                continue;
            }
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path);
            match file.and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes)) {
                Ok(_) => hasher.string(&bytes),
                Err(_) => hasher.null(),
            }
        }
        Checksum(hasher.finish())
    }
}

/// A command of a peer: in its folder, where programs of the environment beside it come first.
fn command(folder: &Path, words: &[String]) -> Command {
    let programs = folder.with_file_name(PROGRAMS);
    let own = programs.join(&words[0]);
    let program = match own.is_file() {
        true => own,
        false => PathBuf::from(&words[0]),
    };
    let mut command = Command::new(program);
    command.args(&words[1..]).current_dir(folder);
    command
}

fn one_line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
