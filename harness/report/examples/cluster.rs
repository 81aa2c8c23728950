//! Predicts a join of 100 TB on up to 16,384 machines, from what one core of a machine was measured to do, and draws it.
//!
//!     cargo run -p report --example cluster -- FOLDER [NAME=VALUE …]
//!
//! reads the rates in `reports/threads` and writes `cluster.svg` and `cluster.csv` into FOLDER. Each NAME is a number of the
//! machines that is assumed; without arguments the program lists them. `docs/distributed.md` explains the model.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use report::assumed::{setting, usage};
use report::cluster_model::{ASSUMED, Machine, Panels, csv, draw};
use report::record::read_run;
use report::threads_model::Rates;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, settings)) = arguments.split_first() else {
        eprintln!("cluster FOLDER [NAME=VALUE …], where NAME is one of");
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
    let measured = concat!(env!("CARGO_MANIFEST_DIR"), "/../../reports/threads");
    let rates = Rates::of(&read_run(Path::new(measured))?)?;
    let mut machine = Machine::assumed();
    for given in settings {
        let (name, value) = setting(given)?;
        machine.set(name, value)?;
    }
    println!("{machine:#?}");
    let panels = Panels::new(&rates, &machine);
    let csv = csv(&panels);
    print!("{csv}");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("cluster.svg"), draw(&panels))?;
    std::fs::write(folder.join("cluster.csv"), csv)?;
    Ok(())
}
