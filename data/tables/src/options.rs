//! How files are to be read.

use join_core::page::DataType;

/// How files become a table.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The table's name.
    pub name: String,
    /// The columns to import, in this order; all of the file if empty.
    pub columns: Vec<String>,
    /// Types that columns shall have instead of those found.
    pub types: Vec<(String, DataType)>,
    /// What becomes of decimals.
    pub decimals: Decimals,
    /// How CSV files are written.
    pub csv: CsvOptions,
}

/// What becomes of Parquet's decimals with digits after the point (those without are integers), and of all numbers that
/// are to be FP64 by [`Options::types`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Decimals {
    /// FP64; a number whose digits it cannot give back, or of more than 15 in Parquet, is refused.
    #[default]
    Fp64,
    /// The nearest FP64, whatever is lost.
    Rounded,
    /// INT64 in units of the last digit: 12.34 as 1234.
    Scaled,
}

/// How a CSV file is written.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// The byte between fields; a tab for files that end in `.tsv` and a comma for others if `None`.
    pub delimiter: Option<u8>,
    /// The byte around fields; `None` if there is no quoting.
    pub quote: Option<u8>,
    /// The byte before a quote, or before itself, inside of quotes; `None` if a quote is doubled.
    pub escape: Option<u8>,
    /// The fields, quoted or not, that stand for NULL.
    pub nulls: Vec<String>,
    /// Whether the first record has the names of the columns. Without, they are `column1`, `column2` and so on.
    pub header: bool,
}

impl Default for CsvOptions {
    fn default() -> CsvOptions {
        CsvOptions {
            delimiter: None,
            quote: Some(b'"'),
            escape: None,
            nulls: vec![String::new()],
            header: true,
        }
    }
}

/// How far an import or export is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What goes on.
    pub what: &'static str,
    /// Bytes, or values of all columns, that are done.
    pub done: u64,
    /// Bytes, or values, in all.
    pub total: u64,
}
