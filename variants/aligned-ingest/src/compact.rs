//! One valid COPY file from chunks.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::chunks::Chunks;
use crate::framing::{HEADER, TRAILER};
use crate::store::named;

/// A file that was not written.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// Rows were split.
    #[error(
        "{rows} rows were split by the placement `packed`: a file of the others would be missing them; load again with aligned or packed-rows"
    )]
    Split {
        /// How many.
        rows: u64,
    },
    /// It exists.
    #[error("{path} exists; name another file, or remove it")]
    Exists {
        /// The file.
        path: String,
    },
    /// The system refused.
    #[error("{0}")]
    Io(io::Error),
}

/// Writes all rows into one file that `COPY … FROM … WITH (FORMAT binary)` takes, in the order of their addresses. The
/// file appears whole or not at all. Returns its bytes.
///
/// # Errors
/// If rows are split, the file exists, or the system refuses.
pub fn compact(chunks: &Chunks, path: &Path) -> Result<u64, CompactError> {
    let manifest = chunks.manifest();
    if manifest.split_rows > 0 {
        return Err(CompactError::Split {
            rows: manifest.split_rows,
        });
    }
    if path.exists() {
        return Err(CompactError::Exists {
            path: path.display().to_string(),
        });
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = Path::new(&partial);
    let write = || {
        let mut out = BufWriter::new(File::create_new(partial)?);
        out.write_all(&HEADER)?;
        for number in 0..manifest.sections.len() {
            out.write_all(chunks.section(number).whole())?;
        }
        out.write_all(&TRAILER)?;
        out.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(partial, path)
    };
    if let Err(error) = write() {
        let _ = fs::remove_file(partial);
        return Err(CompactError::Io(named("write", path, error)));
    }
    Ok(manifest.used + (HEADER.len() + TRAILER.len()) as u64)
}
