//! Whether a path is a file that can be read more than once.

use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::Error;

/// Checks that `path` is a regular file, without opening it: a pipe that nobody writes to would never open.
///
/// # Errors
/// If it is something else, or is not there.
pub fn check(path: &Path) -> Result<(), Error> {
    let kind = fs::metadata(path)
        .map_err(Error::io("read", path))?
        .file_type();
    match kind.is_file() {
        true => Ok(()),
        false => Err(Error::file(
            path,
            format!(
                "it is {}, and files are read more than once; write what it gives to a file and import that",
                name(kind)
            ),
        )),
    }
}

fn name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "no file",
    }
}
