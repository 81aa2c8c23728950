//! Files that are read whole.

use std::io::Read;
use std::path::Path;

use join_core::table::open_file;

use crate::MakeError;

/// Bytes of a file that is read whole, at most.
const TEXT_BYTES: u64 = 1 << 30;

/// The text of a file.
///
/// # Errors
/// If it cannot be read, or is not text of at most 1 GiB.
pub fn text(file: &Path) -> Result<String, MakeError> {
    let mut opened = open_file(file)?;
    let bytes = opened.metadata().map_err(MakeError::read(file))?.len();
    if bytes > TEXT_BYTES {
        let what = format!("{bytes} bytes are more than the 1 GiB that are read; check the path");
        return Err(MakeError::input(file, what));
    }
    let mut text = Vec::new();
    opened
        .read_to_end(&mut text)
        .map_err(MakeError::read(file))?;
    String::from_utf8(text)
        .map_err(|_| MakeError::input(file, "not UTF-8; check the path, or convert the file"))
}
