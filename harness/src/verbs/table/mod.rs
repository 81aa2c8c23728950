//! `harness table`: one's own data as table folders.

mod show;

use std::ffi::OsString;
use std::path::PathBuf;

use super::Ending;
use super::program::{self, Program};

/// What to do with a table.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Parquet or CSV files to a new table folder (the first time builds the converter)
    #[command(disable_help_flag = true)]
    Import {
        /// See `table import --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// A table folder to a new Parquet file (the first time builds the converter)
    #[command(disable_help_flag = true)]
    Export {
        /// See `table export --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// The columns of a table folder, and its first rows
    Show {
        /// The table folder
        folder: PathBuf,
        /// How many rows to show
        #[arg(long, value_name = "N", default_value_t = 0)]
        rows: usize,
    },
    /// Check every page of a table folder and its counts
    Check {
        /// The table folder
        folder: PathBuf,
    },
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Result<(), Ending> {
    match args {
        Args::Show { folder, rows } => show::show(folder, *rows),
        Args::Check { folder } => show::check(folder),
        Args::Import { arguments } => convert("import", arguments),
        Args::Export { arguments } => convert("export", arguments),
    }
}

/// The package `tables` does it.
fn convert(verb: &str, arguments: &[OsString]) -> Result<(), Ending> {
    let first = OsString::from(verb);
    let arguments = [&first].into_iter().chain(arguments);
    program::run(&Program::of("tables"), &format!("table {verb}"), arguments)
}
