//! The executors, one line each.

use plan_executor::{Executor, OperatorAtATime, Options, Pipelined};
use registry::PlanBuild;

/// A way of executing plans.
#[derive(Debug)]
pub(crate) struct ExecutorVariant {
    /// Its name on the command line and in records.
    pub name: &'static str,
    make: fn(&Settings) -> Box<dyn Executor>,
}

/// What an executor is made with.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The build variant, for executors that take one.
    pub build: &'static PlanBuild,
    /// The techniques of the pipelined executor.
    pub options: Options,
}

impl ExecutorVariant {
    /// The executor.
    pub fn make(&self, settings: &Settings) -> Box<dyn Executor> {
        (self.make)(settings)
    }
}

/// The names of the executors.
pub fn names() -> impl Iterator<Item = &'static str> {
    EXECUTORS.iter().map(|executor| executor.name)
}

/// The executors; the first is the default.
#[rustfmt::skip] // a line an executor
pub(crate) static EXECUTORS: &[ExecutorVariant] = &[
    ExecutorVariant { name: "pipelined", make: |settings| Box::new(Pipelined::new(settings.options)) },
    ExecutorVariant { name: "operator-at-a-time", make: |settings| Box::new(OperatorAtATime::new(settings.build.make(), settings.build.name)) },
];
