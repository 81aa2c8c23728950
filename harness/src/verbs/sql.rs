//! `harness sql`: whole queries in an engine, by a program of a workspace of its own.

use std::ffi::OsString;

use super::Ending;
use super::program::{self, Program};

/// Arguments of `sql`, which its program reads.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// See `sql --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// Every measurement is made with an optimised build of everything: others slow the engine, and ratios to it say nothing.
const PROGRAM: Program = Program {
    workspace: "integrations/datafusion",
    profile: "release",
    takes: Some(
        "about half an hour on two processors, once, 3 GB of memory and 2 GB of disk: all of DataFusion, optimised",
    ),
    ..Program::of("joinery-sql")
};

/// Builds the program, where it is not, and runs it.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    program::run(PROGRAM, "sql", &args.arguments)
}
