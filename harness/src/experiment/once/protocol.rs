//! What is said to a process that executes plans, each once: lines as peers get them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::experiment::executor::Equipment;

/// A line of work.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Request {
    /// Get ready.
    Open(Open),
    /// Execute the bundle of this number.
    Execute(usize),
}

/// What to get ready for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Open {
    /// The executor.
    pub(super) executor: String,
    /// What it works with.
    pub(super) equipment: Equipment,
    /// The folders of the bundles.
    pub(super) bundles: Vec<PathBuf>,
}

/// What was done before the first execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Opened {
    /// What all of it took.
    pub(super) seconds: f64,
    /// Threads that were started.
    pub(super) threads: u32,
    /// Memory that was touched for the pool of large blocks.
    pub(super) touched_bytes: u64,
}
