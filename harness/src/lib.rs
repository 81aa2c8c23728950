//! The harness of Joinery: workloads, measurement, charts, reports.

pub mod charts;
pub mod cli;
pub mod compare;
pub mod counters;
pub mod limit_model;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod nearest;
pub mod peers;
pub mod plain;
pub mod plans;
pub mod record;
pub mod report;
pub mod stats;
pub mod summary;
pub mod verbs;
pub mod workload;
