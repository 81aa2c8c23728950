//! The builds that an executor of whole plans can take.

use array_build::ArrayBuild;
use baselines::{BucketChaining, Hashbrown, LinearProbing, PartitionedChaining, RobinHood};
use join_core::directory::Sizing;
use join_core::join::DynBuild;
use join_core::unchained::DefaultScheme;
use partitioned_build::{PartitionedBuild, Plain, Settings};
use serial_build::SerialBuild;

use super::variants::SourceScheme;

/// A build variant that an executor can take.
#[derive(Debug)]
pub struct PlanBuild {
    /// Its name, as of the joins.
    pub name: &'static str,
    make: fn() -> Box<dyn DynBuild>,
}

impl PlanBuild {
    /// The build.
    pub fn make(&self) -> Box<dyn DynBuild> {
        (self.make)()
    }
}

/// The builds that executors can take; the first is the default.
#[rustfmt::skip] // a line a build
pub static PLAN_BUILDS: &[PlanBuild] = &[
    PlanBuild { name: "partitioned", make: || Box::new(PartitionedBuild::<DefaultScheme, Plain>::new(Settings::default())) },
    PlanBuild { name: "serial", make: || Box::new(SerialBuild::<DefaultScheme>::new(Sizing::default())) },
    PlanBuild { name: "serial-source", make: || Box::new(SerialBuild::<SourceScheme>::new(Sizing::SOURCE)) },
    PlanBuild { name: "array", make: || Box::new(ArrayBuild { otherwise: PartitionedBuild::<DefaultScheme, Plain>::new(Settings::default()) }) },
    PlanBuild { name: "hashbrown", make: || Box::new(Hashbrown::default()) },
    PlanBuild { name: "bucket-chaining", make: || Box::new(BucketChaining::default()) },
    PlanBuild { name: "partitioned-chaining", make: || Box::new(PartitionedChaining::default()) },
    PlanBuild { name: "linear-probing", make: || Box::new(LinearProbing::default()) },
    PlanBuild { name: "robin-hood", make: || Box::new(RobinHood::default()) },
];
