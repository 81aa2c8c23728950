//! `harness ingest index`: where rows start in chunks that were written without saying so.

use std::fs;

use aligned_ingest::{Chunks, INDEX_FILE};

use super::super::Ending;
use super::{Index, of, team};
use report::charts::scale;

pub(super) fn run(args: &Index) -> Result<(), Ending> {
    // One that is there may be wrong.
    let chunks = Chunks::open_without_index(&args.folder).map_err(Ending::usage)?;
    let team = team()?;
    let of_folder = |error| of(&args.folder, error);
    chunks.verify(&team).map_err(of_folder)?;
    let index = chunks.make_index(args.stride.0, &team).map_err(of_folder)?;
    let manifest = chunks.manifest();
    index.write(&args.folder, manifest).map_err(Ending::usage)?;
    let file = args.folder.join(INDEX_FILE);
    let bytes = fs::metadata(&file).map_err(Ending::usage)?.len();
    say!(
        "{}: row starts every {} of {} sections, {}",
        file.display(),
        scale::bytes(args.stride.0 as f64),
        manifest.sections.len(),
        scale::bytes(bytes as f64),
    );
    Ok(())
}
