//! Whether a run can be read.

use crate::charts::{count_text, scale};
use crate::summary::NoiseFloor;

impl NoiseFloor {
    /// Whether the run can be read, in sentences.
    pub fn verdict(&self) -> String {
        let (Some(floor), Some(high)) = (self.floor, self.high) else {
            return "This run has no control, so only the intervals speak.".to_owned();
        };
        let [floor, high] = [floor, high].map(|share| match share < 1.0 {
            true => scale::percent(share),
            false => scale::times(1.0 + share),
        });
        let reads = match self.quiet {
            true => {
                format!("The machine was quiet: differences below {floor} are not differences.")
            }
            false => format!(
                "Too noisy to read differences below {high}: measure again when the machine is idle, or with more samples."
            ),
        };
        let exclude = if self.excluding == 1 {
            "excludes"
        } else {
            "exclude"
        };
        format!(
            "{reads} {} of {} (one variant under two names) {exclude} ×1, which is their truth; their floors are {floor} in the \
             median, and nine in ten are at most {high}.",
            self.excluding,
            count_text(self.counted, "control")
        )
    }
}
