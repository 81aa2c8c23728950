//! The type of a column, from all of its fields.

use join_core::page::DataType;

/// Integers up to this size are FP64 exactly.
const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;

/// What the fields seen so far allow. Nothing may be lost: a field that would not come back as it was written, such as
/// `007`, `+1` or an integer beyond INT64, makes the column text.
#[derive(Clone, Debug, Default)]
pub struct Guess {
    /// The narrowest type that holds all fields; none before the first.
    narrowest: Option<DataType>,
    /// Whether an integer was seen that FP64 would round.
    wide: bool,
}

impl Guess {
    /// Looks at a field that is not NULL.
    pub fn see(&mut self, field: &str) {
        if self.narrowest == Some(DataType::Varchar) {
            return;
        }
        let found = match integer(field) {
            Some(number) => {
                self.wide |= number.unsigned_abs() > EXACT;
                match i32::try_from(number) {
                    Ok(_) => DataType::Int32,
                    Err(_) => DataType::Int64,
                }
            }
            None if is_decimal(field) => DataType::Fp64,
            None => DataType::Varchar,
        };
        // The types are declared from narrow to wide.
        self.narrowest = self.narrowest.max(Some(found));
    }

    /// The type of the column; text where there was nothing but NULL.
    pub fn data_type(&self) -> DataType {
        match self.narrowest {
            Some(DataType::Fp64) if self.wide => DataType::Varchar,
            Some(narrowest) => narrowest,
            None => DataType::Varchar,
        }
    }
}

/// An integer as it is usually written: no plus sign, no zeros in front.
fn integer(field: &str) -> Option<i64> {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let usual = match digits.as_bytes() {
        [b'0'] => digits.len() == field.len(),
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    usual.then(|| field.parse().ok()).flatten()
}

/// A finite number with a decimal point or an exponent.
fn is_decimal(field: &str) -> bool {
    let shape = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    field.bytes().all(shape)
        && field.contains(['.', 'e', 'E'])
        && field.parse().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_type_that_loses_nothing() {
        for (fields, data_type) in [
            (&[][..], DataType::Varchar),
            (
                &["1", "-2", "0", "2147483647", "-2147483648"],
                DataType::Int32,
            ),
            (&["1", "2147483648"], DataType::Int64),
            (&["-9223372036854775808"], DataType::Int64),
            (&["9223372036854775808"], DataType::Varchar),
            (&["1", "2.5"], DataType::Fp64),
            (&["1e3", ".5", "5.", "-0.0"], DataType::Fp64),
            (&["1e999"], DataType::Varchar),
            (&["2.5", "9007199254740992"], DataType::Fp64),
            (&["2.5", "9007199254740993"], DataType::Varchar),
            (&["007"], DataType::Varchar),
            (&["+1"], DataType::Varchar),
            (&["-0"], DataType::Varchar),
            (&["1", "x", "2"], DataType::Varchar),
            (&[" 1"], DataType::Varchar),
            (&["nan"], DataType::Varchar),
            (&["e"], DataType::Varchar),
            (&["."], DataType::Varchar),
            (&["2024-01-02"], DataType::Varchar),
            (&[""], DataType::Varchar),
        ] {
            let mut guess = Guess::default();
            fields.iter().for_each(|field| guess.see(field));
            assert_eq!(guess.data_type(), data_type, "{fields:?}");
        }
    }
}
