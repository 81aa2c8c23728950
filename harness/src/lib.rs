//! The harness of Joinery: workloads, measurement, charts, reports.

pub mod record;
pub mod stats;
