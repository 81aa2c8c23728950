//! Joinery in Python: joins of Arrow data, measurements of them, and their charts.
//!
//! The way of the data: capsules → [`import`] → [`keys`] → the core → [`rows`] → [`columns`] by [`gather`] → [`export`].
//! Everything between the capsules happens without the interpreter's lock, in [`work`]; no panic crosses to the interpreter.

mod arguments;
mod check;
mod columns;
mod error;
mod export;
mod frames;
mod gather;
mod how;
mod import;
mod join;
mod keys;
mod lists;
mod measure;
mod pairs;
mod plot;
mod progress;
mod rows;
mod runs;
mod stream;
mod work;
mod workload;

use join_core::memory::process::ProcessAllocator;

/// Memory that has been touched is kept for the next join: touching it takes as long as a pass over it.
#[global_allocator]
static GLOBAL: ProcessAllocator = ProcessAllocator;

/// The compiled half of `joinery`, which has the documentation.
#[pyo3::pymodule]
mod _joinery {
    #[pymodule_export]
    use super::export::{Array, Table};
    #[pymodule_export]
    use super::frames::join;
    #[pymodule_export]
    use super::lists::{toggles, variants, workloads};
    #[pymodule_export]
    use super::measure::measure;
    #[pymodule_export]
    use super::pairs::{Count, Pairs, count, explain, pairs};
    #[pymodule_export]
    use super::plot::{Chart, plot};
    #[pymodule_export]
    use super::runs::{Run, read_run};
    #[pymodule_export]
    use super::workload::{Workload, workload};
}
