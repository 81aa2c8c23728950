//! `harness table`: one's own data as table folders.

#[cfg(feature = "tables")]
mod convert;
mod show;

use std::path::PathBuf;

use super::Ending;

/// What to do with a table.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Parquet or CSV files to a new table folder
    Import(Import),
    /// A table folder to a new Parquet file
    Export(Export),
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

/// Arguments of `table import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// Parquet or CSV files of the same columns, whose rows follow one another
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The table folder to write
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The table's name [default: that of the folder]
    #[arg(long)]
    pub name: Option<String>,
    /// Only these columns, in this order
    #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
    pub columns: Vec<String>,
    /// Types of columns, instead of those found: INT32, INT64, FP64, VARCHAR
    #[arg(long, value_delimiter = ',', value_name = "NAME=TYPE,NAME=TYPE")]
    pub types: Vec<String>,
    /// Parquet's decimals: as FP64 unless that loses digits, as the nearest FP64, or as INT64 in units of the last digit
    #[arg(long, value_enum, default_value_t)]
    pub decimals: Decimals,
    /// What is between the fields of a CSV file, one character or `tab` [default: a comma; a tab for .tsv]
    #[arg(long, value_name = "C")]
    pub delimiter: Option<String>,
    /// What is around the fields of a CSV file, one character or `none`
    #[arg(long, value_name = "C", default_value = "\"")]
    pub quote: String,
    /// A field of a CSV file that means NULL; may be given several times [default: the empty field]
    #[arg(long, value_name = "TEXT")]
    pub null: Vec<String>,
    /// The CSV file begins with data; its columns are column1, column2 and so on
    #[arg(long)]
    pub no_header: bool,
}

/// What becomes of Parquet's decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Decimals {
    /// FP64; more than 15 digits are refused
    #[default]
    Fp64,
    /// The nearest FP64, whatever is lost
    Rounded,
    /// INT64 in units of the last digit
    Scaled,
}

/// Arguments of `table export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The table folder
    pub folder: PathBuf,
    /// The Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Does what was asked.
pub(super) fn run(args: &Args) -> Result<(), Ending> {
    match args {
        Args::Show { folder, rows } => show::show(folder, *rows),
        Args::Check { folder } => show::check(folder),
        #[cfg(feature = "tables")]
        Args::Import(args) => convert::import(args),
        #[cfg(feature = "tables")]
        Args::Export(args) => convert::export(args),
        #[cfg(not(feature = "tables"))]
        Args::Import(_) => Err(without("import")),
        #[cfg(not(feature = "tables"))]
        Args::Export(_) => Err(without("export")),
    }
}

#[cfg(not(feature = "tables"))]
fn without(verb: &str) -> Ending {
    Ending::Usage(format!(
        "this build leaves out the Parquet library, which takes a minute to compile; run `cargo run -p harness \
         --features tables -- table {verb} …`"
    ))
}
