//! Which samples something else was in the way of, by what the system says and never by how long they took.

use report::record::SystemUse;
use report::stats::median;

/// Samples that have to say what is usual.
pub const USUAL_FROM: usize = 3;

/// So many times as far from the median as half of the samples are, as deviations of a normal distribution are counted, is
/// not usual.
const DEVIATIONS: f64 = 3.0 * 1.4826;

/// What may exceed the usual in any case: seconds of each second, and seconds at all. Waking threads takes some
/// microseconds; the kernel counts what the host took in ticks of up to 10 ms, of which one may have begun before.
const WAITED: (f64, f64) = (0.05, 1e-4);
const STOLEN: (f64, f64) = (0.05, 0.015);
/// The same of involuntary switches, of which the kernel's own threads make some.
const SWITCHES: (f64, f64) = (20.0, 2.0);

/// What the system gave a sample of so many seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// By the system's counters.
    pub system: SystemUse,
    /// Wall time.
    pub seconds: f64,
}

/// Whether threads waited for a processor, were put aside, or the host took time, by more than is `usual` for the cell: by
/// more than three deviations of its samples, and by more than 5 % of the sample. Without three samples nothing is usual.
pub fn is_disturbed(sample: &Given, usual: &[Given]) -> bool {
    if usual.len() < USUAL_FROM {
        return false;
    }
    let exceeds = |of: fn(&SystemUse) -> f64, (share, least): (f64, f64)| {
        let rate = |given: &Given| of(&given.system) / given.seconds;
        let rates: Vec<f64> = usual.iter().map(rate).collect();
        let middle = median(&rates).unwrap_or(0.0);
        let distances: Vec<f64> = rates.iter().map(|rate| (rate - middle).abs()).collect();
        let deviation = median(&distances).unwrap_or(0.0);
        let above = rate(sample) - middle;
        above > share.max(DEVIATIONS * deviation) && above * sample.seconds > least
    };
    exceeds(|system| system.waited_seconds.unwrap_or(0.0), WAITED)
        || exceeds(|system| system.stolen_seconds, STOLEN)
        || exceeds(|system| system.involuntary_switches as f64, SWITCHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(seconds: f64, waited: f64, switches: u64, stolen: f64) -> Given {
        Given {
            system: SystemUse {
                cpu_seconds: seconds,
                waited_seconds: Some(waited),
                involuntary_switches: switches,
                stolen_seconds: stolen,
            },
            seconds,
        }
    }

    #[test]
    fn what_exceeds_the_usual_is_disturbed() {
        let quiet = [given(0.1, 0.0, 1, 0.0); 3];
        for (sample, expected) in [
            (given(0.1, 0.001, 1, 0.0), false),
            (given(0.1, 0.02, 1, 0.0), true),
            (given(0.1, 0.0, 4, 0.0), true),
            (given(0.1, 0.0, 3, 0.0), false),
            (given(0.1, 0.0, 1, 0.01), false),
            (given(0.1, 0.0, 1, 0.02), true),
        ] {
            assert_eq!(is_disturbed(&sample, &quiet), expected, "{sample:?}");
        }
    }

    #[test]
    fn how_long_it_took_says_nothing() {
        let quiet = [given(0.1, 0.0, 0, 0.0); 5];
        for seconds in [0.01, 1.0, 100.0] {
            assert!(!is_disturbed(&given(seconds, 0.0, 0, 0.0), &quiet));
        }
    }

    #[test]
    fn a_cell_that_always_waits_is_held_to_its_own_usual() {
        // More threads than processors.
        let usual: Vec<Given> = (0..8)
            .map(|n| given(0.1, 0.2 + 0.01 * f64::from(n % 3), 30, 0.0))
            .collect();
        assert!(!is_disturbed(&given(0.1, 0.22, 31, 0.0), &usual));
        assert!(is_disturbed(&given(0.1, 0.4, 31, 0.0), &usual));
    }

    #[test]
    fn nothing_is_usual_of_two_samples_and_microseconds_are_nothing() {
        let waits = given(0.1, 0.05, 50, 0.1);
        assert!(!is_disturbed(&waits, &[given(0.1, 0.0, 0, 0.0); 2]));
        let short = given(2e-5, 1e-5, 1, 0.0);
        assert!(!is_disturbed(&short, &[given(2e-5, 0.0, 0, 0.0); 3]));
    }

    #[test]
    fn a_system_that_tells_little_marks_little() {
        let unknown = |switches| Given {
            system: SystemUse {
                involuntary_switches: switches,
                ..SystemUse::default()
            },
            seconds: 0.1,
        };
        assert!(!is_disturbed(&unknown(0), &[unknown(0); 3]));
        assert!(is_disturbed(&unknown(9), &[unknown(0); 3]));
    }
}
