//! The executors of whole plans, one line each.

use plan_executor::{Executor, OperatorAtATime, Options, Pipelined};

use super::variants::BuildVariant;
use super::{Configuration, default_build};

/// A way of executing plans.
#[derive(Debug)]
pub struct ExecutorVariant {
    /// Its name on the command line and in records.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Whether it takes a build variant.
    pub takes_build: bool,
    make: fn(&ExecutorSettings) -> Box<dyn Executor>,
}

/// What an executor is made with. What one has no use for, it ignores.
#[derive(Debug)]
pub struct ExecutorSettings {
    /// The build variant.
    pub build: &'static BuildVariant,
    /// The techniques of the pipelined executor.
    pub options: Options,
}

impl Default for ExecutorSettings {
    fn default() -> Self {
        Self {
            build: default_build(),
            options: Options::default(),
        }
    }
}

impl ExecutorVariant {
    /// The executor.
    pub fn make(&self, settings: &ExecutorSettings) -> Box<dyn Executor> {
        (self.make)(settings)
    }
}

/// The executors; the first is the default.
#[rustfmt::skip] // a line per executor
pub static EXECUTORS: &[ExecutorVariant] = &[
    ExecutorVariant { name: "pipelined", takes_build: false, description: "pipelines over filtered scans, with tables of its own", make: |settings| Box::new(Pipelined::new(settings.options)) },
    ExecutorVariant { name: "operator-at-a-time", takes_build: true, description: "scan, build, probe, materialise, one join after the other", make: |settings| Box::new(operator_at_a_time(settings.build)) },
];

fn operator_at_a_time(build: &BuildVariant) -> OperatorAtATime {
    let made = build.make(&Configuration::default());
    OperatorAtATime::new(
        made.expect("the default configuration is compiled"),
        build.name,
    )
}
