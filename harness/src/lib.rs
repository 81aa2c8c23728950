//! The harness of Joinery: workloads, measurement, charts, reports.

// They panic where nobody reads what they write; `verbs` and `console` have what does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod cli;
mod console;
pub mod experiment;
mod files;
pub mod machine;
pub mod nearest;
pub mod peers;
pub mod question;
pub mod size;
pub mod verbs;
pub mod workload;

/// The example of `docs/add-an-experiment.md` is compiled and run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/add-an-experiment.md")]
struct AddAnExperiment;
