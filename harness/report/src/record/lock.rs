//! The lock of a run's folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::file::regular;
use super::{RecordError, SAMPLES_FILE};

/// Holds a run's folder: for as long as this lives, no other process can hold it. It is a lock of the system on the file of
/// records, which goes with the process however it ends.
#[derive(Debug)]
pub struct Lock {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Lock {
    /// Holds the folder `dir` of a run, to go on with it.
    ///
    /// # Errors
    /// Another process holds it, there is no file of records, or it cannot be written.
    pub fn take(dir: &Path) -> Result<Self, RecordError> {
        let mut options = OpenOptions::new();
        Self::open(dir, options.read(true).append(true))
    }

    /// Holds the folder `dir` of a run whose records are only read.
    ///
    /// # Errors
    /// Another process holds it, or there is no file of records.
    pub fn reading(dir: &Path) -> Result<Self, RecordError> {
        Self::open(dir, OpenOptions::new().read(true))
    }

    fn open(dir: &Path, options: &OpenOptions) -> Result<Self, RecordError> {
        let path = dir.join(SAMPLES_FILE);
        regular(&path)?;
        let file = options.open(&path).map_err(|e| RecordError::io(&path, e))?;
        Self::of(path, file)
    }

    /// Holds the folder of an open file of records.
    pub(super) fn of(path: PathBuf, file: File) -> Result<Self, RecordError> {
        match file.try_lock() {
            Ok(()) => Ok(Self { path, file }),
            // Some network file systems have no locks, and whoever keeps runs there goes without.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Self { path, file })
            }
            Err(TryLockError::Error(error)) => Err(RecordError::io(&path, error)),
            Err(TryLockError::WouldBlock) => Err(RecordError::Busy {
                folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
            }),
        }
    }
}
