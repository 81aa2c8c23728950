//! Imports of small benchmarks.

mod common;
mod files;
mod filters;
mod program;
