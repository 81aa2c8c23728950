//! What an execution did (R9.4).

use join_core::join::Phases;
use serde::Serialize;

/// What an execution did, step by step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Telemetry {
    /// The steps in the order in which they ended. They form a tree whose root, where there is one, is the last step.
    pub steps: Vec<Step>,
}

/// A join, or a pipeline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Step {
    /// What it is, such as `join 8`.
    pub name: String,
    /// How it was done.
    pub detail: String,
    /// The steps whose outcome it reads.
    pub children: Vec<usize>,
    /// Rows that it read: of a join, those of the probe side.
    pub rows_in: u64,
    /// Rows of the build side, where it has one.
    pub build_rows: Option<u64>,
    /// Rows that it passed on.
    pub rows_out: u64,
    /// Bytes of its tables and buffers.
    pub bytes: u64,
    /// The filters that its rows passed through, in order.
    pub filters: Vec<FilterTelemetry>,
    /// Its time by phase.
    pub phases: Vec<PhaseTelemetry>,
}

/// A filter in a scan.
#[derive(Clone, Debug, Serialize)]
pub struct FilterTelemetry {
    /// The column and what it is tested against.
    pub name: String,
    /// Rows that were tested.
    pub rows_in: u64,
    /// Rows that passed.
    pub rows_out: u64,
}

/// A phase and its wall time.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseTelemetry {
    /// The phase.
    pub name: &'static str,
    /// Its seconds.
    pub seconds: f64,
}

impl Step {
    /// Seconds of all phases.
    pub fn seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }

    /// Takes over the laps of a watch.
    pub(crate) fn timed(mut self, phases: &Phases) -> Step {
        self.phases = phases
            .list()
            .iter()
            .map(|phase| PhaseTelemetry {
                name: phase.name,
                seconds: phase.seconds,
            })
            .collect();
        self
    }
}
