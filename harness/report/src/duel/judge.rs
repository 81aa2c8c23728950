//! What pairs of processes say of two builds. All of it in natural logarithms, where a ratio is a difference.

use crate::stats::{Interval, student_quantile};

/// Share of all duels of a build against itself in which a verdict may be wrong anywhere.
pub(super) const ALPHA: f64 = 0.002;

/// Of so many values, the least and the greatest are left out of the mean: one processor that was away for a while makes
/// pairs that say nothing.
const TRIMMED_OF: usize = 7;

/// The trimmed mean of `values`, one of a pair each, with an interval that holds for all of `verdicts` at once (Bonferroni),
/// as a ratio: Student's on winsorised values, after Tukey and McLaughlin, since the pairs are few, their spread is not known
/// beforehand, and some are disturbed. Its ends lie at the mean where there are too few values.
pub(super) fn interval(values: &[f64], verdicts: usize) -> Interval {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let trimmed = sorted.len() / TRIMMED_OF;
    let kept = &sorted[trimmed..sorted.len() - trimmed];
    let n = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / n;
    let reach = match kept {
        [least, .., most] => {
            let winsorised: Vec<f64> = sorted.iter().map(|v| v.clamp(*least, *most)).collect();
            let squares = spread(&winsorised).powi(2) * (sorted.len() - 1) as f64;
            let error = (squares / n / (n - 1.0)).sqrt();
            student_quantile(ALPHA / verdicts.max(1) as f64, kept.len() - 1) * error
        }
        _ => 0.0,
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn a_pair_that_was_disturbed_moves_little() {
        let calm: Vec<f64> = (0..15).map(|i| 0.05 + f64::from(i % 3) * 0.001).collect();
        let disturbed = [&calm[..14], &[-0.9]].concat();
        let (calm, disturbed) = (interval(&calm, 4), interval(&disturbed, 4));
        assert!((calm.median / disturbed.median - 1.0).abs() < 1e-3);
        assert!(disturbed.low > 1.04, "{disturbed:?}");
    }

    /// How many of 1,000 simulated duels of three cells call one of their four ratios anything: pairs differ by `spread`,
    /// one in ten of them by ten times that, and one build takes `effect` longer in logarithms.
    fn called(pairs: usize, spread: f64, effect: f64) -> usize {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut normal = move || -> f64 {
            let sum: f64 = (0..12).map(|_| random.random::<f64>()).sum();
            sum - 6.0
        };
        let mut duel = || {
            let pairs: Vec<[f64; 3]> = (0..pairs)
                .map(|_| {
                    let wild = if normal() > 1.28 { 10.0 } else { 1.0 };
                    [0; 3].map(|_| effect + normal() * spread * wild)
                })
                .collect();
            let cells = (0..3).map(|cell| pairs.iter().map(|pair| pair[cell]).collect());
            let all = pairs
                .iter()
                .map(|pair| pair.iter().sum::<f64>() / 3.0)
                .collect();
            cells.chain([all]).any(|values: Vec<f64>| {
                let ratio = interval(&values, 4);
                ratio.low > 1.0 || ratio.high < 1.0
            })
        };
        (0..1000).filter(|_| duel()).count()
    }

    #[test]
    fn a_build_against_itself_is_hardly_ever_called_anything() {
        for pairs in [10, 15, 20] {
            for spread in [0.002, 0.02] {
                let called = called(pairs, spread, 0.0);
                assert!(called <= 10, "{pairs} pairs, {spread}: {called} of 1000");
            }
        }
    }

    #[test]
    fn five_per_cent_are_found_and_three_mostly() {
        let five = called(20, 0.02, 1.05_f64.ln());
        assert!(five >= 970, "{five}");
        let three = called(20, 0.01, 1.03_f64.ln());
        assert!(three >= 970, "{three}");
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
