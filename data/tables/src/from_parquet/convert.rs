//! Values of Parquet's types as values of ours. Nothing is lost that was not asked for.

use std::borrow::Cow;

use join_core::page::DataType;
use join_core::table::Value;

use super::damage::damaged;
use crate::{Decimals, exact};

/// Integers up to this size are FP64 exactly.
const EXACT: u128 = 1 << f64::MANTISSA_DIGITS;

/// Powers of ten up to this one are FP64 exactly.
const EXACT_TENS: u32 = 22;

/// How the values of one column are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The type of the column that is made.
    pub target: DataType,
    /// Whether integers are without sign.
    pub unsigned: bool,
    /// The bits of integers that are stored in more.
    pub bits: Option<u32>,
    /// Whether strings must be UTF-8.
    pub utf8: bool,
    /// Digits behind the point; `None` if there are none.
    pub scale: Option<u32>,
    /// What becomes of digits that FP64 does not have.
    pub decimals: Decimals,
}

impl Conversion {
    /// An integer, or a decimal in units of its last digit.
    pub fn number(self, number: i128) -> Result<Value<'static>, String> {
        if let Some(bits) = self.bits {
            let half = 1 << (bits - 1);
            let range = if self.unsigned {
                0..2 * half
            } else {
                -half..half
            };
            if !range.contains(&number) {
                return Err(damaged(format!("{number} is no integer of {bits} bits")));
            }
        }
        let beyond = |remedy: &str| format!("{number} is beyond {}; {remedy}", self.target);
        match (self.target, self.scale) {
            (DataType::Fp64, Some(scale)) => {
                decimal(number, scale, self.decimals).map(Value::Fp64)
            }
            (DataType::Fp64, None)
                if self.decimals == Decimals::Rounded || exact::has_integer(number) =>
            {
                Ok(Value::Fp64(number as f64))
            }
            (DataType::Fp64, None) => {
                let way_out = match i64::try_from(number) {
                    Ok(_) => "; import the column as INT64",
                    Err(_) => ", and is beyond INT64; leave the column out with --columns",
                };
                Err(format!(
                    "{number} has more digits than FP64{way_out}, or say --decimals rounded for the nearest FP64"
                ))
            }
            (DataType::Int32, _) => i32::try_from(number)
                .map(Value::Int32)
                .map_err(|_| beyond("import the column as INT64 with --types")),
            (DataType::Int64, _) => i64::try_from(number)
                .map(Value::Int64)
                .map_err(|_| match self.scale {
                    Some(_) => beyond("leave the column out with --columns, or convert it before"),
                    None => beyond(
                        "leave the column out with --columns, or import it as FP64 with --types, which takes what FP64 holds",
                    ),
                }),
            (DataType::Varchar, _) => Err("a number in a column of strings".to_owned()),
        }
    }

    /// A string, or a decimal that is stored as one.
    pub fn bytes(self, bytes: &[u8]) -> Result<Value<'_>, String> {
        if self.scale.is_some() || self.target != DataType::Varchar {
            return self.number(big_endian(bytes)?);
        }
        if self.utf8
            && let Err(error) = std::str::from_utf8(bytes)
        {
            return Err(format!(
                "invalid UTF-8 at byte {} of a string; convert the column to binary, which is taken as it is",
                error.valid_up_to()
            ));
        }
        Ok(Value::Varchar(Cow::Borrowed(bytes)))
    }
}

/// A decimal of `scale` digits behind the point as FP64.
fn decimal(mut number: i128, mut scale: u32, how: Decimals) -> Result<f64, String> {
    // 1.500 is 1.5.
    while scale > 0 && number % 10 == 0 {
        (number, scale) = (number / 10, scale - 1);
    }
    // Who reads 15 digits into FP64 and writes 15 digits gets the same ones; an integer up to 2^53 is exact.
    let kept = number.unsigned_abs() < 10_u128.pow(f64::DIGITS)
        || scale == 0 && exact::has_integer(number);
    if !kept && how != Decimals::Rounded {
        return Err(format!(
            "{number}e-{scale} has more digits than FP64; say --decimals scaled for INT64 in units of 1e-{scale}, \
             or --decimals rounded for the nearest FP64"
        ));
    }
    if number.unsigned_abs() <= EXACT && scale <= EXACT_TENS {
        // The quotient of two exact numbers is the nearest one.
        return Ok(number as f64 / 10_f64.powi(scale as i32));
    }
    let text = format!("{number}e-{scale}");
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// A number in two's complement, most significant byte first.
fn big_endian(bytes: &[u8]) -> Result<i128, String> {
    const BYTES: usize = size_of::<i128>();
    let sign = match bytes.first() {
        Some(0x80..) => 0xff,
        _ => 0x00,
    };
    let (front, number) = bytes.split_at(bytes.len().saturating_sub(BYTES));
    let mut padded = [sign; BYTES];
    padded[BYTES - number.len()..].copy_from_slice(number);
    let value = i128::from_be_bytes(padded);
    match front.iter().all(|&byte| byte == sign) && (value < 0) == (sign != 0) {
        true => Ok(value),
        false => Err(format!(
            "a decimal of {} bytes is beyond 38 digits; leave the column out with --columns",
            bytes.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_the_nearest_fp64() {
        for (number, scale, expected) in [
            (1234, 2, 12.34),
            (-1, 1, -0.1),
            (0, 5, 0.0),
            (999_999_999_999_999, 2, 9_999_999_999_999.99),
            (1, 30, 1e-30),
            (1_500_000_000_000_000_000, 18, 1.5),
            (123_456_789_012_345_000_000, 6, 123_456_789_012_345.0),
            (0, 38, 0.0),
            (7, 38, 7e-38),
            (9_007_199_254_740_992, 0, 9_007_199_254_740_992.0),
        ] {
            assert_eq!(decimal(number, scale, Decimals::Fp64), Ok(expected));
        }
        let long = 12_345_678_901_234_567;
        assert!(
            decimal(long, 2, Decimals::Fp64)
                .unwrap_err()
                .contains("--decimals scaled")
        );
        assert_eq!(
            decimal(long, 2, Decimals::Rounded),
            Ok(123_456_789_012_345.67)
        );
    }

    #[test]
    fn bytes_are_twos_complement() {
        for number in [0, 1, -1, 127, 128, -128, -129, i128::MAX, i128::MIN] {
            let bytes = number.to_be_bytes();
            assert_eq!(big_endian(&bytes), Ok(number));
            let sign = if number < 0 { 0xff } else { 0 };
            let long: Vec<u8> = [sign; 4].into_iter().chain(bytes).collect();
            assert_eq!(big_endian(&long), Ok(number));
        }
        assert_eq!(big_endian(&[]), Ok(0));
        assert_eq!(big_endian(&[0xfe]), Ok(-2));
        assert_eq!(big_endian(&[0, 0xfe]), Ok(254));
        let mut beyond = [0; 17];
        beyond[1] = 0x80;
        assert!(big_endian(&beyond).is_err());
        beyond[0] = 1;
        assert!(big_endian(&beyond).is_err());
    }
}
