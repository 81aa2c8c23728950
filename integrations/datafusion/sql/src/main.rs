//! The program behind `harness sql`.

use std::process::ExitCode;

use clap::Parser;
use joinery_sql::Cli;

#[global_allocator]
static GLOBAL: join_core::memory::process::ProcessAllocator =
    join_core::memory::process::ProcessAllocator;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => match joinery_sql::run(&cli) {
            Ok(()) => ExitCode::SUCCESS,
            Err(ending) => {
                eprintln!("error: {ending}");
                ending.status()
            }
        },
        Err(error) => harness::cli::refuse(&error),
    }
}
