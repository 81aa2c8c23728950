//! Zipf's distribution, drawn exactly, and Mandelbrot's, drawn fast.

use libm::{exp, expm1, log, log1p};

use super::draws::Draws;

/// Ranks 1..=n, rank k in proportion to k^-s.
///
/// Rejection-inversion after Hörmann and Derflinger ("Rejection-inversion to generate variates from monotone discrete
/// distributions", 1996): an inverse of the integral of x^-s, then a test that mostly passes. The logarithms are those
/// of a library in plain Rust, because those of the system differ between systems in the last bit.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    n: f64,
    exponent: f64,
    upper: f64,
    lower: f64,
    accept: f64,
}

impl Zipf {
    /// The distribution over ranks 1..=n; `n` is at least 1, `exponent` at least 0.
    pub fn new(n: u64, exponent: f64) -> Zipf {
        let mut zipf = Zipf {
            n: n as f64,
            exponent,
            upper: 0.0,
            lower: 0.0,
            accept: 0.0,
        };
        zipf.upper = zipf.integral(1.5) - 1.0;
        zipf.lower = zipf.integral(zipf.n + 0.5);
        zipf.accept = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    /// A rank.
    #[inline]
    pub fn rank(&self, draws: &mut Draws) -> u64 {
        loop {
            let u = self.lower + draws.unit() * (self.upper - self.lower);
            let x = self.inverse(u);
            let k = (x + 0.5).floor().clamp(1.0, self.n);
            if k - x <= self.accept || u >= self.integral(k + 0.5) - self.density(k) {
                return k as u64;
            }
        }
    }

    fn density(&self, x: f64) -> f64 {
        exp(-self.exponent * log(x))
    }

    /// The integral of the density from 1 to x, exact near exponent 1 too.
    fn integral(&self, x: f64) -> f64 {
        let log_x = log(x);
        expm1_over((1.0 - self.exponent) * log_x) * log_x
    }

    fn inverse(&self, u: f64) -> f64 {
        // Rounding must not leave the domain of the logarithm.
        let t = (u * (1.0 - self.exponent)).max(-1.0);
        exp(log1p_over(t) * u)
    }
}

/// Ranks 0..n, rank k about in proportion to (k + shift * n)^-s, after Zipf and Mandelbrot: as Zipf's law far from the
/// top, where the shift bounds how popular a rank can be, by about shift^-s (1 - s) times the mean.
///
/// By the inverse of the integral, so that one draw gives one rank.
#[derive(Clone, Copy, Debug)]
pub struct Popularity {
    n: u64,
    shift: f64,
    lower: f64,
    span: f64,
    power: f64,
}

impl Popularity {
    /// The distribution over ranks 0..n; `n` is at least 1, `exponent` at least 0, `shift` above 0.
    pub fn new(n: u64, exponent: f64, shift: f64) -> Popularity {
        // At 1 the integral is a logarithm; so near it, the difference is below the noise of any sample.
        let power = match 1.0 - exponent {
            power if power.abs() < 1e-6 => 1e-6,
            power => power,
        };
        let shift = shift * n as f64;
        let lower = exp(power * log(shift));
        Popularity {
            n,
            shift,
            lower,
            span: exp(power * log(n as f64 + shift)) - lower,
            power: 1.0 / power,
        }
    }

    /// A rank.
    #[inline]
    pub fn rank(&self, draws: &mut Draws) -> u64 {
        let x = exp(self.power * log(self.lower + draws.unit() * self.span)) - self.shift;
        (x.max(0.0) as u64).min(self.n - 1)
    }
}

/// (e^x - 1) / x, also at and near 0.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        expm1(x) / x
    } else {
        1.0 + x / 2.0
    }
}

/// ln(1 + x) / x, also at and near 0.
fn log1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        log1p(x) / x
    } else {
        1.0 - x / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::draws::Stream;
    use super::*;

    #[test]
    fn every_rank_has_its_share() {
        const DRAWS: u64 = 200_000;
        for exponent in [0.0, 0.5, 1.0, 1.5, 3.0] {
            for n in [1, 2, 5, 100] {
                let zipf = Zipf::new(n, exponent);
                let mut counts = vec![0_u64; n as usize];
                for row in 0..DRAWS {
                    let rank = zipf.rank(&mut Stream::new(3, n).row(row));
                    counts[rank as usize - 1] += 1;
                }
                let all: f64 = (1..=n).map(|k| (k as f64).powf(-exponent)).sum();
                for (k, &count) in (1..).zip(&counts) {
                    let share = f64::from(k).powf(-exponent) / all;
                    let expected = share * DRAWS as f64;
                    let deviation = (expected * (1.0 - share)).sqrt();
                    assert!(
                        (count as f64 - expected).abs() <= 5.0 * deviation + 1e-6,
                        "exponent {exponent}, rank {k} of {n}: {count} drawn, {expected} expected"
                    );
                }
            }
        }
    }
    #[test]
    fn popularity_falls_with_the_rank_and_is_bounded() {
        const DRAWS: u64 = 400_000;
        const N: u64 = 1000;
        for (exponent, shift) in [(0.0, 0.01), (0.8, 0.01), (1.0, 0.01), (1.2, 0.1)] {
            let popularity = Popularity::new(N, exponent, shift);
            let mut counts = vec![0_u64; N as usize];
            for row in 0..DRAWS {
                counts[popularity.rank(&mut Stream::new(3, 1).row(row)) as usize] += 1;
            }
            let weight = |k: usize| (k as f64 + 0.5 + shift * N as f64).powf(-exponent);
            let all: f64 = (0..N as usize).map(weight).sum();
            for first in (0..N as usize).step_by(50) {
                let found: u64 = counts[first..first + 50].iter().sum();
                let share: f64 = (first..first + 50).map(weight).sum::<f64>() / all;
                let expected = share * DRAWS as f64;
                assert!(
                    (found as f64 - expected).abs() < 5.0 * expected.sqrt() + 0.01 * expected,
                    "exponent {exponent}, ranks from {first}: {found} drawn, {expected} expected"
                );
            }
        }
    }
}
