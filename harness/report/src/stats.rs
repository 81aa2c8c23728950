//! Medians with honest intervals, ratios paired within rounds, and the noise floor.
//!
//! Everything here is a function of the samples' values alone: neither the order of the samples
//! nor the clock nor a shared generator enters, so a report drawn twice is the same byte for byte.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, LN_2, SQRT_2};

use libm::erfc;
use serde::{Deserialize, Serialize};

/// Share of intervals that may miss what they are of.
const ALPHA: f64 = 0.05;

/// Standard errors at which a normal variable is looked at so many times and passes them once in twenty at any of the
/// looks (Pocock 1977; Jennison and Turnbull 2000, table 2.1; from 30 on by the same recursion).
const POCOCK: [(u32, f64); 15] = [
    (2, 2.178),
    (3, 2.289),
    (4, 2.361),
    (5, 2.413),
    (6, 2.453),
    (7, 2.485),
    (8, 2.512),
    (9, 2.535),
    (10, 2.555),
    (12, 2.588),
    (15, 2.626),
    (20, 2.672),
    (30, 2.730),
    (40, 2.770),
    (60, 2.819),
];

/// The farthest that an end lies from its median, as a factor: two samples that differ by much say nothing at all, and
/// numbers beyond this could not be reckoned with.
const FARTHEST: f64 = 1e6;

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

    /// Whether a value lies inside.
    pub fn holds(self, value: f64) -> bool {
        self.low <= value && value <= self.high
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

/// Median with a 95 % interval. `looks` is how often the values may have been looked at before measuring stopped; 1 where
/// their number was fixed beforehand.
///
/// Where there are enough values, the ends lie between two order statistics, which asks nothing of the distribution
/// (Hettmansperger and Sheather 1986). The fewer values below that are taken for normal in their logarithms, and the ends
/// are Student's. One value has no interval, and values that are not all positive have their range.
pub fn interval(values: &[f64], looks: u32) -> Option<Interval> {
    interval_at(values, alpha(looks))
}

/// As [`interval`], for a share of intervals that may miss.
pub fn interval_at(values: &[f64], alpha: f64) -> Option<Interval> {
    let values = sorted(values)?;
    let median = middle(&values);
    let (low, high) = order_statistics(&values, alpha)
        .or_else(|| student(&values, median, alpha))
        .unwrap_or((values[0], values[values.len() - 1]));
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

/// The median of [`paired_ratios`] with its [`interval`]; none without a common round.
pub fn paired_ratio(
    over: impl IntoIterator<Item = (u32, f64)>,
    under: impl IntoIterator<Item = (u32, f64)>,
    looks: u32,
) -> Option<Interval> {
    interval(&paired_ratios(over, under), looks)
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

/// Whether so many of `all` intervals may well miss what they are of: no more than would 19 times in 20.
pub fn is_chance(missing: usize, all: usize) -> bool {
    let none = (1.0 - ALPHA).powi(all.min(i32::MAX as usize) as i32);
    let fewer = (0..missing).scan(none, |term, at| {
        let now = *term;
        *term *= (all - at) as f64 / (at + 1) as f64 * ALPHA / (1.0 - ALPHA);
        Some(now)
    });
    1.0 - fewer.sum::<f64>() > ALPHA
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

/// Share of intervals that may miss, of values that are looked at so often.
fn alpha(looks: u32) -> f64 {
    if looks <= 1 {
        return ALPHA;
    }
    let pocock = POCOCK.iter().find(|(most, _)| looks <= *most);
    pocock.map_or(ALPHA / f64::from(looks), |(_, z)| erfc(z / SQRT_2))
}

/// Share of intervals that may miss where all of so many are to hold at once 19 times in 20 (Bonferroni).
pub fn miss(comparisons: usize) -> f64 {
    ALPHA / comparisons.max(1) as f64
}

/// Standard errors that `comparisons` normal variables all stay within 19 times in 20.
pub fn normal_quantile(comparisons: usize) -> f64 {
    root(|z| erfc(z / SQRT_2) - miss(comparisons))
}

/// Student's two-sided quantile.
pub fn student_quantile(alpha: f64, freedom: usize) -> f64 {
    root(|t| student_tails(t, freedom) - alpha)
}

/// Where a function that falls from above 0 crosses it, by halving.
fn root(of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while of(high) > 0.0 && high < 1e12 {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match of(middle) > 0.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// How much of Student's distribution lies farther from 0 than `t` (Abramowitz and Stegun 26.7.3 and 26.7.4).
fn student_tails(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    let (mut term, mut sum) = if is_odd { (cosine, 0.0) } else { (1.0, 0.0) };
    for at in (1 + usize::from(is_odd)..freedom).step_by(2) {
        sum += term;
        term *= cosine * cosine * at as f64 / (at + 1) as f64;
    }
    match is_odd {
        true => 1.0 - (angle + sine * sum) / FRAC_PI_2,
        false => 1.0 - sine * sum,
    }
}

/// Ends that the median of the distribution lies between but for a share of `alpha`: the innermost pair of order
/// statistics that is sure enough, moved towards the next pair, which is not. None where the outermost is not.
fn order_statistics(sorted: &[f64], alpha: f64) -> Option<(f64, f64)> {
    let n = sorted.len();
    // The logarithm of the probability of so many values below the median: powers of a half would vanish.
    let mut term = -(n as f64) * LN_2;
    let (mut miss, mut next) = (0.0, 2.0 * term.exp());
    if n < 2 || next > alpha {
        return None;
    }
    let mut rank = 0;
    while next <= alpha {
        rank += 1;
        term += ((n - rank + 1) as f64 / rank as f64).ln();
        (miss, next) = (next, next + 2.0 * term.exp());
    }
    let share = (alpha - miss) / (next - miss);
    let (outer, n) = (rank as f64, n as f64);
    let inward = (n - outer) * share / (outer + (n - 2.0 * outer) * share);
    let from = |end: f64, inner: f64| end + (inner - end) * inward;
    let last = sorted.len() - rank;
    Some((
        from(sorted[rank - 1], sorted[rank]),
        from(sorted[last], sorted[last - 1]),
    ))
}

/// The standard deviation of the logarithms of two or more positive values, as factors of `median`.
pub(crate) fn scatter(values: &[f64], median: f64) -> f64 {
    let n = values.len() as f64;
    let logarithms = || values.iter().map(|value| (value / median).ln());
    let mean = logarithms().sum::<f64>() / n;
    let squares = logarithms().map(|l| (l - mean).powi(2));
    (squares.sum::<f64>() / (n - 1.0)).sqrt()
}

/// Student's interval of the logarithms. Their median is never farther from their mean than they scatter, so it is inside.
fn student(values: &[f64], median: f64, alpha: f64) -> Option<(f64, f64)> {
    if values.len() < 2 || values[0] <= 0.0 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values
        .iter()
        .map(|value| (value / median).ln())
        .sum::<f64>()
        / n;
    let reach = student_quantile(alpha, values.len() - 1) * scatter(values, median) / n.sqrt();
    let end = |at: f64| median * at.exp().clamp(1.0 / FARTHEST, FARTHEST);
    Some((end((mean - reach).min(0.0)), end((mean + reach).max(0.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::E;

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
    fn few_samples_reach_beyond_their_range() {
        // Student's interval of two logarithms at 1 and -1: their mean and 12.706 standard errors.
        let found = interval(&[E, 1.0 / E], 1).unwrap();
        let centre = (E + 1.0 / E) / 2.0;
        assert!((found.median - centre).abs() < 1e-12);
        assert!((found.high.ln() - 12.706).abs() < 1e-3, "{found:?}");
        let three = interval(&[1.0, 1.1, 1.2], 1).unwrap();
        assert!(three.low < 0.9 && three.high > 1.3, "{three:?}");
        let one = interval(&[7.0], 1).unwrap();
        assert_eq!((one.low, one.median, one.high), (7.0, 7.0, 7.0));
        let far = interval(&[1e-9, 1e5], 1).unwrap();
        assert!(far.high.is_finite() && far.low > 0.0);
        let none = interval(&[0.0, 1.0, 2.0], 1).unwrap();
        assert_eq!((none.low, none.high), (0.0, 2.0));
    }

    #[test]
    fn many_samples_give_less_than_the_range() {
        let values: Vec<f64> = (1..=31).map(f64::from).collect();
        let found = interval(&values, 1).unwrap();
        assert_eq!(found.median, 16.0);
        // The 10th and 22nd of 31 hold the median 97 times in 100, the 11th and 21st 93 times.
        assert!(found.low > 10.0 && found.low < 11.0, "{found:?}");
        assert!(found.high > 21.0 && found.high < 22.0, "{found:?}");
        let six = interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1).unwrap();
        assert!(six.low > 1.0 && six.low < 1.5, "{six:?}");
        let thousands: Vec<f64> = (1..=5001).map(f64::from).collect();
        let found = interval(&thousands, 1).unwrap();
        // 1.96 standard errors of a half: 69 places.
        assert!((found.low - (2501.0 - 69.3)).abs() < 1.0, "{found:?}");
    }

    #[test]
    fn looks_widen() {
        for n in [2, 3, 5, 6, 9, 15, 40] {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            let widths = [1, 2, 3, 8, 11, 40, 61, u32::MAX].map(|looks| {
                let found = interval(&values, looks).unwrap();
                found.high / found.low
            });
            assert!(widths.is_sorted(), "{n}: {widths:?}");
            assert!(widths[0] < widths[3]);
        }
    }

    #[test]
    fn what_chance_explains() {
        // Of 36 intervals of 95 %, four or more miss 11 times in 100, five or more 3 times.
        assert!(is_chance(0, 36) && is_chance(4, 36) && !is_chance(5, 36));
        assert!(is_chance(0, 0) && !is_chance(2, 2) && !is_chance(200, 200));
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        assert!((normal_quantile(1) - 1.959_964).abs() < 1e-5);
        assert!((normal_quantile(500) - 3.890_592).abs() < 1e-5);
        for (freedom, wanted) in [(1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (30, 2.042)] {
            assert!((student_quantile(0.05, freedom) - wanted).abs() < 1e-3);
        }
        assert!((student_quantile(0.01, 4) - 4.604).abs() < 1e-3);
    }

    #[test]
    fn ratios_pair_within_rounds() {
        // The machine drifts by a factor of three; the ratio does not.
        let under = [(0, 1.0), (1, 3.0), (2, 2.0), (7, 1.0)];
        let over = [(2, 4.0), (0, 2.0), (1, 6.0), (9, 1.0)];
        assert_eq!(paired_ratios(over, under), [2.0, 2.0, 2.0]);
        let found = paired_ratio(over, under, 1).unwrap();
        assert_eq!((found.low, found.median, found.high), (2.0, 2.0, 2.0));
        assert_eq!(paired_ratio([(0, 1.0)], [(1, 1.0)], 1), None);
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
            let first = interval(&values, 1);
            values.reverse();
            prop_assert_eq!(first, interval(&values, 1));
            let mut shuffled = rounds(&values);
            let pairs = paired_ratio(shuffled.clone(), rounds(&values), 1);
            shuffled.reverse();
            prop_assert_eq!(pairs, paired_ratio(shuffled, rounds(&values), 1));
        }

        #[test]
        fn the_interval_holds_the_median(values in prop::collection::vec(1e-6..1e3_f64, 1..40)) {
            let found = interval(&values, 1).unwrap();
            prop_assert!(0.0 < found.low && found.low <= found.median);
            prop_assert!(found.median <= found.high && found.high.is_finite());
        }

        #[test]
        fn scaling_scales(values in prop::collection::vec(1e-3..1e3_f64, 1..30)) {
            let doubled: Vec<f64> = values.iter().map(|v| v * 2.0).collect();
            let (one, two) = (interval(&values, 1).unwrap(), interval(&doubled, 1).unwrap());
            prop_assert_eq!(two, one.scaled(2.0));
        }

        #[test]
        fn a_variant_against_itself_is_noise(
            values in prop::collection::vec(1e-3..1e3_f64, 1..30)
        ) {
            let ratio = paired_ratio(rounds(&values), rounds(&values), 1).unwrap();
            prop_assert_eq!(verdict(ratio, floor(ratio)), Verdict::WithinNoise);
        }
    }
}
