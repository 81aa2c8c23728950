//! Axes: where a value lies, and which values get a label. Ticks are chosen here because
//! plotters rounds those of a log axis wrongly and cannot label powers of two.

use super::text;
use crate::stats::Interval;

/// From a value to a pixel.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// Whether equal ratios are equal distances.
    pub log: bool,
    /// The value at `from`.
    pub low: f64,
    /// The value at `to`.
    pub high: f64,
    /// Pixel of `low`.
    pub from: f64,
    /// Pixel of `high`.
    pub to: f64,
}

impl Axis {
    /// A log axis around positive values, with `margin` (a factor) on both sides.
    pub fn log(values: impl IntoIterator<Item = f64>, margin: f64, from: f64, to: f64) -> Self {
        let values = values.into_iter().filter(|v| *v > 0.0 && v.is_finite());
        let (low, high) = range(values.map(|v| v.clamp(LEAST, MOST)));
        Self {
            log: true,
            low: low / margin,
            high: high * margin,
            from,
            to,
        }
    }

    /// A linear axis from 0 to a little above the greatest value.
    pub fn from_zero(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (_, high) = range(values.into_iter().filter(|v| v.is_finite()));
        let high = match high > 0.0 {
            true => high.clamp(LEAST, MOST) * 1.05,
            false => 1.0,
        };
        Self {
            log: false,
            low: 0.0,
            high,
            from,
            to,
        }
    }

    /// The pixel of a value; values outside stick to the ends, and what is no number to the lower one.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.max(0.0);
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + (self.to - self.from) * share.clamp(0.0, 1.0)
    }

    /// Whether a value lies on the axis.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Round values for ticks, about `room` pixels apart or more.
    pub fn ticks(&self, room: f64) -> Vec<f64> {
        let most = ((self.to - self.from).abs() / room).max(2.0) as usize;
        let candidates: Vec<Vec<f64>> = if self.log {
            [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]]
                .iter()
                .map(|digits| self.decades(digits, 1))
                .chain((2..8).map(|step| self.decades(&[1.0], step)))
                .collect()
        } else {
            Vec::new()
        };
        let fits = |ticks: &Vec<f64>| ticks.len() <= most && ticks.len() > 2;
        candidates
            .into_iter()
            .find(fits)
            .unwrap_or_else(|| self.steps(most))
    }

    /// `digits` times powers of ten, every `step`-th power.
    fn decades(&self, digits: &[f64], step: usize) -> Vec<f64> {
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        (first..=last)
            .filter(|power| power.rem_euclid(step as i32) == 0)
            .flat_map(|power| digits.iter().map(move |digit| decimal(*digit, power)))
            .filter(|value| self.holds(*value))
            .collect()
    }

    /// Multiples of a round step, at most `most`.
    fn steps(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most as f64;
        let power = rough.log10().floor() as i32;
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|digit| decimal(digit, power))
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        // Division by a whole number of parts keeps 0.3 from becoming 0.30000000000000004.
        let value = |n: i64| {
            if step < 1.0 {
                n as f64 / (1.0 / step).round()
            } else {
                n as f64 * step
            }
        };
        (first..=last).map(value).collect()
    }

    /// Powers of two for ticks, about `room` pixels apart or more.
    pub fn powers_of_two(&self, room: f64) -> Vec<u32> {
        let first = self.low.log2().ceil().max(0.0) as u32;
        let last = self.high.log2().floor().max(0.0) as u32;
        let most = ((self.to - self.from).abs() / room).max(2.0) as u32;
        let step = (1..).find(|step| (last.saturating_sub(first)) / step < most);
        let step = step.unwrap_or(1);
        (first..=last).filter(|power| power % step == 0).collect()
    }
}

/// Drops the ticks whose centred labels would touch one that stays; `keep` stays first.
pub fn spaced(
    axis: &Axis,
    ticks: Vec<f64>,
    size: f64,
    keep: Option<f64>,
    label: impl Fn(f64) -> String,
) -> Vec<(f64, String)> {
    let mut kept: Vec<(f64, String, f64, f64)> = Vec::new();
    let wanted = keep.into_iter().filter(|k| axis.holds(*k)).chain(ticks);
    for value in wanted {
        let text = label(value);
        let half = text::width(&text, size, false) / 2.0 + 4.0;
        let at = axis.at(value);
        let (from, to) = (at - half, at + half);
        if kept.iter().all(|(_, _, f, t)| to <= *f || *t <= from) {
            kept.push((value, text, from, to));
        }
    }
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    kept.into_iter()
        .map(|(value, text, ..)| (value, text))
        .collect()
}

fn decimal(digit: f64, power: i32) -> f64 {
    if power < 0 {
        digit / 10f64.powi(-power)
    } else {
        digit * 10f64.powi(power)
    }
}

/// Values beyond these are drawn at them: what is above and below has no room for margins, nor for powers of ten.
const LEAST: f64 = 1e-100;
const MOST: f64 = 1e100;

/// Least and greatest; a lone value gets a range around it.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, 0.0), |(low, high), v| {
        (f64::min(low, v), f64::max(high, v))
    });
    if low > high { (1.0, 1.0) } else { (low, high) }
}

