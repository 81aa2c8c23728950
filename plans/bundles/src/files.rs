//! Files that are read.

use std::fs::{self, File};
use std::path::Path;

use crate::MakeError;

/// Bytes of a file that is read whole, at most.
const TEXT_BYTES: u64 = 1 << 30;

/// Opens a file.
///
/// # Errors
/// If it cannot be read or is no regular file: a pipe may be waited for in vain, and a device has no end.
pub fn open(file: &Path) -> Result<File, MakeError> {
    let found = fs::metadata(file).map_err(MakeError::read(file))?;
    if !found.is_file() {
        let what = "not a regular file; copy what it holds into one";
        return Err(MakeError::input(file, what));
    }
    File::open(file).map_err(MakeError::read(file))
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read, or is not text of at most 1 GiB.
pub fn text(file: &Path) -> Result<String, MakeError> {
    let opened = open(file)?;
    let bytes = opened.metadata().map_err(MakeError::read(file))?.len();
    if bytes > TEXT_BYTES {
        let what = format!("{bytes} bytes are more than the 1 GiB that are read; check the path");
        return Err(MakeError::input(file, what));
    }
    let text = fs::read(file).map_err(MakeError::read(file))?;
    String::from_utf8(text)
        .map_err(|_| MakeError::input(file, "not UTF-8; check the path, or convert the file"))
}
