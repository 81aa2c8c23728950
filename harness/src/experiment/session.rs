//! A run from its first record to its page.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;

use super::folder::{self, Asked};
use super::{Budget, Progress, Runner, Stop};
use crate::peers::Found;
use registry::Variant;
use report::record::{EndRecord, Record, VariantRecord};

/// A run whose page is drawn.
pub struct Finished {
    /// Its folder.
    pub folder: PathBuf,
    /// Its page.
    pub page: PathBuf,
    /// Whether someone pressed Ctrl-C.
    pub interrupted: bool,
}

/// Opens the run's folder, has `measure` measure, and draws what was measured, however that ended.
///
/// # Errors
/// The folder cannot be had; or nothing can be recorded any more, data have changed, a page cannot be drawn. In one line.
pub fn run(
    asked: &Asked<'_>,
    budget: Budget,
    progress: impl FnOnce() -> Progress,
    interrupted: &AtomicBool,
    measure: impl FnOnce(&mut Runner<'_>) -> Result<(), Stop>,
) -> Result<Finished, String> {
    let (folder, writer, before) = folder::open(asked)?;
    let mut runner = Runner::new(writer, before, budget, asked.seed, interrupted, progress());
    let measured = peers(&mut runner, asked.peers).and_then(|()| measure(&mut runner));
    let interrupted = match measured {
        Ok(()) => false,
        Err(Stop::Interrupted) => true,
        Err(error) => {
            runner.progress().finish();
            return Err(error.to_string());
        }
    };
    let end = Record::End(EndRecord {
        complete: !interrupted,
        finished: Timestamp::now().to_string(),
    });
    let ended = runner.record(&end, |_| false);
    runner.progress().finish();
    ended.map_err(|error| error.to_string())?;
    // Other processes may read it from here on.
    drop(runner);
    let page = report::page::draw(&folder).map_err(|error| error.to_string())?;
    Ok(Finished {
        folder,
        page,
        interrupted,
    })
}

fn peers(runner: &mut Runner<'_>, peers: &Found) -> Result<(), Stop> {
    variants(runner, peers.records())?;
    for note in &peers.notes {
        runner.note(note.clone())?;
    }
    Ok(())
}

/// Records variants, each once.
///
/// # Errors
/// The file system refuses.
pub fn variants(
    runner: &mut Runner<'_>,
    records: impl IntoIterator<Item = VariantRecord>,
) -> Result<(), Stop> {
    for record in records {
        let name = record.name.clone();
        runner.record(&Record::Variant(record), |before| {
            before.variant(&name).is_some()
        })?;
    }
    Ok(())
}

/// What records say of a variant.
pub fn record_of(variant: &Variant) -> VariantRecord {
    VariantRecord {
        name: variant.name.clone(),
        family: variant.family.to_owned(),
        build: variant.build.map(str::to_owned),
        probe: variant.probe.map(str::to_owned),
        description: variant.description.clone(),
        definition: None,
    }
}