/// `350 µs`, `1.24 s`.
pub fn seconds(value: f64) -> String {
    match value {
        v if v <= 0.0 => "0".to_owned(),
        v if v < 1e-6 => format!("{} ns", short(v * 1e9)),
        v if v < 1e-3 => format!("{} µs", short(v * 1e6)),
        v if v < 1.0 => format!("{} ms", short(v * 1e3)),
        v => format!("{} s", short(v)),
    }
}

/// Three significant digits without trailing zeros.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        text.to_owned()
    } else {
        text
    }
}

/// `×1.24`.
pub fn times(value: f64) -> String {
    format!("×{}", short(value))
}

/// `1.24 (1.1–1.3)`; of one sample, which has no interval, `1.24`.
pub fn interval(interval: Interval) -> String {
    let [median, low, high] = [interval.median, interval.low, interval.high].map(short);
    match interval.is_wide() {
        true => format!("{median} ({low}–{high})"),
        false => median,
    }
}

/// `×1.24 (1.1–1.3)`.
pub fn ratio(ratio: Interval) -> String {
    format!("×{}", interval(ratio))
}

/// `3.2 %` of a share.
pub fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}

/// `64 KiB`.
pub fn bytes(value: f64) -> String {
    match value {
        v if v >= (1u64 << 40) as f64 => format!("{} TiB", short(v / (1u64 << 40) as f64)),
        v if v >= (1u64 << 30) as f64 => format!("{} GiB", short(v / (1u64 << 30) as f64)),
        v if v >= (1u64 << 20) as f64 => format!("{} MiB", short(v / (1u64 << 20) as f64)),
        v if v >= 1024.0 => format!("{} KiB", short(v / 1024.0)),
        v => format!("{} B", short(v)),
    }
}

/// `2^20` for a power of two, else `1.5 M`.
pub fn rows(value: u64) -> String {
    match value {
        v if v.is_power_of_two() && v >= 1024 => format!("2^{}", v.ilog2()),
        v if v >= 1_000_000 => format!("{} M", short(v as f64 / 1e6)),
        v if v >= 1000 => format!("{} K", short(v as f64 / 1e3)),
        v => v.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(log: bool, low: f64, high: f64) -> Axis {
        Axis {
            log,
            low,
            high,
            from: 0.0,
            to: 500.0,
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            axis(true, 0.9, 120.0).ticks(60.0),
            [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        );
        assert_eq!(
            axis(true, 0.0009, 1.1).ticks(60.0),
            [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
        );
        assert_eq!(
            axis(true, 0.75, 1.32).ticks(60.0),
            [0.8, 0.9, 1.0, 1.1, 1.2, 1.3]
        );
        assert_eq!(
            axis(false, 0.0, 1.0).ticks(100.0),
            [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        );
    }

    #[test]
    fn powers_of_two_keep_their_distance() {
        let rows = axis(true, 1000.0, 7e7);
        assert_eq!(
            rows.powers_of_two(50.0),
            [10, 12, 14, 16, 18, 20, 22, 24, 26]
        );
    }

    #[test]
    fn labels_never_touch() {
        let a = axis(true, 0.5, 2.0);
        let ticks = (5..=20).map(|n| f64::from(n) / 10.0).collect();
        let kept = spaced(&a, ticks, 12.0, Some(1.0), times);
        assert!(kept.iter().any(|(value, _)| *value == 1.0));
        for pair in kept.windows(2) {
            let room = a.at(pair[1].0) - a.at(pair[0].0);
            let need = text::width(&pair[0].1, 12.0, false) / 2.0
                + text::width(&pair[1].1, 12.0, false) / 2.0;
            assert!(room >= need, "{pair:?}");
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(seconds(0.00035), "350 µs");
        assert_eq!(seconds(1.2345), "1.23 s");
        assert_eq!(short(0.1), "0.1");
        assert_eq!(short(123.4), "123");
        assert_eq!(short(1234.0), "1234");
        assert_eq!(percent(0.0123), "1.23 %");
        assert_eq!(rows(1 << 20), "2^20");
        assert_eq!(rows(1500), "1.5 K");
        assert_eq!(bytes(1048576.0), "1 MiB");
    }

    #[test]
    fn no_number_is_too_large_or_too_small_for_an_axis() {
        for values in [
            [f64::MAX, 1.0],
            [f64::MAX, f64::MAX],
            [5e-324, 5e-324],
            [5e-324, f64::MAX],
            [0.0, -1.0],
            [f64::NAN, f64::INFINITY],
        ] {
            for axis in [
                Axis::log(values, 1.1, 0.0, 500.0),
                Axis::from_zero(values, 0.0, 500.0),
            ] {
                let ticks = axis.ticks(48.0);
                assert!(ticks.len() < 20, "{values:?}: {} ticks", ticks.len());
                assert!(axis.powers_of_two(36.0).len() < 20);
                for value in values {
                    let at = axis.at(value);
                    assert!((0.0..=500.0).contains(&at), "{values:?}: {value} at {at}");
                }
            }
        }
    }

    #[test]
    fn an_axis_maps_its_ends() {
        let a = axis(true, 1.0, 100.0);
        assert_eq!((a.at(1.0), a.at(10.0), a.at(100.0)), (0.0, 250.0, 500.0));
        assert_eq!(a.at(1e9), 500.0);
    }
}
