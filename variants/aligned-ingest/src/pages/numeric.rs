//! PostgreSQL's `numeric` as it is sent: digits of base 10,000.

use std::fmt;

/// A number of any precision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numeric {
    /// Digits, most significant first and without leading and trailing zeros, times ten to a power.
    Finite {
        /// Below zero.
        negative: bool,
        /// Decimal digits as ASCII; none is zero.
        digits: Vec<u8>,
        /// The power of ten of the last digit.
        exponent: i32,
    },
    /// Not a number.
    Nan,
    /// Without bound.
    Infinite {
        /// Below zero.
        negative: bool,
    },
}

impl Numeric {
    /// Reads the bytes of a field; `None` if they are not of the form.
    pub fn read(bytes: &[u8]) -> Option<Numeric> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let (count, weight, sign) = (word(0), word(2) as i16, word(4));
        if rest.len() != usize::from(count) * 2 {
            return None;
        }
        let negative = match sign {
            0 => false,
            0x4000 => true,
            0xc000 => return Some(Numeric::Nan),
            0xd000 => return Some(Numeric::Infinite { negative: false }),
            0xf000 => return Some(Numeric::Infinite { negative: true }),
            _ => return None,
        };
        let mut digits = Vec::with_capacity(rest.len() * 2);
        for group in rest.chunks_exact(2) {
            let mut group = u16::from_be_bytes([group[0], group[1]]);
            if group > 9999 {
                return None;
            }
            for unit in [1000, 100, 10, 1] {
                digits.push(b'0' + (group / unit) as u8);
                group %= unit;
            }
        }
        let mut exponent = (i32::from(weight) + 1 - i32::from(count)) * 4;
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent += 1;
        }
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        digits.drain(..zeros);
        if digits.is_empty() {
            exponent = 0;
        }
        Some(Numeric::Finite {
            negative,
            digits,
            exponent,
        })
    }

    /// The nearest FP64, and whether it reads back as another decimal number. `None` if it is beyond the largest.
    pub fn to_f64(&self) -> Option<(f64, bool)> {
        let (negative, digits, exponent) = match self {
            Numeric::Finite {
                negative,
                digits,
                exponent,
            } => (*negative, digits, *exponent),
            Numeric::Nan => return Some((f64::NAN, false)),
            Numeric::Infinite { negative: true } => return Some((f64::NEG_INFINITY, false)),
            Numeric::Infinite { negative: false } => return Some((f64::INFINITY, false)),
        };
        let text = std::str::from_utf8(digits).unwrap_or("0");
        let nearest: f64 = match text {
            "" => 0.0,
            _ => format!("{text}e{exponent}").parse().unwrap_or(f64::NAN),
        };
        if nearest.is_infinite() {
            return None;
        }
        // Up to fifteen digits survive in an FP64 of ordinary size; one near zero has fewer.
        let few = digits.len() <= 15 && nearest >= f64::MIN_POSITIVE;
        let lost = !few && !digits.is_empty() && !same_digits(nearest, digits);
        Some((if negative { -nearest } else { nearest }, lost))
    }

    /// The number times ten to `scale`, rounded half away from zero as the server does, and whether digits were lost.
    /// `None` if it does not fit into INT64.
    pub fn to_scaled_i64(&self, scale: u8) -> Option<(i64, bool)> {
        let Numeric::Finite {
            negative,
            digits,
            exponent,
        } = self
        else {
            return None;
        };
        if digits.is_empty() {
            return Some((0, false));
        }
        let shift = exponent + i32::from(scale);
        // Digits left of the point after scaling.
        let whole = digits.len() as i32 + shift;
        if whole > 19 {
            return None;
        }
        let kept = whole.clamp(0, digits.len() as i32) as usize;
        let mut value = digits[..kept]
            .iter()
            .fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        value *= 10i128.pow(shift.max(0) as u32);
        let lost = kept < digits.len();
        if lost && whole >= 0 && digits[kept] >= b'5' {
            value += 1;
        }
        if *negative {
            value = -value;
        }
        Some((i64::try_from(value).ok()?, lost))
    }
}

impl fmt::Display for Numeric {
    /// To seventeen digits, with an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numeric::Nan => f.write_str("NaN"),
            Numeric::Infinite { negative } => {
                f.write_str(if *negative { "-Infinity" } else { "Infinity" })
            }
            Numeric::Finite { digits, .. } if digits.is_empty() => f.write_str("0"),
            Numeric::Finite {
                negative,
                digits,
                exponent,
            } => {
                let sign = if *negative { "-" } else { "" };
                let shown = std::str::from_utf8(&digits[..digits.len().min(17)]).unwrap_or("0");
                let (first, rest) = shown.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                let power = exponent + digits.len() as i32 - 1;
                write!(f, "{sign}{first}{point}{rest}e{power}")
            }
        }
    }
}

