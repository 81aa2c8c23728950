//! The Join Order Benchmark as plan bundles over the real data: CSV files, queries and their plans, with the filters of
//! the queries evaluated.
//!
//! A package of its own, so that who only measures joins compiles neither a parser of SQL nor Arrow's kernels. Files are
//! read a batch of rows at a time, and columns are written as their pages fill, so memory is bounded whatever the size.

mod compile;
mod filter;
mod import;
mod like;
mod query;
mod schema;
mod sql;
mod tables;

pub use import::{Imported, Request, import, kept};
