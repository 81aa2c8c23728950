//! Medians with honest intervals, ratios paired within rounds, and the noise floor.
//!
//! Everything here is a function of the samples' values alone: neither the order of the samples
//! nor the clock nor a shared generator enters, so a report drawn twice is the same byte for byte.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Below this many samples the percentile bootstrap of a median is too narrow (its tails cannot
/// lie outside the samples, and each end is one of two or three values), so the interval is the
/// full range instead: for independent samples it covers the true median with probability
/// 1 − 2^(1−n), which is 50 % for two, 75 % for three and 94 % for five.
pub const BOOTSTRAP_FROM: usize = 6;

/// Resamples of a bootstrap: enough to fix the 2.5 % tails to about a third of a per cent.
pub const RESAMPLES: usize = 2000;

/// A median and the ends of its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The median of the samples.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether it says more than its median does. One sample has no interval: its ends are the sample.
    pub fn is_wide(self) -> bool {
        self.low < self.high
    }

    /// The interval of `1 / x`; all of `self` must be positive.
    pub fn reciprocal(self) -> Interval {
        Interval {
            median: 1.0 / self.median,
            low: 1.0 / self.high,
            high: 1.0 / self.low,
        }
    }

    /// Median and ends times a positive factor.
    pub fn scaled(self, factor: f64) -> Interval {
        Interval {
            median: self.median * factor,
            low: self.low * factor,
            high: self.high * factor,
        }
    }
}

/// The middle value, or the mean of the two middle ones; none of no values.
pub fn median(values: &[f64]) -> Option<f64> {
    Some(middle(&sorted(values)?))
}

/// Median with a 95 % interval: a percentile bootstrap from [`BOOTSTRAP_FROM`] samples on, the
/// range below. `name` seeds the resampling, so that a cell has one interval for ever.
pub fn interval(values: &[f64], name: &str) -> Option<Interval> {
    let values = sorted(values)?;
    let median = middle(&values);
    let (low, high) = if values.len() < BOOTSTRAP_FROM {
        (values[0], values[values.len() - 1])
    } else {
        let mut draw = Resampler::new(name);
        tails((0..RESAMPLES).map(|_| draw.median(&values)).collect())
    };
    Some(Interval { median, low, high })
}

/// Ratios of two cells within the rounds that both have, in the order of the rounds. A round with
/// several samples of one cell counts with their median.
pub fn paired_ratios(
    over: impl IntoIterator<Item = (u32, f64)>,
    under: impl IntoIterator<Item = (u32, f64)>,
) -> Vec<f64> {
    let (over, under) = (by_round(over), by_round(under));
    over.iter()
        .filter_map(|(round, a)| under.get(round).map(|b| a / b))
        .collect()
}

/// The median of [`paired_ratios`] with its interval; none without a common round.
pub fn paired_ratio(
    over: impl IntoIterator<Item = (u32, f64)>,
    under: impl IntoIterator<Item = (u32, f64)>,
    name: &str,
) -> Option<Interval> {
    interval(&paired_ratios(over, under), name)
}

/// The ratio of the medians of two cells that share no rounds (two runs). Each side is resampled
/// on its own; below [`BOOTSTRAP_FROM`] samples on either side the ends come from the ranges.
pub fn independent_ratio(over: &[f64], under: &[f64], name: &str) -> Option<Interval> {
    let (over, under) = (sorted(over)?, sorted(under)?);
    let median = middle(&over) / middle(&under);
    let (low, high) = if over.len().min(under.len()) < BOOTSTRAP_FROM {
        (
            over[0] / under[under.len() - 1],
            over[over.len() - 1] / under[0],
        )
    } else {
        let mut draw = Resampler::new(name);
        tails(
            (0..RESAMPLES)
                .map(|_| draw.median(&over) / draw.median(&under))
                .collect(),
        )
    };
    Some(Interval { median, low, high })
}

/// The geometric mean of ratios, with the interval that the single intervals imply if their
/// errors are independent: the half-widths of the logarithms add in squares. None of no ratios.
pub fn geometric_mean(ratios: &[Interval]) -> Option<Interval> {
    if ratios.is_empty() {
        return None;
    }
    let n = ratios.len() as f64;
    let centre = ratios.iter().map(|r| r.median.ln()).sum::<f64>() / n;
    let reach = |end: fn(&Interval) -> f64| {
        let squares = ratios.iter().map(|r| (end(r) / r.median).ln().powi(2));
        squares.sum::<f64>().sqrt() / n
    };
    Some(Interval {
        median: centre.exp(),
        low: (centre - reach(|r| r.low)).exp(),
        high: (centre + reach(|r| r.high)).exp(),
    })
}