/// Whether the shortest text that means this FP64 has these digits.
fn same_digits(value: f64, digits: &[u8]) -> bool {
    let text = format!("{value:e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    let shortest: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    shortest == digits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the server sends it.
    fn sent(weight: i16, sign: u16, groups: &[u16]) -> Vec<u8> {
        let mut bytes = (groups.len() as u16).to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(4u16.to_be_bytes());
        groups
            .iter()
            .for_each(|group| bytes.extend(group.to_be_bytes()));
        bytes
    }

    fn number(weight: i16, sign: u16, groups: &[u16]) -> Numeric {
        Numeric::read(&sent(weight, sign, groups)).unwrap()
    }

    #[test]
    fn numbers_become_the_nearest_fp64() {
        let fp64 = |number: Numeric| number.to_f64().unwrap();
        assert_eq!(fp64(number(0, 0, &[])), (0.0, false));
        assert_eq!(fp64(number(0, 0, &[12, 3400])), (12.34, false));
        assert_eq!(fp64(number(0, 0x4000, &[12, 3400])), (-12.34, false));
        assert_eq!(fp64(number(-1, 0, &[1])), (0.0001, false));
        assert_eq!(fp64(number(2, 0, &[1])), (1e8, false));
        assert!(fp64(number(0, 0xc000, &[])).0.is_nan());
        assert_eq!(fp64(number(0, 0xd000, &[])), (f64::INFINITY, false));
        assert_eq!(fp64(number(0, 0xf000, &[])), (f64::NEG_INFINITY, false));
        // 12345678901234567890 and 2^60: the first is no FP64, the second is.
        assert_eq!(
            fp64(number(4, 0, &[1234, 5678, 9012, 3456, 7890])),
            (1.234_567_890_123_456_7e19, true)
        );
        assert_eq!(
            fp64(number(4, 0, &[115, 2921, 5046, 684, 6976])).0,
            (1u64 << 60) as f64
        );
        assert_eq!(fp64(number(-127, 0, &[1])), (0.0, true));
        // 1e304 and 1.8e308: an FP64, and beyond the largest.
        assert_eq!(fp64(number(76, 0, &[1])), (1e304, false));
        assert_eq!(number(77, 0, &[1, 8000]).to_f64(), None);
        assert_eq!(number(77, 0x4000, &[1, 8000]).to_f64(), None);
    }

    /// A number with these digits times ten to a power.
    fn decimal(digits: &str, exponent: i32) -> Numeric {
        Numeric::Finite {
            negative: false,
            digits: digits.into(),
            exponent,
        }
    }

    #[test]
    fn numbers_near_zero_have_fewer_digits_than_others() {
        for (digits, exponent, lost) in [
            ("123456789012345", -334, true),
            ("987654321", -330, true),
            ("445014771701447", -324, true),
            ("44501477170144", -323, false),
            ("10000000001", -325, true),
            ("4", -324, true),
            ("1", -400, true),
            ("15", -324, false),
            ("5", -324, false),
            ("1", -323, false),
            // Around the smallest of ordinary size, 2.2250738585072014e-308.
            ("22250738585072", -321, false),
            ("222507385850721", -322, false),
            ("22250738585072013", -324, true),
            ("22250738585072014", -324, false),
        ] {
            let number = decimal(digits, exponent);
            let (nearest, found) = number.to_f64().unwrap();
            assert_eq!(found, lost, "{number} {nearest:e}");
        }
    }

    #[test]
    fn numbers_print_with_an_exponent() {
        for (digits, exponent, text) in [
            ("1", 400, "1e400"),
            ("15", -324, "1.5e-323"),
            ("12345678901234567890", 0, "1.2345678901234567e19"),
            ("", 0, "0"),
        ] {
            assert_eq!(decimal(digits, exponent).to_string(), text);
        }
        assert_eq!(number(0, 0x4000, &[12, 3400]).to_string(), "-1.234e1");
        assert_eq!(number(0, 0xf000, &[]).to_string(), "-Infinity");
        assert_eq!(number(0, 0xc000, &[]).to_string(), "NaN");
    }

    #[test]
    fn numbers_become_scaled_integers() {
        let twelve = number(0, 0, &[12, 3456]);
        assert_eq!(twelve.to_scaled_i64(4), Some((123_456, false)));
        assert_eq!(twelve.to_scaled_i64(2), Some((1235, true)));
        assert_eq!(twelve.to_scaled_i64(0), Some((12, true)));
        assert_eq!(twelve.to_scaled_i64(6), Some((12_345_600, false)));
        assert_eq!(
            number(0, 0x4000, &[0, 5000]).to_scaled_i64(0),
            Some((-1, true))
        );
        assert_eq!(number(-1, 0, &[4999]).to_scaled_i64(0), Some((0, true)));
        assert_eq!(number(-2, 0, &[9999]).to_scaled_i64(2), Some((0, true)));
        assert_eq!(number(-1, 0, &[99]).to_scaled_i64(2), Some((1, true)));
        assert_eq!(number(0, 0, &[]).to_scaled_i64(9), Some((0, false)));
        assert_eq!(
            number(4, 0, &[922, 3372, 368, 5477, 5807]).to_scaled_i64(0),
            Some((i64::MAX, false))
        );
        assert_eq!(
            number(4, 0, &[922, 3372, 368, 5477, 5808]).to_scaled_i64(0),
            None
        );
        assert_eq!(
            number(4, 0x4000, &[922, 3372, 368, 5477, 5808]).to_scaled_i64(0),
            Some((i64::MIN, false))
        );
        assert_eq!(number(100, 0, &[1]).to_scaled_i64(0), None);
        assert_eq!(number(0, 0xc000, &[]).to_scaled_i64(0), None);
    }

    #[test]
    fn bytes_that_are_no_number_are_refused() {
        assert_eq!(Numeric::read(&[]), None);
        assert_eq!(Numeric::read(&sent(0, 0, &[1])[..9]), None);
        assert_eq!(Numeric::read(&sent(0, 0, &[10_000])), None);
        assert_eq!(Numeric::read(&sent(0, 7, &[1])), None);
    }
}
