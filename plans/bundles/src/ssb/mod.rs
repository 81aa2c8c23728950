//! The Star Schema Benchmark as plan bundles (O'Neil, O'Neil, Chen: The Star Schema Benchmark, 2009).

pub(crate) mod queries;
mod tables;
