//! What a run says of itself: one variant under two names.

use serde::{Deserialize, Serialize};

use super::Cell;
use crate::record::{CONTROL_A, CONTROL_B};
use crate::stats::{self, Interval};

/// The median floor up to which a machine was quiet.
const QUIET: f64 = 0.08;

/// What the control (one variant under two names) shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// Median of the cells' floors, as a share; none in a run without a control.
    pub floor: Option<f64>,
    /// The floor that nine in ten stay below.
    #[serde(default)]
    pub high: Option<f64>,
    /// How many controls that is of: those of joins, where there are any, else all.
    #[serde(default)]
    pub counted: usize,
    /// How many of them exclude 1, which is their truth.
    #[serde(default)]
    pub excluding: usize,
    /// Whether the median floor is at most 8 %, and no more controls exclude 1 than chance explains.
    #[serde(default)]
    pub quiet: bool,
    /// Every control.
    pub controls: Vec<Control>,
}

/// One variant against itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The workload.
    pub workload: String,
    /// The variant that was measured under two names.
    pub variant: String,
    /// Threads of the join.
    pub threads: u32,
    /// First name over second, paired within rounds; its truth is 1.
    pub ratio: Interval,
    /// [`stats::floor`] of the ratio.
    pub floor: f64,
}

impl NoiseFloor {
    /// Of all controls; `counts` says which the run is judged by.
    pub(super) fn of_controls(controls: Vec<Control>, counts: impl Fn(&Control) -> bool) -> Self {
        let counted: Vec<&Control> = controls.iter().filter(|c| counts(c)).collect();
        let mut floors: Vec<f64> = counted.iter().map(|c| c.floor).collect();
        floors.sort_by(f64::total_cmp);
        let floor = stats::median(&floors);
        let excluding = counted.iter().filter(|c| !c.ratio.holds(1.0)).count();
        Self {
            floor,
            high: floors
                .get((floors.len() * 9).div_ceil(10).max(1) - 1)
                .copied(),
            counted: counted.len(),
            excluding,
            quiet: floor.is_some_and(|floor| floor <= QUIET)
                && stats::is_chance(excluding, counted.len()),
            controls,
        }
    }

    /// The floor for a workload: its own control's where it has one, else the run's.
    pub fn of(&self, workload: &str, threads: u32) -> f64 {
        let own = self
            .controls
            .iter()
            .find(|c| c.workload == workload && c.threads == threads);
        own.map(|c| c.floor).or(self.floor).unwrap_or(0.0)
    }
}

/// What two names of one variant differ by.
pub(super) fn control(cell: &Cell<'_, '_>) -> Option<Control> {
    let (a, b) = (cell.labelled(CONTROL_A), cell.labelled(CONTROL_B));
    let ratio = stats::paired_ratio(a, b, cell.looks())?;
    Some(Control {
        workload: cell.workload().name.clone(),
        variant: cell.variant().to_owned(),
        threads: cell.threads(),
        ratio,
        floor: stats::floor(ratio),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controls(number: usize, excluding: usize, floor: f64) -> NoiseFloor {
        let control = |at: usize| {
            let ratio = Interval {
                median: 1.0,
                low: if at < excluding { 1.01 } else { 0.99 },
                high: 1.0 + floor,
            };
            Control {
                workload: format!("w{at}"),
                variant: "v".into(),
                threads: 1,
                ratio,
                floor: stats::floor(ratio),
            }
        };
        NoiseFloor::of_controls((0..number).map(control).collect(), |_| true)
    }

    #[test]
    fn a_run_says_whether_it_can_be_read() {
        let says = |of: NoiseFloor| of.verdict();
        assert!(says(controls(30, 3, 0.06)).starts_with("The machine was quiet"));
        // Five of 30 are more than chance explains, and floors of 9 % are much.
        assert!(says(controls(30, 5, 0.06)).starts_with("Too noisy"));
        assert!(says(controls(30, 0, 0.09)).contains("below 9 %"));
        assert!(
            says(controls(1, 0, 0.01))
                .contains("0 of 1 control (one variant under two names) exclude ×1")
        );
        assert!(says(controls(0, 0, 0.0)).starts_with("This run has no control"));
    }
}
