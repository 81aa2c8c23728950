//! The harness of Joinery: workloads, measurement, charts, reports.

pub mod record;
pub mod stats;
pub mod limit_model;
pub mod summary;
pub mod limits;
pub mod machine;
pub mod charts;
pub mod report;
pub mod nearest;
pub mod workload;
pub mod cli;
pub mod measure;
pub mod registry;
pub mod verbs;
