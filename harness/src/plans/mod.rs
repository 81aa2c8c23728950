//! Runs of whole plans: what was measured, its charts and its page.

mod record;

pub use record::{Arm, ArmSummary, Failure, Kind, Measured, OverFirst, PlanRun};

/// The file of a report's folder that holds what was measured of plans.
pub const PLANS_FILE: &str = "plans.json";