/// The noise floor that a control implies: one variant was measured under two names, `ratio` is
/// the paired ratio of the two, whose truth is 1. The floor is the farther end of its interval
/// from 1, as a share: 0.03 says that this run shows differences of 3 % where there are none.
pub fn floor(ratio: Interval) -> f64 {
    ratio.high.max(1.0 / ratio.low).max(1.0) - 1.0
}

/// What a ratio of times says about the one above the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Less time, beyond interval and floor.
    Faster,
    /// More time, beyond interval and floor.
    Slower,
    /// No difference that this run could show.
    WithinNoise,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::WithinNoise => "within noise",
        })
    }
}

/// Judges a ratio of times: a difference counts only if the whole interval lies on one side of 1
/// and the median is farther from 1 than the noise floor. Where there is no interval, none counts.
pub fn verdict(ratio: Interval, floor: f64) -> Verdict {
    if !ratio.is_wide() {
        Verdict::WithinNoise
    } else if ratio.high < 1.0 && ratio.median < 1.0 / (1.0 + floor) {
        Verdict::Faster
    } else if ratio.low > 1.0 && ratio.median > 1.0 + floor {
        Verdict::Slower
    } else {
        Verdict::WithinNoise
    }
}

fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then_some(values)
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        (sorted[half - 1] + sorted[half]) / 2.0
    }
}

fn by_round(samples: impl IntoIterator<Item = (u32, f64)>) -> BTreeMap<u32, f64> {
    let mut rounds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (round, seconds) in samples {
        rounds.entry(round).or_default().push(seconds);
    }
    rounds
        .into_iter()
        .filter_map(|(round, seconds)| Some((round, median(&seconds)?)))
        .collect()
}

/// The 2.5 % and 97.5 % values.
fn tails(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 40;
    (values[cut], values[values.len() - 1 - cut])
}

/// Draws medians of resamples.
struct Resampler {
    random: Xoshiro256PlusPlus,
    counts: Vec<u32>,
}

