//! What pairs of processes say of two builds. All of it in natural logarithms, where a ratio is a difference.

use std::f64::consts::FRAC_2_PI;

use crate::stats::Interval;

/// Share of all duels of a build against itself in which a verdict may be wrong anywhere.
pub(super) const ALPHA: f64 = 0.002;

/// The mean of `values`, one of a pair each, with an interval that holds for all of `verdicts` at once (Bonferroni), as a
/// ratio: Student's, since the pairs are few and their spread is not known beforehand. Its ends lie at the mean where one
/// value has none.
pub(super) fn interval(values: &[f64], verdicts: usize) -> Interval {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let reach = match values.len() {
        0 | 1 => 0.0,
        n => {
            let t = quantile(ALPHA / verdicts.max(1) as f64, n as u32 - 1);
            t * spread(values) / (n as f64).sqrt()
        }
    };
    Interval {
        median: mean.exp(),
        low: (mean - reach).exp(),
        high: (mean + reach).exp(),
    }
}

/// The standard deviation of two values or more.
pub(super) fn spread(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (squares.sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}

/// Student's quantile: `tails` of the distribution lie farther than this from 0, on both sides together.
fn quantile(tails: f64, freedom: u32) -> f64 {
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if 1.0 - within(middle, freedom) > tails {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Probability that Student's t lies within `t` of 0: Abramowitz and Stegun 26.7.3 and 26.7.4.
fn within(t: f64, freedom: u32) -> f64 {
    let angle = (t / f64::from(freedom).sqrt()).atan();
    let (sine, square) = (angle.sin(), angle.cos().powi(2));
    let odd = freedom % 2 == 1;
    let mut term = if odd { angle.cos() } else { 1.0 };
    let mut sum = 0.0;
    let mut next = if odd { 3 } else { 2 };
    while next <= freedom {
        sum += term;
        term *= square * f64::from(next - 1) / f64::from(next);
        next += 2;
    }
    if odd {
        FRAC_2_PI * (angle + sine * sum)
    } else {
        sine * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (tails, freedom, t) in [
            (0.05, 1, 12.706),
            (0.05, 2, 4.303),
            (0.05, 9, 2.262),
            (0.01, 10, 3.169),
            (0.001, 9, 4.781),
            (0.001, 30, 3.646),
        ] {
            let found = quantile(tails, freedom);
            assert!((found / t - 1.0).abs() < 1e-3, "{tails} {freedom}: {found}");
        }
    }

    #[test]
    fn an_interval_is_as_wide_as_the_pairs_differ() {
        let calm = interval(&[0.01, 0.011, 0.009, 0.01], 1);
        let wild = interval(&[0.01, 0.11, -0.09, 0.01], 1);
        assert!((calm.median / wild.median - 1.0).abs() < 1e-12);
        assert!(calm.low > wild.low && calm.high < wild.high);
        assert!(!interval(&[0.1], 1).is_wide());
    }
}
