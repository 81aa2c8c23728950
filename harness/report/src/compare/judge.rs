//! What a ratio between two runs is worth. All of it in natural logarithms, where a ratio is a difference.

use std::cmp::Ordering;
use std::f64::consts::SQRT_2;

use libm::erfc;

use crate::stats::{self, Interval, normal_quantile, student_quantile};

/// How far the ends of an interval lie from its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reach {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Reach {
    /// The reach of a cell's median of two samples or more.
    pub(super) fn of(seconds: Interval) -> Self {
        Self {
            low: (seconds.median / seconds.low).ln(),
            high: (seconds.high / seconds.median).ln(),
        }
    }

    /// No side nearer than `least`.
    pub(super) fn at_least(self, least: f64) -> Self {
        Self {
            low: self.low.max(least),
            high: self.high.max(least),
        }
    }

    /// Both sides farther by `more`.
    pub(super) fn widened(self, more: f64) -> Self {
        Self {
            low: self.low + more,
            high: self.high + more,
        }
    }

    /// Both sides times `factor`.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            low: self.low * factor,
            high: self.high * factor,
        }
    }

    /// The reach of a ratio of two medians that were measured apart: what lets it fall is a fall above the line or a
    /// rise below it, and independent errors add in squares (Zou and Donner 2008 call it MOVER).
    pub(super) fn of_ratio(over: Self, under: Self) -> Self {
        Self {
            low: over.low.hypot(under.high),
            high: over.high.hypot(under.low),
        }
    }

    /// The interval around `exp(centre)`, from which `shift` is taken on the side where it would pass for an effect:
    /// only what lies apart from 1 both as it was measured and without the shift lies apart from 1.
    pub(super) fn around(self, centre: f64, shift: f64) -> Interval {
        Interval {
            median: centre.exp(),
            low: (centre - self.low - shift.max(0.0)).exp(),
            high: (centre + self.high - shift.min(0.0)).exp(),
        }
    }
}

/// The reach of the mean of `values` (pairs of a value and its 95 % reach) at `z` standard errors: what the single
/// reaches imply if they are independent, or what the values' own scatter implies, whichever is more.
pub(super) fn mean(values: &[(f64, Reach)], z: f64) -> (f64, Reach) {
    let n = values.len() as f64;
    let mean = values.iter().map(|(value, _)| value).sum::<f64>() / n;
    let side = |side: fn(&Reach) -> f64| {
        let squares = values.iter().map(|(_, reach)| side(reach).powi(2));
        squares.sum::<f64>().sqrt() / n * z / normal_quantile(1)
    };
    let scatter = if values.len() < 3 {
        0.0
    } else {
        let squares = values.iter().map(|(value, _)| (value - mean).powi(2));
        student_quantile(erfc(z / SQRT_2), values.len() - 1)
            * (squares.sum::<f64>() / (n - 1.0) / n).sqrt()
    };
    let reach = Reach {
        low: side(|reach| reach.low),
        high: side(|reach| reach.high),
    };
    (mean, reach.at_least(scatter))
}

/// The share of all pairs of a value before and one after that differ as their medians do. Equal values agree by half.
pub(super) fn agreement(before: &[f64], after: &[f64]) -> f64 {
    let greater = after.iter().flat_map(|a| {
        before.iter().map(move |b| match a.total_cmp(b) {
            Ordering::Less => 0.0,
            Ordering::Equal => 0.5,
            Ordering::Greater => 1.0,
        })
    });
    let share = greater.sum::<f64>() / (before.len() * after.len()).max(1) as f64;
    share.max(1.0 - share)
}

/// The median, of values in logarithms.
pub(super) fn median(values: &[f64]) -> f64 {
    stats::median(values).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_falls_with_what_is_above_and_rises_with_what_is_below() {
        let (sure, unsure) = (
            Reach {
                low: 0.0,
                high: 0.0,
            },
            Reach {
                low: 0.1,
                high: 0.2,
            },
        );
        assert_eq!(Reach::of_ratio(unsure, sure), unsure);
        let turned = Reach::of_ratio(sure, unsure);
        assert_eq!((turned.low, turned.high), (0.2, 0.1));
    }

    #[test]
    fn samples_of_two_states_do_not_agree() {
        assert_eq!(agreement(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(agreement(&[3.0, 4.0], &[1.0, 2.0]), 1.0);
        assert_eq!(agreement(&[1.0; 3], &[1.0; 3]), 0.5);
        let fast_then_slow = agreement(&[5.0, 5.1, 5.2, 7.3], &[7.0, 7.1, 7.2, 5.3]);
        assert_eq!(fast_then_slow, 12.0 / 16.0);
    }

    #[test]
    fn a_shift_widens_the_side_it_could_pass_for_an_effect_on() {
        let reach = Reach {
            low: 0.1,
            high: 0.1,
        };
        let up = reach.around(0.3, 0.25);
        assert!(up.low < 1.0 && (up.high.ln() - 0.4).abs() < 1e-12);
        let against = reach.around(0.3, -0.25);
        assert!((against.low.ln() - 0.2).abs() < 1e-12);
    }

    #[test]
    fn values_that_scatter_more_than_they_say_widen_their_mean() {
        let reach = Reach {
            low: 0.01,
            high: 0.01,
        };
        let calm: Vec<_> = [0.1; 9].map(|value| (value, reach)).to_vec();
        let wild: Vec<_> = (0..9).map(|i| (f64::from(i) * 0.025, reach)).collect();
        let ((_, calm), (centre, wild)) = (mean(&calm, 1.96), mean(&wild, 1.96));
        assert!((calm.low - 0.01 / 3.0).abs() < 1e-4, "{calm:?}");
        assert!((centre - 0.1).abs() < 1e-12 && wild.low > 0.04, "{wild:?}");
    }
}
