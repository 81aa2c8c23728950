//! How honest intervals are on this machine: `controls FOLDER [RUNS] [VARIANT]` makes quick sweeps of one variant, which is
//! measured under two names on each workload with each number of threads, and prints how many of the ratios exclude 1.
//!
//! Each sweep has a seed of its own and stays in FOLDER; those that are there already are read. The second line of numbers
//! is what would have been said without marks: the first sample of each round, disturbed or not.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use report::record::{Run, read_run};
use report::stats::median;
use report::summary::summarise;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runs = words.get(1).map_or(Ok(6), |runs| runs.parse::<u64>());
    let (Some(folder), Ok(runs)) = (words.first(), runs) else {
        eprintln!(
            "usage: controls FOLDER [RUNS] [VARIANT], the folder of the runs, how many, and of which variant"
        );
        return ExitCode::from(2);
    };
    let variant = words.get(2).map_or("partitioned-join", String::as_str);
    match all(Path::new(folder), runs, variant) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn all(folder: &Path, runs: u64, variant: &str) -> Result<(), String> {
    let (mut marked, mut unmarked) = (Counted::default(), Counted::default());
    for seed in 1..=runs {
        let run = sweep(&folder.join(format!("seed-{seed}")), seed, variant)?;
        marked.add(&run);
        unmarked.add(&without_marks(&run));
        println!("seed {seed}: {marked}; without marks {unmarked}");
    }
    println!("with marks:    {marked}");
    println!("without marks: {unmarked}");
    Ok(())
}

/// The run in `folder`, measured unless it is there.
fn sweep(folder: &Path, seed: u64, variant: &str) -> Result<Run, String> {
    let mut call = Command::new(harness()?);
    call.args([
        "--sweep",
        "--quick",
        "--no-limits",
        "--only",
        variant,
        "--seed",
    ]);
    call.arg(seed.to_string());
    let done = read_run(folder).is_ok_and(|run| run.complete);
    if !done {
        let option = if folder.exists() { "--resume" } else { "--out" };
        let output = call.arg(option).arg(folder).output();
        let output =
            output.map_err(|error| format!("cannot start {:?}: {error}", call.get_program()))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    read_run(folder).map_err(|error| error.to_string())
}

/// The program that was built beside this one.
fn harness() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let built = own.ancestors().nth(2).map(|folder| folder.join("harness"));
    let built = built.filter(|path| path.is_file());
    built.ok_or_else(|| {
        format!(
            "no harness was built beside {}; cargo build -p harness makes it",
            own.display()
        )
    })
}

/// The first sample of each round, as if nobody had looked for disturbances.
fn without_marks(run: &Run) -> Run {
    let mut run = run.clone();
    let mut seen = HashSet::new();
    run.samples.retain_mut(|s| {
        s.disturbed = false;
        seen.insert((
            s.workload.clone(),
            s.variant.clone(),
            s.label.clone(),
            s.threads,
            s.round,
        ))
    });
    run
}

/// What controls say.
#[derive(Default)]
struct Counted {
    floors: Vec<f64>,
    excluding: usize,
    samples: usize,
    disturbed: usize,
}

impl Counted {
    fn add(&mut self, run: &Run) {
        let summary = summarise(run);
        for control in &summary.noise_floor.controls {
            self.floors.push(control.floor);
            self.excluding += usize::from(!control.ratio.holds(1.0));
        }
        self.samples += run.samples.len();
        self.disturbed += run.samples.iter().filter(|sample| sample.disturbed).count();
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut floors = self.floors.clone();
        floors.sort_by(f64::total_cmp);
        let high = floors.get(floors.len() * 9 / 10).copied().unwrap_or(0.0);
        write!(
            f,
            "{} of {} controls exclude 1, median floor {:.1} %, nine in ten at most {:.1} %, {} of {} samples disturbed",
            self.excluding,
            floors.len(),
            median(&floors).unwrap_or(0.0) * 100.0,
            high * 100.0,
            self.disturbed,
            self.samples
        )
    }
}
