//! The harness of Joinery: workloads, measurement, charts, reports.

// They panic where nobody reads what they write; `verbs` and `console` have what does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod charts;
pub mod cli;
pub mod compare;
mod console;
pub mod counters;
mod files;
pub mod limit_model;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod nearest;
pub mod peers;
pub mod plain;
pub mod plans;
pub mod record;
pub mod report;
pub mod stats;
pub mod summary;
pub mod verbs;
pub mod workload;
