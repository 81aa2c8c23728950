//! One experiment: a *case* (a join's input, a plan, a stream of rows) is measured with *contenders* (a variant under
//! toggles, an executor without a technique, a placement, a peer, a control) in *rounds*, each in an order of its own, so
//! that drift of the machine hits all alike and ratios can be paired within a round. Each sample is a line of the run's
//! file, and everything else is computed from the lines.
//!
//! A new kind of case is an implementation of [`Bench`]; the [`Runner`] has order, budget, resuming, interruption,
//! failures and controls. Round 0 checks answers and learns costs; it leaves a sample only where [`Bench::keeps_first`].

mod cells;
mod disturbed;
pub mod duel;
pub mod executor;
pub mod folder;
pub mod ingest;
pub mod joins;
mod lines;
pub mod memory;
pub mod once;
pub mod plans;
mod progress;
mod rounds;
mod runner;
pub mod session;
#[cfg(feature = "slowed")]
mod slowed;
pub mod tags;
mod undecided;

pub use cells::{Cell, Cells, Data, Shown, Work};
pub use progress::{News, Progress};
pub use rounds::Budget;
pub use runner::{Runner, Stop};
pub use undecided::HEADLINE;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::peers::Fault;
use report::record::{Answer, CONTROL_A, CONTROL_B, Phase, ScheduledCell, SystemUse, Toggles};

/// What takes turns on one case.
pub trait Bench {
    /// All of them, in the order of the first round.
    fn contenders(&self) -> &[Contender];

    /// Gets ready to be sampled; those numbered in `failed` were given up in a session before this one.
    fn prepare(&mut self, failed: &[usize]) {
        let _ = failed;
    }

    /// Runs a contender once, in round 0 as it comes, later warm as this bench defines it. The runner compares the answer with
    /// the case's, or with the first one.
    ///
    /// # Errors
    /// There is no answer, or one that this bench knows to be wrong.
    fn sample(&mut self, contender: usize, round: u32) -> Result<Measured, Failed>;

    /// Whether a first, cold run is a result of its own.
    fn keeps_first(&self) -> bool {
        false
    }
}

/// One of those that take turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    /// What records call it; `rounds` is decided by the runner.
    pub name: ScheduledCell,
    /// Whether another engine does its work.
    pub is_peer: bool,
    /// Whether its time is a result however fast others are.
    pub is_wanted: bool,
}

impl Contender {
    /// One of ours.
    pub fn new(variant: &str, toggles: Toggles, label: Option<&str>, threads: u32) -> Self {
        Self {
            name: ScheduledCell {
                variant: variant.to_owned(),
                toggles,
                label: label.map(str::to_owned),
                threads,
                rounds: 0,
            },
            is_peer: false,
            is_wanted: label.is_some(),
        }
    }

    /// Another engine.
    pub fn peer(name: &str, threads: u32) -> Self {
        Self {
            is_peer: true,
            ..Self::new(name, Toggles::new(), None, threads)
        }
    }

    /// The control: one contender under two names.
    pub fn control(variant: &str, toggles: &Toggles, threads: u32) -> [Self; 2] {
        [CONTROL_A, CONTROL_B]
            .map(|label| Self::new(variant, toggles.clone(), Some(label), threads))
    }
}

/// A sample before its answer is compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Wall time.
    pub seconds: f64,
    /// By phase, in order.
    pub phases: Vec<Phase>,
    /// The answer.
    pub answer: Answer,
    /// As in a sample's record.
    pub bytes: Option<u64>,
    /// What was counted meanwhile; nothing of a peer.
    pub counters: BTreeMap<String, u64>,
    /// What was observed and chosen.
    pub notes: Vec<String>,
    /// What the system gave the process that worked.
    pub system: Option<SystemUse>,
}

/// Why there is no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Someone pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The answer is wrong.
    #[error("wrong answer: {0}")]
    Wrong(String),
    /// It gave up.
    #[error("{0}")]
    Error(String),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Interrupted => Self::Interrupted,
            Fault::Failed(error) => Self::Error(error),
        }
    }
}

/// A text that no other contender of a case has.
pub(crate) fn key(cell: &ScheduledCell) -> String {
    let label = cell.label.as_deref().unwrap_or("");
    format!(
        "{} {:?} {label} {}",
        cell.variant, cell.toggles, cell.threads
    )
}
