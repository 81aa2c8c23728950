//! `harness report`: a run's charts and pages, drawn again.

use std::path::PathBuf;

use super::Ending;

/// Arguments of `report`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The run's folder
    pub run: PathBuf,
}

/// Draws it.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    let page = ::report::page::redraw(&args.run)
        .map_err(|error| Ending::Usage(format!("{error}; name the folder of a run")))?;
    say!("{}", page.display());
    Ok(())
}
