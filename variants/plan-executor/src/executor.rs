//! What an executor is given and what it returns.

use join_core::memory::Memory;
use join_core::parallel::Team;

use crate::{Bundle, ExecuteError, ResultTable, Telemetry};

/// What a plan is executed with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Its threads.
    pub team: &'a Team,
    /// Its memory; beyond the limit an execution ends with an error.
    pub memory: &'a Memory,
}

/// A way of executing plans.
pub trait Executor: Send + Sync {
    /// Executes a bundle's plan.
    ///
    /// Nothing of a plan's data outlives the call but its result: an executor may keep memory for the next call, never
    /// what it read or built.
    ///
    /// # Errors
    /// If memory runs out, or there are more rows than row ids.
    fn execute(&self, bundle: &Bundle, context: &Context<'_>) -> Result<Execution, ExecuteError>;
}

/// An executed plan.
#[derive(Debug)]
pub struct Execution {
    /// The result.
    pub result: ResultTable,
    /// How it came about.
    pub telemetry: Telemetry,
}
