//! The type of a column, from all of its fields.

use join_core::page::DataType;

use crate::exact;

/// What the fields seen so far allow. Nothing may be lost: a field that would not come back as it was written, such as
/// `007`, `+1.5`, an integer beyond INT64 or a decimal of more digits than FP64 has, makes the column text.
#[derive(Clone, Debug, Default)]
pub struct Guess {
    /// The narrowest type that holds all fields; none before the first.
    narrowest: Option<DataType>,
    /// Whether an integer was seen whose digits FP64 would not give back.
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
                self.wide |= !exact::gives_back(field, number as f64);
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

/// A finite number with a decimal point or an exponent whose digits FP64 gives back, as it is usually written.
fn is_decimal(field: &str) -> bool {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let point = digits.find(['.', 'e', 'E']);
    let whole = point.map(|point| &digits.as_bytes()[..point]);
    let usual = matches!(whole, Some([] | [b'0'] | [b'1'..=b'9', ..]));
    usual
        && field
            .parse()
            .is_ok_and(|number: f64| number.is_finite() && exact::gives_back(field, number))
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
            (&["2.5", "4611686018427387904"], DataType::Varchar),
            (&["2.5", "4611686018427388000"], DataType::Fp64),
            (&["9007199254740993.0"], DataType::Varchar),
            (&["0.30000000000000004", "1e22"], DataType::Fp64),
            (&["0.12345678901234567890"], DataType::Varchar),
            (&["1e-400", "0.5"], DataType::Varchar),
            (&["007.1"], DataType::Varchar),
            (&["-00.5"], DataType::Varchar),
            (&["+1.5"], DataType::Varchar),
            (&["0.1", "10.25"], DataType::Fp64),
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
