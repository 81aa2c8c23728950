//! The executors, by name.

pub(super) use registry::{EXECUTORS, ExecutorSettings as Settings};

/// The names of the executors.
pub fn names() -> impl Iterator<Item = &'static str> {
    EXECUTORS.iter().map(|executor| executor.name)
}
