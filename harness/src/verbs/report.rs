//! `harness report`: a run's charts and pages, drawn again; and the tables of the findings.

use std::fs;
use std::path::{Path, PathBuf};

use super::Ending;
use ::report::findings::rewrite;
use ::report::page::redraw;
use ::report::record::read_run;

/// Arguments of `report`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The run's folder
    pub run: PathBuf,
    /// Write the tables that are made of this run into the pages of this folder, and draw nothing
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "docs/findings")]
    pub findings: Option<PathBuf>,
}

/// Draws it.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    let cannot = |error| Ending::Usage(format!("{error}; name the folder of a run"));
    let Some(folder) = &args.findings else {
        let page = redraw(&args.run).map_err(cannot)?;
        say!("{}", page.display());
        return Ok(());
    };
    let run = read_run(&args.run).map_err(cannot)?;
    let root = folder.join("../..");
    let same = |name: &str| {
        let [of_marker, named] = [&root.join(name), &args.run].map(fs::canonicalize);
        matches!((of_marker, named), (Ok(of_marker), Ok(named)) if of_marker == named)
    };
    for path in pages(folder)? {
        let faulty = |error: &dyn std::fmt::Display| {
            Ending::Usage(format!("--findings: {}: {error}", path.display()))
        };
        let page = fs::read_to_string(&path).map_err(|error| faulty(&error))?;
        let written = rewrite(&page, &run, same).map_err(|error| faulty(&error))?;
        if written != page {
            fs::write(&path, written).map_err(|error| faulty(&error))?;
            say!("{}", path.display());
        }
    }
    Ok(())
}

/// The pages of a folder, by name.
fn pages(folder: &Path) -> Result<Vec<PathBuf>, Ending> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Ending::Usage(format!(
            "--findings {}: {error}; name the folder of the pages, such as docs/findings",
            folder.display()
        ))
    })?;
    let mut pages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    Ok(pages)
}