impl Resampler {
    fn new(name: &str) -> Self {
        // FNV-1a: any fixed hash of the name would do.
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            counts: Vec::new(),
        }
    }

    /// The median of as many draws with replacement as there are values. Counting the draws of
    /// each value finds the middle without sorting.
    fn median(&mut self, sorted: &[f64]) -> f64 {
        let n = sorted.len();
        self.counts.clear();
        self.counts.resize(n, 0);
        for _ in 0..n {
            self.counts[self.random.random_range(0..n)] += 1;
        }
        let (lower, upper) = ((n - 1) / 2, n / 2);
        (self.nth(sorted, lower) + self.nth(sorted, upper)) / 2.0
    }

    /// The value at place `rank` of the sorted resample.
    fn nth(&self, sorted: &[f64], rank: usize) -> f64 {
        let mut seen = 0;
        for (value, &count) in sorted.iter().zip(&self.counts) {
            seen += count as usize;
            if seen > rank {
                return *value;
            }
        }
        sorted[sorted.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rounds(values: &[f64]) -> Vec<(u32, f64)> {
        (0..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn few_samples_give_the_range() {
        let found = interval(&[1.0, 5.0, 2.0, 3.0, 4.0], "cell").unwrap();
        assert_eq!((found.low, found.median, found.high), (1.0, 3.0, 5.0));
        let one = interval(&[7.0], "cell").unwrap();
        assert_eq!((one.low, one.median, one.high), (7.0, 7.0, 7.0));
    }

    #[test]
    fn many_samples_give_less_than_the_range() {
        let values: Vec<f64> = (0..31).map(f64::from).collect();
        let found = interval(&values, "cell").unwrap();
        assert_eq!(found.median, 15.0);
        assert!(found.low > 5.0 && found.low < 12.0, "{found:?}");
        assert!(found.high > 18.0 && found.high < 25.0, "{found:?}");
    }

    #[test]
    fn the_name_seeds_the_interval() {
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        let of = |name: &str| interval(&values, name).unwrap();
        assert_eq!(of("a"), of("a"));
        assert!((0..20).any(|i| of(&i.to_string()) != of("a")));
    }

    #[test]
    fn the_interval_covers_the_true_median() {
        // A skewed distribution, like times: exp of a sum of uniforms, whose median is 1.
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for n in [5, 9, 15, 30] {
            let covered = (0..400)
                .filter(|trial| {
                    let values: Vec<f64> = (0..n)
                        .map(|_| {
                            let sum: f64 = (0..6).map(|_| random.random::<f64>()).sum();
                            ((sum - 3.0) * 0.2).exp()
                        })
                        .collect();
                    let found = interval(&values, &format!("{n} {trial}")).unwrap();
                    found.low <= 1.0 && 1.0 <= found.high
                })
                .count();
            assert!((350..=400).contains(&covered), "n = {n}: {covered} of 400");
        }
    }

    #[test]
    fn ratios_pair_within_rounds() {
        // The machine drifts by a factor of three; the ratio does not.
        let under = [(0, 1.0), (1, 3.0), (2, 2.0), (7, 1.0)];
        let over = [(2, 4.0), (0, 2.0), (1, 6.0), (9, 1.0)];
        assert_eq!(paired_ratios(over, under), [2.0, 2.0, 2.0]);
        let found = paired_ratio(over, under, "pair").unwrap();
        assert_eq!((found.low, found.median, found.high), (2.0, 2.0, 2.0));
        assert_eq!(paired_ratio([(0, 1.0)], [(1, 1.0)], "none"), None);
    }

    #[test]
    fn a_round_with_two_samples_counts_once() {
        assert_eq!(
            paired_ratios([(0, 1.0), (0, 3.0), (1, 5.0)], [(0, 1.0), (1, 1.0)]),
            [2.0, 5.0]
        );
    }

    #[test]
    fn verdicts_need_interval_and_floor() {
        let ratio = |low, median, high| Interval { median, low, high };
        assert_eq!(verdict(ratio(0.7, 0.8, 0.9), 0.05), Verdict::Faster);
        assert_eq!(verdict(ratio(1.1, 1.2, 1.3), 0.05), Verdict::Slower);
        assert_eq!(verdict(ratio(0.7, 0.8, 1.01), 0.05), Verdict::WithinNoise);
        assert_eq!(verdict(ratio(1.01, 1.03, 1.2), 0.05), Verdict::WithinNoise);
        assert_eq!(verdict(ratio(0.8, 0.96, 0.99), 0.05), Verdict::WithinNoise);
        for of_one_sample in [0.1, 1.0, 9.0] {
            let ratio = ratio(of_one_sample, of_one_sample, of_one_sample);
            assert_eq!(verdict(ratio, 0.0), Verdict::WithinNoise);
        }
    }

    #[test]
    fn the_floor_is_the_farther_end() {
        let ratio = |low, high| Interval {
            median: 1.0,
            low,
            high,
        };
        assert!((floor(ratio(0.8, 1.1)) - 0.25).abs() < 1e-12);
        assert!((floor(ratio(0.99, 1.1)) - 0.1).abs() < 1e-12);
        assert_eq!(floor(ratio(1.0, 1.0)), 0.0);
    }

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        let ratio = |median: f64| Interval {
            median,
            low: median / 1.1,
            high: median * 1.1,
        };
        let mean = geometric_mean(&[ratio(0.5), ratio(2.0)]).unwrap();
        assert!((mean.median - 1.0).abs() < 1e-12);
        let reach = 1.1_f64.ln() / 2.0_f64.sqrt();
        assert!((mean.high - reach.exp()).abs() < 1e-12, "{mean:?}");
        assert_eq!(geometric_mean(&[]), None);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut values in prop::collection::vec(1e-6..1e3_f64, 1..40)) {
            let first = interval(&values, "cell");
            values.reverse();
            prop_assert_eq!(first, interval(&values, "cell"));
            let mut shuffled = rounds(&values);
            let pairs = paired_ratio(shuffled.clone(), rounds(&values), "pair");
            shuffled.reverse();
            prop_assert_eq!(pairs, paired_ratio(shuffled, rounds(&values), "pair"));
        }

        #[test]
        fn the_interval_holds_the_median(values in prop::collection::vec(1e-6..1e3_f64, 1..40)) {
            let found = interval(&values, "cell").unwrap();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            prop_assert!(least <= found.low && found.low <= found.median);
            prop_assert!(found.median <= found.high && found.high <= most);
        }

        #[test]
        fn scaling_scales(values in prop::collection::vec(1e-3..1e3_f64, 1..30)) {
            let doubled: Vec<f64> = values.iter().map(|v| v * 2.0).collect();
            let (one, two) = (interval(&values, "c").unwrap(), interval(&doubled, "c").unwrap());
            prop_assert_eq!(two, one.scaled(2.0));
        }

        #[test]
        fn a_variant_against_itself_is_noise(
            values in prop::collection::vec(1e-3..1e3_f64, 1..30)
        ) {
            let ratio = paired_ratio(rounds(&values), rounds(&values), "aa").unwrap();
            prop_assert_eq!(verdict(ratio, floor(ratio)), Verdict::WithinNoise);
            let twin = independent_ratio(&values, &values, "aa").unwrap();
            prop_assert_eq!(verdict(twin, 0.0), Verdict::WithinNoise);
        }
    }
}
