//! PostgreSQL's `numeric` as it is sent: digits of base 10,000.

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
        let mut exponent = (i32::from(weight) + 1 - i32::from(count as i16)) * 4;
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

    /// The nearest FP64, and whether it reads back as another decimal number.
    pub fn to_f64(&self) -> (f64, bool) {
        let (negative, digits, exponent) = match self {
            Numeric::Finite {
                negative,
                digits,
                exponent,
            } => (*negative, digits, *exponent),
            Numeric::Nan => return (f64::NAN, false),
            Numeric::Infinite { negative: true } => return (f64::NEG_INFINITY, false),
            Numeric::Infinite { negative: false } => return (f64::INFINITY, false),
        };
        let text = std::str::from_utf8(digits).unwrap_or("0");
        let nearest = match text {
            "" => 0.0,
            _ => format!("{text}e{exponent}").parse().unwrap_or(f64::NAN),
        };
        // Up to fifteen digits survive in an FP64 of ordinary size.
        let lost = nearest.is_infinite() || (nearest == 0.0 && !digits.is_empty()) || {
            digits.len() > 15 && !same_digits(nearest, digits)
        };
        (if negative { -nearest } else { nearest }, lost)
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
        assert_eq!(number(0, 0, &[]).to_f64(), (0.0, false));
        assert_eq!(number(0, 0, &[12, 3400]).to_f64(), (12.34, false));
        assert_eq!(number(0, 0x4000, &[12, 3400]).to_f64(), (-12.34, false));
        assert_eq!(number(-1, 0, &[1]).to_f64(), (0.0001, false));
        assert_eq!(number(2, 0, &[1]).to_f64(), (1e8, false));
        assert!(number(0, 0xc000, &[]).to_f64().0.is_nan());
        assert_eq!(number(0, 0xf000, &[]).to_f64(), (f64::NEG_INFINITY, false));
        // 12345678901234567890 and 2^60: the first is no FP64, the second is.
        assert_eq!(
            number(4, 0, &[1234, 5678, 9012, 3456, 7890]).to_f64(),
            (1.234_567_890_123_456_7e19, true)
        );
        assert_eq!(
            number(4, 0, &[115, 2921, 5046, 684, 6976]).to_f64().0,
            (1u64 << 60) as f64
        );
        assert_eq!(number(127, 0, &[1]).to_f64(), (f64::INFINITY, true));
        assert_eq!(number(-127, 0, &[1]).to_f64(), (0.0, true));
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
