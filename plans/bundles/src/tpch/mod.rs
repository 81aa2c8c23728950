//! TPC-H as plan bundles.

pub(crate) mod queries;
mod tables;
