//! The command line of Joinery.

use std::process::ExitCode;

use clap::Parser;
use harness::cli::Cli;

#[global_allocator]
static GLOBAL: join_core::memory::process::ProcessAllocator =
    join_core::memory::process::ProcessAllocator;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => harness::cli::run(cli),
        Err(error) => harness::cli::refuse(&error),
    }
}
