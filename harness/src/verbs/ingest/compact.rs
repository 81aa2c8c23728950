//! `harness ingest compact`: one COPY file.

use std::path::Path;

use super::super::Ending;
use super::{open, team};

pub(super) fn run(folder: &Path, out: &Path) -> Result<(), Ending> {
    let chunks = open(folder)?;
    chunks.verify(&team()).map_err(Ending::usage)?;
    let bytes = aligned_ingest::compact(&chunks, out).map_err(Ending::usage)?;
    say!(
        "{}: {} rows, {bytes} bytes",
        out.display(),
        chunks.manifest().rows
    );
    Ok(())
}
