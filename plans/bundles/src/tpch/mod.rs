//! TPC-H as plan bundles.

pub(crate) mod queries;
pub(crate) mod rows;
