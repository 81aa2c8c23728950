//! Measured limits, kept for a day.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Limit;
use crate::files;
use report::record::Environment;

/// The version of the file format.
const SCHEMA: u32 = 1;

/// How long a measurement stands for the machine.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Limits, and what they are the limits of. The contents of the cache and of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    schema: u32,
    /// RFC 3339.
    pub measured: String,
    /// The machine's stable name ([`Environment::machine_id`]).
    pub machine: String,
    /// The setting of transparent huge pages.
    pub huge_pages: String,
    /// Version of the harness; another one may have other kernels.
    pub harness_version: String,
    /// What was measured.
    pub limits: Vec<Limit>,
}

/// What a cache held.
#[derive(Debug, Clone, PartialEq)]
pub enum Cached {
    /// Limits of this machine, not older than a day, for all threads that were asked for.
    Usable(Measured),
    /// No file.
    Missing,
    /// A file of no use now, and why.
    Unusable(String),
}

impl Measured {
    /// Limits measured `now` on this machine.
    pub fn new(environment: &Environment, now: Timestamp, limits: Vec<Limit>) -> Self {
        Self {
            schema: SCHEMA,
            measured: now.to_string(),
            machine: environment.machine_id(),
            huge_pages: environment.huge_pages.clone(),
            harness_version: environment.harness_version.clone(),
            limits,
        }
    }

    /// Why these limits do not stand for this machine now, if they do not.
    fn unusable(
        &self,
        environment: &Environment,
        threads: &[u32],
        now: Timestamp,
    ) -> Option<String> {
        if self.schema != SCHEMA || self.harness_version != environment.harness_version {
            return Some("it was written by another version".to_owned());
        }
        if self.machine != environment.machine_id() || self.huge_pages != environment.huge_pages {
            return Some("it is of another machine or another huge page setting".to_owned());
        }
        let Ok(measured) = self.measured.parse::<Timestamp>() else {
            return Some(format!("its time `{}` is not RFC 3339", self.measured));
        };
        let age = now.duration_since(measured);
        // A negative age is a clock that was set back.
        if age.is_negative() || age >= LIFETIME {
            return Some("it is older than a day".to_owned());
        }
        if let Some(limit) = self.limits.iter().find(|limit| !limit.is_possible()) {
            let (what, threads) = (&limit.what, limit.threads);
            return Some(format!("no machine has its {what} for {threads} threads"));
        }
        let missing = threads
            .iter()
            .find(|&&threads| self.limits.iter().all(|limit| limit.threads != threads))?;
        Some(format!("it has nothing for {missing} threads"))
    }

    /// Reads the cache at `path`. Never fails: what cannot be used is measured again.
    pub fn load(path: &Path, environment: &Environment, threads: &[u32], now: Timestamp) -> Cached {
        /// Some hundred bytes a limit.
        const MOST_BYTES: u64 = 64 << 20;
        let text = match files::read(path, MOST_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Cached::Missing,
            Err(error) => return Cached::Unusable(format!("it cannot be read: {error}")),
        };
        let measured: Self = match serde_json::from_slice(&text) {
            Ok(measured) => measured,
            Err(error) => return Cached::Unusable(format!("it is damaged: {error}")),
        };
        match measured.unusable(environment, threads, now) {
            Some(why) => Cached::Unusable(why),
            None => Cached::Usable(measured),
        }
    }

    /// Writes to `path`, all or nothing: a reader sees the file before or the file after.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
        name.push(format!(".{}.part", process::id()));
        let part = folder.join(name);
        let written = fs::write(&part, text).and_then(|()| fs::rename(&part, path));
        if written.is_err() {
            // Nothing more can be done about a leftover that cannot be removed either.
            let _ = fs::remove_file(&part);
        }
        written
    }
}

/// Where this machine's limits are kept: `joinery/limits-<machine>.json` in the user's cache
/// folder, by the XDG rules. None where there is no such folder.
pub fn path(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    let name = format!("limits-{}.json", environment.machine_id());
    Some(folder.join("joinery").join(name))
}
