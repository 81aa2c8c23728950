//! `harness compare`: two runs side by side.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Ending;
use report::compare::{COMPARISON_FILE, Change, Comparison, FILES, compare, draw, findings};
use report::record::{Run, SAMPLES_FILE, read_run};
use report::stats::Verdict;

/// Arguments of `compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The folder of the first run
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The folder of the second run
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Exit with status 1 if anything is slower beyond noise and by more than this
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    pub fail_over: Option<f64>,
    /// Folder of the comparison [default: reports/compare-<before>-<after>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Compares them.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    args.fail_over.map_or(Ok(()), is_percentage)?;
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let comparison = compare(&before, &after);
    let folder = args.out.clone().unwrap_or_else(|| {
        let [before, after] =
            [(&args.before, &before), (&args.after, &after)].map(|(folder, run)| {
                let folder = folder.canonicalize().ok();
                let name = folder.as_deref().and_then(Path::file_name);
                file_name(&name.map_or(run.run.id.clone(), |name| {
                    name.to_string_lossy().into_owned()
                }))
            });
        Path::new("reports").join(format!("compare-{before}-{after}"))
    });
    is_free(&folder)?;
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

/// Refuses what `--fail-over` cannot mean.
pub(super) fn is_percentage(percent: f64) -> Result<(), Ending> {
    match percent >= 0.0 && percent.is_finite() {
        true => Ok(()),
        false => Err(Ending::Usage(format!(
            "--fail-over {percent}: not a percentage; 0 or more, such as --fail-over 5"
        ))),
    }
}

/// The name of a run's folder as a part of another's.
fn file_name(id: &str) -> String {
    /// Of the folder's name, whose length systems limit.
    const MOST: usize = 80;
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
        _ => '_',
    };
    id.chars().take(MOST).map(plain).collect()
}

/// Refuses a folder in which the comparison would stand among the files of others, or over them.
fn is_free(folder: &Path) -> Result<(), Ending> {
    let refuse = |what: String| {
        Err(Ending::Usage(format!(
            "--out {}: {what}; name a new folder or an empty one for the comparison",
            folder.display()
        )))
    };
    if folder.join(SAMPLES_FILE).exists() {
        return refuse("the folder of a run".to_owned());
    }
    // What is no folder, or cannot be read, is told of when it is written to.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let mut names = names.filter(|name| !name.to_string_lossy().starts_with('.'));
    let is_ours = |name: &OsString| FILES.iter().any(|ours| name == ours);
    // Of a comparison this file is written first.
    let is_comparison = folder.join(COMPARISON_FILE).exists();
    match names.find(|name| !is_comparison || !is_ours(name)) {
        None => Ok(()),
        Some(name) => refuse(format!(
            "it holds {}, which is not of a comparison",
            name.to_string_lossy()
        )),
    }
}

fn read(folder: &Path) -> Result<Run, Ending> {
    let run = read_run(folder)
        .map_err(|error| Ending::Usage(format!("{error}; name the folders of two runs")))?;
    match run.builds.is_empty() {
        true => Ok(run),
        false => Err(Ending::Usage(format!(
            "{}: a duel, which has compared two builds already; name the folders of two runs",
            folder.display()
        ))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere() {
        assert_eq!(file_name("20261121-031500-7f3a"), "20261121-031500-7f3a");
        assert_eq!(file_name("x/../../../evil"), "x__________evil");
        for id in ["..", "/etc", "a\\b", "nul\0l", "é\n", &"x".repeat(9999)] {
            let name = file_name(id);
            let path = Path::new("reports").join(&name);
            assert_eq!(path.components().count(), 2, "{name}");
            assert!(name.len() <= 80 && !name.starts_with('.'), "{name}");
        }
    }
}
