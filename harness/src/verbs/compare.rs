//! `harness compare`: two runs side by side.

use std::path::Path;

use super::Ending;
use crate::cli::CompareArgs;
use crate::compare::{Change, Comparison, compare, draw, findings};
use crate::record::{Run, read_run};
use crate::stats::Verdict;

pub(super) fn run(args: &CompareArgs) -> Result<(), Ending> {
    if let Some(percent) = args.fail_over
        && !(percent >= 0.0 && percent.is_finite())
    {
        return Err(Ending::Usage(format!(
            "--fail-over {percent}: not a percentage; 0 or more, such as --fail-over 5"
        )));
    }
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let comparison = compare(&before, &after);
    let folder = args.out.clone().unwrap_or_else(|| {
        let name = format!("compare-{}-{}", before.run.id, after.run.id);
        Path::new("reports").join(name)
    });
    if folder.join(crate::record::SAMPLES_FILE).exists() {
        return Err(Ending::Usage(format!(
            "--out {}: the folder of a run; name another one for the comparison",
            folder.display()
        )));
    }
    let page = draw(&folder, &comparison).map_err(|error| {
        Ending::Usage(format!(
            "cannot write the comparison: {error}; name a folder that can be written with --out"
        ))
    })?;
    for finding in findings(&comparison) {
        say!("{finding}");
    }
    say!("{}", page.display());
    match args.fail_over {
        Some(percent) => gate(&comparison, percent),
        None => Ok(()),
    }
}

fn read(folder: &Path) -> Result<Run, Ending> {
    read_run(folder)
        .map_err(|error| Ending::Usage(format!("{error}; name the folders of two runs")))
}

/// Fails if anything is slower beyond noise and by more than `percent`.
fn gate(comparison: &Comparison, percent: f64) -> Result<(), Ending> {
    if comparison.cells.is_empty() {
        return Err(Ending::Usage(
            "--fail-over: no cell can be compared, so no regression can be seen; compare two runs of the same machine and \
             size"
                .to_owned(),
        ));
    }
    let most = 1.0 + percent / 100.0;
    let regressed =
        |change: &Change| change.verdict == Verdict::Slower && change.ratio.median > most;
    let cells = comparison.cells.iter().filter(|c| regressed(&c.change));
    let variants = comparison.variants.iter().filter(|v| regressed(&v.change));
    let (cells, variants) = (cells.count(), variants.count());
    let total = comparison.total.is_some_and(|total| regressed(&total));
    if cells + variants == 0 && !total {
        return Ok(());
    }
    let whole = if total {
        ", and all workloads together"
    } else {
        ""
    };
    Err(Ending::Wrong(format!(
        "slower by more than {percent} % beyond noise: {cells} cells, {variants} variants over all their cells{whole}"
    )))
}
