//! One's own data: Parquet and CSV files to table folders, and table folders to Parquet files.
//!
//! A package of its own, so that who only measures joins compiles neither format. The Parquet side uses the column
//! readers and writers of the `parquet` crate directly: pages are no Arrow arrays, so Arrow in between would only cost.

mod error;
mod exact;
mod from_csv;
mod from_parquet;
mod import;
mod names;
mod options;
mod selection;
mod to_parquet;

pub use error::Error;
pub use import::{import, read};
pub use names::split as split_names;
pub use options::{CsvOptions, Decimals, Options, Progress};
pub use to_parquet::export;
