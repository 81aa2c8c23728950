//! `harness ingest compact`: one COPY file.

use std::path::Path;

use super::super::Ending;
use super::open_verified;

pub(super) fn run(folder: &Path, out: &Path) -> Result<(), Ending> {
    let (chunks, _) = open_verified(folder)?;
    let bytes = aligned_ingest::compact(&chunks, out).map_err(Ending::usage)?;
    say!(
        "{}: {} rows, {bytes} bytes",
        out.display(),
        chunks.manifest().rows
    );
    Ok(())
}
