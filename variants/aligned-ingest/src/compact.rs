//! One valid COPY file from chunks.

use std::io::{BufWriter, Write};
use std::path::Path;

use join_core::table::{TableError, write_new_file};

use crate::chunks::Chunks;
use crate::framing::{HEADER, TRAILER};

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
    /// It exists, or the system refused.
    #[error(transparent)]
    File(#[from] TableError),
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
    write_new_file(path, |file| {
        let write = || {
            let mut out = BufWriter::new(file);
            out.write_all(&HEADER)?;
            for number in 0..manifest.sections.len() {
                out.write_all(chunks.section(number).whole())?;
            }
            out.write_all(&TRAILER)?;
            out.flush()
        };
        write().map_err(TableError::io("write", path))
    })?;
    Ok(manifest.used + (HEADER.len() + TRAILER.len()) as u64)
}
