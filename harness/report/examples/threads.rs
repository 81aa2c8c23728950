//! Predicts `partitioned-join` for more threads than a machine has cores, from a run of that machine, and draws it.
//!
//!     cargo run -p report --example threads -- FOLDER [NAME=VALUE …]
//!
//! reads `FOLDER/samples.jsonl` and writes `threads.svg` and `threads.csv` beside it. Each NAME is a number of the machine
//! that is assumed; without arguments the program lists them. `docs/threads.md` explains the model.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use report::assumed::{setting, usage};
use report::charts::scale;
use report::record::read_run;
use report::threads_model::{ASSUMED, Choices, Rates, Sides, csv, draw, panels, predict};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, settings)) = arguments.split_first() else {
        eprintln!("threads FOLDER [NAME=VALUE …], where NAME is one of");
        eprint!("{}", usage(&ASSUMED));
        return ExitCode::from(2);
    };
    match run(Path::new(folder), settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, settings: &[String]) -> Result<(), Box<dyn Error>> {
    let run = read_run(folder)?;
    let rates = Rates::of(&run)?;
    let mut machine = rates.machine();
    for given in settings {
        let (name, value) = setting(given)?;
        machine.set(name, value)?;
    }
    println!("{rates:#?}\n{machine:#?}");
    let panels = panels(&run, &rates, &machine);
    if panels.is_empty() {
        return Err("in none of the run's workloads both sides are partitioned".into());
    }
    let csv = csv(&panels);
    print!("{csv}");
    std::fs::write(folder.join("threads.svg"), draw(&panels))?;
    std::fs::write(folder.join("threads.csv"), csv)?;
    for workload in &run.workloads {
        let by_chunk = Choices {
            reserved_ahead: false,
            ..Choices::default()
        };
        if let Some(spent) = predict(&rates, &machine, Sides::of(workload), 64, by_chunk) {
            let seconds = scale::seconds(spent.seconds);
            let name = &workload.name;
            println!("{name}, 64 threads, each chunk reserved by itself: {seconds}");
        }
    }
    Ok(())
}
