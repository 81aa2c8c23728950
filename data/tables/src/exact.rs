//! Which numbers FP64 has exactly, or gives back digit for digit.

/// Digits that FP64 gives back, whatever they are, where the number is of usual size.
const KEPT: usize = f64::DIGITS as usize;

/// Whether FP64 has this integer.
pub fn has_integer(number: i128) -> bool {
    let magnitude = number.unsigned_abs();
    magnitude == magnitude as f64 as u128
}

/// Whether `number`, which is the nearest FP64 to the decimal `text`, gives its digits back: the shortest decimal that is
/// nearest to it is the same number.
pub fn gives_back(text: &str, number: f64) -> bool {
    let Some(written) = Digits::of(text) else {
        return false;
    };
    if written.significant.len() <= KEPT && number.is_normal() {
        return true;
    }
    Digits::of(&format!("{number:e}")).is_some_and(|shortest| shortest == written)
}

/// A decimal without its sign: its digits from the first to the last that is not zero, and the power of ten of the first.
#[derive(Debug, PartialEq, Eq)]
struct Digits {
    significant: Vec<u8>,
    power: i64,
}

impl Digits {
    /// Those of a number with digits; `None` for other text.
    fn of(text: &str) -> Option<Digits> {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (text, "0"),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let Some(first) = digits.iter().position(|&digit| digit != b'0') else {
            let (significant, power) = (Vec::new(), 0);
            return Some(Digits { significant, power });
        };
        let last = digits.iter().rposition(|&digit| digit != b'0')?;
        let exponent: i64 = exponent.parse().ok()?;
        let shift = i64::try_from(whole.len()).ok()? - 1 - i64::try_from(first).ok()?;
        Some(Digits {
            significant: digits[first..=last].to_vec(),
            power: exponent.checked_add(shift)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn some_large_integers() {
        for (number, exact) in [
            (1 << 53, true),
            ((1 << 53) + 1, false),
            ((1 << 53) + 2, true),
            (1 << 63, true),
            ((1 << 63) - 1, false),
            (u64::MAX.into(), false),
            (i128::MAX, false),
            (i128::MIN, true),
            (-(1 << 62), true),
        ] {
            assert_eq!(has_integer(number), exact, "{number}");
        }
    }

    #[test]
    fn digits_that_come_back() {
        for (text, expected) in [
            ("0.1", true),
            ("1.10", true),
            ("0.30000000000000004", true),
            ("0.12345678901234567890", false),
            ("0.10000000000000000555", false),
            ("9007199254740993.0", false),
            ("9007199254740992.0", true),
            ("9223372036854775807.0", false),
            ("1e22", true),
            ("1.0e23", true),
            ("1e308", true),
            ("1e-308", true),
            ("4.9e-324", false),
            ("5e-324", true),
            ("3e-324", false),
            ("1e-400", false),
            ("0.000e9999", true),
            ("-0.0", true),
            ("00.50", true),
            ("1e99999999999999999999", false),
            ("NaN", false),
            ("", false),
            (".", false),
        ] {
            let number = text.parse().unwrap_or(f64::NAN);
            assert_eq!(gives_back(text, number), expected, "{text}");
        }
    }

    proptest! {
        /// Whatever is said to come back does, and what Rust prints comes back.
        #[test]
        fn exactly_what_comes_back(bits in any::<u64>(), digits in "[1-9][0-9]{0,19}", exponent in -330_i32..300) {
            let number = f64::from_bits(bits);
            if number.is_finite() {
                let (plain, scientific) = (format!("{number}"), format!("{number:e}"));
                prop_assert!(gives_back(&plain, number));
                prop_assert!(gives_back(&scientific, number));
            }
            let text = format!("{digits}e{exponent}");
            let number: f64 = text.parse().unwrap();
            if number.is_finite() {
                let shortest = format!("{number:e}");
                let (mantissa, power) = shortest.split_once('e').unwrap();
                let power: i32 = power.parse().unwrap();
                let expected = mantissa.replace('.', "") == digits.trim_end_matches('0')
                    && power == exponent + digits.len() as i32 - 1;
                prop_assert_eq!(gives_back(&text, number), expected);
            }
        }
    }
}
