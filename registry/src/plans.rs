//! What whole plans can be executed with.

use join_core::join::ErasedBuild;
use join_core::unchained::DefaultScheme;
use partitioned_build::{PartitionedBuild, Plain, Settings};
use plan_executor::{Executor, OperatorAtATime, Options, Pipelined};
use serial_build::SerialBuild;

use super::variants::SourceScheme;
use baselines::{BucketChaining, Hashbrown, LinearProbing, PartitionedChaining, RobinHood};
use join_core::directory::Sizing;

/// A way of executing plans.
#[derive(Debug)]
pub struct ExecutorVariant {
    /// Its name on the command line and in records.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    make: fn(&PlanSettings) -> Box<dyn Executor>,
}

/// What an executor is made with.
#[derive(Debug)]
pub struct PlanSettings {
    /// The build variant of [`PLAN_BUILDS`], for executors that take one.
    pub build: &'static PlanBuild,
    /// The techniques of the pipelined executor.
    pub options: Options,
}

/// A build variant that an executor can take.
#[derive(Debug)]
pub struct PlanBuild {
    /// Its name, as of the joins.
    pub name: &'static str,
    make: fn() -> Box<dyn ErasedBuild>,
}

impl ExecutorVariant {
    /// The executor.
    pub fn make(&self, settings: &PlanSettings) -> Box<dyn Executor> {
        (self.make)(settings)
    }
}

/// The executors; the first is the default.
pub static EXECUTORS: &[ExecutorVariant] = &[
    ExecutorVariant {
        name: "pipelined",
        description: "in an order of its own, with filters by key class",
        make: |settings| Box::new(Pipelined::new(settings.options)),
    },
    ExecutorVariant {
        name: "operator-at-a-time",
        description: "the source's: scan, build, probe, materialise, all threads joined in between",
        make: |settings| {
            let build = (settings.build.make)();
            Box::new(OperatorAtATime::new(build, settings.build.name))
        },
    },
];

/// The builds that executors can take; the first is the default.
#[rustfmt::skip] // a line a build
pub static PLAN_BUILDS: &[PlanBuild] = &[
    PlanBuild { name: "partitioned", make: || Box::new(PartitionedBuild::<DefaultScheme, Plain>::new(Settings::default())) },
    PlanBuild { name: "serial", make: || Box::new(SerialBuild::<DefaultScheme>::new(Sizing::default())) },
    PlanBuild { name: "serial-source", make: || Box::new(SerialBuild::<SourceScheme>::new(Sizing::SOURCE)) },
    PlanBuild { name: "hashbrown", make: || Box::new(Hashbrown::default()) },
    PlanBuild { name: "bucket-chaining", make: || Box::new(BucketChaining::default()) },
    PlanBuild { name: "partitioned-chaining", make: || Box::new(PartitionedChaining::default()) },
    PlanBuild { name: "linear-probing", make: || Box::new(LinearProbing::default()) },
    PlanBuild { name: "robin-hood", make: || Box::new(RobinHood::default()) },
];
